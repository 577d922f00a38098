"""Calling off at the desk: who does it, and how much goes back for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from booking import deposits
from booking.models import Booking, Deposit, Refund
from tests.booking.conftest import BEN, HALF_PAST_NINE, NINE, hold
from tests.booking.desk import pay, staff, words

BOOKINGS = reverse("admin:booking_booking_changelist")
LATE = NINE - timedelta(hours=1)


@pytest.fixture
def desk(client, db, clock):
    user = get_user_model().objects.create_superuser("coach")
    client.force_login(user)
    clock(LATE)
    return client


@pytest.fixture
def booked(paid_type, stripe, now) -> Booking:
    return pay(paid_type, stripe, now)


def address(booking: Booking) -> str:
    return reverse("admin:booking_booking_cancel", args=[booking.pk])


def cancelled(desk, booking: Booking, **fields: str):
    sent = {"who": "coach", "back": "terms", "terms": "10250", "amount": "", "yes": "Absagen"}
    return desk.post(address(booking), {**sent, **fields}, follow=True)


def money() -> tuple[int, int]:
    deposit = Deposit.objects.get()
    return deposit.refunded_cents, deposit.kept_cents


def test_the_page_names_every_sum_before_it_happens(desk, booked):
    page = words(desk.get(address(booked)))

    for text in (
        "Ich sage ab: 150,00 € gehen zurück",
        "Der Gast hat abgesagt",
        "nach den Bedingungen: 102,50 €",
        "alles: 150,00 €",
        "ein anderer Betrag",
        "nichts",
    ):
        assert text in page


def test_the_coach_gives_everything_back(desk, booked):
    response = cancelled(desk, booked, who="coach", back="none")

    assert "Es gehen 150,00 € zurück." in words(response)
    assert money() == (15000, 0)
    refund = Refund.objects.get()
    assert (refund.reason, refund.asked_by) == ("coach", "coach")


@pytest.mark.parametrize(
    ("fields", "back", "kept"),
    [
        ({"back": "terms"}, 10250, 4750),
        ({"back": "all"}, 15000, 0),
        ({"back": "other", "amount": "47,50"}, 4750, 10250),
        ({"back": "none"}, 0, 15000),
    ],
)
def test_for_the_guest_the_coach_says_how_much(desk, booked, fields, back, kept):
    cancelled(desk, booked, who="guest", note="Gute Besserung!", **fields)

    booked.refresh_from_db()
    assert (booked.status, booked.cancelled_by) == ("cancelled", "guest")
    assert booked.cancellation_note == "Gute Besserung!"
    assert money() == (back, kept)
    assert [each.asked_by for each in Refund.objects.all()] == ["coach"] * bool(back)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"back": "other", "amount": "150,01"}, "Höchstens 150,00 € lassen sich erstatten."),
        ({"back": "other", "amount": ""}, "Gib den Betrag ein, der zurückgeht."),
        ({"back": "other", "amount": "abc"}, "Schreib den Betrag wie 47,50."),
        ({"back": ""}, "Wähle, was zurückgeht."),
        ({"back": "terms", "terms": "15000"}, "Inzwischen sind es 102,50 €."),
        ({"back": "terms", "terms": "x"}, "Inzwischen sind es 102,50 €."),
        ({"note": "x" * 1001}, "höchstens 1000 Zeichen"),
    ],
)
def test_what_cannot_be_is_answered_and_nothing_is_called_off(desk, booked, fields, sentence):
    response = cancelled(desk, booked, who="guest", **fields)

    assert response.status_code == 200
    assert sentence in words(response)
    booked.refresh_from_db()
    assert booked.is_confirmed
    assert money() == (0, 0)


def test_when_the_terms_change_meanwhile_the_new_sum_is_confirmed(desk, booked):
    page = words(cancelled(desk, booked, who="guest", terms="15000"))
    assert 'name="terms" value="10250"' in page

    cancelled(desk, booked, who="guest", terms="10250")

    assert money() == (10250, 4750)


def test_pressing_twice_gives_back_once(desk, booked):
    for _ in range(2):
        cancelled(desk, booked, who="guest", back="other", amount="10")

    assert Refund.objects.count() == 1
    assert money() == (1000, 14000)


def test_a_helper_without_the_right_gives_back_by_the_terms_alone(client, desk, booked):
    helper = staff(client, "view_booking", "change_booking", "view_deposit")
    page = words(helper.get(address(booked)))
    assert "nach den Bedingungen: 102,50 €" in page
    for choice in ("alles:", "ein anderer Betrag", "nichts"):
        assert choice not in page

    for back in ("all", "other", "none"):
        assert "keine gültige Auswahl" in words(
            cancelled(helper, booked, who="guest", back=back, amount="1")
        )
    assert money() == (0, 0)
    cancelled(helper, booked, who="guest", back="terms")

    assert money() == (10250, 4750)
    assert Refund.objects.get().asked_by == "helfer"


def test_a_free_call_asks_nothing_about_money(desk, confirmed):
    page = words(desk.get(address(confirmed)))

    assert "Der Gast hat abgesagt" not in page
    assert "€" not in page


def test_while_the_bank_fights_over_it_what_is_owed_stays_open(desk, booked, stripe):
    stripe.open_dispute(stripe.intents[0]["id"])
    stripe.deliver_pending()
    assert "Eine Zahlung wird gerade bestritten" in words(desk.get(address(booked)))

    cancelled(desk, booked, who="guest")

    assert not Refund.objects.exists()
    assert Deposit.objects.get().unsettled_cents == 10250


def test_when_everything_went_back_before_only_who_is_asked(desk, booked, now):
    deposits.refund_by_hand(Deposit.objects.get(), 15000, by="coach", now=now)
    page = words(desk.get(address(booked)))
    assert "Der Gast hat abgesagt" in page
    assert "nach den Bedingungen" not in page

    cancelled(desk, booked, who="guest")

    booked.refresh_from_db()
    assert booked.cancelled_by == "guest"


def test_from_the_list_the_coach_calls_off_and_everything_goes_back(desk, booked, call_type, now):
    free = hold(call_type, guest=BEN, start=HALF_PAST_NINE + timedelta(minutes=30), now=now)
    chosen = {"action": "cancel", "_selected_action": [booked.pk, free.pk]}
    page = words(desk.post(BOOKINGS, chosen))
    assert "– 150,00 € gehen zurück" in page
    assert "Der Gast hat abgesagt" not in page

    response = desk.post(BOOKINGS, {**chosen, "yes": "ja", "who": "guest", "back": "none"})

    booked.refresh_from_db()
    assert response.status_code == 302
    assert booked.cancelled_by == "coach"
    assert money() == (15000, 0)
    assert Refund.objects.get().asked_by == "coach"
