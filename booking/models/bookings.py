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
from django.db.models import Exists, F, Func, OuterRef, Q
from django.db.models.functions import Lower

from booking.models.calendar import Calendar, CallType, OneOffLink, kept_of, real_zone
from booking.models.questions import Answer
from booking.slots import Interval, Taken

# Without 0 and O, 1, I and L, 5 and S, 2 and Z, 8 and B, U and V: read out on the phone they
# are heard and typed right. Eight of them are about 36 bits.
REFERENCE_LETTERS = "ACDEFGHJKMNPQRTWXY34679"
REFERENCE_LENGTH = 8

MINUTE = models.Value(timedelta(minutes=1))
# Longer than a mail server may take for all its answers, each of which has EMAIL_TIMEOUT.
CLAIM_LIFE = timedelta(minutes=3)
# How far the coach's feed looks back.
FEED_PAST = timedelta(days=30)
# A request for feedback that could not be sent in time is not made up for weeks later.
FOLLOW_UP_LIFE = timedelta(days=3)
# No type of call has a reminder or a request for feedback farther away than this, nor a longer call.
FARTHEST_MAIL = timedelta(days=30)
LONGEST_CALL = timedelta(hours=12)
# So long before a call its confirmation must have left the house; after so much time for trying.
CONFIRMED_BEFORE = timedelta(hours=2)
CONFIRMING_TAKES = timedelta(minutes=10)
# The states in which a booking keeps others out; they stand in `booking_no_overlap` too.
TAKES_TIME = ["requested", "held", "confirmed"]

# What stands for a guest who was forgotten.
NAMELESS = "gelöscht"

# Words a name may begin with that nobody is greeted by alone.
TITLES = ("dr", "prof", "frau", "herr", "mag", "dipl")


class TsTzRange(Func):
    """`tstzrange(start, end)`: half-open, so that one call may begin when another ends."""

    function = "TSTZRANGE"
    output_field: ClassVar[models.Field[object, object]] = DateTimeRangeField()


