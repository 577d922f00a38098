"""What is written for the list, and what becomes of every mail of it: issues and their ledger."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from coaching_site import german

SUBJECT_LENGTH = 150


class Picture(models.Model):
    """An image in the issues. It lies here, so that no mail asks a stranger's server for one."""

    file = models.ImageField(
        "Bild", upload_to="newsletter/", width_field="width", height_field="height"
    )
    width = models.PositiveIntegerField("Breite", editable=False)
    height = models.PositiveIntegerField("Höhe", editable=False)
    alt = models.CharField(
        "Alternativtext",
        max_length=200,
        help_text="Was auf dem Bild zu sehen ist, für alle, die es nicht sehen.",
    )
    uploaded_at = models.DateTimeField("hochgeladen am")

    class Meta:
        verbose_name = "Bild"
        verbose_name_plural = "Bilder"
        constraints = [
            models.CheckConstraint(
                name="newsletter_picture_has_an_alternative",
                condition=~Q(alt=""),
                violation_error_message="Ein Bild braucht einen Alternativtext.",
            ),
        ]

    def __str__(self) -> str:
        return self.alt


class IssueQuerySet(models.QuerySet["Issue"]):
    def due(self, now: datetime) -> IssueQuerySet:
        return self.filter(status=Issue.Status.SCHEDULED, send_at__lte=now)

    def sendable(self, now: datetime) -> IssueQuerySet:
        """Being sent, and not waiting for the mail server to recover; the oldest first."""
        ready = Q(resume_at__isnull=True) | Q(resume_at__lte=now)
        return self.filter(ready, status=Issue.Status.SENDING).order_by("started_at", "pk")

    def published(self) -> IssueQuerySet:
        """What the archive shows, the newest first."""
        return self.filter(in_archive=True, started_at__isnull=False).order_by("-started_at", "-pk")


