"""An invoice on paper, after DIN 5008 form B: everything it says comes from its data.

The same data always gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time

import font_source_sans_pro
from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace

from booking.invoice_data import InvoiceData, Recipient, Tax
from coaching_site import german
from coaching_site.german import NBSP

# Millimetres, after DIN 5008 form B.
LEFT, RIGHT, WIDTH = 25, 20, 165
RETURN_LINE, ADDRESS, INFO, SUBJECT = 45, 50.5, 50, 98.5
FOLDS = (105, 210)
INFO_LEFT, INFO_LABEL, INFO_WIDTH = 125, 32, 65
FOOTER = 32
GREY = 90

NOTES = {
    # UStG § 19, UStDV § 34a: the exemption has to be named.
    Tax.SMALL_BUSINESS: "Steuerfreie Leistung eines Kleinunternehmers (§ 19 UStG).",
    Tax.NOT_TAXABLE: "Nicht steuerbarer Schadensersatz, darum ohne Umsatzsteuer.",
}


class Sheet(FPDF):
    """A4 with the issuer at its foot and the marks where it is folded."""

    def __init__(self, data: InvoiceData) -> None:
        super().__init__(format="A4")
        self.invoice = data
        self.add_font("sans", "", font_source_sans_pro.SourceSansPro)
        self.add_font("sans", "B", font_source_sans_pro.SourceSansProSemibold)
        self.set_margins(LEFT, 20, RIGHT)
        self.set_auto_page_break(auto=True, margin=FOOTER + 5)
        self.c_margin = 0
        self.set_lang("de")
        self.set_title(f"{data.title} {data.number}")
        self.set_author(data.issuer.name)
        self.set_creator(data.issuer.brand)
        self.set_producer("")
        self.set_creation_date(datetime.combine(data.issued_on, time(12), UTC))
        self.add_page()

    def header(self) -> None:
        self.set_draw_color(160)
        self.set_line_width(0.2)
        for fold in FOLDS:
            self.line(4, fold, 8, fold)

    def footer(self) -> None:
        issuer = self.invoice.issuer
        columns = (
            (issuer.name, issuer.street, f"{issuer.postal_code} {issuer.city}", issuer.country),
            (issuer.email, issuer.phone),
            tuple(_tax_numbers(self.invoice)),
        )
        top = self.h - FOOTER + 4
        self.set_y(-FOOTER)
        self.set_draw_color(160)
        self.line(LEFT, self.get_y(), LEFT + WIDTH, self.get_y())
        self.set_text_color(GREY)
        self.set_font("sans", size=8)
        for number, column in enumerate(columns):
            self.set_xy(LEFT + number * WIDTH / 3, top)
            self.multi_cell(WIDTH / 3, 4, "\n".join(filter(None, column)), align="L")
        self.set_text_color(0)


def draw(data: InvoiceData) -> bytes:
    """The invoice as the bytes of a PDF."""
    sheet = Sheet(data)
    _letterhead(sheet, data)
    _info(sheet, data)
    _subject(sheet, data)
    _table(sheet, data)
    _sums(sheet, data)
    _notes(sheet, data)
    return bytes(sheet.output())


def _letterhead(sheet: Sheet, data: InvoiceData) -> None:
    issuer = data.issuer
    sheet.set_font("sans", "B", 13)
    sheet.set_xy(LEFT, 20)
    _line(sheet, issuer.name, 6)
    sheet.set_font("sans", size=10)
    sheet.set_text_color(GREY)
    _line(sheet, issuer.brand, 5)
    sheet.set_xy(LEFT, RETURN_LINE)
    sheet.set_font("sans", size=7.5)
    sender = (issuer.name, issuer.street, f"{issuer.postal_code} {issuer.city}")
    _line(sheet, " · ".join(sender), 4, width=85)
    sheet.set_text_color(0)
    sheet.set_xy(LEFT, ADDRESS)
    sheet.set_font("sans", size=10.5)
    sheet.multi_cell(85, 5.2, "\n".join(_address(data.recipient)), align="L")


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
    if recipient.vat_id:
        yield f"USt-IdNr. {recipient.vat_id}"


def _info(sheet: Sheet, data: InvoiceData) -> None:
    sheet.set_y(INFO)
    sheet.set_font("sans", size=9.5)
    for label, value in _facts(data):
        sheet.set_x(INFO_LEFT)
        sheet.set_text_color(GREY)
        sheet.cell(INFO_LABEL, 5.2, label)
        sheet.set_text_color(0)
        sheet.multi_cell(
            INFO_WIDTH - INFO_LABEL, 5.2, value, align="L", new_x=XPos.LEFT, new_y=YPos.NEXT
        )


def _facts(data: InvoiceData) -> Iterator[tuple[str, str]]:
    yield "Nummer", data.number
    yield "Datum", _date(data.issued_on)
    if data.received_on:
        yield "Zahlungseingang", _date(data.received_on)
    # Of a deposit this is still to come, or did not take place at all (UStG § 14 (4) 6).
    is_done = data.received_on is None and data.cancels is None
    yield ("Leistungsdatum" if is_done else "Termin"), _date(data.service_on)
    if data.due_on:
        yield "Zahlbar bis", _date(data.due_on)
    yield "Buchungsnummer", data.booking_reference


def _subject(sheet: Sheet, data: InvoiceData) -> None:
    sheet.set_xy(LEFT, max(SUBJECT, sheet.get_y() + 8))
    sheet.set_font("sans", "B", 15)
    _line(sheet, f"{data.title} {data.number}", 8)
    sheet.set_font("sans", size=10.5)
    if data.is_test:
        _line(sheet, "Testzahlung: Es ist kein Geld geflossen. Dies ist keine Rechnung.", 6)
    if data.cancels:
        other = data.cancels
        _line(sheet, f"Storno zu {other.title} {other.number} vom {_date(other.issued_on)}", 6)
    sheet.ln(4)


def shows_tax(data: InvoiceData) -> bool:
    """Whether net and tax stand apart; what is taken off is always shown with its own tax."""
    has_deductions = any(line.deducts for line in data.lines)
    return data.tax is Tax.REGULAR and (not data.is_short or has_deductions)


def _table(sheet: Sheet, data: InvoiceData) -> None:
    is_split = shows_tax(data)
    widths = (69, 27, 15, 25, 29) if is_split else (132, 33)
    align = ("LEFT", *["RIGHT"] * (len(widths) - 1))
    sheet.set_font("sans", size=10)
    sheet.set_draw_color(160)
    with sheet.table(
        width=WIDTH,
        col_widths=widths,
        text_align=align,
        align="LEFT",
        v_align="TOP",
        line_height=5.2,
        padding=(1.6, 0, 1.6, 0),
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        headings_style=FontFace(emphasis="BOLD"),
    ) as table:
        table.row(_heads(is_split))
        for line in data.lines:
            words = "\n".join((line.text, *line.details))
            amount = line.amount
            if is_split:
                percent = f"{line.percent}{NBSP}%"
                numbers = (_euros(amount.net), percent, _euros(amount.vat), _euros(amount.gross))
                table.row((words, *numbers))
            else:
                table.row((words, _euros(amount.gross)))


def _heads(is_split: bool) -> tuple[str, ...]:
    return ("Leistung", "Netto", "Satz", "USt.", "Brutto") if is_split else ("Leistung", "Betrag")


def _sums(sheet: Sheet, data: InvoiceData) -> None:
    sheet.ln(3)
    for label, cents, is_bold in _totals(data):
        sheet.set_font("sans", "B" if is_bold else "", 11 if is_bold else 10)
        sheet.set_x(LEFT + 60)
        sheet.cell(72, 6, label, align="R")
        sheet.cell(33, 6, _euros(cents), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _totals(data: InvoiceData) -> Iterator[tuple[str, int, bool]]:
    name = "Noch zu zahlen" if data.due_on else "Gesamtbetrag"
    if shows_tax(data):
        yield "Summe netto", data.total.net, False
        for percent, amount in data.by_percent.items():
            yield f"Umsatzsteuer {percent}{NBSP}%", amount.vat, False
    elif data.tax is Tax.REGULAR:
        name = f"{name} inkl. {data.lines[0].percent}{NBSP}% Umsatzsteuer"
    yield name, data.total.gross, True


def _notes(sheet: Sheet, data: InvoiceData) -> None:
    sheet.ln(6)
    sheet.set_font("sans", size=10.5)
    for sentence in _sentences(data):
        sheet.multi_cell(WIDTH, 5.4, sentence, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        sheet.ln(1.5)


def _sentences(data: InvoiceData) -> Iterator[str]:
    if data.reason:
        yield data.reason
    if data.received_on:
        payment = f" ({data.payment_reference})" if data.payment_reference else ""
        paid = f"Der Betrag ist am {_date(data.received_on)} online bezahlt worden{payment}."
        yield f"{paid} Es ist nichts zu überweisen."
        if data.price_cents and data.tax is not Tax.NOT_TAXABLE:
            yield f"Er wird auf den Preis von {_euros(data.price_cents)} angerechnet."
    if data.due_on:
        yield (
            f"Bitte bis {_date(data.due_on)} ohne Abzug überweisen: {_euros(data.total.gross)} an "
            f"{data.issuer.name}, IBAN {_grouped(data.issuer.iban)}, "
            f"Verwendungszweck {data.number}."
        )
    if data.tax in NOTES:
        yield NOTES[data.tax]


def _tax_numbers(data: InvoiceData) -> Iterator[str]:
    issuer = data.issuer
    if issuer.tax_number:
        yield f"Steuernummer {issuer.tax_number}"
    if issuer.vat_id:
        yield f"USt-IdNr. {issuer.vat_id}"
    if data.due_on and issuer.iban:
        yield f"IBAN {_grouped(issuer.iban)}"


def _line(sheet: Sheet, text: str, height: float, width: float = 0) -> None:
    sheet.cell(width or WIDTH, height, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _date(day: date) -> str:
    return f"{day:%d.%m.%Y}"


def _euros(cents: int) -> str:
    return german.euros(cents)


def _grouped(iban: str) -> str:
    """An IBAN in groups of four, as people read it."""
    plain = iban.replace(" ", "")
    return NBSP.join(plain[at : at + 4] for at in range(0, len(plain), 4))
