"""An invoice on paper, after DIN 5008 form B: everything it says comes from its data.

The same data always gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time

from booking.invoice_data import InvoiceData, Recipient, Tax
from coaching_site import german, pdf
from coaching_site.german import NBSP
from coaching_site.pdf import Column

NOTES = {
    # UStG § 19, UStDV § 34a: the exemption has to be named.
    Tax.SMALL_BUSINESS: "Steuerfreie Leistung eines Kleinunternehmers (§ 19 UStG).",
    Tax.NOT_TAXABLE: "Nicht steuerbarer Schadensersatz, darum ohne Umsatzsteuer.",
}
SPLIT = (
    Column("Leistung", 6.6),
    Column("Netto", 2.5, right=True),
    Column("Satz", 1.3, right=True),
    Column("USt.", 2.3, right=True),
    Column("Brutto", 2.6, right=True),
)
IN_ONE = (Column("Leistung", 12), Column("Betrag", 3, right=True))


def draw(data: InvoiceData) -> bytes:
    """The invoice as the bytes of a PDF."""
    title = f"{data.title} {data.number}"
    paper = pdf.Paper(
        title,
        brand=data.issuer.brand,
        made_at=datetime.combine(data.issued_on, time(12), UTC),
        footer=list(_footer(data)),
    )
    paper.letter(list(_address(data.recipient)), list(_facts(data)), sender=_sender(data))
    paper.heading(title, level=0)
    for sentence in _before(data):
        paper.paragraph(sentence)
    if shows_tax(data):
        paper.table(SPLIT, list(_split_rows(data)), bold_rows=1)
    else:
        paper.table(IN_ONE, list(_rows_in_one(data)), bold_rows=1)
    for sentence in _after(data):
        paper.paragraph(sentence)
    return paper.as_bytes()


def shows_tax(data: InvoiceData) -> bool:
    """Whether net and tax stand apart; what is taken off is always shown with its own tax."""
    has_deductions = any(line.deducts for line in data.lines)
    return data.tax is Tax.REGULAR and (not data.is_short or has_deductions)


def _sender(data: InvoiceData) -> str:
    issuer = data.issuer
    return " · ".join((issuer.name, issuer.street, f"{issuer.postal_code} {issuer.city}"))


def _address(recipient: Recipient) -> Iterator[str]:
    """DIN 5008: company, person, street, place; the country only abroad, in capitals."""
    if recipient.company:
        yield recipient.company
    yield recipient.name
    if recipient.has_address:
        yield recipient.street
        yield f"{recipient.postal_code} {recipient.city}"
        if recipient.country != "Deutschland":
            yield recipient.country.upper()


def _facts(data: InvoiceData) -> Iterator[tuple[str, str]]:
    yield "Nummer", data.number
    yield "Datum", german.plain_date(data.issued_on)
    if data.received_on:
        yield "Zahlungseingang", german.plain_date(data.received_on)
    # Of a deposit this is still to come, or did not take place at all (UStG § 14 (4) 6).
    is_done = data.received_on is None and data.cancels is None
    yield ("Leistungsdatum" if is_done else "Termin"), german.plain_date(data.service_on)
    if data.due_on:
        yield "Zahlbar bis", german.plain_date(data.due_on)
    yield "Buchungsnummer", data.booking_reference
    if data.recipient.vat_id:
        yield "Deine USt-IdNr.", data.recipient.vat_id


def _before(data: InvoiceData) -> Iterator[str]:
    if data.is_test:
        yield "Testzahlung: Es ist kein Geld geflossen. Dies ist keine Rechnung."
    if data.cancels:
        other = data.cancels
        yield f"Storno zu {other.title} {other.number} vom {german.plain_date(other.issued_on)}. {data.reason}"


def _split_rows(data: InvoiceData) -> Iterator[list[str]]:
    rows = [("\n".join((line.text, *line.details)), line) for line in data.lines]
    for words, line in rows:
        net, vat, gross = map(german.euros, (line.amount.net, line.amount.vat, line.amount.gross))
        yield [words, net, f"{line.percent}{NBSP}%", vat, gross]
    net, vat, gross = map(german.euros, (data.total.net, data.total.vat, data.total.gross))
    yield [_total_name(data), net, "", vat, gross]


def _rows_in_one(data: InvoiceData) -> Iterator[list[str]]:
    for line in data.lines:
        yield ["\n".join((line.text, *line.details)), german.euros(line.amount.gross)]
    name = _total_name(data)
    if data.tax is Tax.REGULAR:
        name = f"{name} inkl. {data.tax.percent}{NBSP}% Umsatzsteuer"
    yield [name, german.euros(data.total.gross)]


def _total_name(data: InvoiceData) -> str:
    return "Noch zu zahlen" if data.due_on else "Gesamtbetrag"


def _after(data: InvoiceData) -> Iterator[str]:
    if data.received_on:
        payment = f" ({data.payment_reference})" if data.payment_reference else ""
        paid = f"Der Betrag ist am {german.plain_date(data.received_on)} online bezahlt worden{payment}."
        yield f"{paid} Es ist nichts zu überweisen."
        if data.price_cents and data.tax is not Tax.NOT_TAXABLE:
            yield f"Er wird auf den Preis von {german.euros(data.price_cents)} angerechnet."
    if data.due_on:
        yield (
            f"Bitte bis {german.plain_date(data.due_on)} ohne Abzug überweisen: "
            f"{german.euros(data.total.gross)} an {data.issuer.name}, "
            f"IBAN {_grouped(data.issuer.iban)}, Verwendungszweck {data.number}."
        )
    if data.tax in NOTES:
        yield NOTES[data.tax]


def _footer(data: InvoiceData) -> Iterator[str]:
    issuer = data.issuer
    yield f"{_sender(data)}, {issuer.country}"
    numbers = {"Steuernummer": issuer.tax_number, "USt-IdNr.": issuer.vat_id}
    yield " · ".join(f"{name} {number}" for name, number in numbers.items() if number)
    yield " · ".join(filter(None, (issuer.email, issuer.phone)))


def _grouped(iban: str) -> str:
    """An IBAN in groups of four, as people read it."""
    plain = iban.replace(" ", "")
    return NBSP.join(plain[at : at + 4] for at in range(0, len(plain), 4))
