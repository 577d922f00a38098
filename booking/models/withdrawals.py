"""Withdrawals from contracts (BGB §§ 355, 356a), and the mails they owe.

What somebody declared never changes and is never deleted; the database sees to that. What became
of it is written by `booking.withdrawals` alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Exists, F, Min, OuterRef, Q, Subquery

from booking.models.bookings import Booking
from booking.models.notifications import CLAIM_LIFE
from booking.models.payments import Refund

# BGB § 357 (1): by then the money must be back.
PAY_BACK_WITHIN = timedelta(days=14)
# So long before that the coach is told once more.
WARN_BEFORE = timedelta(days=5)
# The law's days end here, wherever the guest lives.
GERMAN_TIME = ZoneInfo("Europe/Berlin")
DECLARED = ("name", "contract", "email", "message")


class WithdrawalQuerySet(models.QuerySet["Withdrawal"]):
    def open(self) -> WithdrawalQuerySet:
        return self.filter(status=Withdrawal.Status.OPEN)

    def accepted(self) -> WithdrawalQuerySet:
        return self.filter(status__in=Withdrawal.ACCEPTED)

    def money_outstanding(self) -> WithdrawalQuerySet:
        """Those whose money may have to go back and has not: undecided, or not there yet."""
        on_its_way = Q(refund__isnull=False) & ~Q(refund__status=Refund.Status.SUCCEEDED)
        return self.filter(Q(status=Withdrawal.Status.OPEN) | on_its_way)

    def due_until(self, moment: datetime) -> WithdrawalQuerySet:
        """Those whose money must be back by then."""
        return self.filter(received_at__lte=moment - PAY_BACK_WITHIN)

    def first_said(self) -> WithdrawalQuerySet:
        """Without repetitions of what stands the same way."""
        same = {name: OuterRef(name) for name in (*DECLARED, "status")}
        return self.exclude(Exists(Withdrawal.objects.filter(pk__lt=OuterRef("pk"), **same)))

    def of_person(self, email: str) -> WithdrawalQuerySet:
        """What came from an address, or is about an appointment of it."""
        bookings = Booking.objects.of_address(email).values("pk")
        return self.filter(Q(email__iexact=email) | Q(booking__in=bookings))

    def overdue(self, now: datetime) -> WithdrawalQuerySet:
        """Undecided although the money should be back."""
        return self.open().due_until(now)

    def with_its_booking(self) -> WithdrawalQuerySet:
        return self.select_related("booking__call_type", "booking__calendar", "refund")

    def with_repetition(self) -> WithdrawalQuerySet:
        """Adds the number of the first declaration that says just the same."""
        same = Withdrawal.objects.filter(**{name: OuterRef(name) for name in DECLARED})
        first = same.order_by().values("name").annotate(first=Min("pk")).values("first")
        return self.annotate(first_id=Subquery(first))

    def same_as(self, withdrawal: Withdrawal) -> WithdrawalQuerySet:
        """This declaration and all that say just the same."""
        return self.filter(**{name: getattr(withdrawal, name) for name in DECLARED})

    def locked(self, withdrawal: Withdrawal) -> Withdrawal:
        """The row as it stands now, kept from others until the transaction ends."""
        return self.select_for_update(of=("self",)).get(pk=withdrawal.pk)


class Withdrawal(models.Model):
    """Somebody declared to withdraw from a contract. It counts from its receipt, matched or not."""

    class Status(models.TextChoices):
        OPEN = "open", "offen"
        REFUNDED = "refunded", "angenommen"
        PARTLY = "partly", "angenommen, teilweise erstattet"
        WITHOUT_EFFECT = "without_effect", "ohne Wirkung"

    ACCEPTED = (Status.REFUNDED, Status.PARTLY)

    class Match(models.TextChoices):
        NONE = "", "nicht zugeordnet"
        REFERENCE = "reference", "über die Buchungsnummer"
        DATE = "date", "über E-Mail-Adresse und Datum"
        EMAIL = "email", "nur über die E-Mail-Adresse"
        BY_HAND = "by_hand", "von Hand"

    name = models.CharField("Name", max_length=200)
    contract = models.CharField("Vertrag", max_length=500)
    email = models.EmailField("E-Mail-Adresse")
    message = models.TextField("Nachricht", max_length=5000, blank=True)
    received_at = models.DateTimeField("eingegangen")

    booking = models.ForeignKey(
        Booking, models.PROTECT, related_name="withdrawals", null=True, verbose_name="Termin"
    )
    matched = models.CharField(
        "zugeordnet", max_length=10, choices=Match, default=Match.NONE, blank=True
    )
    status = models.CharField("Stand", max_length=14, choices=Status, default=Status.OPEN)
    decided_at = models.DateTimeField("entschieden am", null=True)
    decided_by = models.CharField("entschieden von", max_length=150, blank=True)
    # Why not everything goes back, or why nothing follows; its author is told.
    note = models.TextField("Begründung", max_length=2000, blank=True)
    refund = models.ForeignKey(
        Refund, models.PROTECT, related_name="withdrawals", null=True, verbose_name="Erstattung"
    )

    objects = WithdrawalQuerySet.as_manager()

    class Meta:
        verbose_name = "Widerruf"
        verbose_name_plural = "Widerrufe"
        ordering = ["-received_at", "-pk"]
        permissions = [("decide_withdrawal", "Darf über Widerrufe entscheiden")]
        indexes = [
            models.Index("received_at", name="withdrawal_open", condition=Q(status="open")),
        ]
        constraints = [
            models.CheckConstraint(
                name="withdrawal_decided_has_its_time",
                condition=Q(status="open", decided_at__isnull=True)
                | (~Q(status="open") & Q(decided_at__isnull=False)),
                violation_error_message="Zu einer Entscheidung gehört ihr Zeitpunkt.",
            ),
            models.CheckConstraint(
                name="withdrawal_matched_has_its_booking",
                condition=Q(matched="", booking__isnull=True)
                | (~Q(matched="") & Q(booking__isnull=False)),
                violation_error_message="Ein zugeordneter Widerruf hat seinen Termin.",
            ),
            models.CheckConstraint(
                name="withdrawal_accepted_has_its_booking",
                condition=~Q(status__in=["refunded", "partly"]) | Q(booking__isnull=False),
                violation_error_message="Ordne den Widerruf zuerst einem Termin zu.",
            ),
            models.CheckConstraint(
                name="withdrawal_less_has_a_reason",
                condition=~Q(status__in=["partly", "without_effect"]) | ~Q(note=""),
                violation_error_message="Nenne den Grund.",
            ),
        ]

    def __str__(self) -> str:
        return f"Widerruf von {self.name}"

    @property
    def due_at(self) -> datetime:
        """When the money must be back (BGB § 357 (1))."""
        return self.received_at + PAY_BACK_WITHIN

    @property
    def is_open(self) -> bool:
        return self.status == self.Status.OPEN

    @property
    def has_money_outstanding(self) -> bool:
        """Whether money may have to go back and has not; the same rule as the queryset's."""
        return self.is_open or (self.refund is not None and not self.refund.is_back)

    def is_overdue(self, now: datetime) -> bool:
        return self.is_open and self.due_at <= now

    @property
    def is_own_address(self) -> bool:
        """Whether the booking it was matched with was made with this address."""
        return self.booking is not None and self.booking.email.lower() == self.email.lower()

    @property
    def is_repetition(self) -> bool:
        """Whether the same was declared before. Needs `with_repetition`."""
        return bool(vars(self)["first_id"] != self.pk)