def text_and_time(name: str) -> Q:
    """Both the words somebody agreed to and when they did, or neither."""
    text, at = f"{name}_text", f"{name}_at__isnull"
    return Q(**{text: "", at: True}) | (~Q(**{text: ""}) & Q(**{at: False}))


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

    def not_being_paid(self, now: datetime) -> BookingQuerySet:
        """Leaves out the holds somebody may be paying for; a hold outlives its page at Stripe."""
        paying = Q(deposits__status__in=["prepared", "open"])
        return self.exclude(paying, held_until__gt=now)

    def of_address(self, email: str) -> BookingQuerySet:
        """What belongs to an e-mail address, however it is capitalised."""
        return self.alias(address=Lower("email")).filter(address=Lower(models.Value(email)))

    def upcoming(self, now: datetime) -> BookingQuerySet:
        """Confirmed appointments that are not over, the next one first."""
        return self.filter(status=Booking.Status.CONFIRMED, end__gt=now).order_by("start")

    def took_place(self, now: datetime) -> BookingQuerySet:
        """Confirmed appointments that are over, and to which the guest came."""
        return self.filter(status=Booking.Status.CONFIRMED, end__lte=now, no_show_at__isnull=True)

    def in_feed(self, calendar: Calendar, now: datetime) -> BookingQuerySet:
        """What the coach sees in their own calendar program: confirmed calls, old ones for a while."""
        return (
            self.in_calendar(calendar)
            .filter(status=Booking.Status.CONFIRMED, end__gt=now - FEED_PAST)
            .order_by("start")
        )

    def to_remind(self, kind: Notification.Kind, now: datetime) -> BookingQuerySet:
        """Coming calls that are near enough for this reminder, which is not in the ledger yet."""
        tells_the_time = (Notification.Kind.CONFIRMATION, Notification.Kind.MOVED)
        guests = Notification.objects.filter(booking=OuterRef("pk"), audience=Booking.Side.GUEST)
        return self.filter(
            # Whom the coach entered without a word to them is not reminded of it either.
            Exists(guests.filter(kind__in=tells_the_time)),
            ~Exists(guests.filter(kind=kind, start=OuterRef("start"))),
            # Said without the type as well, so that the index finds the few there are.
            Q(start__lte=now + FARTHEST_MAIL),
            status=Booking.Status.CONFIRMED,
            start__gt=now,
            start__lte=now + F(f"call_type__{kind}") * MINUTE,
        )

    def unconfirmed(self, now: datetime) -> BookingQuerySet:
        """Calls that begin soon or have begun, whose guests never got the confirmation they are owed."""
        confirmations = Notification.objects.filter(
            booking=OuterRef("pk"),
            kind=Notification.Kind.CONFIRMATION,
            audience=Booking.Side.GUEST,
        )
        return self.filter(
            # Whom the coach entered without a word to them is owed none.
            Exists(confirmations),
            ~Exists(confirmations.filter(sent_at__isnull=False)),
            ~Q(email=""),
            status=Booking.Status.CONFIRMED,
            confirmed_at__lte=now - CONFIRMING_TAKES,
            start__lte=now + CONFIRMED_BEFORE,
        )

    def to_follow_up(self, now: datetime) -> BookingQuerySet:
        """Calls that ended long enough ago, of guests who agreed and were never asked."""
        asked = Notification.objects.filter(
            booking=OuterRef("pk"), kind=Notification.Kind.FOLLOW_UP
        )
        since = F("call_type__follow_up_hours") * 60 * MINUTE
        return self.filter(
            ~Exists(asked),
            status=Booking.Status.CONFIRMED,
            followup_consent_at__isnull=False,
            end__lte=now - since,
            end__gt=now - FOLLOW_UP_LIFE - since,
            # The same, for the index.
            start__gt=now - FOLLOW_UP_LIFE - FARTHEST_MAIL - LONGEST_CALL,
            start__lt=now,
        )

    def with_its_type(self) -> BookingQuerySet:
        return self.select_related("call_type", "calendar", "call_type__calendar", "one_off")

    def locked(self, booking: Booking) -> Booking:
        """The booking as it stands now, kept from others until the transaction ends."""
        return self.with_its_type().select_for_update(of=("self",)).get(pk=booking.pk)

    def from_form(self, token: uuid.UUID) -> BookingQuerySet:
        return self.filter(form_token=token)

    def in_the_way(self, token: uuid.UUID, email: str) -> BookingQuerySet:
        """What a form would change or drive away: its own booking, and other holds of the address."""
        of_address = self.holds().of_address(email)
        return self.with_its_type().filter(Q(form_token=token) | Q(pk__in=of_address.values("pk")))


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

    class Customer(models.TextChoices):
        """As what somebody orders. Who was never asked is taken for a consumer (BGB § 13)."""

        PRIVATE = "private", "privat"
        COMPANY = "company", "für ein Unternehmen"

    calendar = models.ForeignKey(
        Calendar, models.PROTECT, related_name="bookings", verbose_name="Kalender"
    )
    call_type = models.ForeignKey(
        CallType, models.PROTECT, related_name="bookings", verbose_name="Gesprächsart"
    )
    one_off = models.ForeignKey(
        OneOffLink,
        models.PROTECT,
        related_name="bookings",
        null=True,
        blank=True,
        verbose_name="Einmal-Link",
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
    # The price and the terms the guest agreed to. `deposit_cents` is due when booking.
    price_cents = models.PositiveIntegerField("Preis in Cent", default=0, db_default=0)
    deposit_cents = models.PositiveIntegerField("beim Buchen fällig", default=0, db_default=0)
    cancel_free_hours = models.PositiveSmallIntegerField(
        "Absage ohne Kosten bis Stunden vorher", default=0, db_default=0, editable=False
    )
    cancel_keep_cents = models.PositiveIntegerField(
        "danach behalten in Cent", default=0, db_default=0, editable=False
    )
    cancel_keep_percent = models.PositiveSmallIntegerField(
        "danach behalten in Prozent", default=0, db_default=0, editable=False
    )
    # What came in for this appointment; what went back stands with the payment.
    paid_cents = models.PositiveIntegerField("bezahlt in Cent", default=0, db_default=0)
    deposit_waived = models.BooleanField(
        "ohne Zahlung eingetragen", default=False, db_default=False
    )
    held_until = models.DateTimeField("gehalten bis", null=True, blank=True)
    requested_until = models.DateTimeField("angefragt bis", null=True, blank=True)

    name = models.CharField("Name", max_length=200)
    email = models.EmailField("E-Mail-Adresse")
    customer = models.CharField(
        "bucht", max_length=7, choices=Customer, blank=True, default="", db_default=""
    )
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
    no_show_at = models.DateTimeField("als nicht erschienen vermerkt", null=True, blank=True)
    followup_consent_text = models.TextField(
        "Zustimmung zur Bitte um Rückmeldung", blank=True, db_default="", default=""
    )
    followup_consent_at = models.DateTimeField("zugestimmt am", null=True, blank=True)
    newsletter_consent_text = models.TextField(
        "Wunsch nach dem Newsletter", blank=True, db_default="", default=""
    )
    # That the call shall take place before the withdrawal period ends (BGB §§ 356, 357a).
    early_start_text = models.TextField(
        "Verlangen des frühen Beginns", blank=True, db_default="", default=""
    )
    early_start_at = models.DateTimeField(
        "Beginn vor Ablauf der Widerrufsfrist verlangt", null=True, blank=True
    )

    objects = BookingQuerySet.as_manager()

    class Meta:
        verbose_name = "Termin"
        verbose_name_plural = "Termine"
        ordering = ["-start"]
        indexes = [
            models.Index("calendar", "start", name="booking_calendar_start"),
            models.Index(F("email"), name="booking_email"),
            models.Index("start", name="booking_confirmed_start", condition=Q(status="confirmed")),
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
                name="booking_confirmed_has_its_deposit",
                condition=~Q(status="confirmed")
                | Q(deposit_cents=0)
                | Q(deposit_waived=True)
                | Q(paid_cents__gte=F("deposit_cents")),
                violation_error_message="Dieser Termin ist noch nicht bezahlt.",
            ),
            models.CheckConstraint(
                name="booking_deposit_within_price",
                condition=Q(deposit_cents__lte=F("price_cents")),
                violation_error_message="Die Anzahlung ist höher als der Preis.",
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
            models.CheckConstraint(
                name="booking_no_show_after_its_start",
                condition=Q(no_show_at__isnull=True) | Q(no_show_at__gte=F("start")),
                violation_error_message="Ob jemand erschienen ist, weiß man erst nach dem Beginn.",
            ),
            models.CheckConstraint(
                name="booking_followup_consent_has_text_and_time",
                condition=text_and_time("followup_consent"),
                violation_error_message="Eine Zustimmung braucht ihren Text und ihren Zeitpunkt.",
            ),
            models.CheckConstraint(
                name="booking_early_start_has_text_and_time",
                condition=text_and_time("early_start"),
                violation_error_message="Zum Verlangen gehören sein Text und sein Zeitpunkt.",
            ),
            models.CheckConstraint(
                name="booking_for_a_company_names_it",
                # Whoever was forgotten has no company any more.
                condition=~Q(customer="company") | ~Q(company="") | Q(email=""),
                violation_error_message="Wer für ein Unternehmen bucht, nennt es.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference}, {self.name}"

    @property
    def is_nameless(self) -> bool:
        """Whether the guest was taken out of it; what is left serves the books alone."""
        return not self.email

    @property
    def guest_zone(self) -> ZoneInfo:
        return ZoneInfo(self.visitor_zone)

    @property
    def way(self) -> str:
        """What stands for the call in the addresses its guest is shown: the way they came."""
        return self.one_off.address if self.one_off else self.call_type.address

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
    def is_contract_of_a_consumer(self) -> bool:
        """Whether the law on consumers' contracts holds (BGB § 312): a price, and no company."""
        return self.price_cents > 0 and self.customer != self.Customer.COMPANY

    @property
    def is_being_paid(self) -> bool:
        """Whether its guest may be at Stripe right now. Asks the database."""
        return self.deposits.unfinished().exists()

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

    def can_be_missed(self, now: datetime) -> bool:
        """Whether one can say by now that the guest did not come."""
        return self.is_confirmed and self.start <= now

    @property
    def needs_payment(self) -> bool:
        """Whether money has to come in before this can be an appointment."""
        return not self.deposit_waived and self.paid_cents < self.deposit_cents

    @property
    def rest_cents(self) -> int:
        """What is left to pay of the price once the deposit is credited."""
        return self.price_cents - self.deposit_cents

    @property
    def cancel_free_until(self) -> datetime:
        """The last moment at which calling it off costs the guest nothing."""
        return self.start - timedelta(hours=self.cancel_free_hours)

    def kept_if_cancelled(self, now: datetime, paid_cents: int) -> int:
        """What the guest does not get back of `paid_cents`, should they call it off now."""
        return 0 if now <= self.cancel_free_until else self._kept_late(paid_cents)

    def _kept_late(self, paid_cents: int) -> int:
        return kept_of(paid_cents, cents=self.cancel_keep_cents, percent=self.cancel_keep_percent)

    @property
    def due_cents(self) -> int:
        """What is paid when booking: the same word as for a type of call."""
        return self.deposit_cents

    @property
    def open_cents(self) -> int:
        """What is left to pay of the price, whatever came in so far."""
        return max(0, self.price_cents - self.paid_cents)

    @property
    def kept_if_late_cents(self) -> int:
        """What the guest does not get back when calling off later than is free."""
        if not self.cancel_free_hours:
            return 0  # there is no later than until the start
        return self._kept_late(self.paid_cents or self.due_cents)

    @property
    def back_if_late_cents(self) -> int:
        return (self.paid_cents or self.due_cents) - self.kept_if_late_cents

    @property
    def can_end_free(self) -> bool:
        """Whether, when its time was chosen, it could still be called off without costs."""
        return (self.moved_at or self.confirmed_at or self.created_at) <= self.cancel_free_until

    @property
    def kept_cents(self) -> int:
        """What stays with the coach of what was paid. Asks the database."""
        return sum(each.kept_cents for each in self.deposits.paid())

    @property
    def has_unclear_money(self) -> bool:
        """Whether money came in that belongs to no appointment yet. Asks the database."""
        return not self.is_confirmed and any(each.unsettled_cents for each in self.deposits.paid())

    @property
    def is_disputed(self) -> bool:
        """Whether a bank fights over what was paid. Asks the database."""
        return any(each.is_disputed for each in self.deposits.paid())

    def is_held(self, now: datetime) -> bool:
        """Whether this hold still keeps others out; its time decides, not a job that tidies up."""
        return (
            self.status == self.Status.HELD
            and self.held_until is not None
            and self.held_until > now
        )

    def reminder_due(self, kind: Notification.Kind) -> datetime | None:
        """When this reminder goes out. `start` is in UTC, so a day before is 24 hours before."""
        before = {
            Notification.Kind.FIRST_REMINDER: self.call_type.first_reminder,
            Notification.Kind.SECOND_REMINDER: self.call_type.second_reminder,
        }[kind]
        return None if before is None else self.start - timedelta(minutes=before)

    @property
    def follow_up_due(self) -> datetime | None:
        hours = self.call_type.follow_up_hours
        return None if hours is None else self.end + timedelta(hours=hours)

    def calls_for(self, kind: Notification.Kind, now: datetime) -> bool:
        """Whether this mail makes sense at `now`, whoever asks: the rule is always asked again."""
        kinds = Notification.Kind
        match kind:
            case kinds.CANCELLATION:
                return self.is_cancelled
            case kinds.CONFIRMATION | kinds.MOVED | kinds.UNCONFIRMED:
                return self.is_confirmed
            case kinds.REQUEST:
                return self.status == self.Status.REQUESTED
            case kinds.LAPSE:
                return self.status == self.Status.EXPIRED
            case kinds.PAID_TOO_LATE:
                return not self.is_confirmed
            case kinds.REFUND | kinds.INVOICE:
                return False  # the refund or the invoice decides, see Notification.is_owed_at
            case kinds.FIRST_REMINDER:
                until = self.reminder_due(kinds.SECOND_REMINDER) or self.start
                return self._is_time_for(self.reminder_due(kind), until, now)
            case kinds.SECOND_REMINDER:
                return self._is_time_for(self.reminder_due(kind), self.start, now)
            case kinds.FOLLOW_UP:
                due = self.follow_up_due
                return (
                    due is not None
                    and self._is_time_for(due, due + FOLLOW_UP_LIFE, now)
                    and self.followup_consent_at is not None
                    and self.no_show_at is None
                )

    def _is_time_for(self, due: datetime | None, until: datetime, now: datetime) -> bool:
        """Due and not too late; who booked or moved after that moment has just read it all."""
        settled_at = self.moved_at or self.confirmed_at
        return (
            settled_at is not None
            and self.is_confirmed
            and due is not None
            and settled_at < due <= now < until
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
            and self.booking.calls_for(self.Kind(self.kind), now)
        )
