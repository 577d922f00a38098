"""Invoices: who gets which, what is in it, and that the papers always say what became of the money."""

from __future__ import annotations

from datetime import date, timedelta

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from booking import (
    attendance,
    cancellation,
    checkout,
    deposits,
    invoice_pdf,
    invoicing,
    scheduling,
    stripe_gateway,
)
from booking.errors import (
    InvoiceChanged,
    InvoiceIncomplete,
    NotBegun,
    NothingToCancel,
    NothingToInvoice,
    NotPayable,
    TaxChanged,
)
from booking.invoice_data import Tax
from booking.models import Alarm, Booking, Deposit, Invoice, InvoiceSequence, Notification
from coaching_site.append_only import erasing
from pages.models import Practice
from tests.booking.conftest import ADA, BEN, HALF_PAST_NINE, NINE, hold, new_type
from tests.booking.desk import pay
from tests.booking.papers import address_of, give_back, practice, sums

AFTER = timedelta(days=3)


@pytest.fixture(autouse=True)
def _practice(db) -> None:
    practice()


@pytest.fixture
def paid(paid_type, stripe, now) -> Booking:
    return pay(paid_type, stripe, now)


@pytest.fixture
def invoice(paid, now) -> Invoice:
    [invoice] = invoicing.write_owed(paid, now=now)
    return invoice


def refused_by(constraint: str):
    return pytest.raises(IntegrityError, match=constraint)


# --- a payment gets its invoice -------------------------------------------------------------------


def test_a_deposit_gets_an_invoice_with_the_day_the_money_came(invoice, paid):
    data = invoice.content

    assert (invoice.kind, invoice.gross_cents) == ("deposit", 15000)
    assert (invoice.net_cents, invoice.vat_cents) == (12605, 2395)
    assert (data.received_on, data.service_on) == (date(2027, 3, 1), date(2027, 3, 3))
    assert data.payment_reference == paid.deposits.get().payment_intent


def test_the_whole_price_gets_a_plain_invoice(calendar, stripe, now):
    booking = pay(new_type(calendar, price_cents=9900), stripe, now)

    [invoice] = invoicing.write_owed(booking, now=now)

    assert (invoice.get_kind_display(), invoice.gross_cents) == ("Rechnung", 9900)


def test_one_payment_has_one_invoice_however_often_it_is_asked_for(paid, invoice, now):
    assert invoicing.write_owed(paid, now=now) == []
    assert invoicing.write_all_owed(now=now) == 0
    assert Invoice.objects.count() == 1


def test_money_no_appointment_rests_on_gets_none_and_goes_back(paid_type, stripe, now):
    late = pay(paid_type, stripe, now, come_back=False)
    scheduling.confirm(
        hold(new_type(paid_type.calendar), now=now + timedelta(hours=1), guest=BEN),
        now=now + timedelta(hours=1),
    )
    checkout.reconcile(now=now + timedelta(hours=1))

    assert not late.deposits.that_booked().exists()
    assert invoicing.write_all_owed(now=now) == 0
    assert not Invoice.objects.exists()


def test_a_small_business_shows_no_tax(paid, now):
    Practice.objects.update(vat_mode=Practice.VatMode.SMALL_BUSINESS)

    [invoice] = invoicing.write_owed(paid, now=now)

    assert (invoice.vat, invoice.net_cents, invoice.vat_cents) == ("small_business", 15000, 0)


def test_the_parties_stay_as_they_were(invoice, paid):
    Practice.objects.update(last_name="Anders", street="Neue Straße 2")
    Booking.objects.update(name="Ada Neu")

    data = Invoice.objects.get().content

    assert (data.issuer.name, data.issuer.street) == ("Kim Muster", "Musterweg 1")
    assert data.recipient.name == "Ada Müller"


def test_test_payments_use_no_number_of_the_real_series(invoice, paid, now):
    assert invoice.number == "TEST-2027-0001"
    Deposit.objects.update(livemode=True)

    anew = invoicing.storno(Invoice.objects.get(), reason="", now=now)[1]

    assert anew.number == "RE-2027-0001"


def test_numbers_begin_anew_each_year(now):
    assert InvoiceSequence.objects.take("RE", 2027) == 1
    assert InvoiceSequence.objects.take("RE", 2027) == 2
    assert InvoiceSequence.objects.take("RE", 2028) == 1