class WithdrawalMailQuerySet(models.QuerySet["WithdrawalMail"]):
    def unsent(self) -> WithdrawalMailQuerySet:
        """What is still tried."""
        return self.filter(sent_at=None, failed_at=None)

    def unclaimed(self, now: datetime) -> WithdrawalMailQuerySet:
        """Mails nobody is sending right now; who claimed one and died has lost it by now."""
        return self.filter(Q(claimed_until=None) | Q(claimed_until__lte=now))

    def receipts_owed(self, since: datetime) -> WithdrawalMailQuerySet:
        """Receipts nobody has got, of declarations from before `since`."""
        return self.filter(kind=WithdrawalMail.Kind.RECEIPT, sent_at=None, created_at__lte=since)

    def failed(self) -> WithdrawalMailQuerySet:
        return self.filter(failed_at__isnull=False)

    def failed_of_open(self) -> WithdrawalMailQuerySet:
        """What could not be delivered and is not made up for by a decision."""
        return self.failed().filter(withdrawal__status=Withdrawal.Status.OPEN)

    def with_its_withdrawal(self) -> WithdrawalMailQuerySet:
        return self.select_related(
            "withdrawal__refund", "withdrawal__booking__call_type", "withdrawal__booking__calendar"
        )

    def claim(self, pk: int, now: datetime) -> datetime | None:
        """Take a mail for sending, with one UPDATE that only one worker can win.

        Returns until when it is ours, or None if it is done with or somebody else's.
        """
        until = now + CLAIM_LIFE
        free = self.filter(pk=pk).unsent().unclaimed(now)
        return until if free.update(claimed_until=until, attempts=F("attempts") + 1) else None


class WithdrawalMail(models.Model):
    """A mail that a withdrawal owes: the ledger that jobs work off."""

    class Kind(models.TextChoices):
        RECEIPT = "receipt", "Eingangsbestätigung"
        WARNING = "warning", "Hinweis an die Adresse der Buchung"
        COACH = "coach", "Nachricht an dich"
        ACCEPTED = "accepted", "Widerruf angenommen"
        WITHOUT_EFFECT = "without_effect", "Widerruf ohne Wirkung"
        LOST = "lost", "Eine Mail kam nicht an"
        DUE_SOON = "due_soon", "Erinnerung an die Frist"

    TO_COACH = (Kind.COACH, Kind.LOST, Kind.DUE_SOON)

    withdrawal = models.ForeignKey(
        Withdrawal, models.PROTECT, related_name="mails", verbose_name="Widerruf"
    )
    kind = models.CharField("Anlass", max_length=14, choices=Kind)
    created_at = models.DateTimeField("angelegt")
    sent_at = models.DateTimeField("verschickt", null=True)
    # Given up: the server refused it for good, or nobody took it for days.
    failed_at = models.DateTimeField("aufgegeben", null=True)
    claimed_until = models.DateTimeField("in Arbeit bis", null=True)
    attempts = models.PositiveSmallIntegerField("Versuche", default=0)
    last_error = models.CharField("letzter Fehler", max_length=200, blank=True)

    objects = WithdrawalMailQuerySet.as_manager()

    class Meta:
        verbose_name = "Mail zum Widerruf"
        verbose_name_plural = "Mails zum Widerruf"
        ordering = ["created_at", "pk"]
        indexes = [
            models.Index(
                "created_at",
                name="withdrawal_mail_unsent",
                condition=Q(sent_at=None, failed_at=None),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["withdrawal", "kind"],
                name="withdrawal_mail_once",
                violation_error_message="Diese Mail ist schon vorgemerkt.",
            ),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()
