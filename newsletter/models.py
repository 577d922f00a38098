"""The list people asked to be on, and the proof that they did. Lists on their way in: import_models."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from newsletter.addresses import LONGEST
from newsletter.import_models import (
    NAME_LENGTH,
    TAG_LENGTH,
)
from newsletter.import_models import Import as Import
from newsletter.import_models import ImportFile as ImportFile
from newsletter.import_models import ImportPiece as ImportPiece
from newsletter.import_models import ImportRow as ImportRow
from newsletter.import_models import Outcome as Outcome


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

    def on_the_list(self, public_id: uuid.UUID) -> bool:
        """Whether this person is on the list, or has asked to be."""
        return (
            self.filter(public_id=public_id).exclude(status=Subscriber.Status.UNSUBSCRIBED).exists()
        )

    def asked_in_vain(self, until: datetime) -> SubscriberQuerySet:
        """Whoever has not confirmed a sign-up made at that time or earlier."""
        return self.filter(status=Subscriber.Status.PENDING, mail_requested_at__lte=until)


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
            models.Index(name="newsletter_by_status", fields=["status", "mail_requested_at"])
        ]

    def __str__(self) -> str:
        return self.address

    @property
    def mailbox(self) -> str:
        """The address for the envelope: the local part as typed, the domain in Punycode."""
        return f"{self.address.rpartition('@')[0]}@{self.address_key.rpartition('@')[2]}"

    @property
    def mail_is_owed(self) -> bool:
        return self.mail_requested_at is not None and self.mail_sent_at is None


class ConsentQuerySet(models.QuerySet["Consent"]):
    def open(self) -> ConsentQuerySet:
        """Requests nobody has confirmed: not yet a consent."""
        return self.filter(confirmed_at__isnull=True)


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
    kind = models.CharField("Art", max_length=12, choices=Kind, default=Kind.NEWSLETTER)
    text = models.TextField("Wortlaut")
    text_version = models.CharField("Fassung", max_length=40)
    text_sha256 = models.CharField("SHA-256 des Wortlauts", max_length=64)
    page = models.CharField("Seite", max_length=200)
    requested_at = models.DateTimeField("eingetragen am")
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
        ]

    def __str__(self) -> str:
        return f"{self.address or 'gelöschte Adresse'}, Fassung {self.text_version}"


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
        return f"gilt bis {self.expires_at:%d.%m.%Y}"


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    def of(self, address_key: str) -> SuppressionQuerySet:
        return self.filter(address_hash__in=suppression_hashes(address_key))

    def silence_sign_up(self) -> SuppressionQuerySet:
        """Someone whose data was erased on request may still sign up anew themselves."""
        return self.exclude(reason=Suppression.Reason.ERASED)


class Suppression(models.Model):
    """An address that must get no mail, known by a keyed hash alone, so it can outlive the address."""

    class Reason(models.TextChoices):
        COMPLAINT = "complaint", "Beschwerde"
        BLOCKED = "blocked", "gesperrt"
        ERASED = "erased", "auf Wunsch gelöscht"

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
                condition=Q(reason__in=["complaint", "blocked", "erased"]),
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