def test_a_number_that_was_not_used_is_the_next_ones(paid, now, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(invoice_pdf, "draw", lambda data: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            invoicing.write_owed(paid, now=now)

    [invoice] = invoicing.write_owed(paid, now=now)

    assert invoice.position == 1


# --- nothing with holes ---------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["first_name", "street", "postal_code", "city", "tax_number"])
def test_what_lacks_something_is_not_written_and_the_coach_is_told_once(paid, now, missing):
    Practice.objects.update(**{missing: ""})

    assert invoicing.write_all_owed(now=now) == invoicing.write_all_owed(now=now) == 0

    [label] = [str(f.verbose_name) for f in Practice._meta.fields if f.name == missing]
    [alarm] = Alarm.objects.open()
    assert (alarm.kind, alarm.detail) == ("no_invoice", f"Für die Rechnung fehlt noch: {label}")
    assert Booking.objects.get().is_confirmed


def test_once_it_is_there_the_invoice_is_written_and_the_alarm_is_over(paid, now):
    Practice.objects.update(tax_number="")
    invoicing.write_all_owed(now=now)
    Practice.objects.update(tax_number="12/345/67890")

    assert invoicing.write_all_owed(now=now) == 1

    assert not Alarm.objects.open().exists()


def test_one_alarm_speaks_for_all_invoices_the_practice_holds_back(paid, paid_type, stripe, now):
    pay(paid_type, stripe, now, guest=BEN, start=NINE + timedelta(hours=1))
    Practice.objects.update(city="")

    invoicing.write_all_owed(now=now)

    assert Alarm.objects.count() == 1


def test_a_vat_id_stands_for_the_tax_number_and_a_business_id_does_not(paid, now):
    Practice.objects.update(tax_number="", vat_id="DE123456789-00001")
    with pytest.raises(InvoiceIncomplete):
        invoicing.write_owed(paid, now=now)

    Practice.objects.update(vat_id="DE123456789")
    [invoice] = invoicing.write_owed(paid, now=now)

    assert invoice.content.issuer.vat_id == "DE123456789"


def test_above_250_euros_the_guests_address_is_needed(calendar, stripe, now):
    cheap = pay(new_type(calendar, slug="a", price_cents=25000), stripe, now)
    dear = pay(
        new_type(calendar, slug="b", price_cents=25001),
        stripe,
        now,
        guest=BEN,
        start=HALF_PAST_NINE,
    )

    assert invoicing.write_all_owed(now=now) == 1

    assert cheap.invoices.get().content.is_short
    [alarm] = Alarm.objects.open()
    assert alarm.detail == "Für die Rechnung fehlt noch: Anschrift von Ben O’Neil"
    address_of(dear)
    assert invoicing.write_all_owed(now=now) == 1
    assert not dear.invoices.get().content.is_short
    assert not Alarm.objects.open().exists()


def test_one_that_cannot_be_drawn_keeps_no_other_back(paid, paid_type, stripe, now, monkeypatch):
    other = pay(paid_type, stripe, now, guest=BEN, start=NINE + timedelta(hours=1))
    draw = invoice_pdf.draw

    def stumble(data):
        if data.recipient.name == ADA.name:
            raise RuntimeError
        return draw(data)

    with monkeypatch.context() as patch:
        patch.setattr(invoice_pdf, "draw", stumble)
        assert invoicing.write_all_owed(now=now) == 1

    assert other.invoices.count() == 1
    assert [alarm.deposit.booking for alarm in Alarm.objects.open()] == [paid]
    assert invoicing.write_all_owed(now=now) == 1
    assert not Alarm.objects.open().exists()


# --- the rest -------------------------------------------------------------------------------------


@pytest.fixture
def final(paid, invoice, now) -> Invoice:
    address_of(paid)
    return invoicing.issue_final(paid, now=now + AFTER)


def test_the_final_invoice_takes_off_the_deposit_net_and_tax(final, paid, invoice):
    assert [(line.amount.net, line.amount.vat) for line in final.content.lines] == [
        (25210, 4790),
        (-12605, -2395),
    ]
    assert final.content.lines[1].deducts == invoice.number
    assert (final.kind, final.gross_cents) == ("final", 15000)
    assert sums(paid) == (25210, 4790, 30000)


def test_the_final_invoice_is_due_and_asked_for_once(final, paid, now):
    assert final.due_on == date(2027, 3, 18)
    assert invoicing.issue_final(paid, now=now + AFTER) == final


def test_a_deposit_not_billed_yet_is_billed_first_and_mailed_too(paid, now):
    address_of(paid)

    invoicing.issue_final(paid, now=now + AFTER)

    kinds = paid.invoices.order_by("position").values_list("kind", flat=True)
    assert list(kinds) == ["deposit", "final"]
    assert Notification.objects.filter(invoice__kind="final").exists()


def test_what_was_refunded_is_not_taken_off(paid, invoice, now):
    address_of(paid)
    give_back(paid, 4000, now=now)

    final = invoicing.issue_final(paid, now=now + AFTER)

    assert final.gross_cents == 19000
    assert sums(paid)[2] == 30000


def test_without_a_payment_the_rest_is_everything(calendar, now):
    booking = scheduling.confirm(hold(new_type(calendar), now=now), now=now)
    Booking.objects.update(price_cents=12000)

    invoice = invoicing.issue_final(booking, now=now + AFTER)

    assert (invoice.kind, invoice.gross_cents, invoice.number) == ("invoice", 12000, "RE-2027-0001")


def test_nothing_is_billed_before_the_call(paid, now):
    with pytest.raises(NotBegun):
        invoicing.issue_final(paid, now=now)


def test_what_is_paid_in_full_has_no_rest(calendar, stripe, now):
    booking = pay(new_type(calendar, price_cents=9900), stripe, now)

    with pytest.raises(NothingToInvoice):
        invoicing.issue_final(booking, now=now + AFTER)


def test_a_free_call_has_nothing_to_bill(confirmed, now):
    with pytest.raises(NothingToInvoice):
        invoicing.issue_final(confirmed, now=now + AFTER)


def test_without_an_account_nobody_can_transfer(paid, now):
    address_of(paid)
    Practice.objects.update(iban="")

    with pytest.raises(InvoiceIncomplete, match="IBAN"):
        invoicing.issue_final(paid, now=now + AFTER)


def test_what_the_coach_read_must_still_hold(paid, now):
    address_of(paid)

    with pytest.raises(InvoiceChanged):
        invoicing.issue_final(paid, gross_cents=14999, now=now + AFTER)


def test_tax_that_changed_since_the_deposit_is_for_the_tax_adviser(paid, invoice, now):
    Practice.objects.update(vat_mode=Practice.VatMode.SMALL_BUSINESS)

    with pytest.raises(TaxChanged):
        invoicing.issue_final(paid, now=now + AFTER)


def test_a_transfer_is_noted_beside_the_invoice_and_once(final, now):
    day = date(2027, 3, 10)

    invoicing.note_paid(final, on=day, by="coach", now=now + timedelta(days=20))
    again = invoicing.note_paid(final, on=date(2027, 3, 11), by="b", now=now + timedelta(days=20))

    assert again.paid_on == day
    assert Invoice.objects.with_state().get(pk=final.pk).state == "paid"


def test_what_is_paid_or_cancelled_or_not_yet_there_is_not_noted(final, invoice, now):
    for paper, on in [(invoice, date(2027, 3, 1)), (final, date(2027, 3, 5))]:
        with pytest.raises(NotPayable):
            invoicing.note_paid(paper, on=on, by="coach", now=now + AFTER)


# --- taking back ----------------------------------------------------------------------------------


def test_a_whole_refund_cancels_the_whole_invoice(paid, invoice, now):
    give_back(paid, 15000, now=now)

    [storno] = invoicing.write_owed(paid, now=now)

    assert (storno.get_kind_display(), storno.cancels) == ("Stornorechnung", invoice)
    assert storno.number != invoice.number
    assert sums(paid) == (0, 0, 0)
    assert storno.content.cancels is not None
    assert storno.content.cancels.number == invoice.number


def test_refunds_of_parts_each_cancel_their_part_and_leave_no_cent(paid, invoice, now):
    for cents in (3333, 3333, 1):
        give_back(paid, cents, now=now)
        invoicing.write_owed(paid, now=now)
    give_back(paid, 15000 - 6667, now=now)
    invoicing.write_owed(paid, now=now)

    assert Invoice.objects.filter(kind="storno").count() == 4
    assert sums(paid) == (0, 0, 0)


def test_money_on_its_way_back_cancels_nothing_yet(paid, invoice, now):
    deposits.refund_by_hand(paid.deposits.get(), 15000, by="coach", now=now)

    assert invoicing.write_owed(paid, now=now) == []


def test_a_refund_that_comes_back_and_is_sent_again_is_cancelled_once(paid, invoice, stripe, now):
    refund = give_back(paid, 15000, now=now)
    invoicing.write_owed(paid, now=now)
    stripe.refund_fails(refund.stripe_id)
    payment = refund.deposit.payment_intent
    deposits.note_refunds(payment, stripe_gateway.refunds_of(payment), now=now)
    assert invoicing.write_owed(paid, now=now) == []
    give_back(paid, 15000, now=now)

    assert invoicing.write_owed(paid, now=now) == []
    assert sums(paid) == (0, 0, 0)


def test_what_went_back_before_any_invoice_needs_none(paid, now):
    give_back(paid, 15000, now=now)

    assert invoicing.write_owed(paid, now=now) == []


def test_the_late_invoice_of_a_partly_refunded_payment_comes_with_its_cancellation(paid, now):
    give_back(paid, 5000, now=now)

    written = invoicing.write_owed(paid, now=now)

    assert [paper.gross_cents for paper in written] == [15000, -5000]


def test_a_kept_part_stays_billed_after_a_late_cancellation(paid, invoice, now):
    cancellation.cancel_by_guest(paid, now=NINE - timedelta(hours=30))
    checkout.reconcile(now=now)
    for refund in paid.deposits.get().refunds.all():
        deposits.send(refund, now=now)

    invoicing.write_owed(paid, now=now)

    assert sums(paid)[2] == paid.deposits.get().kept_cents == 4750


def test_a_kept_deposit_can_be_billed_as_damages_without_tax(paid, invoice, now):
    attendance.mark_no_show(paid, now=NINE + timedelta(hours=1))

    storno, damages = invoicing.bill_as_damages(invoice, now=now + AFTER)

    assert (storno.gross_cents, damages.gross_cents, damages.vat_cents) == (-15000, 15000, 0)
    assert damages.content.lines[0].text.startswith("Schadensersatz nach Nichterscheinen: ")
    assert damages.content.tax is Tax.NOT_TAXABLE
    assert sums(paid) == (15000, 0, 15000)


def test_a_wrong_invoice_is_cancelled_and_written_anew_with_todays_names(paid, invoice, now):
    address_of(paid, name="Ada Richtig")

    storno, anew = invoicing.storno(invoice, reason="Name falsch.", now=now)

    assert storno.content.recipient.name == "Ada Müller"
    assert (anew.replaces, anew.content.recipient.name) == (invoice, "Ada Richtig")
    assert sums(paid)[2] == 15000
    assert invoicing.write_all_owed(now=now) == 0


def test_a_refund_after_a_new_invoice_cancels_the_new_one(paid, invoice, now):
    _, anew = invoicing.storno(invoice, reason="", now=now)
    give_back(paid, 5000, now=now)

    [storno] = invoicing.write_owed(paid, now=now)

    assert storno.cancels == anew


def test_money_lost_to_the_bank_needs_no_new_invoice(paid, invoice, now):
    Deposit.objects.update(dispute_id="dp_1", dispute_status="lost")

    papers = invoicing.storno(Invoice.objects.get(), reason="Zurückgebucht.", now=now)

    assert [paper.kind for paper in papers] == ["storno"]
    assert invoicing.write_all_owed(now=now) == 0


def test_a_cancelled_final_invoice_can_be_written_again(final, paid, now):
    [storno] = invoicing.storno(final, reason="Falsch.", now=now + AFTER)

    again = invoicing.issue_final(paid, now=now + AFTER)

    assert storno.gross_cents == -15000
    assert (again.replaces, again.gross_cents) == (final, 15000)
    assert sums(paid)[2] == 30000


def test_nothing_is_cancelled_twice(final, now):
    [storno] = invoicing.storno(final, reason="Falsch.", now=now + AFTER)

    for paper in (final, storno):
        with pytest.raises(NothingToCancel):
            invoicing.storno(paper, reason="Falsch.", now=now + AFTER)


def test_if_the_new_invoice_lacks_something_the_old_one_stays(invoice, paid, now):
    Practice.objects.update(city="")

    with pytest.raises(InvoiceIncomplete):
        invoicing.storno(invoice, reason="", now=now)

    assert Invoice.objects.get() == invoice


# --- the database has the last word ---------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"gross_cents": 1},
        {"number": "RE-2027-0099"},
        {"pdf": b"x"},
        {"recipient": "x"},
        {"data": {}},
    ],
)
def test_an_issued_invoice_never_changes(invoice, change):
    with refused_by("never change"), transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(**change)


