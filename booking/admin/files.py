"""What can be taken along of bookings, payments and invoices, as files. Made in portions, by key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from booking.admin import money
from booking.models import Booking, Deposit, Invoice
from coaching_site import german
from coaching_site.desk.csv_export import csv_part
from coaching_site.desk.export_kinds import Part, portions
from coaching_site.desk.zip_export import Entry, zip_parts

PORTION = 500
# They hold their files.
PAPERS = 20

BOOKING_COLUMNS = (
    "Buchungsnummer",
    "Datum",
    "Uhrzeit",
    "Gespräch",
    "Stand",
    "Name",
    "E-Mail-Adresse",
    "Firma",
    "Telefon",
    "Worum es geht",
    "Antworten",
    "Gebucht am",
    "Abgesagt am",
    "Abgesagt von",
    "Preis",
    "Beim Buchen fällig",
    "Bezahlt",
    "Erstattet",
    "Behalten",
    "Ohne Zahlung eingetragen",
)
PAYMENT_COLUMNS = (
    "Begonnen",
    "Buchungsnummer",
    "Name",
    "E-Mail-Adresse",
    "Gespräch",
    "Stand",
    "Betrag",
    "Bezahlt",
    "Bezahlt am",
    "Erstattet",
    "Behalten",
    "Streitfall",
    "Echtes Geld",
    "Checkout-Sitzung",
    "Zahlung bei Stripe",
)
INVOICE_COLUMNS = (
    "Rechnungsnummer",
    "Datum",
    "Art",
    "Empfänger",
    "Leistung",
    "Leistungsdatum",
    "Zahlungseingang",
    "Umsatzsteuer",
    "Steuersatz in %",
    "Netto",
    "Steuer",
    "Brutto",
    "Bezug",
    "Zahlbar bis",
    "Überwiesen am",
    "Buchungsnummer",
    "Zahlung bei Stripe",
)


def bookings(rows: Sequence[int], *, now: datetime) -> Iterator[Part]:
    """These appointments as a table, in this order."""
    yield csv_part([BOOKING_COLUMNS], begins=True)
    wanted = Booking.objects.select_related("calendar", "call_type").prefetch_related("deposits")
    for portion in portions(rows, PORTION):
        found = wanted.in_bulk(portion)
        yield csv_part(_booking(found[pk]) for pk in portion if pk in found)


def payments(rows: Sequence[int], *, now: datetime) -> Iterator[Part]:
    """These payments as a table, in this order."""
    yield csv_part([PAYMENT_COLUMNS], begins=True)
    wanted = Deposit.objects.select_related("booking__call_type", "booking__calendar")
    for portion in portions(rows, PORTION):
        found = wanted.in_bulk(portion)
        yield csv_part(_payment(found[pk]) for pk in portion if pk in found)


def invoices(rows: Sequence[int], *, now: datetime) -> Iterator[Part]:
    """These papers as a table, in this order."""
    yield csv_part([INVOICE_COLUMNS], begins=True)
    wanted = Invoice.objects.select_related("payment").defer("pdf")
    for portion in portions(rows, PORTION):
        found = wanted.in_bulk(portion)
        yield csv_part(_invoice(found[pk]) for pk in portion if pk in found)


def papers(rows: Sequence[int], *, now: datetime) -> Iterator[Part]:
    """The very PDFs, in one archive."""
    return zip_parts(_entries(rows))


def _entries(rows: Sequence[int]) -> Iterator[Entry]:
    for portion in portions(rows, PAPERS):
        found = Invoice.objects.defer("data").in_bulk(portion)
        for paper in (found[pk] for pk in portion if pk in found):
            yield Entry(paper.file_name, paper.issued_on, bytes(paper.pdf))


def _booking(booking: Booking) -> list[object]:
    zone = booking.calendar.tz
    return [
        booking.reference,
        german.plain_date(booking.start.astimezone(zone)),
        german.cell_clock(booking.start, zone),
        booking.call_type.title,
        booking.get_status_display(),
        booking.name,
        booking.email,
        booking.company,
        booking.phone,
        booking.topic,
        "\n".join(f"{each['question']} {each['answer']}" for each in booking.answers),
        german.cell(booking.confirmed_at, zone),
        german.cell(booking.cancelled_at, zone),
        booking.get_cancelled_by_display(),
        *map(german.amount, (booking.price_cents, booking.deposit_cents)),
        *map(german.amount, money.sums(booking.deposits.all())),
        "ja" if booking.deposit_waived else "",
    ]


def _payment(deposit: Deposit) -> list[object]:
    booking, zone = deposit.booking, deposit.booking.calendar.tz
    return [
        german.cell(deposit.created_at, zone),
        booking.reference,
        booking.name,
        booking.email,
        booking.call_type.title,
        deposit.get_status_display(),
        german.amount(deposit.amount_cents),
        german.amount(deposit.paid_cents),
        german.cell(deposit.paid_at, zone),
        german.amount(deposit.refunded_cents),
        german.amount(deposit.kept_cents),
        money.dispute(deposit, zone),
        "ja" if deposit.livemode else "nein",
        deposit.session_id,
        deposit.payment_intent,
    ]


def _invoice(invoice: Invoice) -> list[object]:
    data = invoice.content
    return [
        invoice.number,
        _day(invoice.issued_on),
        invoice.get_kind_display(),
        invoice.recipient,
        data.lines[0].text,
        _day(data.service_on),
        _day(data.received_on),
        invoice.get_vat_display(),
        data.lines[0].percent,
        *map(german.cell_amount, (invoice.net_cents, invoice.vat_cents, invoice.gross_cents)),
        data.cancels.number if data.cancels else "",
        _day(invoice.due_on),
        _day(invoice.paid_on),
        data.booking_reference,
        data.payment_reference,
    ]


def _day(day: date | None) -> str:
    return german.plain_date(day) if day else ""
