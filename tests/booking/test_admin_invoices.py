"""The coach's desk for invoices: find them, bill the rest, take back, note as paid, hand on a month."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.urls import reverse

from booking import attendance, invoicing, scheduling
from booking.models import BillingAddress, Booking, Deposit, Invoice, InvoicePayment
from pages.models import Practice
from tests.booking.conftest import BEN, NINE, hold, new_type
from tests.booking.desk import pay, queries, staff, words
from tests.booking.papers import address_of, give_back, practice

LIST = "/verwaltung/booking/invoice/"
AFTER = timedelta(days=3)


@pytest.fixture(autouse=True)
def _practice(db) -> None:
    practice()


@pytest.fixture
def desk(client, db, clock):
    client.force_login(get_user_model().objects.create_superuser("coach"))
    return client


@pytest.fixture
def paid(paid_type, stripe, now) -> Booking:
    return pay(paid_type, stripe, now)


@pytest.fixture
def invoice(paid, now) -> Invoice:
    """A real one, as with real money."""
    Deposit.objects.update(livemode=True)
    [invoice] = invoicing.write_owed(paid, now=now)
    return invoice


@pytest.fixture
def final(paid, invoice, clock, now) -> Invoice:
    address_of(paid)
    clock(now + AFTER)
    return invoicing.issue_final(paid, now=now + AFTER)


def of_booking(name: str, booking: Booking) -> str:
    return reverse(f"admin:booking_booking_{name}", args=[booking.pk])


def of_invoice(name: str, invoice: Invoice) -> str:
    return reverse(f"admin:booking_invoice_{name}", args=[invoice.pk])


# --- to look at -----------------------------------------------------------------------------------


def test_the_list_says_number_day_recipient_kind_sum_and_state(desk, invoice):
    page = words(desk.get(LIST))

    for word in ("RE-2027-0001", "Mo., 01.03.2027", "Ada Müller, Rechenwerk", "150,00 €"):
        assert word in page
    assert '<td class="field-kind">Anzahlungsrechnung</td>' in page
    assert '<td class="field-state_word">bezahlt</td>' in page


@pytest.mark.parametrize("wanted", ["RE-2027-0001", "Ada", "rechenwerk", "ada@example.org"])
def test_invoices_are_found_by_number_and_guest(desk, invoice, wanted):
    assert ">RE-2027-0001<" in words(desk.get(LIST, {"q": wanted}))
    assert ">RE-2027-0001<" not in words(desk.get(LIST, {"q": f"{wanted}x"}))


@pytest.mark.parametrize(
    ("state", "numbers"),
    [
        ("open", ["RE-2027-0004"]),
        ("paid", []),
        ("partly_cancelled", ["RE-2027-0001"]),
        ("cancelled", ["RE-2027-0003"]),
        ("storno", ["RE-2027-0002", "RE-2027-0005"]),
    ],
)
def test_the_filter_and_the_word_for_a_state_agree(desk, paid, invoice, now, state, numbers):
    address_of(paid)
    give_back(paid, 5000, now=now)
    invoicing.write_owed(paid, now=now)
    first = invoicing.issue_final(paid, now=now + AFTER)
    with_another = scheduling.confirm(
        hold(new_type(paid.calendar), now=now, guest=BEN, start=NINE + timedelta(hours=2)), now=now
    )
    Booking.objects.filter(pk=with_another.pk).update(price_cents=9000)
    Deposit.objects.update(livemode=True)
    other = invoicing.issue_final(Booking.objects.get(pk=with_another.pk), now=now + AFTER)
    invoicing.storno(first, reason="Falsch.", now=now + AFTER)

    rows = Invoice.objects.with_state()

    assert other.number == "RE-2027-0004"
    assert sorted(rows.in_state(state).values_list("number", flat=True)) == numbers
    assert sorted(row.number for row in rows if row.state == state) == numbers
    shown = words(desk.get(LIST, {"stand": state}))
    assert [number for number in numbers if f">{number}<" not in shown] == []


def test_the_filters_for_month_and_kind_leave_out_the_rest(desk, invoice):
    assert "RE-2027-0001" in words(desk.get(LIST, {"monat": "2027-03", "kind__exact": "deposit"}))
    assert ">RE-2027-0001<" not in words(desk.get(LIST, {"monat": "2027-04"}))
    assert ">RE-2027-0001<" not in words(desk.get(LIST, {"kind__exact": "final"}))
    assert desk.get(LIST, {"monat": "unsinn"}).status_code == 200


def test_the_paper_is_shown_as_it_was_written(desk, invoice):
    answer = desk.get(of_invoice("pdf", invoice))

    assert answer["Content-Type"] == "application/pdf"
    assert hashlib.sha256(answer.content).hexdigest() == invoice.sha256


def test_an_invoice_cannot_be_added_changed_or_deleted_here(desk, invoice):
    page = words(desk.get(of_invoice("change", invoice)))

    assert "Aufzubewahren bis" in page
    assert "Mo., 31.12.2035" in page
    assert invoice.sha256 in page
    assert 'name="_save"' not in page
    assert desk.get(f"{LIST}add/").status_code == 403
    assert desk.post(of_invoice("delete", invoice)).status_code == 403


def test_the_list_asks_as_often_for_many_as_for_one(desk, paid, invoice, now):
    queries(desk, LIST)  # what is asked once and then known
    one = queries(desk, LIST)
    for _ in range(3):
        give_back(paid, 100, now=now)
        invoicing.write_owed(paid, now=now)

    assert queries(desk, LIST) == one


def test_the_bookings_page_asks_as_often_for_many_papers_as_for_one(desk, paid, invoice, now):
    page = of_booking("change", paid)
    give_back(paid, 100, now=now)
    invoicing.write_owed(paid, now=now)
    queries(desk, page)  # what is asked once and then known
    some = queries(desk, page)
    for _ in range(3):
        give_back(paid, 100, now=now)
        invoicing.write_owed(paid, now=now)

    assert queries(desk, page) == some


# --- the rest -------------------------------------------------------------------------------------


def test_the_page_names_the_amounts_before_anything_is_written(desk, paid, invoice, clock, now):
    address_of(paid)
    clock(now + AFTER)

    page = words(desk.get(of_booking("final", paid)))

    for amount in ("252,10 €", "47,90 €", "−126,05 €", "−23,95 €", "<strong>150,00 €</strong>"):
        assert amount in page
    assert "Rechenwerk GmbH, Ada Müller, Beispielstraße 12, 10115 Berlin." in page
    assert 'value="Schlussrechnung schreiben"' in page
    assert Invoice.objects.count() == 1


def test_the_button_writes_what_the_page_named(desk, paid, invoice, clock, now):
    address_of(paid)
    clock(now + AFTER)

    page = words(desk.post(of_booking("final", paid), {"gross": "15000"}, follow=True))

    assert "Geschrieben: Schlussrechnung RE-2027-0002." in page
    assert LogEntry.objects.get().get_change_message() == "Schlussrechnung RE-2027-0002 geschrieben"


@pytest.mark.parametrize("seen", ["14999", "", "x", "²"])
def test_other_amounts_than_named_are_not_written(desk, paid, invoice, clock, now, seen):
    address_of(paid)
    clock(now + AFTER)

    page = words(desk.post(of_booking("final", paid), {"gross": seen}, follow=True))

    assert "Inzwischen hat sich etwas geändert." in page
    assert Invoice.objects.count() == 1


def test_without_an_address_the_page_says_what_is_missing(desk, paid, invoice, clock, now):
    clock(now + AFTER)

    page = words(desk.get(of_booking("final", paid), follow=True))

    assert "Für die Rechnung fehlt noch: Anschrift von Ada Müller." in page


def test_the_address_is_asked_for_with_what_is_known(desk, paid):
    page = words(desk.get(of_booking("address", paid)))
    assert 'value="Ada Müller"' in page
    assert 'value="Rechenwerk"' in page

    fields = {"name": "Ada Müller", "street": "Weg 1", "postal_code": "10115", "city": "Berlin"}
    desk.post(of_booking("address", paid), {**fields, "country": "Deutschland"})
    desk.post(of_booking("address", paid), {**fields, "country": "Deutschland", "street": "Weg 2"})

    assert BillingAddress.objects.get().street == "Weg 2"


def test_an_address_with_holes_is_shown_again(desk, paid):
    page = words(desk.post(of_booking("address", paid), {"name": "Ada"}))

    assert "Noch nichts geschehen" in page
    assert not BillingAddress.objects.exists()


def test_the_button_is_there_from_the_call_until_the_rest_is_billed(desk, paid, clock, now):
    button = of_booking("final", paid)

    assert button not in words(desk.get(of_booking("change", paid)))
    clock(now + AFTER)
    assert button in words(desk.get(of_booking("change", paid)))
    address_of(paid)
    invoicing.issue_final(paid, now=now + AFTER)
    assert button not in words(desk.get(of_booking("change", paid)))
    assert "nichts mehr abzurechnen" in words(desk.get(button, follow=True))


# --- paid, cancelled, kept ------------------------------------------------------------------------


def test_a_transfer_is_noted_with_its_day(desk, final):
    assert "Als bezahlt vermerken" in words(desk.get(of_invoice("change", final)))

    page = words(desk.post(of_invoice("paid", final), {"on": "2027-03-04"}, follow=True))

    assert "Schlussrechnung RE-2027-0002: Bezahlt am Do., 04.03.2027." in page
    assert InvoicePayment.objects.get().noted_by == "coach"
    assert of_invoice("paid", final) not in words(desk.get(of_invoice("change", final)))


def test_a_day_to_come_is_refused_with_a_sentence(desk, final):
    page = words(desk.post(of_invoice("paid", final), {"on": "05.03.2027"}))

    assert "Diese Rechnung lässt sich nicht als bezahlt vermerken." in page
    assert not InvoicePayment.objects.exists()


def test_before_a_storno_the_page_says_that_a_new_invoice_follows(desk, invoice):
    page = words(desk.get(of_invoice("storno", invoice)))

    assert "Storniert wird, was davon noch steht, 150,00 €." in page
    assert "Darum wird gleich eine neue Rechnung geschrieben" in page


def test_a_storno_takes_back_the_wrong_invoice_and_writes_the_right_one(desk, paid, invoice):
    address_of(paid, name="Ada Richtig")

    page = words(desk.post(of_invoice("storno", invoice), {"reason": "Name falsch."}, follow=True))

    assert "Stornorechnung RE-2027-0002 und Anzahlungsrechnung RE-2027-0003" in page
    assert "storniert durch" in page
    assert Invoice.objects.get(position=3).recipient == "Ada Richtig, Rechenwerk GmbH"


def test_a_storno_needs_a_reason(desk, invoice):
    desk.post(of_invoice("storno", invoice), {"reason": " "})

    assert Invoice.objects.count() == 1


def test_a_second_storno_is_refused_with_a_sentence(desk, final):
    for _ in range(2):
        page = words(desk.post(of_invoice("storno", final), {"reason": "Falsch."}, follow=True))

    assert "Diese Rechnung ist schon storniert." in page
    assert Invoice.objects.filter(kind="storno").count() == 1


@pytest.fixture
def missed(paid: Booking, invoice, clock, now) -> Booking:
    attendance.mark_no_show(paid, now=NINE + timedelta(hours=1))
    clock(now + AFTER)
    return paid


def test_a_kept_deposit_can_be_billed_as_damages(desk, missed):
    assert of_booking("kept", missed) in words(desk.get(of_booking("change", missed)))
    assert "Frag deine Steuerberatung." in words(desk.get(of_booking("kept", missed)))

    page = words(desk.post(of_booking("kept", missed), {"kind": "damages"}, follow=True))

    assert "Geschrieben: Stornorechnung RE-2027-0002 und Rechnung RE-2027-0003." in page
    assert of_booking("kept", missed) not in page


def test_as_a_price_the_invoice_stays(desk, missed):
    page = words(desk.post(of_booking("kept", missed), {"kind": "price"}, follow=True))

    assert "Anzahlungsrechnung RE-2027-0001 bleibt, wie sie ist." in page
    assert Invoice.objects.count() == 1


def test_the_practice_says_which_of_both_is_chosen_first(desk, missed):
    Practice.objects.update(kept_deposit="damages")

    page = desk.get(of_booking("kept", missed))

    assert page.context["form"]["kind"].value() == "damages"


def test_a_call_that_took_place_has_nothing_kept(desk, paid, invoice):
    answer = desk.get(of_booking("kept", paid))

    assert (answer.status_code, answer["Location"]) == (302, of_booking("change", paid))


# --- a month for the tax adviser ------------------------------------------------------------------


MONTH = f"{LIST}monat/"


def rows_of(answer) -> list[dict[str, str]]:
    text = answer.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def test_a_month_is_a_table_of_numbers_bookkeeping_reads(desk, paid, invoice, now):
    give_back(paid, 5000, now=now)
    invoicing.write_owed(paid, now=now)

    answer = desk.post(MONTH, {"zeitraum": "2027-03", "als": "csv"})

    assert answer["Content-Disposition"] == 'attachment; filename="rechnungen-2027-03.csv"'
    first, second = rows_of(answer)
    assert (first["Netto"], first["Steuer"], first["Brutto"]) == ("126,05", "23,95", "150,00")
    assert (second["Netto"], second["Steuer"], second["Brutto"]) == ("-42,02", "-7,98", "-50,00")
    assert (second["Art"], second["Bezug"]) == ("Stornorechnung", "RE-2027-0001")
    assert first["Zahlungseingang"] == "01.03.2027"
    assert first["Zahlung bei Stripe"].startswith("pi_")


def test_a_name_that_is_a_formula_is_none_in_the_table(desk, paid, now):
    Booking.objects.update(name="=1+1", company="")
    Deposit.objects.update(livemode=True)
    invoicing.write_owed(paid, now=now)

    [row] = rows_of(desk.post(MONTH, {"zeitraum": "2027-03", "als": "csv"}))

    assert row["Empfänger"] == "'=1+1"


def test_a_month_is_an_archive_of_the_very_papers(desk, paid, invoice, now):
    give_back(paid, 5000, now=now)
    invoicing.write_owed(paid, now=now)

    answer = desk.post(MONTH, {"zeitraum": "2027-03", "als": "zip"})

    archive = zipfile.ZipFile(io.BytesIO(answer.getvalue()))
    assert archive.testzip() is None
    assert archive.namelist() == [
        "Anzahlungsrechnung-RE-2027-0001.pdf",
        "Stornorechnung-RE-2027-0002.pdf",
    ]
    content = archive.read("Anzahlungsrechnung-RE-2027-0001.pdf")
    assert hashlib.sha256(content).hexdigest() == invoice.sha256
    assert archive.infolist()[0].date_time[:3] == (2027, 3, 1)


def test_papers_of_test_payments_are_no_part_of_a_month(desk, paid, now):
    invoicing.write_owed(paid, now=now)

    assert "Noch gibt es keine Rechnungen." in words(desk.get(MONTH))
    assert rows_of(desk.post(MONTH, {"zeitraum": "2027-03", "als": "csv"})) == []


def test_the_months_and_years_with_invoices_are_offered(desk, invoice):
    for choice in ('"2027-03">März 2027', '"2027">2027, das ganze Jahr'):
        assert f"<option value={choice}</option>" in words(desk.get(MONTH))
    assert len(rows_of(desk.post(MONTH, {"zeitraum": "2027", "als": "csv"}))) == 1
    assert desk.post(MONTH, {"zeitraum": "2027-13", "als": "csv"}).status_code == 200


def test_chosen_rows_can_be_taken_along(desk, invoice):
    for action in ("export", "export_files"):
        chosen = {"action": action, "_selected_action": [invoice.pk]}
        content = desk.post(LIST, chosen).getvalue()
        assert b"RE-2027-0001" in content


# --- who may --------------------------------------------------------------------------------------


def test_who_may_only_look_writes_nothing(client, clock, paid, invoice):
    helper = staff(client, "view_invoice", "view_booking")

    assert helper.get(of_invoice("pdf", invoice)).status_code == 200
    assert helper.get(MONTH).status_code == 200
    assert helper.post(MONTH, {"zeitraum": "2027-03", "als": "zip"}).status_code == 403
    for page in (of_invoice("storno", invoice), of_invoice("paid", invoice)):
        assert helper.post(page).status_code == 403
    for name in ("final", "address", "kept"):
        assert helper.post(of_booking(name, paid)).status_code == 403


def test_who_may_not_look_sees_nothing(client, clock, invoice):
    helper = staff(client, "view_booking")

    for page in (LIST, MONTH, of_invoice("pdf", invoice)):
        assert helper.get(page).status_code == 403


def test_the_day_of_a_transfer_starts_with_today(desk, final):
    page = words(desk.get(of_invoice("paid", final)))

    assert 'type="date" name="on" value="2027-03-04"' in page