def test_an_issued_invoice_is_never_deleted(invoice):
    with refused_by("never change"), transaction.atomic():
        invoice.delete()
    with refused_by("never change"), transaction.atomic(), erasing():
        invoice.delete()


def copy(invoice: Invoice, **changes: object) -> Invoice:
    """Another row of the same, as somebody could write it past the rules."""
    number = f"RE-2027-{9000 + Invoice.objects.count()}"
    values = {
        field.attname: getattr(invoice, field.attname)
        for field in Invoice._meta.concrete_fields
        if not field.primary_key
    }
    values |= {
        "number": number,
        "position": int(number[-4:]),
        "data": {**invoice.data, "number": number},
    }
    return Invoice(**{**values, **changes})


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("invoice_one_a_payment", {}),
        ("invoice_number_once", {"deposit_id": None, "number": "TEST-2027-0001", "data": None}),
        ("invoice_position_once", {"deposit_id": None, "position": 1}),
        ("invoice_storno_is_negative", {"kind": "storno", "cancels_id": True}),
        ("invoice_tax_only_if_taxed", {"deposit_id": None, "vat": "small_business"}),
        ("invoice_lines_add_up", {"net_cents": 12604}),
        ("invoice_lines_add_up", {"vat_cents": 2394, "gross_cents": 14999}),
        ("invoice_file_is_its_own", {"pdf": b"another"}),
        ("invoice_file_is_its_own", {"sha256": "0" * 64}),
    ],
)
def test_the_database_refuses_what_no_rule_would_write(invoice, constraint, changes):
    kept = {"data": invoice.data, "cancels_id": invoice.pk}
    changes = {name: kept.get(name, value) for name, value in changes.items()}

    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        copy(invoice, **changes).save()

    cause = caught.value.__cause__
    assert isinstance(cause, psycopg.Error)
    assert cause.diag.constraint_name == constraint


