"""Invoices: written once, numbered without gaps, never changed; and whom they are made out to.

Written and cancelled by `booking.invoicing` alone. The database refuses every change afterwards
(AO § 146 (4)), whoever asks.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import connection, models
from django.db.models import Exists, F, OuterRef, Q, Sum, Value
from django.db.models.functions import Coalesce

from booking.invoice_data import InvoiceData, Tax, read
from booking.models.bookings import Booking
from booking.models.payments import Deposit, DepositQuerySet, Refund
from booking.models.withdrawals import Withdrawal
from coaching_site import german, periods

# UStG § 14b (1), AO § 147 (3): so many years, counted from the end of the year of issue.
KEEP_YEARS = periods.INVOICES.years

NEXT = """
    INSERT INTO booking_invoicesequence (series, year, last) VALUES (%s, %s, 1)
    ON CONFLICT (series, year) DO UPDATE SET last = booking_invoicesequence.last + 1
    RETURNING last
"""


class BillingAddress(models.Model):
    """Whom a booking's invoices are made out to, should that be more than the guest's name."""

    booking = models.OneToOneField(
        Booking, models.CASCADE, related_name="billing", verbose_name="Termin"
    )
    name = models.CharField("Name", max_length=200)
    company = models.CharField("Firma", max_length=200, blank=True)
    street = models.CharField("Straße und Hausnummer", max_length=120)
    postal_code = models.CharField("Postleitzahl", max_length=12)
    city = models.CharField("Ort", max_length=100)
    country = models.CharField("Land", max_length=60, default="Deutschland")
    vat_id = models.CharField("USt-IdNr.", max_length=20, blank=True)

    class Meta:
        verbose_name = "Rechnungsanschrift"
        verbose_name_plural = "Rechnungsanschriften"

    def __str__(self) -> str:
        return f"{self.name}, {self.city}"

    @property
    def lines(self) -> list[str]:
        """What is told about it besides name and company."""
        return [
            self.street,
            f"{self.postal_code} {self.city}",
            self.country,
            *filter(None, [self.vat_id]),
        ]


class InvoiceSequenceQuerySet(models.QuerySet["InvoiceSequence"]):
    def take(self, series: str, year: int) -> int:
        """The next number; who wants one at the same moment waits until this transaction ends.

        Rolled back, it is the next one's: nothing is used twice and nothing is left out.
        """
        with connection.cursor() as cursor:
            cursor.execute(NEXT, [series, year])
            row = cursor.fetchone()
        return int(row[0])


class InvoiceSequence(models.Model):
    """The last number given out, one row a year and series."""

    series = models.CharField("Reihe", max_length=8)
    year = models.PositiveSmallIntegerField("Jahr")
    last = models.PositiveIntegerField("letzte Nummer")

    objects = InvoiceSequenceQuerySet.as_manager()

    class Meta:
        verbose_name = "Nummernkreis"
        verbose_name_plural = "Nummernkreise"
        constraints = [
            models.UniqueConstraint(
                fields=["series", "year"],
                name="invoice_sequence_once_a_year",
                violation_error_message="Diesen Nummernkreis gibt es schon.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.series}-{self.year}"


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def without_files(self) -> InvoiceQuerySet:
        """For lists: the papers themselves are large and stay where they are."""
        return self.defer("pdf", "data")

    def with_state(self) -> InvoiceQuerySet:
        """Adds what was cancelled of each, and when it was paid by transfer."""
        return self.select_related("payment").annotate(cancelled_cents=_cancelled())

    def claims(self) -> InvoiceQuerySet:
        """Invoices proper, without cancellations."""
        return self.exclude(kind=Invoice.Kind.STORNO)

    def live(self) -> InvoiceQuerySet:
        """Invoices of which something still stands."""
        return self.claims().alias(cancelled=_cancelled()).filter(cancelled__lt=F("gross_cents"))

    def of_booking(self, booking: Booking) -> InvoiceQuerySet:
        """All of an appointment's papers, in the order in which they were written."""
        return self.filter(booking=booking).order_by("created_at", "pk")

    def of_payment(self, deposit: Deposit) -> InvoiceQuerySet:
        return self.filter(deposit=deposit)

    def in_state(self, state: Invoice.State) -> InvoiceQuerySet:
        """Those that stand like this; the same rules as `Invoice.state`."""
        states, claims = Invoice.State, self.claims().alias(gone=_cancelled())
        waits = Q(due_on__isnull=False, payment__isnull=True)
        match state:
            case states.STORNO:
                return self.filter(kind=Invoice.Kind.STORNO)
            case states.CANCELLED:
                return claims.filter(gone__gte=F("gross_cents"))
            case states.OPEN:
                return claims.filter(waits, gone__lt=F("gross_cents"))
            case states.PAID:
                return claims.filter(~waits, gone=0)
            case states.PARTLY_CANCELLED:
                return claims.filter(~waits, gone__gt=0, gone__lt=F("gross_cents"))

    def of_withdrawn(self) -> InvoiceQuerySet:
        """Bills still to be transferred although the coach has accepted the withdrawal."""
        withdrawn = Withdrawal.objects.accepted().values("booking")
        return self.in_state(Invoice.State.OPEN).filter(booking__in=withdrawn)

    def of_month(self, month: date) -> InvoiceQuerySet:
        """Real ones of this month, in the order of their numbers."""
        return self.of_year(month.year).filter(issued_on__month=month.month)

    def of_year(self, year: int) -> InvoiceQuerySet:
        """Real ones of this year, in the order of their numbers."""
        real = self.filter(series=Invoice.REAL, issued_on__year=year)
        return real.order_by("year", "position")

    def gross(self) -> int:
        found: int | None = self.aggregate(total=Sum("gross_cents"))["total"]
        return found or 0


