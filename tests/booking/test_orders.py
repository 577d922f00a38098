"""Ordering a paid call: who is asked what, what the button needs, and the proof that is kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from booking import forgetting, guests, mail, orders, scheduling
from booking.errors import EarlyStartMissing, OrderChanged
from booking.models import Booking, Order
from booking.scheduling import Guest
from booking.views.ordering import ordering
from pages.legal_models import LegalText
from pages.models import Practice
from tests.booking.conftest import ADA, NINE, hold, new_type, order_form
from tests.booking.desk import pay, words
from tests.pages.test_legal import publish

pytestmark = pytest.mark.usefixtures("clock", "whole")

DAY = timedelta(days=1)
# Ordered on 1 March 2027, so the period ends with Monday the 15th.
LAST_DAY = datetime(2027, 3, 15, 8, 0, tzinfo=UTC)
COMPANY = Guest(
    name="Cem Yıldız", email="cem@example.org", company="Rechenwerk", customer="company"
)


def address(booking: Booking) -> str:
    return f"/termin/pruefen/{mail.token(booking)}/"


def boxes(markup: str) -> list[str]:
    return re.findall(r"<input[^>]*early_start[^>]*>", markup)


def press(client, booking: Booking, **changes):
    return client.post(address(booking), {**order_form(booking), **changes})


def place(booking: Booking, now: datetime, **changes) -> Order:
    page = ordering(booking, now=now).page
    values = {"seen": page.sha256, "early_start": True, "now": now, **changes}
    return orders.place(booking, page, **values)


@pytest.fixture
def company(paid_type, now) -> Booking:
    return hold(paid_type, guest=COMPANY, start=NINE + DAY, now=now)


# --- the early start ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "is_asked"),
    [
        (LAST_DAY - DAY, True),
        (LAST_DAY + timedelta(hours=14, minutes=59), True),
        (LAST_DAY + timedelta(hours=16), False),
        (LAST_DAY + DAY, False),
    ],
    ids=["day 13", "day 14, 23:59", "day 15, 0:00", "day 15"],
)
def test_a_consumer_is_asked_for_an_early_start_until_the_period_is_over(
    booking, start, is_asked, now
):
    assert orders.must_ask_for_early_start(booking, start=start, now=now) is is_asked


def test_before_paying_the_period_begins_as_late_as_the_money_can_come(booking):
    shortly_before_midnight = datetime(2027, 3, 1, 22, 40, tzinfo=UTC)

    assert orders.last_day(booking, now=shortly_before_midnight).day == 16


def test_companies_and_free_calls_are_not_asked(company, call_type, now):
    free = hold(call_type, guest=Guest("Ben", "ben@example.org"), start=NINE + 2 * DAY, now=now)

    assert not orders.must_ask_for_early_start(company, start=NINE, now=now)
    assert not orders.must_ask_for_early_start(free, start=NINE, now=now)


def test_the_box_is_there_and_never_ticked_beforehand(client, booking, company):
    markup = client.get(address(booking)).content.decode()

    [box] = boxes(markup)
    assert "checked" not in box
    assert orders.EARLY_START in words(client.get(address(booking)))
    assert "early_start" not in client.get(address(company)).content.decode()


def test_without_the_box_nothing_is_ordered_and_the_field_says_why(client, booking, stripe):
    answer = press(client, booking, early_start="")

    assert answer.status_code == 422
    assert "Setz den Haken" in words(answer)
    assert not stripe.sessions
    assert not Order.objects.exists()


def test_whoever_does_not_want_it_is_shown_the_later_times(client, booking):
    assert "?ab=2027-03-16" in client.get(address(booking)).content.decode()


def test_a_box_that_another_tab_made_needed_is_asked_for(booking, now):
    page = ordering(booking, now=now).page

    with pytest.raises(EarlyStartMissing):
        orders.place(booking, page, seen=page.sha256, early_start=False, now=now)


# --- what was seen is what is ordered -------------------------------------------------------------


def test_the_proof_holds_the_words_the_box_the_papers_and_where_from(client, booking, now):
    terms = publish(now=now)

    answer = client.post(address(booking), order_form(booking), REMOTE_ADDR="93.184.216.34")

    order = Order.objects.get()
    booking.refresh_from_db()
    assert answer.status_code == 303
    assert (order.ordered_at, order.button) == (now, "Zahlungspflichtig buchen")
    assert order.summary.splitlines()[
        2
    ] == "Gesamtpreis 300,00\u00a0€ inkl. 19\u00a0% MwSt., keine weiteren Kosten".replace(
        "\u00a0", " "
    )
    assert order.declarations == [{"text": orders.EARLY_START, "is_ticked": True}]
    assert order.paper("terms") == {"kind": "terms", "number": 1, "sha256": terms.sha256}
    assert [paper["kind"] for paper in order.papers] == ["terms", "privacy", "withdrawal"]
    assert order.network == "93.184.216.0/24"
    assert (booking.early_start_text, booking.early_start_at) == (orders.EARLY_START, now)


def test_a_company_declares_to_be_one_and_gets_no_withdrawal_notice(client, company):
    assert press(client, company).status_code == 303

    order = Order.objects.get()
    assert order.customer == "company"
    assert order.declarations == [{"text": orders.AS_A_COMPANY, "is_ticked": True}]
    assert order.paper("withdrawal") is None
    assert "Widerrufsbelehrung</a>." not in words(client.get(address(company)))


def test_the_kept_summary_is_what_stands_on_the_page(client, booking, now):
    markup = client.get(address(booking)).content.decode()

    shown = ordering(booking, now=now)

    assert shown.summary in markup
    for line in shown.page.summary.splitlines():
        assert line.split()[-1].strip(".,") in markup


def test_pressed_twice_it_is_one_order(client, booking):
    press(client, booking)
    press(client, booking)

    assert Order.objects.count() == 1


def test_a_new_time_is_a_new_order(client, booking, paid_type, now):
    place(booking, now)
    later = hold(paid_type, start=NINE + DAY, form_token=booking.form_token, now=now)
    place(later, now)

    assert later.pk == booking.pk
    assert Order.objects.count() == 2


def test_an_order_for_a_later_time_forgets_the_early_start(booking, paid_type, now):
    place(booking, now)
    later = hold(paid_type, start=LAST_DAY + DAY, form_token=booking.form_token, now=now)
    place(later, now)

    later.refresh_from_db()
    assert not later.early_start_text


@pytest.mark.parametrize("what", ["the price's tax", "the terms"])
def test_what_changed_since_it_was_read_is_shown_before_it_is_ordered(
    client, booking, what, stripe, now
):
    sent = order_form(booking)
    if what == "the terms":
        publish(now=now)
    else:
        Practice.objects.update(vat_mode=Practice.VatMode.SMALL_BUSINESS)

    answer = client.post(address(booking), sent)

    assert answer.status_code == 409
    assert "Bitte lies sie noch einmal, bevor du buchst." in words(answer)
    assert "checked" not in boxes(answer.content.decode())[0]
    assert not stripe.sessions
    assert not Order.objects.exists()
    assert press(client, booking).status_code == 303


def test_a_form_without_its_mark_orders_nothing(client, booking, stripe):
    assert press(client, booking, seen="").status_code == 409
    assert not stripe.sessions


def test_a_time_changed_in_another_tab_is_not_ordered_by_the_old_page(booking, paid_type, now):
    page = ordering(booking, now=now).page
    hold(paid_type, start=NINE + DAY, form_token=booking.form_token, now=now)

    with pytest.raises(OrderChanged):
        orders.place(booking, page, seen=page.sha256, early_start=True, now=now)


# --- the proof stays ------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["summary", "declarations", "papers", "ordered_at", "customer"])
def test_an_order_cannot_be_changed(booking, field, now):
    order = place(booking, now, network="93.184.216.0/24")
    value = {"ordered_at": now + DAY, "declarations": [], "papers": []}.get(field, "company")

    with pytest.raises(IntegrityError, match="stays as it was given"), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(**{field: value, "network": ""})


def test_an_order_cannot_be_deleted(booking, now):
    place(booking, now)

    with pytest.raises(IntegrityError, match="stays as it was given"), transaction.atomic():
        Order.objects.all().delete()


def test_where_it_came_from_is_forgotten_after_ninety_days(booking, now):
    order = place(booking, now, network="93.184.216.0/24")

    assert forgetting.drop_networks(now=now + 89 * DAY) == 0
    assert forgetting.drop_networks(now=now + 91 * DAY) == 1
    assert Order.objects.get(pk=order.pk).network == ""


def test_an_order_that_came_to_nothing_goes_with_its_booking(booking, now):
    place(booking, now)
    scheduling.release(booking, now=now)

    assert forgetting.drop_unfinished(now=now + 8 * DAY) == 1
    assert not Order.objects.exists()


def test_a_guest_sees_their_orders_and_erasing_takes_the_network(booked, now):
    place(booked, now, network="93.184.216.0/24")

    everything: dict[str, Any] = guests.everything_about(ADA.email)
    [told] = everything["Bestellungen"]
    assert told["gekürzte IP-Adresse"] == "93.184.216.0/24"
    assert told["Erklärungen"] == [orders.EARLY_START]
    assert "AGB, Fassung 0" in told["Rechtstexte"]

    forgetting.make_nameless([booked.pk])
    assert Order.objects.get().network == ""


# --- moving ---------------------------------------------------------------------------------------


@pytest.fixture
def later(paid_type, stripe, now) -> Booking:
    """Booked for after the period, so nobody was asked."""
    return pay(paid_type, stripe, now, start=LAST_DAY + DAY)


def move_address(booking: Booking, start: datetime) -> str:
    return f"/termin/verschieben/{mail.token(booking)}/zeit/{start:%Y%m%dT%H%M%SZ}/"


def test_moving_into_the_period_asks_for_it_once(client, later, now):
    there = move_address(later, NINE)
    assert orders.EARLY_START in words(client.get(there))

    refused = client.post(there)
    assert refused.status_code == 422
    assert "Setz den Haken" in words(refused)
    assert client.post(there, {"early_start": "on"}).status_code == 302

    later.refresh_from_db()
    assert (later.start, later.early_start_at) == (NINE, now)
    assert orders.EARLY_START not in words(client.get(move_address(later, NINE + DAY)))


def test_moving_to_a_time_after_the_period_asks_for_nothing(client, later):
    there = move_address(later, LAST_DAY + 2 * DAY)

    assert orders.EARLY_START not in words(client.get(there))
    assert client.post(there).status_code == 302


def test_a_free_call_moves_without_a_word_about_withdrawing(client, confirmed):
    there = move_address(confirmed, NINE + DAY)

    assert "Widerrufsfrist" not in words(client.get(there))
    assert client.post(there).status_code == 302


# --- the terms of a private order -----------------------------------------------------------------


def test_only_consumers_have_a_day_until_which_they_may_withdraw(client, paid_type, stripe, now):
    private = pay(paid_type, stripe, now)
    company = pay(paid_type, stripe, now, guest=COMPANY, start=NINE + DAY)

    assert "ohne Angabe von Gründen widerrufen" in words(
        client.get(f"/termin/gebucht/{mail.token(private)}/")
    )
    assert "ohne Angabe von Gründen widerrufen" not in words(
        client.get(f"/termin/gebucht/{mail.token(company)}/")
    )


def test_a_call_up_to_the_short_invoices_sum_asks_no_address_of_consumers(client, calendar, stripe):
    new_type(calendar, slug="kurz", price_cents=25000, deposit_cents=0)

    html = words(client.get("/termin/kurz/zeit/20270303T080000Z/"))

    assert "Nur für Unternehmen" in html
    assert "Anschrift für die Rechnung" not in html


def test_the_papers_of_an_order_are_the_ones_that_hold(booking, now):
    privacy = publish(LegalText.Kind.PRIVACY, now=now)

    assert privacy.sha256 in {paper["sha256"] for paper in orders.papers_for(booking)}
