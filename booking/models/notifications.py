"""The mails a booking owes: the ledger of them, and which mail makes sense when."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from booking.models.bookings import Booking, BookingQuerySet

MINUTE = models.Value(timedelta(minutes=1))
# Longer than a mail server may take for all its answers, each of which has EMAIL_TIMEOUT.
CLAIM_LIFE = timedelta(minutes=3)
# A request for feedback that could not be sent in time is not made up for weeks later.
FOLLOW_UP_LIFE = timedelta(days=3)
# No type of call has a reminder or a request for feedback farther away than this, nor a longer call.
FARTHEST_MAIL = timedelta(days=30)
LONGEST_CALL = timedelta(hours=12)
# So long before a call its confirmation must have left the house; after so much time for trying.
CONFIRMED_BEFORE = timedelta(hours=2)
CONFIRMING_TAKES = timedelta(minutes=10)


class NotificationQuerySet(models.QuerySet["Notification"]):
    def unsent(self) -> NotificationQuerySet:
        return self.filter(sent_at=None)

    def unclaimed(self, now: datetime) -> NotificationQuerySet:
        """Mails nobody is sending right now; who claimed one and died has lost it by now."""
        return self.filter(Q(claimed_until=None) | Q(claimed_until__lte=now))

    def not_about_money(self) -> NotificationQuerySet:
        return self.filter(refund__isnull=True, invoice__isnull=True)

    def with_its_booking(self) -> NotificationQuerySet:
        return self.select_related("booking__call_type", "booking__calendar", "refund")

    def claim(self, pk: int, now: datetime) -> datetime | None:
        """Take a mail for sending, with one UPDATE that only one worker can win.

        Returns until when it is ours, or None if it is sent or somebody else's.
        """
        until = now + CLAIM_LIFE
        free = self.filter(pk=pk).unsent().unclaimed(now)
        won = free.update(claimed_until=until, attempts=F("attempts") + 1)
        return until if won else None


class Notification(models.Model):
    """A mail that a booking owes to someone: the ledger that jobs work off."""

    class Kind(models.TextChoices):
        CONFIRMATION = "confirmation", "Bestätigung"
        CANCELLATION = "cancellation", "Absage"
        MOVED = "moved", "Verschiebung"
        REQUEST = "request", "Anfrage"
        LAPSE = "lapse", "Anfrage ohne Antwort"
        FIRST_REMINDER = "first_reminder", "Erste Erinnerung"
        SECOND_REMINDER = "second_reminder", "Zweite Erinnerung"
        FOLLOW_UP = "follow_up", "Bitte um Rückmeldung"
        REFUND = "refund", "Erstattung"
        PAID_TOO_LATE = "paid_too_late", "Zu spät bezahlt"
        INVOICE = "invoice", "Rechnung"
        UNCONFIRMED = "unconfirmed", "Bestätigung fehlt"

    booking = models.ForeignKey(
        Booking, models.CASCADE, related_name="notifications", verbose_name="Termin"
    )
    kind = models.CharField("Anlass", max_length=20, choices=Kind)
    audience = models.CharField("an", max_length=5, choices=Booking.Side)
    start = models.DateTimeField("Beginn, von dem die Mail spricht")
    # Moved there and back again is the same start once more, and news each time.
    sequence = models.PositiveIntegerField(
        "Fassung, von der die Mail spricht", default=0, db_default=0, editable=False
    )
    # A booking can get money back more than once, and each time is told.
    refund = models.ForeignKey(
        "booking.Refund",
        models.PROTECT,
        related_name="notifications",
        null=True,
        blank=True,
        editable=False,
        verbose_name="Erstattung",
    )
    # An invoice that no other mail carries is sent on its own, once.
    invoice = models.ForeignKey(
        "booking.Invoice",
        models.PROTECT,
        related_name="notifications",
        null=True,
        blank=True,
        editable=False,
        verbose_name="Rechnung",
    )
    created_at = models.DateTimeField("angelegt")
    sent_at = models.DateTimeField("verschickt", null=True, blank=True)
    claimed_until = models.DateTimeField("in Arbeit bis", null=True, blank=True)
    attempts = models.PositiveSmallIntegerField("Versuche", default=0)
    last_error = models.CharField("letzter Fehler", max_length=200, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        verbose_name = "Mail zum Termin"
        verbose_name_plural = "Mails zu Terminen"
        ordering = ["created_at", "pk"]
        indexes = [
            models.Index("created_at", name="notification_unsent", condition=Q(sent_at=None)),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["booking", "kind", "audience", "start", "sequence"],
                name="notification_once",
                condition=Q(refund__isnull=True, invoice__isnull=True),
                violation_error_message="Diese Mail ist schon vorgemerkt.",
            ),
            models.UniqueConstraint(
                fields=["refund", "audience"],
                name="notification_once_a_refund",
                condition=Q(refund__isnull=False),
                violation_error_message="Diese Mail ist schon vorgemerkt.",
            ),
            models.UniqueConstraint(
                fields=["invoice", "audience"],
                name="notification_once_an_invoice",
                condition=Q(invoice__isnull=False),
                violation_error_message="Diese Mail ist schon vorgemerkt.",
            ),
            models.CheckConstraint(
                name="notification_of_an_invoice_names_it",
                condition=Q(kind="invoice", invoice__isnull=False)
                | (~Q(kind="invoice") & Q(invoice__isnull=True)),
                violation_error_message="Eine Mail zu einer Rechnung nennt die Rechnung.",
            ),
            models.CheckConstraint(
                name="notification_of_a_refund_names_it",
                condition=Q(kind="refund", refund__isnull=False)
                | (~Q(kind="refund") & Q(refund__isnull=True)),
                violation_error_message="Eine Mail zu einer Erstattung nennt die Erstattung.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} an {self.get_audience_display()}"

    def is_owed_at(self, now: datetime) -> bool:
        """Not sent yet, and still worth sending: the booking is as the mail would say."""
        if self.booking.is_nameless:
            return False
        if self.refund is not None:
            # It speaks of money alone, and only once that is certain.
            return self.sent_at is None and self.refund.is_back
        if self.invoice_id is not None:
            return self.sent_at is None
        if self.kind == self.Kind.MOVED and self.sequence != self.booking.sequence:
            return False  # moved once more since: the newer mail tells it all
        return (
            self.sent_at is None
            and self.start == self.booking.start
            and calls_for(self.booking, self.Kind(self.kind), now)
        )


def to_remind(kind: Notification.Kind, now: datetime) -> BookingQuerySet:
    """Coming calls that are near enough for this reminder, which is not in the ledger yet."""
    tells_the_time = (Notification.Kind.CONFIRMATION, Notification.Kind.MOVED)
    guests = Notification.objects.filter(booking=OuterRef("pk"), audience=Booking.Side.GUEST)
    return Booking.objects.with_its_type().filter(
        # Whom the coach entered without a word to them is not reminded of it either.
        Exists(guests.filter(kind__in=tells_the_time)),
        ~Exists(guests.filter(kind=kind, start=OuterRef("start"))),
        # Said without the type as well, so that the index finds the few there are.
        Q(start__lte=now + FARTHEST_MAIL),
        status=Booking.Status.CONFIRMED,
        start__gt=now,
        start__lte=now + F(f"call_type__{kind}") * MINUTE,
    )


def to_follow_up(now: datetime) -> BookingQuerySet:
    """Calls that ended long enough ago, of guests who agreed and were never asked."""
    asked = Notification.objects.filter(booking=OuterRef("pk"), kind=Notification.Kind.FOLLOW_UP)
    since = F("call_type__follow_up_hours") * 60 * MINUTE
    return Booking.objects.with_its_type().filter(
        ~Exists(asked),
        status=Booking.Status.CONFIRMED,
        followup_consent_at__isnull=False,
        end__lte=now - since,
        end__gt=now - FOLLOW_UP_LIFE - since,
        # The same, for the index.
        start__gt=now - FOLLOW_UP_LIFE - FARTHEST_MAIL - LONGEST_CALL,
        start__lt=now,
    )


def unconfirmed(now: datetime) -> BookingQuerySet:
    """Calls that begin soon or have begun, whose guests never got the confirmation they are owed."""
    confirmations = Notification.objects.filter(
        booking=OuterRef("pk"),
        kind=Notification.Kind.CONFIRMATION,
        audience=Booking.Side.GUEST,
    )
    return Booking.objects.with_its_type().filter(
        # Whom the coach entered without a word to them is owed none.
        Exists(confirmations),
        ~Exists(confirmations.filter(sent_at__isnull=False)),
        ~Q(email=""),
        status=Booking.Status.CONFIRMED,
        confirmed_at__lte=now - CONFIRMING_TAKES,
        start__lte=now + CONFIRMED_BEFORE,
    )


def calls_for(booking: Booking, kind: Notification.Kind, now: datetime) -> bool:
    """Whether this mail makes sense at `now`, whoever asks: the rule is always asked again."""
    kinds = Notification.Kind
    match kind:
        case kinds.CANCELLATION:
            return booking.is_cancelled
        case kinds.CONFIRMATION | kinds.MOVED | kinds.UNCONFIRMED:
            return booking.is_confirmed
        case kinds.REQUEST:
            return booking.status == Booking.Status.REQUESTED
        case kinds.LAPSE:
            return booking.status == Booking.Status.EXPIRED
        case kinds.PAID_TOO_LATE:
            return not booking.is_confirmed
        case kinds.REFUND | kinds.INVOICE:
            return False  # the refund or the invoice decides, see Notification.is_owed_at
        case kinds.FIRST_REMINDER:
            until = _reminder_due(booking, kinds.SECOND_REMINDER) or booking.start
            return _is_time_for(booking, _reminder_due(booking, kind), until, now)
        case kinds.SECOND_REMINDER:
            return _is_time_for(booking, _reminder_due(booking, kind), booking.start, now)
        case kinds.FOLLOW_UP:
            due = _follow_up_due(booking)
            return (
                due is not None
                and _is_time_for(booking, due, due + FOLLOW_UP_LIFE, now)
                and booking.followup_consent_at is not None
                and booking.no_show_at is None
            )


def _reminder_due(booking: Booking, kind: Notification.Kind) -> datetime | None:
    """When this reminder goes out. `start` is in UTC, so a day before is 24 hours before."""
    before = {
        Notification.Kind.FIRST_REMINDER: booking.call_type.first_reminder,
        Notification.Kind.SECOND_REMINDER: booking.call_type.second_reminder,
    }[kind]
    return None if before is None else booking.start - timedelta(minutes=before)


def _follow_up_due(booking: Booking) -> datetime | None:
    hours = booking.call_type.follow_up_hours
    return None if hours is None else booking.end + timedelta(hours=hours)


def _is_time_for(booking: Booking, due: datetime | None, until: datetime, now: datetime) -> bool:
    """Due and not too late; who booked or moved after that moment has just read it all."""
    settled_at = booking.moved_at or booking.confirmed_at
    return (
        settled_at is not None
        and booking.is_confirmed
        and due is not None
        and settled_at < due <= now < until
    )
