"""What stands on the paper: each kind in both kinds of tax, word for word, and sums that add up."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking import invoice_pdf
from booking.invoice_data import (
    Amount,
    InvoiceData,
    Issuer,
    Line,
    Recipient,
    Reference,
    Tax,
    read,
    split,
    total,
)
from tests.booking.papers import IBAN, words_in

GOLDEN = Path(__file__).resolve().parent.parent / "data" / "invoices"

ISSUER = Issuer(
    name="Kim Muster",
    brand="VP Engineering Coaching",
    street="Musterweg 1",
    postal_code="12345",
    city="Berlin",
    country="Deutschland",
    email="post@praxis.example",
    phone="+49 30 123456",
    tax_number="12/345/67890",
    vat_id="",
    iban=IBAN,
)
COMPANY = Recipient(
    name="Ada Müller",
    company="Rechenwerk GmbH",
    street="Beispielstraße 12",
    postal_code="10115",
    city="Berlin",
    country="Deutschland",
    vat_id="DE123456789",
    email="ada@example.org",
)
SERVICE = "Sparring, Einzelgespräch, 60 Minuten"
WHEN = "Mi., 03.03.2027, 09:00–10:00 Uhr, Berliner Zeit (MEZ)"
DETAILS = (WHEN, "Buchungsnummer ACDEFGHJ")
TAXES = [Tax.REGULAR, Tax.SMALL_BUSINESS]


def of(kind: str, tax: Tax) -> InvoiceData:
    """One of each kind: a deposit of half of 300 euros, its cancellation, the rest; 99 euros paid at once."""
    half, whole, short = (split(cents, tax.percent) for cents in (150_00, 300_00, 99_00))
    deposit = InvoiceData(
        title="Anzahlungsrechnung",
        number="RE-2027-0001",
        issued_on=date(2027, 3, 1),
        tax=tax,
        issuer=ISSUER,
        recipient=COMPANY,
        lines=(Line(f"Anzahlung: {SERVICE}", tax.percent, half, DETAILS),),
        service=SERVICE,
        service_on=date(2027, 3, 3),
        service_when=WHEN,
        booking_reference="ACDEFGHJ",
        received_on=date(2027, 3, 1),
        payment_reference="pi_1",
        price_cents=300_00,
    )
    number, line = deposit.number, Line(SERVICE, tax.percent, whole, DETAILS)
    deduction = f"abzüglich Anzahlungsrechnung {number}"
    kinds = {
        "anzahlungsrechnung": deposit,
        "rechnung": replace(
            deposit,
            title="Rechnung",
            recipient=Recipient(name="Ben O’Neil"),
            lines=(Line(SERVICE, tax.percent, short, DETAILS),),
            price_cents=None,
            is_short=True,
        ),
        "schlussrechnung": replace(
            deposit,
            title="Schlussrechnung",
            number="RE-2027-0002",
            issued_on=date(2027, 3, 4),
            lines=(line, Line(deduction, tax.percent, -half, ("vom 01.03.2027",), number)),
            received_on=None,
            payment_reference="",
            due_on=date(2027, 3, 18),
            price_cents=None,
        ),
        "stornorechnung": replace(
            deposit,
            title="Stornorechnung",
            number="RE-2027-0003",
            issued_on=date(2027, 3, 5),
            lines=(replace(deposit.lines[0], amount=-half),),
            received_on=None,
            cancels=Reference(deposit.title, number, deposit.issued_on),
            reason="Erstattet am 04.03.2027.",
        ),
    }
    return kinds[kind]


KINDS = ["anzahlungsrechnung", "rechnung", "schlussrechnung", "stornorechnung"]


@pytest.mark.parametrize("tax", TAXES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_says_word_for_word_what_it_must(kind, tax):
    said = words_in(invoice_pdf.draw(of(kind, tax)))

    assert said == (GOLDEN / f"{kind}-{tax}.txt").read_text("utf-8").rstrip("\n")


@pytest.mark.parametrize("tax", Tax)
@pytest.mark.parametrize("kind", KINDS)
def test_no_paper_calls_itself_a_credit_note(kind, tax):
    assert "Gutschrift" not in words_in(invoice_pdf.draw(of(kind, tax)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_business_names_its_exemption_and_shows_no_tax(kind):
    said = words_in(invoice_pdf.draw(of(kind, Tax.SMALL_BUSINESS)))

    assert "Steuerfreie Leistung eines Kleinunternehmers (§ 19 UStG)." in said
    assert "%" not in said
    assert "Umsatzsteuer" not in said


def test_the_short_form_says_all_in_one_sum_with_its_rate():
    said = words_in(invoice_pdf.draw(of("rechnung", Tax.REGULAR)))

    assert "Gesamtbetrag inkl. 19 % Umsatzsteuer\n99,00 €" in said
    assert "Netto" not in said


def test_a_paper_to_a_test_payment_says_that_it_is_none():
    data = replace(of("rechnung", Tax.REGULAR), is_test=True)

    assert "Dies ist keine Rechnung." in words_in(invoice_pdf.draw(data))


def test_abroad_the_country_stands_below_in_capitals():
    data = of("schlussrechnung", Tax.REGULAR)
    data = replace(data, recipient=replace(COMPANY, country="Österreich"))

    assert "10115 Berlin\nÖSTERREICH" in words_in(invoice_pdf.draw(data))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_data_gives_the_same_bytes_and_comes_back_whole(kind):
    data = of(kind, Tax.REGULAR)

    kept = read(json.loads(json.dumps(data.as_json())))

    assert kept == data
    assert invoice_pdf.draw(kept) == invoice_pdf.draw(data)


def test_names_of_any_length_and_script_are_drawn():
    data = replace(of("rechnung", Tax.REGULAR), recipient=Recipient(name="山田 🙂 " + "Ä" * 190))

    assert invoice_pdf.draw(data).startswith(b"%PDF-")


# --- sums -----------------------------------------------------------------------------------------

cents = st.integers(1, 10_000_000)
percents = st.sampled_from([0, 7, 19])


@given(cents, percents)
def test_net_and_vat_make_the_gross_and_the_vat_is_rounded_right(gross, percent):
    amount = split(gross, percent)

    assert amount.gross == gross
    assert abs(amount.vat * (100 + percent) - gross * percent) * 2 <= 100 + percent


@given(cents, cents, percents)
def test_deposit_and_rest_make_the_whole_in_each_column(one, other, percent):
    whole, deposit = split(one + other, percent), split(one, percent)
    rest = whole - deposit

    assert deposit + rest == whole
    assert abs(rest.vat - split(other, percent).vat) <= 1


@given(st.lists(cents, min_size=1, max_size=8), percents)
def test_parts_taken_back_one_by_one_leave_nothing(parts, percent):
    standing = split(sum(parts), percent)
    for part in parts:
        cancelled = standing - split(standing.gross - part, percent)
        assert cancelled.gross == part
        assert cancelled.vat >= 0
        standing -= cancelled

    assert standing == Amount(0, 0)


@given(cents, percents)
def test_a_cancellation_is_the_mirror_of_its_invoice(gross, percent):
    assert total([split(gross, percent), split(-gross, percent)]) == Amount(0, 0)
