"""Appointments, and the mails they owe."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Lower

from booking.models.calendar import Calendar, CallType, real_zone
from booking.models.questions import Answer
from booking.slots import Interval, Taken

# Without 0 and O, 1, I and L, 5 and S, 2 and Z, 8 and B, U and V: read out on the phone they
# are heard and typed right. Eight of them are about 36 bits.
REFERENCE_LETTERS = "ACDEFGHJKMNPQRTWXY34679"
REFERENCE_LENGTH = 8

# The states in which a booking keeps others out; they stand in `booking_no_overlap` too.
TAKES_TIME = ["requested", "held", "confirmed"]

# Words a name may begin with that nobody is greeted by alone.
TITLES = ("dr", "prof", "frau", "herr", "mag", "dipl")


class TsTzRange(Func):
    """`tstzrange(start, end)`: half-open, so that one call may begin when another ends."""

    function = "TSTZRANGE"
    output_field: ClassVar[models.Field[object, object]] = DateTimeRangeField()


def new_reference() -> str:
    """A short code a guest can read out, and nobody can guess."""
    return "".join(secrets.choice(REFERENCE_LETTERS) for _ in range(REFERENCE_LENGTH))


class BookingQuerySet(models.QuerySet["Booking"]):
    def in_calendar(self, calendar: Calendar) -> BookingQuerySet:
        return self.filter(calendar=calendar)

    def touching(self, span: Interval) -> BookingQuerySet:
        # Said as a range, so that the index of `booking_no_overlap` finds the few that touch it
        # and a long past costs nothing.
        booked = TsTzRange("start", "end")
        return self.alias(booked=booked).filter(booked__overlap=(span.start, span.end))

    def taking_time(self, now: datetime) -> BookingQuerySet:
        """Whatever keeps others out at `now`. Holds and requests count until their last second."""
        ran_out = Q(status=Booking.Status.HELD, held_until__lte=now) | Q(
            status=Booking.Status.REQUESTED, requested_until__lte=now
        )
        return self.filter(~ran_out, status__in=TAKES_TIME)

    def requests_ran_out(self, now: datetime) -> BookingQuerySet:
        return self.filter(status=Booking.Status.REQUESTED, requested_until__lte=now)

    def hold_ran_out(self, now: datetime) -> BookingQuerySet:
        return self.filter(status=Booking.Status.HELD, held_until__lte=now)

    def holds(self) -> BookingQuerySet:
        return self.filter(status=Booking.Status.HELD)

    def of_address(self, email: str) -> BookingQuerySet:
        """What belongs to an e-mail address, however it is capitalised."""
        return self.alias(address=Lower("email")).filter(address=Lower(models.Value(email)))

    def upcoming(self, now: datetime) -> BookingQuerySet:
        """Confirmed appointments that are not over, the next one first."""
        return self.filter(status=Booking.Status.CONFIRMED, end__gt=now).order_by("start")

    def with_its_type(self) -> BookingQuerySet:
        return self.select_related("call_type", "calendar", "call_type__calendar")

    def locked(self, booking: Booking) -> Booking:
        """The booking as it stands now, kept from others until the transaction ends."""
        return self.with_its_type().select_for_update(of=("self",)).get(pk=booking.pk)

    def from_form(self, token: uuid.UUID) -> BookingQuerySet:
        return self.filter(form_token=token)


class Booking(models.Model):
    """An appointment someone wants.

    HELD → CONFIRMED while it is held, else EXPIRED; EXPIRED → HELD or CONFIRMED if the time is
    still free. Types that need approval: HELD → REQUESTED → CONFIRMED or CANCELLED, or EXPIRED
    for good if nobody answers. CONFIRMED → CANCELLED. CANCELLED stays.
    """

    class Status(models.TextChoices):
        REQUESTED = "requested", "angefragt"
        HELD = "held", "gehalten"
        CONFIRMED = "confirmed", "gebucht"
        CANCELLED = "cancelled", "abgesagt"
        EXPIRED = "expired", "verfallen"

    class Side(models.TextChoices):
        GUEST = "guest", "Gast"
        COACH = "coach", "Coach"

    calendar = models.ForeignKey(
        Calendar, models.PROTECT, related_name="bookings", verbose_name="Kalender"
    )
    call_type = models.ForeignKey(
        CallType, models.PROTECT, related_name="bookings", verbose_name="Gesprächsart"
    )
    reference = models.CharField("Buchungsnummer", max_length=12, default=new_reference)
    uid = models.UUIDField("Kennung in Kalendern", default=uuid.uuid4, editable=False)
    sequence = models.PositiveIntegerField("Fassung in Kalendern", default=0, editable=False)
    status = models.CharField("Stand", max_length=10, choices=Status, default=Status.HELD)
    start = models.DateTimeField("Beginn")
    end = models.DateTimeField("Ende")
    buffer_before = models.PositiveSmallIntegerField("Pause davor in Minuten", default=0)
    buffer_after = models.PositiveSmallIntegerField("Pause danach in Minuten", default=0)
    # What the guest was told when they chose this time; the type may change its mind later.
    move_until_hours = models.PositiveSmallIntegerField(
        "verschieben bis Stunden vorher", default=0, editable=False
    )
    cancel_until_hours = models.PositiveSmallIntegerField(
        "absagen bis Stunden vorher", default=0, editable=False
    )
    held_until = models.DateTimeField("gehalten bis", null=True, blank=True)
    requested_until = models.DateTimeField("angefragt bis", null=True, blank=True)

    name = models.CharField("Name", max_length=200)
    email = models.EmailField("E-Mail-Adresse")
    company = models.CharField("Firma", max_length=200, blank=True)
    phone = models.CharField("Telefon", max_length=40, blank=True)
    topic = models.TextField("Worum es geht", max_length=2000, blank=True)
    answers: models.JSONField[list[Answer], list[Answer]] = models.JSONField(
        "Antworten", default=list, blank=True
    )
    visitor_zone = models.CharField(
        "Zeitzone des Gasts", max_length=60, default="Europe/Berlin", validators=[real_zone]
    )
    form_token = models.UUIDField("Formular", default=uuid.uuid4, editable=False)
    # A keyed hash of where the hold came from, to count holds by; gone as soon as it ends.
    network = models.CharField("Netz", max_length=64, blank=True, editable=False)
    made_by = models.CharField(
        "eingetragen von", max_length=5, choices=Side, default=Side.GUEST, db_default=Side.GUEST
    )
    overridden = models.TextField("trotzdem eingetragen", blank=True, default="", db_default="")

    created_at = models.DateTimeField("angelegt")
    confirmed_at = models.DateTimeField("gebucht am", null=True, blank=True)
    cancelled_at = models.DateTimeField("abgesagt am", null=True, blank=True)
    cancelled_by = models.CharField("abgesagt von", max_length=5, choices=Side, blank=True)
    cancellation_note = models.TextField("Nachricht zur Absage", max_length=1000, blank=True)
    moved_at = models.DateTimeField("zuletzt verschoben am", null=True, blank=True)
    moved_by = models.CharField("verschoben von", max_length=5, choices=Side, blank=True)
    moved_from = models.DateTimeField("Beginn davor", null=True, blank=True)

    objects = BookingQuerySet.as_manager()

    class Meta:
        verbose_name = "Termin"
        verbose_name_plural = "Termine"
        ordering = ["-start"]
        indexes = [
            models.Index("calendar", "start", name="booking_calendar_start"),
            models.Index(F("email"), name="booking_email"),
            # Those of all times that are held or never tidied up: a handful, found at once.
            models.Index(
                "calendar", "held_until", name="booking_holds", condition=Q(status="held")
            ),
            models.Index(
                "calendar",
                "requested_until",
                name="booking_requests",
                condition=Q(status="requested"),
            ),
        ]
        constraints = [
            ExclusionConstraint(
                name="booking_no_overlap",
                expressions=[
                    ("calendar", RangeOperators.EQUAL),
                    (TsTzRange("start", "end"), RangeOperators.OVERLAPS),
                ],
                condition=Q(status__in=TAKES_TIME),
                violation_error_message="Zu dieser Zeit gibt es schon einen Termin.",
            ),
            models.UniqueConstraint(
                fields=["reference"],
                name="booking_reference_once",
                violation_error_message="Diese Buchungsnummer gibt es schon.",
            ),
            models.UniqueConstraint(
                fields=["uid"],
                name="booking_uid_once",
                violation_error_message="Diese Kennung gibt es schon.",
            ),
            models.UniqueConstraint(
                fields=["form_token"],
                name="booking_form_token_once",
                violation_error_message="Dieses Formular wurde schon abgeschickt.",
            ),
            models.CheckConstraint(
                name="booking_starts_before_it_ends",
                condition=Q(start__lt=F("end")),
                violation_error_message="Das Ende liegt vor dem Beginn.",
            ),
            models.CheckConstraint(
                name="booking_held_until_a_time",
                condition=~Q(status="held") | Q(held_until__isnull=False),
                violation_error_message="Ein gehaltener Termin braucht ein Ende der Haltezeit.",
            ),
            models.CheckConstraint(
                name="booking_requested_until_a_time",
                condition=~Q(status="requested") | Q(requested_until__isnull=False),
                violation_error_message="Eine Anfrage braucht ein Ende.",
            ),
            models.UniqueConstraint(
                Lower("email"),
                name="booking_one_hold_an_address",
                condition=Q(status="held"),
                violation_error_message="Für diese E-Mail-Adresse wird schon eine Zeit gehalten.",
            ),
            models.CheckConstraint(
                name="booking_network_only_while_held",
                condition=Q(status="held") | Q(network=""),
                violation_error_message="Woher ein Gast kam, gehört nur zu einer gehaltenen Zeit.",
            ),
            models.CheckConstraint(
                name="booking_confirmed_at_a_time",
                condition=~Q(status="confirmed") | Q(confirmed_at__isnull=False),
                violation_error_message="Ein gebuchter Termin braucht den Zeitpunkt der Buchung.",
            ),
            models.CheckConstraint(
                name="booking_cancelled_at_a_time_by_someone",
                condition=~Q(status="cancelled")
                | (Q(cancelled_at__isnull=False) & ~Q(cancelled_by="")),
                violation_error_message="Eine Absage braucht einen Zeitpunkt und wer sie aussprach.",
            ),
            models.CheckConstraint(
                name="booking_moved_at_a_time_by_someone_from_somewhere",
                condition=Q(moved_at__isnull=True, moved_from__isnull=True, moved_by="")
                | (Q(moved_at__isnull=False, moved_from__isnull=False) & ~Q(moved_by="")),
                violation_error_message="Zum Verschieben gehören Zeitpunkt, wer es tat und die Zeit davor.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference}, {self.name}"

    @property
    def guest_zone(self) -> ZoneInfo:
        return ZoneInfo(self.visitor_zone)

    @property
    def duration(self) -> timedelta:
        return self.end - self.start

    @property
    def first_name(self) -> str:
        """What a greeting says: the first word of the name that is not a title."""
        words = self.name.split()
        plain = [word for word in words if word.lower().partition(".")[0] not in TITLES]
        return next(iter(plain or words), "")

    @property
    def is_confirmed(self) -> bool:
        return self.status == self.Status.CONFIRMED

    @property
    def is_cancelled(self) -> bool:
        return self.status == self.Status.CANCELLED

    @property
    def is_unfinished(self) -> bool:
        """Held or no longer: not an appointment yet, so its guest may still change everything."""
        ran_out = self.status == self.Status.EXPIRED and not self.is_lapsed
        return ran_out or self.status == self.Status.HELD

    @property
    def is_request(self) -> bool:
        return self.status == self.Status.REQUESTED

    @property
    def is_lapsed(self) -> bool:
        """Whether it was asked for and nobody answered."""
        return self.status == self.Status.EXPIRED and self.requested_until is not None

    def can_be_accepted(self, now: datetime) -> bool:
        """Whether this request still waits; its time decides, not a job that tidies up."""
        return self.is_request and self.requested_until is not None and self.requested_until > now

    @property
    def can_be_called_off(self) -> bool:
        return self.status in (self.Status.REQUESTED, self.Status.CONFIRMED)

    @property
    def move_until(self) -> datetime:
        """The last moment at which the guest may choose another time."""
        return self.start - timedelta(hours=self.move_until_hours)

    @property
    def cancel_until(self) -> datetime:
        """The last moment at which the guest may call it off."""
        return self.start - timedelta(hours=self.cancel_until_hours)

    def guest_may_move(self, now: datetime) -> bool:
        return self.is_confirmed and now <= self.move_until and now < self.start

    def guest_may_cancel(self, now: datetime) -> bool:
        in_time = self.is_request or now <= self.cancel_until
        return self.can_be_called_off and in_time and now < self.start

    def is_held(self, now: datetime) -> bool:
        """Whether this hold still keeps others out; its time decides, not a job that tidies up."""
        return (
            self.status == self.Status.HELD
            and self.held_until is not None
            and self.held_until > now
        )

    def taken(self) -> Taken:
        """The time this booking takes from the calendar."""
        return Taken(
            self.start,
            self.end,
            timedelta(minutes=self.buffer_before),
            timedelta(minutes=self.buffer_after),
            counts=True,
        )


class Notification(models.Model):
    """A mail that a booking owes to someone: the ledger that jobs work off."""

    class Kind(models.TextChoices):
        CONFIRMATION = "confirmation", "Bestätigung"
        CANCELLATION = "cancellation", "Absage"
        MOVED = "moved", "Verschiebung"
        REQUEST = "request", "Anfrage"
        LAPSE = "lapse", "Anfrage ohne Antwort"

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
    created_at = models.DateTimeField("angelegt")
    sent_at = models.DateTimeField("verschickt", null=True, blank=True)
    attempts = models.PositiveSmallIntegerField("Versuche", default=0)
    last_error = models.CharField("letzter Fehler", max_length=200, blank=True)

    class Meta:
        verbose_name = "Mail zum Termin"
        verbose_name_plural = "Mails zu Terminen"
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["booking", "kind", "audience", "start", "sequence"],
                name="notification_once",
                violation_error_message="Diese Mail ist schon vorgemerkt.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} an {self.get_audience_display()}"

    @property
    def is_owed(self) -> bool:
        """Not sent yet, and still true: the booking is as the mail would say."""
        told = {
            self.Kind.CONFIRMATION: Booking.Status.CONFIRMED,
            self.Kind.CANCELLATION: Booking.Status.CANCELLED,
            self.Kind.MOVED: Booking.Status.CONFIRMED,
            self.Kind.REQUEST: Booking.Status.REQUESTED,
            self.Kind.LAPSE: Booking.Status.EXPIRED,
        }
        if self.kind == self.Kind.MOVED and self.sequence != self.booking.sequence:
            return False  # moved once more since: the newer mail tells it all
        return (
            self.sent_at is None
            and self.start == self.booking.start
            and self.booking.status == told[self.Kind(self.kind)]
        )