def test_a_cancellation_of_nothing_is_refused(final, now):
    [storno] = invoicing.storno(final, reason="Falsch.", now=now + AFTER)

    with refused_by("invoice_storno_names_what_it_cancels"), transaction.atomic():
        copy(storno, cancels_id=None).save()


def test_the_database_lets_nothing_be_cancelled_beyond_itself(paid, invoice, now):
    give_back(paid, 10000, now=now)
    [storno] = invoicing.write_owed(paid, now=now)

    with refused_by("not so much left"), transaction.atomic():
        copy(storno, refund_id=None).save()


def test_two_invoices_to_transfer_for_one_booking_are_refused(final):
    with refused_by("invoice_one_to_transfer_a_booking"), transaction.atomic():
        copy(final).save()


def test_an_invoice_is_kept_for_eight_years_from_the_end_of_its_year(invoice):
    assert invoice.keep_until == date(2035, 12, 31)


@pytest.mark.parametrize(("years", "goes"), [(8, False), (9, True)])
def test_after_that_the_retention_alone_may_delete_it(invoice, years, goes):
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(year FROM current_date)::int")
        [this_year] = cursor.fetchone()
    long_ago = date(this_year - years, 12, 31)
    old = copy(invoice, deposit_id=None, issued_on=long_ago, position=2)
    old.save()

    with refused_by("never change"), transaction.atomic():
        old.delete()
    if goes:
        with erasing():
            old.delete()
    else:
        with refused_by("never change"), erasing():
            old.delete()
