"""The list people asked to be on, and the proof that they did.

Lists on their way in: import_models. What the list is sent: issue_models.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, Func, OuterRef, Q, Value
from django.db.models.functions import Coalesce, Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac

from coaching_site import german, periods
from newsletter.addresses import LONGEST, Address
from newsletter.import_models import (
    NAME_LENGTH,
    TAG_LENGTH,
)
from newsletter.import_models import Import as Import
from newsletter.import_models import ImportFile as ImportFile
from newsletter.import_models import ImportPiece as ImportPiece
from newsletter.import_models import ImportRow as ImportRow
from newsletter.import_models import Outcome as Outcome
from newsletter.issue_models import Delivery as Delivery
from newsletter.issue_models import Edition as Edition
from newsletter.issue_models import Feedback as Feedback
from newsletter.issue_models import Inbox as Inbox
from newsletter.issue_models import Issue as Issue
from newsletter.issue_models import Pace as Pace
from newsletter.issue_models import Picture as Picture

# How long a shortened IP address may support the proof of a consent, if the coach keeps any.
NETWORK_LIFE = periods.NETWORKS.life
# So many hashes go into one question to the database.
HASHES_AT_ONCE = 10_000


class Tag(models.Model):
    """A word for some of the readers, given by the coach or brought along by an import."""

    name = models.CharField("Schlagwort", max_length=TAG_LENGTH)

    class Meta:
        verbose_name = "Schlagwort"
        verbose_name_plural = "Schlagwörter"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                name="newsletter_one_tag_per_word",
                violation_error_message="Dieses Schlagwort gibt es schon.",
            ),
            models.CheckConstraint(name="newsletter_tag_has_a_word", condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return self.name


class SubscriberQuerySet(models.QuerySet["Subscriber"]):
    def confirmed(self) -> SubscriberQuerySet:
        return self.filter(status=Subscriber.Status.CONFIRMED)

    def reachable(self) -> SubscriberQuerySet:
        """Readers whose mailbox takes mail, as far as is known."""
        return self.confirmed().filter(unreachable_since__isnull=True)

    def on_the_list(self, public_id: uuid.UUID) -> bool:
        """Whether this person is on the list, or has asked to be."""
        on_it = self.exclude(status=Subscriber.Status.UNSUBSCRIBED)
        return on_it.filter(public_id=public_id).exists()

    def asked_in_vain(self, until: datetime) -> SubscriberQuerySet:
        """Whoever has not confirmed a sign-up made at that time or earlier."""
        asked_at = Coalesce("mail_requested_at", "created_at")
        return self.alias(asked_at=asked_at).filter(
            status=Subscriber.Status.PENDING, asked_at__lte=until
        )


class Subscriber(models.Model):
    """Someone who asked for the newsletter. One row an address, also after an unsubscription.

    PENDING → CONFIRMED      the link in the mail was opened and its button pressed
    CONFIRMED → UNSUBSCRIBED
    UNSUBSCRIBED → PENDING   signed up again: nothing is sent until confirmed again
    PENDING → UNSUBSCRIBED   unsubscribed meanwhile, or a former reader did not confirm in time
    PENDING → (deleted)      a newcomer did not confirm in time

    UNPROVEN came with an import that could not show a consent, and is never sent anything. It ends
    by signing up (PENDING), by an import that shows the consent (CONFIRMED) or by UNSUBSCRIBED.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "noch nicht bestätigt"
        CONFIRMED = "confirmed", "angemeldet"
        UNSUBSCRIBED = "unsubscribed", "abgemeldet"
        UNPROVEN = "unproven", "unbestätigt, wird nie beschickt"

    # Stands in signed links, so it says nothing about the list's size or order.
    public_id = models.UUIDField("Kennung", default=uuid.uuid4, editable=False)
    address = models.CharField("E-Mail-Adresse", max_length=LONGEST)
    address_key = models.CharField("Suchform der Adresse", max_length=LONGEST)
    name = models.CharField("Name", max_length=NAME_LENGTH, blank=True, default="")
    tags = models.ManyToManyField(
        Tag, verbose_name="Schlagwörter", blank=True, related_name="subscribers"
    )
    status = models.CharField("Status", max_length=12, choices=Status, default=Status.PENDING)
    consent = models.ForeignKey(
        "Consent",
        verbose_name="Einwilligung",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Die zuletzt bestätigte.",
    )
    created_at = models.DateTimeField("eingetragen am")
    confirmed_at = models.DateTimeField("bestätigt am", null=True, blank=True)
    unsubscribed_at = models.DateTimeField("abgemeldet am", null=True, blank=True)
    # The ledger of the answer to a sign-up. A new request empties the second time: owed again.
    mail_requested_at = models.DateTimeField("E-Mail angefordert am", null=True, blank=True)
    mail_sent_at = models.DateTimeField("E-Mail verschickt am", null=True, blank=True)
    # Mail came back for good, or too often. Whoever confirms anew has shown that the mailbox works.
    unreachable_since = models.DateTimeField("unzustellbar seit", null=True, blank=True)
    # Counts the addresses: whoever inherits the mailbox of an old one has no use for its old links.
    address_number = models.PositiveSmallIntegerField(
        "wievielte Adresse", default=1, db_default=1, editable=False
    )

    objects = SubscriberQuerySet.as_manager()

    class Meta:
        verbose_name = "Abonnentin oder Abonnent"
        verbose_name_plural = "Abos"
        constraints = [
            models.UniqueConstraint(
                name="newsletter_one_subscriber_per_address", fields=["address_key"]
            ),
            models.UniqueConstraint(name="newsletter_public_id_is_unique", fields=["public_id"]),
            models.CheckConstraint(
                name="newsletter_address_key_is_normalised",
                condition=Q(address_key=Lower("address_key")) & ~Q(address_key=""),
            ),
            models.CheckConstraint(
                name="newsletter_subscriber_status_is_known",
                condition=Q(status__in=["pending", "confirmed", "unsubscribed", "unproven"]),
            ),
            models.CheckConstraint(
                name="newsletter_confirmed_means_consent",
                condition=~Q(status="confirmed")
                | Q(
                    consent__isnull=False, confirmed_at__isnull=False, unsubscribed_at__isnull=True
                ),
                violation_error_message="Ohne bestätigte Einwilligung gibt es kein Abo.",
            ),
            models.CheckConstraint(
                name="newsletter_unsubscribed_has_a_time",
                condition=~Q(status="unsubscribed") | Q(unsubscribed_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="newsletter_by_status", fields=["status", "mail_requested_at"]),
            models.Index(name="newsletter_by_age", fields=["created_at"]),
        ]

    def __str__(self) -> str:
        return self.address

    @property
    def mailbox(self) -> str:
        return Address(self.address, self.address_key).mailbox

    @property
    def mail_is_owed(self) -> bool:
        return self.mail_requested_at is not None and self.mail_sent_at is None


class ConsentQuerySet(models.QuerySet["Consent"]):
    def open(self) -> ConsentQuerySet:
        """Requests nobody has confirmed: not yet a consent."""
        return self.filter(confirmed_at__isnull=True)

    def sign_ups(self) -> ConsentQuerySet:
        """Those that ask for the newsletter, not for another address to send it to."""
        return self.filter(replaces__isnull=True)

    def moves(self) -> ConsentQuerySet:
        return self.filter(replaces__isnull=False)

    def ended(self) -> ConsentQuerySet:
        """Those withdrawn for good: no change of address, no unsubscription taken back, followed."""
        next_ones = Consent.objects.filter(replaces=OuterRef("pk"), confirmed_at__isnull=False)
        return self.filter(~Exists(next_ones), withdrawn_at__isnull=False)

    def of_address(self, address: Address) -> ConsentQuerySet:
        """What an address agreed to, also after it was erased."""
        return self.filter(
            Q(address__iexact=address.shown)
            | Q(address__iexact=address.key)
            | Q(address_hash__in=suppression_hashes(address.key))
        )

    def network_ran_out(self, now: datetime) -> ConsentQuerySet:
        return self.filter(network_until__lte=now)


class Consent(models.Model):
    """What someone was asked, when they asked for it, confirmed it and took it back.

    Rows only grow: a trigger lets `confirmed_at` and `withdrawn_at` be filled once each and refuses
    every other change, except inside `coaching_site.append_only.erasing()`. Signing up again after
    an unsubscription makes a new row, so every consent there ever was can be shown.
    """

    class Kind(models.TextChoices):
        NEWSLETTER = "newsletter", "Newsletter"

    subscriber = models.ForeignKey(
        Subscriber,
        verbose_name="Abo",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="consents",
    )
    address = models.CharField(
        "E-Mail-Adresse", max_length=LONGEST, blank=True, help_text="Leer, wenn gelöscht."
    )
    # Whoever was erased may still claim that they never agreed: their address finds the proof.
    address_hash = models.CharField(
        "Prüfwert der gelöschten Adresse", max_length=64, blank=True, default="", db_default=""
    )
    replaces = models.ForeignKey(
        "self",
        verbose_name="folgt auf",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="replaced_by",
        help_text="Die Einwilligung davor, wenn die Adresse wechselte oder eine Abmeldung zurückgenommen wurde.",
    )
    kind = models.CharField("Art", max_length=12, choices=Kind, default=Kind.NEWSLETTER)
    text = models.TextField("Wortlaut")
    text_version = models.CharField("Fassung", max_length=40)
    text_sha256 = models.CharField("SHA-256 des Wortlauts", max_length=64)
    page = models.CharField("Seite", max_length=200)
    requested_at = models.DateTimeField("eingetragen am")
    network = models.CharField(
        "gekürzte IP-Adresse", max_length=43, blank=True, default="", db_default=""
    )
    network_until = models.DateTimeField("IP-Adresse wird gelöscht am", null=True, blank=True)
    confirmed_at = models.DateTimeField("bestätigt am", null=True, blank=True)
    withdrawn_at = models.DateTimeField("widerrufen am", null=True, blank=True)
    # Times and IP addresses as the old list's file had them; empty for a consent given here.
    evidence = models.JSONField("Nachweis aus einem Import", default=dict, blank=True)

    objects = ConsentQuerySet.as_manager()

    class Meta:
        verbose_name = "Einwilligung"
        verbose_name_plural = "Einwilligungen"
        constraints = [
            models.CheckConstraint(
                name="newsletter_consent_kind_is_known", condition=Q(kind__in=["newsletter"])
            ),
            models.CheckConstraint(
                name="newsletter_consent_has_its_text",
                condition=~Q(text="")
                & ~Q(text_version="")
                & Q(
                    text_sha256=Func(
                        Func(
                            Func(F("text"), Value("UTF8"), function="convert_to"), function="sha256"
                        ),
                        Value("hex"),
                        function="encode",
                        output_field=models.CharField(),
                    )
                ),
            ),
            models.CheckConstraint(
                name="newsletter_consent_times_in_order",
                condition=(Q(confirmed_at__isnull=True) | Q(confirmed_at__gte=F("requested_at")))
                & (Q(withdrawn_at__isnull=True) | Q(withdrawn_at__gte=F("confirmed_at"))),
            ),
            models.CheckConstraint(
                name="newsletter_only_a_consent_is_withdrawn",
                condition=Q(withdrawn_at__isnull=True) | Q(confirmed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="newsletter_network_is_kept_until_a_time",
                condition=Q(network="", network_until__isnull=True)
                | (~Q(network="") & Q(network_until__isnull=False)),
            ),
            models.CheckConstraint(
                name="newsletter_hash_stands_for_an_erased_address",
                condition=Q(address_hash="") | Q(address=""),
            ),
        ]
        indexes = [
            models.Index(
                name="newsletter_networks",
                fields=["network_until"],
                condition=Q(network_until__isnull=False),
            ),
            models.Index(name="newsletter_consents_by_age", fields=["requested_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.address or 'gelöschte Adresse'}, Fassung {self.text_version}"

    @property
    def is_imported(self) -> bool:
        """Whether it was given elsewhere; what the old list knew about it is its evidence."""
        return bool(self.evidence)

    @property
    def is_of_a_whole_list(self) -> bool:
        """Whether its time is the day the coach named for everybody on an imported list."""
        day = self.evidence.get("list_date")
        return (
            day is not None
            and self.requested_at.astimezone(UTC).isoformat() == f"{day}T12:00:00+00:00"
        )

    @property
    def takes_back(self) -> bool:
        """Whether it took an unsubscription back, for which a signed link is enough."""
        return self.replaces_id is not None and self.confirmed_at == self.requested_at


class ConfirmLink(models.Model):
    """The link of one confirmation mail that may have been sent; only its token's digest is kept.

    A row of its own for every attempt: when a mail had to be tried twice, the link in either works.
    """

    consent = models.ForeignKey(
        Consent, verbose_name="Einwilligung", on_delete=models.CASCADE, related_name="links"
    )
    token_sha256 = models.CharField("SHA-256 des Links", max_length=64)
    expires_at = models.DateTimeField("gilt bis")

    class Meta:
        verbose_name = "Bestätigungslink"
        verbose_name_plural = "Bestätigungslinks"
        constraints = [
            models.UniqueConstraint(
                name="newsletter_confirm_link_is_unique", fields=["token_sha256"]
            ),
        ]

    def __str__(self) -> str:
        return f"gilt bis {german.plain_date(timezone.localtime(self.expires_at))}"


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    def of(self, address_key: str) -> SuppressionQuerySet:
        return self.filter(address_hash__in=suppression_hashes(address_key))

    def silence_sign_up(self) -> SuppressionQuerySet:
        """Someone whose data was erased, or who moved, may still sign up anew themselves."""
        return self.exclude(reason__in=Suppression.LIFTED_BY_THE_OWNER)

    def add(self, address_key: str, reason: str, *, now: datetime) -> None:
        """Note a reason against an address; once is enough."""
        row = Suppression(
            address_hash=suppression_hashes(address_key)[0], reason=reason, created_at=now
        )
        self.bulk_create([row], ignore_conflicts=True)

    def among(self, address_keys: Iterable[str]) -> set[str]:
        """Those of the keys that are suppressed, whatever the reason; one query for very many."""
        known = {found: key for key in address_keys for found in suppression_hashes(key)}
        hashes = list(known)
        suppressed: set[str] = set()
        for start in range(0, len(hashes), HASHES_AT_ONCE):
            some = hashes[start : start + HASHES_AT_ONCE]
            found = self.filter(address_hash__in=some).values_list("address_hash", flat=True)
            suppressed.update(known[each] for each in found)
        return suppressed


class Suppression(models.Model):
    """An address that must get no mail, known by a keyed hash alone, so it can outlive the address."""

    class Reason(models.TextChoices):
        COMPLAINT = "complaint", "Beschwerde"
        BLOCKED = "blocked", "gesperrt"
        ERASED = "erased", "auf Wunsch gelöscht"
        MOVED = "moved", "Adresse gewechselt"
        BOUNCED = "bounced", "unzustellbar"

    # No import brings these back, but their owners may: by a sign-up that they confirm.
    LIFTED_BY_THE_OWNER = (Reason.ERASED, Reason.MOVED, Reason.BOUNCED)

    address_hash = models.CharField("Prüfwert der Adresse", max_length=64)
    reason = models.CharField("Grund", max_length=12, choices=Reason)
    created_at = models.DateTimeField("eingetragen am")

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        verbose_name = "Sperre"
        verbose_name_plural = "Sperren"
        constraints = [
            models.UniqueConstraint(
                name="newsletter_one_suppression_per_reason", fields=["address_hash", "reason"]
            ),
            models.CheckConstraint(
                name="newsletter_suppression_reason_is_known",
                condition=Q(reason__in=["complaint", "blocked", "erased", "moved", "bounced"]),
            ),
        ]

    def __str__(self) -> str:
        return self.get_reason_display()


def suppression_hashes(address_key: str) -> list[str]:
    """The keyed hashes of an address: the first one to store, all of them to look for.

    The keys are those of the links, because they live for years and keep their predecessors.
    """
    return [
        salted_hmac(
            "newsletter.suppression", address_key, secret=key, algorithm="sha256"
        ).hexdigest()
        for key in settings.LINK_KEYS
    ]


class Event(models.Model):
    """What happened to somebody on the list, besides the consents, which tell their own times.

    Rows only grow, as consents do. An erasure is the one that names nobody.
    """

    class Kind(models.TextChoices):
        CONFIRM_MAIL = "confirm_mail", "Bestätigungslink verschickt"
        ALREADY_MAIL = "already_mail", "Hinweis „schon angemeldet“ verschickt"
        MOVE_MAIL = "move_mail", "Bestätigungslink an neue Adresse verschickt"
        LINK_MAIL = "link_mail", "Link zu den Einstellungen verschickt"
        WELCOME_MAIL = "welcome_mail", "Willkommensmail verschickt"
        LEFT = "left", "abgemeldet"
        CAME_BACK = "came_back", "Abmeldung zurückgenommen"
        MOVED = "moved", "Adresse geändert"
        UNREACHABLE = "unreachable", "unzustellbar"
        REACHABLE = "reachable", "wieder beschickt"
        COMPLAINED = "complained", "über eine Ausgabe beschwert"
        BLOCKED = "blocked", "gesperrt"
        UNBLOCKED = "unblocked", "Sperre aufgehoben"
        EXPORTED = "exported", "Daten exportiert"
        ERASED = "erased", "gelöscht"

    class By(models.TextChoices):
        READER = "reader", "Leserin oder Leser"
        COACH = "coach", "Coach"
        SYSTEM = "system", "von selbst"

    subscriber = models.ForeignKey(
        Subscriber,
        verbose_name="Abo",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="events",
    )
    kind = models.CharField("was", max_length=12, choices=Kind)
    by = models.CharField("durch", max_length=6, choices=By)
    at = models.DateTimeField("wann")
    detail = models.CharField("Näheres", max_length=LONGEST, blank=True)

    class Meta:
        verbose_name = "Ereignis"
        verbose_name_plural = "Verlauf"
        indexes = [
            models.Index(name="newsletter_events_of_one", fields=["subscriber", "at"]),
            models.Index(name="newsletter_events_by_age", fields=["at"]),
        ]
        constraints = [
            models.CheckConstraint(
                name="newsletter_event_is_of_a_known_kind",
                condition=Q(
                    kind__in=[
                        "confirm_mail",
                        "already_mail",
                        "move_mail",
                        "link_mail",
                        "welcome_mail",
                        "left",
                        "came_back",
                        "moved",
                        "unreachable",
                        "reachable",
                        "complained",
                        "blocked",
                        "unblocked",
                        "exported",
                        "erased",
                    ]
                ),
            ),
            models.CheckConstraint(
                name="newsletter_event_is_of_somebody",
                condition=Q(by__in=["reader", "coach", "system"]),
            ),
            models.CheckConstraint(
                name="newsletter_only_an_erasure_names_nobody",
                condition=Q(kind="erased", subscriber__isnull=True, detail="")
                | (~Q(kind="erased") & Q(subscriber__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {german.plain_date(timezone.localtime(self.at))}"
