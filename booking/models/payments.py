"""Money for appointments: what was asked for, what came, what went back, and what Stripe told.

All amounts are whole cents of EUR. Stripe is asked only after the row that says so is committed.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models
from django.db.models import F, Q, Sum

from booking.models.bookings import Booking

CURRENCY = "eur"

REMEMBER = """
    INSERT INTO booking_stripeevent (event_id, kind, created_at, heard_at) VALUES (%s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""


class DepositQuerySet(models.QuerySet["Deposit"]):
    def unfinished(self) -> DepositQuerySet:
        """Attempts with which somebody may still pay."""
        return self.filter(status__in=Deposit.UNFINISHED)

    def paid(self) -> DepositQuerySet:
        return self.filter(status=Deposit.Status.PAID)

    def that_booked(self) -> DepositQuerySet:
        """The payment an appointment rests on; others came too late or did not fit, and alarmed."""
        late, wrong = Refund.Reason.LATE, Alarm.Kind.MISMATCH
        return self.paid().exclude(refunds__reason=late).exclude(alarms__kind=wrong)

    def with_its_booking(self) -> DepositQuerySet:
        return self.select_related(
            "booking", "booking__call_type", "booking__calendar", "booking__one_off"
        )

    def of_session(self, session_id: str, reference: str) -> DepositQuerySet:
        """The attempt a session belongs to; before its answer came we know it by our reference."""
        known = Q(session_id=session_id)
        if _is_uuid(reference):
            known |= Q(key=reference, session_id="")
        return self.filter(known)

    def locked(self, pk: int) -> Deposit:
        """The row as it stands now, kept from others until the transaction ends."""
        return self.select_for_update(of=("self",)).get(pk=pk)


class Deposit(models.Model):
    """One attempt to get a booking paid: a row first, then a Checkout Session at Stripe.

    PREPARED → OPEN → PAID or CLOSED; PREPARED → CLOSED when Stripe refused or never knew it.
    PAID stays: what becomes of the money stands in `refunded_cents` and `kept_cents`.
    """

    class Status(models.TextChoices):
        PREPARED = "prepared", "vorbereitet"
        OPEN = "open", "offen"
        PAID = "paid", "bezahlt"
        CLOSED = "closed", "beendet"

    UNFINISHED = (Status.PREPARED, Status.OPEN)

    booking = models.ForeignKey(
        Booking, models.PROTECT, related_name="deposits", verbose_name="Termin"
    )
    # The idempotency key, and our reference in the metadata at Stripe.
    key = models.UUIDField("Schlüssel", default=uuid.uuid4, editable=False)
    status = models.CharField("Stand", max_length=10, choices=Status, default=Status.PREPARED)
    amount_cents = models.PositiveIntegerField("Betrag in Cent")
    livemode = models.BooleanField("echtes Geld", default=False)
    # Word for word what Stripe was asked: a repetition must not differ. Empty once answered.
    request: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        "Anfrage an Stripe", default=dict, editable=False
    )
    session_id = models.CharField("Checkout-Sitzung", max_length=255, blank=True)
    session_url = models.TextField("Adresse der Sitzung", blank=True, editable=False)
    payment_intent = models.CharField("Zahlung bei Stripe", max_length=255, blank=True)
    created_at = models.DateTimeField("begonnen")
    expires_at = models.DateTimeField("bezahlbar bis")
    paid_at = models.DateTimeField("bezahlt am", null=True, blank=True)
    closed_at = models.DateTimeField("beendet am", null=True, blank=True)
    paid_cents = models.PositiveIntegerField("bezahlt in Cent", default=0)
    # Asked back or back already; what failed does not count.
    refunded_cents = models.PositiveIntegerField("erstattet in Cent", default=0)
    # What stays with the coach by the terms of cancelling, or by the coach's word.
    kept_cents = models.PositiveIntegerField("behalten in Cent", default=0)
    dispute_id = models.CharField("Streitfall bei Stripe", max_length=255, blank=True)
    dispute_status = models.CharField("Stand des Streitfalls", max_length=40, blank=True)
    dispute_due_by = models.DateTimeField("Belege bis", null=True, blank=True)

    objects = DepositQuerySet.as_manager()

    class Meta:
        verbose_name = "Zahlung"
        verbose_name_plural = "Zahlungen"
        ordering = ["-created_at"]
        permissions = [("refund_deposit", "Darf Zahlungen erstatten")]
        indexes = [
            models.Index(
                "created_at",
                name="deposit_unfinished",
                condition=Q(status__in=["prepared", "open"]),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["key"],
                name="deposit_key_once",
                violation_error_message="Diesen Schlüssel gibt es schon.",
            ),
            models.UniqueConstraint(
                fields=["session_id"],
                name="deposit_session_once",
                condition=~Q(session_id=""),
                violation_error_message="Diese Sitzung gehört schon zu einer Zahlung.",
            ),
            models.UniqueConstraint(
                fields=["payment_intent"],
                name="deposit_payment_once",
                condition=~Q(payment_intent=""),
                violation_error_message="Diese Zahlung gibt es schon.",
            ),
            models.UniqueConstraint(
                fields=["booking"],
                name="deposit_one_unfinished_a_booking",
                condition=Q(status__in=["prepared", "open"]),
                violation_error_message="Für diesen Termin läuft schon eine Zahlung.",
            ),
            models.CheckConstraint(
                name="deposit_asks_for_something",
                condition=Q(amount_cents__gt=0),
                violation_error_message="Eine Zahlung braucht einen Betrag.",
            ),
            models.CheckConstraint(
                name="deposit_open_has_a_session",
                condition=~Q(status="open") | ~Q(session_id=""),
                violation_error_message="Eine offene Zahlung braucht ihre Sitzung bei Stripe.",
            ),
            models.CheckConstraint(
                name="deposit_paid_has_time_amount_and_payment",
                condition=Q(status="paid", paid_at__isnull=False, paid_cents__gt=0)
                & ~Q(payment_intent="")
                | (~Q(status="paid") & Q(paid_at__isnull=True, paid_cents=0)),
                violation_error_message="Zu „bezahlt“ gehören Zeitpunkt, Betrag und Zahlung.",
            ),
            models.CheckConstraint(
                name="deposit_refunds_within_payment",
                condition=Q(paid_cents__gte=F("refunded_cents") + F("kept_cents")),
                violation_error_message="Mehr als bezahlt wurde, geht nicht zurück.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.booking.reference}, {self.get_status_display()}"

    @property
    def is_unfinished(self) -> bool:
        return self.status in self.UNFINISHED

    @property
    def is_paid(self) -> bool:
        return self.status == self.Status.PAID

    @property
    def is_disputed(self) -> bool:
        """Whether the money is fought over: until that ends Stripe gives nothing back."""
        return bool(self.dispute_id) and self.dispute_status not in ("won", "warning_closed")

    @property
    def refundable_cents(self) -> int:
        """What could still go back, kept or not."""
        return self.paid_cents - self.refunded_cents

    @property
    def unsettled_cents(self) -> int:
        """Money that is neither on its way back nor kept; it must belong to a booked call."""
        return self.paid_cents - self.refunded_cents - self.kept_cents

    def can_be_paid(self, now: datetime) -> bool:
        """Whether its page at Stripe is good for a little longer than it takes to get there."""
        return self.status == self.Status.OPEN and now + timedelta(minutes=1) < self.expires_at


class RefundQuerySet(models.QuerySet["Refund"]):
    def counting(self) -> RefundQuerySet:
        """What is back or on its way."""
        return self.exclude(status__in=Refund.GONE_WRONG)

    def unfinished(self) -> RefundQuerySet:
        return self.filter(status__in=Refund.UNFINISHED)

    def of_booking(self, booking: Booking) -> RefundQuerySet:
        """What its guest may read, in order; what gave way before Stripe heard of it is no news."""
        gave_way = Q(status=Refund.Status.CANCELED, stripe_id="")
        return self.filter(~gave_way, deposit__booking=booking).order_by("created_at", "pk")

    def cents(self, *reasons: Refund.Reason) -> int:
        """How much goes back for these reasons."""
        rows = self.counting().filter(reason__in=reasons)
        total: int | None = rows.aggregate(total=Sum("amount_cents"))["total"]
        return total or 0


class Refund(models.Model):
    """Money that goes back: a row first, then a refund at Stripe.

    ASKED → PENDING → SUCCEEDED, FAILED or CANCELED. A success may still fail later.
    """

    class Status(models.TextChoices):
        ASKED = "asked", "beauftragt"
        PENDING = "pending", "unterwegs"
        SUCCEEDED = "succeeded", "erstattet"
        FAILED = "failed", "gescheitert"
        CANCELED = "canceled", "abgebrochen"

    class Reason(models.TextChoices):
        GUEST = "guest", "Absage des Gasts"
        COACH = "coach", "Absage des Coachs"
        WITHDRAWAL = "withdrawal", "Widerruf"
        LATE = "late", "zu spät bezahlt"
        BY_HAND = "by_hand", "von Hand"
        DASHBOARD = "dashboard", "bei Stripe erstattet"

    UNFINISHED = (Status.ASKED, Status.PENDING)
    GONE_WRONG = (Status.FAILED, Status.CANCELED)
    # What the site itself decides, and therefore only once a payment.
    AUTOMATIC = (Reason.GUEST, Reason.COACH, Reason.LATE)

    deposit = models.ForeignKey(
        Deposit, models.PROTECT, related_name="refunds", verbose_name="Zahlung"
    )
    # Our reference in the metadata at Stripe; with `tries` it is the idempotency key.
    key = models.UUIDField("Schlüssel", default=uuid.uuid4, editable=False)
    tries = models.PositiveSmallIntegerField("Anläufe", default=0, editable=False)
    status = models.CharField("Stand", max_length=10, choices=Status, default=Status.ASKED)
    reason = models.CharField("Grund", max_length=10, choices=Reason)
    amount_cents = models.PositiveIntegerField("Betrag in Cent")
    stripe_id = models.CharField("Erstattung bei Stripe", max_length=255, blank=True)
    asked_by = models.CharField("veranlasst von", max_length=150, blank=True)
    created_at = models.DateTimeField("veranlasst am")
    settled_at = models.DateTimeField("erstattet am", null=True, blank=True)
    failure = models.CharField("woran es lag", max_length=200, blank=True)

    objects = RefundQuerySet.as_manager()

    class Meta:
        verbose_name = "Erstattung"
        verbose_name_plural = "Erstattungen"
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(
                "created_at", name="refund_unfinished", condition=Q(status__in=["asked", "pending"])
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["key"],
                name="refund_key_once",
                violation_error_message="Diesen Schlüssel gibt es schon.",
            ),
            models.UniqueConstraint(
                fields=["stripe_id"],
                name="refund_at_stripe_once",
                condition=~Q(stripe_id=""),
                violation_error_message="Diese Erstattung ist schon verzeichnet.",
            ),
            models.UniqueConstraint(
                fields=["deposit", "reason"],
                name="refund_automatic_once",
                condition=Q(reason__in=["guest", "coach", "late"]),
                violation_error_message="Aus diesem Grund ging schon Geld zurück.",
            ),
            models.CheckConstraint(
                name="refund_gives_something",
                condition=Q(amount_cents__gt=0),
                violation_error_message="Eine Erstattung braucht einen Betrag.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()}, {self.get_status_display()}"

    @property
    def is_unfinished(self) -> bool:
        return self.status in self.UNFINISHED

    @property
    def has_gone_wrong(self) -> bool:
        return self.status in self.GONE_WRONG

    @property
    def is_back(self) -> bool:
        """Whether Stripe says the money has gone back; before that nobody is told so."""
        return self.status == self.Status.SUCCEEDED

    @property
    def idempotency_key(self) -> str:
        return f"refund-{self.key}-{self.tries}"


class StripeEventQuerySet(models.QuerySet["StripeEvent"]):
    def remember(self, event_id: str, kind: str, created_at: datetime, now: datetime) -> bool:
        """Note an event; False if it is known. Who hears it at the same moment waits for the other."""
        with connection.cursor() as cursor:
            cursor.execute(REMEMBER, [event_id, kind, created_at, now])
            return bool(cursor.rowcount)


class StripeEvent(models.Model):
    """An event that was heard and acted upon, in one transaction. Without its body."""

    event_id = models.CharField("Ereignis", max_length=255)
    kind = models.CharField("Art", max_length=100)
    created_at = models.DateTimeField("bei Stripe angelegt")
    heard_at = models.DateTimeField("gehört")

    objects = StripeEventQuerySet.as_manager()

    class Meta:
        verbose_name = "Ereignis bei Stripe"
        verbose_name_plural = "Ereignisse bei Stripe"
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["event_id"],
                name="stripe_event_once",
                violation_error_message="Dieses Ereignis ist schon verzeichnet.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}, {self.event_id}"


class AlarmQuerySet(models.QuerySet["Alarm"]):
    def open(self) -> AlarmQuerySet:
        return self.filter(resolved_at=None)

    def with_its_booking(self) -> AlarmQuerySet:
        return self.select_related("deposit__booking__call_type", "deposit__booking__calendar")


class Alarm(models.Model):
    """Something about money that a person must look at. It stays until the coach says it is done."""

    class Kind(models.TextChoices):
        MISMATCH = "mismatch", "Die Zahlung passt nicht zum Termin"
        TWICE = "twice", "Zweimal bezahlt"
        LATE = "late", "Bezahlt, aber die Zeit war vergeben"
        REFUND_FAILED = "refund_failed", "Eine Erstattung ist gescheitert"
        DISPUTE = "dispute", "Eine Zahlung wird bestritten"
        REFUSED = "refused", "Stripe hat eine Anfrage abgelehnt"
        NO_INVOICE = "no_invoice", "Eine Rechnung kann nicht geschrieben werden"

    deposit = models.ForeignKey(
        Deposit, models.PROTECT, related_name="alarms", verbose_name="Zahlung"
    )
    kind = models.CharField("was", max_length=20, choices=Kind)
    # What it is about, so that the same thing alarms once: a refund's or a dispute's number.
    about = models.CharField("worum es geht", max_length=255, blank=True)
    detail = models.CharField("Näheres", max_length=300, blank=True)
    created_at = models.DateTimeField("seit")
    resolved_at = models.DateTimeField("erledigt am", null=True, blank=True)
    resolved_by = models.CharField("erledigt von", max_length=150, blank=True)

    objects = AlarmQuerySet.as_manager()

    class Meta:
        verbose_name = "Braucht Aufmerksamkeit"
        verbose_name_plural = "Braucht Aufmerksamkeit"
        ordering = ["resolved_at", "-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["deposit", "kind", "about"],
                name="alarm_once",
                violation_error_message="Das steht schon in der Liste.",
            ),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