class Issue(models.Model):
    """One letter to the list.

    DRAFT → SCHEDULED          „Senden“ was pressed; until `send_at` it can be taken back
    SCHEDULED → SENDING        its time has come: audience and content are frozen
    SCHEDULED → LATE           its time was found to be long over; the coach is asked
    SENDING ⇄ PAUSED           by the coach, or by an answer of the mail server that needs one
    SENDING, PAUSED → STOPPED  whoever has not got it will not
    SENDING → SENT             nothing is left to send
    """

    class Status(models.TextChoices):
        DRAFT = "draft", "Entwurf"
        SCHEDULED = "scheduled", "geplant"
        LATE = "late", "verpasst"
        SENDING = "sending", "wird verschickt"
        PAUSED = "paused", "angehalten"
        STOPPED = "stopped", "abgebrochen"
        SENT = "sent", "verschickt"

    subject = models.CharField("Betreff", max_length=SUBJECT_LENGTH)
    preheader = models.CharField(
        "Vorschautext",
        max_length=SUBJECT_LENGTH,
        blank=True,
        help_text="Steht im Postfach hinter dem Betreff.",
    )
    body = models.TextField("Text", blank=True, help_text="Markdown")
    slug = models.SlugField(
        "Adresse im Archiv",
        max_length=80,
        unique=True,
        help_text="Leer lassen: Sie entsteht aus dem Betreff.",
    )
    in_archive = models.BooleanField("im Archiv zeigen", default=True)
    tags = models.ManyToManyField(
        "newsletter.Tag",
        verbose_name="Nur an diese Schlagwörter",
        blank=True,
        related_name="+",
        help_text="Ohne Auswahl geht die Ausgabe an alle.",
    )
    status = models.CharField("Stand", max_length=10, choices=Status, default=Status.DRAFT)
    created_at = models.DateTimeField("angelegt am")
    changed_at = models.DateTimeField("geändert am")
    send_at = models.DateTimeField("Versand am", null=True, blank=True)
    started_at = models.DateTimeField("begonnen am", null=True, blank=True)
    finished_at = models.DateTimeField("beendet am", null=True, blank=True)
    # The coach let it go on: what went wrong before does not stop it again.
    resumed_at = models.DateTimeField("fortgesetzt am", null=True, blank=True)
    # How many were to get it when the audience was frozen; the ledger has a row for each.
    candidates = models.PositiveIntegerField("vorgesehen", null=True, blank=True)
    # Why it waits or was paused, for the coach; empty while all is well.
    trouble = models.TextField("Hindernis", blank=True)
    # The mail server as a whole said no: when to ask it again, and how often that happened in a row.
    resume_at = models.DateTimeField("nächster Versuch", null=True, blank=True)
    pauses = models.PositiveSmallIntegerField("Pausen nacheinander", default=0)

    objects = IssueQuerySet.as_manager()

    class Meta:
        verbose_name = "Ausgabe"
        verbose_name_plural = "Ausgaben"
        ordering = ["-created_at"]
        permissions = [("send_issue", "Darf Ausgaben verschicken")]
        constraints = [
            models.CheckConstraint(
                name="newsletter_issue_status_is_known",
                condition=Q(
                    status__in=[
                        "draft",
                        "scheduled",
                        "late",
                        "sending",
                        "paused",
                        "stopped",
                        "sent",
                    ]
                ),
            ),
            models.CheckConstraint(
                name="newsletter_issue_has_a_subject",
                condition=~Q(subject=""),
                violation_error_message="Eine Ausgabe braucht einen Betreff.",
            ),
            models.CheckConstraint(
                name="newsletter_scheduled_issue_has_a_time",
                condition=~Q(status__in=["scheduled", "late"]) | Q(send_at__isnull=False),
            ),
            models.CheckConstraint(
                name="newsletter_started_issue_is_counted",
                condition=Q(
                    status__in=["draft", "scheduled", "late"],
                    started_at__isnull=True,
                    candidates__isnull=True,
                )
                | Q(
                    status__in=["sending", "paused", "stopped", "sent"],
                    started_at__isnull=False,
                    candidates__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="newsletter_ended_issue_has_a_time",
                condition=~Q(status__in=["stopped", "sent"]) | Q(finished_at__isnull=False),
            ),
            models.CheckConstraint(
                name="newsletter_only_a_running_issue_waits",
                condition=Q(resume_at__isnull=True) | Q(status="sending"),
            ),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def may_be_written(self) -> bool:
        """Whether what is written now is what will be sent."""
        return self.status == self.Status.DRAFT

    @property
    def last_changed_at(self) -> datetime:
        """Since when the archive shows what it shows: since the sending, or a later correction."""
        return max(self.started_at or self.changed_at, self.changed_at)

    @property
    def is_running(self) -> bool:
        return self.status in (self.Status.SENDING, self.Status.PAUSED)


class Edition(models.Model):
    """What an issue said when it was sent: built once, the same for everyone, never changed.

    A trigger refuses every change. `html` and `text` hold marks where each person's own words and
    links go (`newsletter.rendering.placeholders`).
    """

    issue = models.OneToOneField(
        Issue, verbose_name="Ausgabe", on_delete=models.PROTECT, related_name="edition"
    )
    subject = models.CharField("Betreff", max_length=SUBJECT_LENGTH)
    html = models.TextField("HTML")
    text = models.TextField("Text")
    built_at = models.DateTimeField("erzeugt am")

    class Meta:
        verbose_name = "verschickte Fassung"
        verbose_name_plural = "verschickte Fassungen"

    def __str__(self) -> str:
        return self.subject


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def waiting(self) -> DeliveryQuerySet:
        """Still to be sent, now or later."""
        return self.filter(state__in=Delivery.WAITING)

    def uncertain(self) -> DeliveryQuerySet:
        return self.filter(state=Delivery.State.UNCERTAIN)


class Delivery(models.Model):
    """One issue for one person: the ledger says what is still owed, and what became of the rest.

    PENDING → CLAIMED     a sender took a batch; those it does not begin go back
    CLAIMED → IN_FLIGHT   committed before the mail server hears of it
    IN_FLIGHT → SENT      the mail server answered 250: from here on the mail is its business
    IN_FLIGHT → DEFERRED  it asked to come back later (4xx): again at `next_try_at`
    IN_FLIGHT → FAILED    it will not take this mail
    IN_FLIGHT → UNCERTAIN the sender died in between: perhaps sent, so never again by itself
    PENDING … → EXCLUDED  suppressed or unsubscribed, at the freeze or since
    PENDING … → CANCELLED the coach broke the sending off
    """

    class State(models.TextChoices):
        PENDING = "pending", "wartet"
        CLAIMED = "claimed", "an der Reihe"
        IN_FLIGHT = "in_flight", "unterwegs"
        SENT = "sent", "angenommen"
        DEFERRED = "deferred", "verschoben"
        FAILED = "failed", "abgelehnt"
        UNCERTAIN = "uncertain", "ungewiss"
        EXCLUDED = "excluded", "ausgenommen"
        CANCELLED = "cancelled", "abgebrochen"

    class Why(models.TextChoices):
        NONE = "", "–"
        LEFT = "left", "abgemeldet"
        SUPPRESSED = "suppressed", "gesperrt"
        UNREACHABLE = "unreachable", "unzustellbar"
        NO_MAILBOX = "no_mailbox", "Postfach gibt es nicht"
        REFUSED = "refused", "Postfach nimmt sie nicht an"
        POLICY = "policy", "vom Mailserver aus Prinzip abgelehnt"
        CONTENT = "content", "Inhalt abgelehnt"
        GAVE_UP = "gave_up", "tagelang aufgeschoben"

    class Bounce(models.TextChoices):
        NONE = "", "–"
        HARD = "hard", "unzustellbar"
        SOFT = "soft", "vorübergehend unzustellbar"

    WAITING = (State.PENDING, State.CLAIMED, State.IN_FLIGHT, State.DEFERRED)

    issue = models.ForeignKey(
        Issue,
        verbose_name="Ausgabe",
        on_delete=models.PROTECT,
        related_name="deliveries",
        db_index=False,  # the unique constraint begins with it
    )
    # Empty once the person was erased. The address is never written here: it stands in one place.
    subscriber = models.ForeignKey(
        "newsletter.Subscriber",
        verbose_name="Abo",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="deliveries",
    )
    # Which of the person's addresses it went to: a bounce of an older one says nothing of today's.
    address_number = models.PositiveSmallIntegerField("wievielte Adresse", null=True, blank=True)
    state = models.CharField("Stand", max_length=10, choices=State, default=State.PENDING)
    why = models.CharField("Grund", max_length=12, choices=Why, blank=True, default="")
    # What the mail server said: „550 5.1.1“, never its words, which may name the address.
    code = models.CharField("Antwort", max_length=20, blank=True, default="")
    attempts = models.PositiveSmallIntegerField("Versuche", default=0)
    claimed_by = models.UUIDField("Sender", null=True, blank=True)
    claimed_at = models.DateTimeField("übernommen am", null=True, blank=True)
    next_try_at = models.DateTimeField("nächster Versuch", null=True, blank=True)
    first_tried_at = models.DateTimeField("zuerst versucht am", null=True, blank=True)
    sent_at = models.DateTimeField("angenommen am", null=True, blank=True)
    # What came back afterwards.
    bounce = models.CharField(
        "Rückläufer", max_length=4, choices=Bounce, blank=True, default=Bounce.NONE
    )
    bounced_at = models.DateTimeField("zurückgekommen am", null=True, blank=True)
    complained_at = models.DateTimeField("beschwert am", null=True, blank=True)
    left_at = models.DateTimeField("daraufhin abgemeldet am", null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = "Zustellung"
        verbose_name_plural = "Zustellungen"
        constraints = [
            models.UniqueConstraint(
                name="newsletter_one_delivery_per_issue_and_subscriber",
                fields=["issue", "subscriber"],
            ),
            models.CheckConstraint(
                name="newsletter_delivery_state_is_known",
                condition=Q(
                    state__in=[
                        "pending",
                        "claimed",
                        "in_flight",
                        "sent",
                        "deferred",
                        "failed",
                        "uncertain",
                        "excluded",
                        "cancelled",
                    ]
                ),
            ),
            models.CheckConstraint(
                name="newsletter_taken_delivery_has_a_sender",
                condition=~Q(state__in=["claimed", "in_flight"])
                | Q(claimed_by__isnull=False, claimed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="newsletter_sent_delivery_has_a_time",
                condition=~Q(state="sent") | Q(sent_at__isnull=False),
            ),
            models.CheckConstraint(
                name="newsletter_deferred_delivery_has_a_time",
                condition=~Q(state="deferred") | Q(next_try_at__isnull=False),
            ),
            models.CheckConstraint(
                name="newsletter_refused_delivery_has_a_reason",
                condition=~Q(state__in=["failed", "excluded"]) | ~Q(why=""),
            ),
            models.CheckConstraint(
                name="newsletter_bounce_has_a_time",
                condition=Q(bounce="", bounced_at__isnull=True)
                | (~Q(bounce="") & Q(bounced_at__isnull=False)),
            ),
        ]
        indexes = [
            # Only what still waits is looked for while sending; the ledger of years costs nothing.
            models.Index(
                name="newsletter_deliveries_waiting",
                fields=["issue", "state", "next_try_at"],
                condition=Q(state__in=["pending", "claimed", "in_flight", "deferred"]),
            ),
            models.Index(
                name="newsletter_deliveries_by_claim",
                fields=["claimed_at"],
                condition=Q(claimed_at__isnull=False),
            ),
            models.Index(name="newsletter_deliveries_by_state", fields=["issue", "state"]),
        ]

    def __str__(self) -> str:
        return f"Zustellung {self.pk}"


class Pace(models.Model):
    """How fast the newsletter leaves: one row, read at every batch, so a change holds at once."""

    per_second = models.PositiveIntegerField(
        "je Sekunde", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    per_minute = models.PositiveIntegerField(
        "je Minute", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    per_hour = models.PositiveIntegerField(
        "je Stunde", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    per_day = models.PositiveIntegerField(
        "je Tag", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    connections = models.PositiveSmallIntegerField(
        "Verbindungen zum Mailserver",
        default=10,
        validators=[MinValueValidator(1)],
        help_text="Höchstens so viele zugleich. Viele Anbieter erlauben 10.",
    )

    class Meta:
        verbose_name = "Versandtempo"
        verbose_name_plural = "Versandtempo"
        constraints = [
            models.CheckConstraint(name="newsletter_pace_is_one_row", condition=Q(pk=1)),
            models.CheckConstraint(
                name="newsletter_pace_moves",
                condition=(Q(per_second__isnull=True) | Q(per_second__gte=1))
                & (Q(per_minute__isnull=True) | Q(per_minute__gte=1))
                & (Q(per_hour__isnull=True) | Q(per_hour__gte=1))
                & (Q(per_day__isnull=True) | Q(per_day__gte=1))
                & Q(connections__gte=1, connections__lte=50),
                violation_error_message="Mindestens 1, bei den Verbindungen höchstens 50.",
            ),
        ]

    def __str__(self) -> str:
        return "Versandtempo"

    @classmethod
    def current(cls) -> Pace:
        """The row, or an unsaved one with the defaults. Never writes."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)

    def limits(self) -> list[tuple[timedelta, int]]:
        """Each window that is limited, and how many mails may begin in it."""
        every = [
            (timedelta(seconds=1), self.per_second),
            (timedelta(minutes=1), self.per_minute),
            (timedelta(hours=1), self.per_hour),
            (timedelta(days=1), self.per_day),
        ]
        return [(window, limit) for window, limit in every if limit]


class Feedback(models.Model):
    """What came back about a mail that had been accepted: from a provider, or into a mailbox.

    Each message counts once, however often it is told. No address and no words are kept.
    """

    class Kind(models.TextChoices):
        HARD = "hard", "unzustellbar"
        SOFT = "soft", "vorübergehend unzustellbar"
        POLICY = "policy", "aus Prinzip abgelehnt"
        COMPLAINT = "complaint", "Beschwerde"
        LEFT = "left", "Abmeldung per E-Mail"
        OTHER = "other", "ohne Bedeutung"

    source = models.CharField("Quelle", max_length=40)
    event_id = models.CharField("Kennung", max_length=200)
    kind = models.CharField("Art", max_length=9, choices=Kind)
    code = models.CharField("Antwort", max_length=20, blank=True, default="")
    at = models.DateTimeField("wann")
    noted_at = models.DateTimeField("vermerkt am")
    subscriber = models.ForeignKey(
        "newsletter.Subscriber",
        verbose_name="Abo",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="feedback",
    )
    delivery = models.ForeignKey(
        Delivery,
        verbose_name="Zustellung",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="feedback",
    )

    class Meta:
        verbose_name = "Rückmeldung"
        verbose_name_plural = "Rückmeldungen"
        constraints = [
            models.UniqueConstraint(
                name="newsletter_feedback_counts_once", fields=["source", "event_id"]
            ),
            models.CheckConstraint(
                name="newsletter_feedback_kind_is_known",
                condition=Q(kind__in=["hard", "soft", "policy", "complaint", "left", "other"]),
            ),
        ]
        indexes = [models.Index(name="newsletter_feedback_by_age", fields=["noted_at"])]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {german.plain_date(timezone.localtime(self.at))}"


class Inbox(models.Model):
    """How far a mailbox has been read. It is only looked at: nothing in it is marked or deleted."""

    name = models.CharField("Postfach", max_length=200, unique=True)
    # A mailbox counts its messages upwards as long as this stays the same (RFC 3501 section 2.3.1.1).
    uid_validity = models.BigIntegerField("Zählung", default=0, db_default=0)
    last_uid = models.BigIntegerField("zuletzt gelesen", default=0)
    read_at = models.DateTimeField("gelesen am", null=True, blank=True)
    trouble = models.TextField("Hindernis", blank=True)
    failing_since = models.DateTimeField("gestört seit", null=True, blank=True)
    warned_at = models.DateTimeField("gemeldet am", null=True, blank=True)

    class Meta:
        verbose_name = "Postfach"
        verbose_name_plural = "Postfächer"

    def __str__(self) -> str:
        return self.name

    @property
    def is_failing(self) -> bool:
        return self.failing_since is not None