class Invoice(models.Model):
    """An issued invoice or its cancellation, with the parties as they were and the very PDF.

    What is paid by transfer is noted in InvoicePayment: this row never changes.
    """

    class Kind(models.TextChoices):
        DEPOSIT = "deposit", "Anzahlungsrechnung"
        INVOICE = "invoice", "Rechnung"
        FINAL = "final", "Schlussrechnung"
        # Never „Gutschrift“: that word is for invoices the recipient writes (UStG § 14 (2), (4) 10).
        STORNO = "storno", "Stornorechnung"

    class State(models.TextChoices):
        OPEN = "open", "offen"
        PAID = "paid", "bezahlt"
        PARTLY_CANCELLED = "partly_cancelled", "teilweise storniert"
        CANCELLED = "cancelled", "storniert"
        STORNO = "storno", "Storno"

    class Vat(models.TextChoices):
        REGULAR = Tax.REGULAR, "Regelbesteuerung"
        SMALL_BUSINESS = Tax.SMALL_BUSINESS, "Kleinunternehmer"
        NOT_TAXABLE = Tax.NOT_TAXABLE, "nicht steuerbar"

    # The series of real money, and that of Stripe's test mode, whose papers are none.
    REAL, TEST = "RE", "TEST"

    kind = models.CharField("Art", max_length=10, choices=Kind)
    series = models.CharField("Reihe", max_length=8)
    year = models.PositiveSmallIntegerField("Jahr")
    position = models.PositiveIntegerField("laufende Nummer")
    number = models.CharField("Rechnungsnummer", max_length=24)
    issued_on = models.DateField("Datum")
    created_at = models.DateTimeField("geschrieben")

    booking = models.ForeignKey(
        Booking, models.PROTECT, related_name="invoices", verbose_name="Termin"
    )
    # The payment it is for; a cancellation names that of the invoice it cancels.
    deposit = models.ForeignKey(
        Deposit, models.PROTECT, related_name="invoices", null=True, verbose_name="Zahlung"
    )
    refund = models.ForeignKey(
        Refund, models.PROTECT, related_name="invoices", null=True, verbose_name="Erstattung"
    )
    cancels = models.ForeignKey(
        "self", models.PROTECT, related_name="cancelled_by", null=True, verbose_name="Storno zu"
    )
    replaces = models.ForeignKey(
        "self", models.PROTECT, related_name="replaced_by", null=True, verbose_name="Ersatz für"
    )

    recipient = models.CharField("Empfänger", max_length=420)
    vat = models.CharField("Umsatzsteuer", max_length=16, choices=Vat)
    net_cents = models.IntegerField("netto in Cent")
    vat_cents = models.IntegerField("Umsatzsteuer in Cent")
    gross_cents = models.IntegerField("brutto in Cent")
    due_on = models.DateField("zahlbar bis", null=True)
    data: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField("Inhalt")
    pdf = models.BinaryField("PDF")
    sha256 = models.CharField("Prüfsumme", max_length=64)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        verbose_name = "Rechnung"
        verbose_name_plural = "Rechnungen"
        ordering = ["-issued_on", "-year", "-position"]
        permissions = [("issue_invoice", "Darf Rechnungen schreiben und stornieren")]
        indexes = [models.Index("issued_on", name="invoice_issued_on")]
        constraints = [
            models.UniqueConstraint(
                fields=["number"],
                name="invoice_number_once",
                violation_error_message="Diese Rechnungsnummer gibt es schon.",
            ),
            models.UniqueConstraint(
                fields=["series", "year", "position"],
                name="invoice_position_once",
                violation_error_message="Diese Rechnungsnummer gibt es schon.",
            ),
            models.UniqueConstraint(
                fields=["deposit"],
                name="invoice_one_a_payment",
                condition=Q(deposit__isnull=False, replaces__isnull=True) & ~Q(kind="storno"),
                violation_error_message="Diese Zahlung hat ihre Rechnung schon.",
            ),
            models.UniqueConstraint(
                fields=["booking"],
                name="invoice_one_to_transfer_a_booking",
                condition=Q(deposit__isnull=True, replaces__isnull=True) & ~Q(kind="storno"),
                violation_error_message="Dieser Termin hat seine Rechnung schon.",
            ),
            models.UniqueConstraint(
                fields=["replaces"],
                name="invoice_replaced_once",
                violation_error_message="Für diese Rechnung gibt es schon eine neue.",
            ),
            models.UniqueConstraint(
                fields=["refund"],
                name="invoice_one_a_refund",
                violation_error_message="Zu dieser Erstattung gibt es schon eine Stornorechnung.",
            ),
            models.CheckConstraint(
                name="invoice_storno_names_what_it_cancels",
                condition=Q(kind="storno", cancels__isnull=False)
                | (~Q(kind="storno") & Q(cancels__isnull=True, refund__isnull=True)),
                violation_error_message="Eine Stornorechnung nennt die Rechnung, die sie storniert.",
            ),
            models.CheckConstraint(
                name="invoice_storno_is_negative",
                condition=Q(kind="storno", gross_cents__lt=0)
                | (~Q(kind="storno") & Q(gross_cents__gt=0)),
                violation_error_message="Rechnungen sind positiv, Stornorechnungen negativ.",
            ),
            models.CheckConstraint(
                name="invoice_net_and_vat_make_gross",
                condition=Q(gross_cents=F("net_cents") + F("vat_cents")),
                violation_error_message="Netto und Steuer ergeben nicht den Bruttobetrag.",
            ),
            models.CheckConstraint(
                name="invoice_tax_only_if_taxed",
                condition=Q(vat="regular") | Q(vat_cents=0),
                violation_error_message="Auf dieser Rechnung darf keine Umsatzsteuer stehen.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.number}"

    @property
    def content(self) -> InvoiceData:
        """What it says, as one value."""
        return read(self.data)

    @property
    def file_name(self) -> str:
        return f"{self.get_kind_display()}-{self.number}.pdf"

    @property
    def is_storno(self) -> bool:
        return self.kind == self.Kind.STORNO

    @property
    def is_real(self) -> bool:
        return self.series == self.REAL

    @property
    def keep_until(self) -> date:
        """The last day on which it must be kept."""
        return date(self.issued_on.year + KEEP_YEARS, 12, 31)

    @property
    def standing_cents(self) -> int:
        """What is not cancelled of it. Needs `with_state`."""
        cancelled: int = vars(self)["cancelled_cents"]
        return 0 if self.is_storno else self.gross_cents - cancelled

    @property
    def paid_on(self) -> date | None:
        """When the transfer came, if there was one and it did."""
        payment = getattr(self, "payment", None)
        return payment.paid_on if payment else None

    @property
    def is_open(self) -> bool:
        """Whether its money is still to come. Needs `with_state`."""
        return self.state == self.State.OPEN

    @property
    def state(self) -> Invoice.State:
        """What became of it. Needs `with_state`."""
        standing, states = self.standing_cents, Invoice.State
        if self.is_storno:
            return states.STORNO
        if standing <= 0:
            return states.CANCELLED
        if self.due_on is not None and self.paid_on is None:
            return states.OPEN
        return states.PAID if standing == self.gross_cents else states.PARTLY_CANCELLED


class InvoicePayment(models.Model):
    """The coach's note that a transfer has come."""

    invoice = models.OneToOneField(
        Invoice, models.PROTECT, related_name="payment", verbose_name="Rechnung"
    )
    paid_on = models.DateField("bezahlt am")
    noted_at = models.DateTimeField("vermerkt")
    noted_by = models.CharField("vermerkt von", max_length=150)

    class Meta:
        verbose_name = "Zahlungseingang"
        verbose_name_plural = "Zahlungseingänge"

    def __str__(self) -> str:
        return f"{self.invoice.number}, {german.plain_date(self.paid_on)}"


def _cancelled() -> Coalesce:
    """What was cancelled of an invoice, as a positive sum."""
    papers = Invoice.objects.filter(cancels=OuterRef("pk")).order_by().values("cancels")
    sums = papers.annotate(cents=-Sum("gross_cents")).values("cents")
    return Coalesce(sums, Value(0))


def owing_papers() -> DepositQuerySet:
    """Payments whose papers do not say what became of the money.

    Only those an appointment rests on: what came too late or did not fit was no price for anything
    and goes back as it came.
    """
    back = (
        Refund.objects.filter(deposit=OuterRef("pk"), status=Refund.Status.SUCCEEDED)
        .order_by()
        .values("deposit")
        .annotate(cents=Sum("amount_cents"))
        .values("cents")
    )
    papers = Invoice.objects.filter(deposit=OuterRef("pk")).order_by()
    billed = papers.values("deposit").annotate(cents=Sum("gross_cents")).values("cents")
    sums = (
        Deposit.objects.that_booked()
        .annotate(
            left_cents=F("paid_cents") - Coalesce(back, Value(0)),
            billed_cents=Coalesce(billed, Value(0)),
        )
        .order_by("paid_at", "pk")
    )
    return sums.filter(Q(billed_cents__gt=F("left_cents")) | Q(~Exists(papers), left_cents__gt=0))
