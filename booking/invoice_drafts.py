"""What stands in an invoice, and what has been written of one: everything but its number.

When one is due and taken back is said in `invoicing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from django.utils import timezone

from booking.errors import InvoiceIncomplete
from booking.invoice_data import (
    SMALL_CENTS,
    Amount,
    InvoiceData,
    Issuer,
    Line,
    Recipient,
    Tax,
    split,
    total,
)
from booking.models import BillingAddress, Booking, Deposit, Invoice
from coaching_site import german
from pages.models import Practice


def draft(
    booking: Booking,
    practice: Practice,
    *,
    title: str,
    tax: Tax,
    lines: Sequence[Line],
    deposit: Deposit | None = None,
    due_on: date | None = None,
    now: datetime,
) -> InvoiceData:
    """A whole invoice but for its number. Raises InvoiceIncomplete."""
    recipient = _recipient(booking)
    most = lines[0].amount.gross  # the price, before anything is taken off
    missing = practice.missing_for_invoices()
    if missing:
        raise InvoiceIncomplete(missing, of_practice=True)
    if most > SMALL_CENTS and not recipient.has_address:
        raise InvoiceIncomplete([f"Anschrift von {recipient.name}"], of_practice=False)
    paid_at = deposit.paid_at if deposit else None
    return InvoiceData(
        title=title,
        number="",
        issued_on=day_of(now, booking),
        tax=tax,
        issuer=issuer(practice),
        recipient=recipient,
        lines=tuple(lines),
        service=service_of(booking),
        service_on=day_of(booking.start, booking),
        service_when=_when(booking),
        booking_reference=booking.reference,
        received_on=day_of(paid_at, booking) if paid_at else None,
        payment_reference=deposit.payment_intent if deposit else "",
        due_on=due_on,
        price_cents=booking.price_cents if booking.rest_cents and deposit else None,
        is_short=not recipient.has_address,
        is_test=series_of(booking) == Invoice.TEST,
    )


def issuer(practice: Practice) -> Issuer:
    """Who writes it, as the practice is today."""
    return Issuer(
        name=practice.name,
        brand=practice.brand,
        street=practice.street,
        postal_code=practice.postal_code,
        city=practice.city,
        country=practice.country,
        email=practice.email,
        phone=practice.phone,
        tax_number=practice.tax_number,
        vat_id=practice.vat_id if practice.has_vat_id else "",
        iban=practice.iban,
    )


def _recipient(booking: Booking) -> Recipient:
    """Whom it is made out to. The books know a guest whom the booking has forgotten."""
    before = Invoice.objects.of_booking(booking).last() if booking.is_nameless else None
    if before is not None:
        return before.content.recipient
    known = BillingAddress.objects.filter(booking=booking).first()
    if known is None:
        return Recipient(name=booking.name, company=booking.company, email=booking.email)
    return Recipient(
        name=known.name,
        company=known.company,
        street=known.street,
        postal_code=known.postal_code,
        city=known.city,
        country=known.country,
        vat_id=known.vat_id,
        email=booking.email,
    )


def line(booking: Booking, text: str, amount: Amount, tax: Tax) -> Line:
    """A line about this call, over this sum."""
    details = (_when(booking), f"Buchungsnummer {booking.reference}")
    return Line(text, tax.percent, amount, details)


def deduction(invoice: Invoice, tax: Tax) -> Line:
    """What was billed before, taken off with its own tax (UStG § 14 (5) 2)."""
    text = f"abzüglich {invoice.get_kind_display()} {invoice.number}"
    details = (f"vom {german.plain_date(invoice.issued_on)}",)
    return Line(text, tax.percent, -standing_of(invoice), details, deducts=invoice.number)


def cancelling_lines(data: InvoiceData, standing: Amount, cents: int) -> tuple[Line, ...]:
    """The lines with their signs turned; of a part, one line that leaves the rest split rightly."""
    if cents == data.total.gross:
        return tuple(Line(**{**vars(line), "amount": -line.amount}) for line in data.lines)
    first = data.lines[0]
    rest = split(standing.gross - cents, first.percent)
    return (Line(**{**vars(first), "amount": rest - standing}),)


def words_for(booking: Booking, kind: Invoice.Kind, tax: Tax) -> str:
    """What a line for a payment says."""
    if tax is Tax.NOT_TAXABLE:
        why = "Absage" if booking.is_cancelled else "Nichterscheinen"
        return f"Schadensersatz nach {why}: {service_of(booking)}"
    service = service_of(booking)
    return f"Anzahlung: {service}" if kind == Invoice.Kind.DEPOSIT else service


def service_of(booking: Booking) -> str:
    """The call as an invoice names it."""
    return f"{booking.call_type.title}, Einzelgespräch, {german.minutes(booking.duration)}"


def _when(booking: Booking) -> str:
    zone = booking.calendar.tz
    day = german.short_date(booking.start.astimezone(zone).date())
    clock = german.clock_range(booking.start, booking.end, zone)
    return f"{day}, {clock}, {german.zone_name(zone, booking.start)}"


def day_of(moment: datetime, booking: Booking) -> date:
    """The date of a moment, by the calendar's clock."""
    return timezone.localdate(moment, booking.calendar.tz)


def standing_of(invoice: Invoice) -> Amount:
    """What is not cancelled of an invoice. Asks the database."""
    papers = [invoice, *invoice.cancelled_by.without_files()]
    return total(Amount(paper.net_cents, paper.vat_cents) for paper in papers)


def series_of(booking: Booking) -> str:
    """Test payments must not use up numbers of real invoices."""
    is_test = booking.deposits.paid().filter(livemode=False).exists()
    return Invoice.TEST if is_test else Invoice.REAL
