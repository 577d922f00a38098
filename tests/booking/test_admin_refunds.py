"""Money back by the coach's hand: asked twice, sent once, refused where it cannot be."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.urls import reverse

from booking import checkout, deposits
from booking.errors import NothingToRefund, RefundChanged
from booking.models import Booking, Deposit, Refund
from tests.booking.conftest import BEN, HALF_PAST_NINE, hold
from tests.booking.desk import pay, staff, words
from tests.booking.test_races import at_once, kinds

BUTTON = 'class="button">Erstatten</a>'


@pytest.fixture
def desk(client, db, clock):
    user = get_user_model().objects.create_superuser("coach")
    client.force_login(user)
    return client


@pytest.fixture
def booked(paid_type, stripe, now) -> Booking:
    return pay(paid_type, stripe, now)


def address(booking: Booking) -> str:
    return reverse("admin:booking_booking_refund", args=[booking.pk, booking.deposits.get().pk])


def page_of(desk, booking: Booking) -> str:
    return words(desk.get(reverse("admin:booking_booking_change", args=[booking.pk])))


def opened(desk, booking: Booking, amount: str | None = None) -> dict[str, str]:
    """What the opened page would send, with this amount."""
    html = desk.get(address(booking)).content.decode()
    fields = dict(re.findall(r'name="(amount|key|left)" value="([^"]*)"', html))
    return fields if amount is None else {**fields, "amount": amount}


def send_all(now) -> None:
    """What the jobs do."""
    for refund in Refund.objects.unfinished():
        deposits.send(refund, now=now)


# --- the way through ------------------------------------------------------------------------------


def test_the_page_offers_all_that_is_left(desk, booked, now):
    deposits.refund_by_hand(Deposit.objects.get(), 5000, by="coach", now=now)

    assert opened(desk, booked)["amount"] == "100,00"


def test_before_anything_happens_amount_and_guest_are_named(desk, booked):
    page = words(desk.post(address(booked), {**opened(desk, booked, "47,50"), "ask": "Weiter"}))

    assert "<strong>47,50 €</strong> gehen an Ada Müller (ada@example.org) zurück" in page
    assert 'value="47,50 € erstatten"' in page
    assert not Refund.objects.exists()


def test_the_amount_can_still_be_changed(desk, booked):
    page = words(desk.post(address(booked), {**opened(desk, booked, "47,50"), "change": "ja"}))

    assert 'value="47,50"' in page
    assert 'value="Weiter"' in page
    assert not Refund.objects.exists()


def test_who_is_sure_sends_it(desk, booked, stripe, now):
    sure = {**opened(desk, booked, "47,50"), "yes": "ja"}

    response = desk.post(address(booked), sure, follow=True)
    send_all(now)

    refund = Refund.objects.get()
    assert "Beauftragt: 47,50 € gehen an Ada Müller zurück." in words(response)
    assert [each["amount"] for each in stripe.refunds] == [4750]
    assert (refund.reason, refund.asked_by, refund.is_back) == ("by_hand", "coach", True)
    booked.refresh_from_db()
    assert booked.is_confirmed
    assert "47,50" in LogEntry.objects.get().change_message


@pytest.mark.parametrize("amount", ["47,50", "150,00"])
def test_pressing_twice_sends_once(desk, booked, stripe, now, amount):
    sure = {**opened(desk, booked, amount), "yes": "ja"}

    for _ in range(2):
        assert "Beauftragt" in words(desk.post(address(booked), sure, follow=True))
    send_all(now)
    desk.post(address(booked), sure)
    send_all(now)

    assert len(stripe.refunds) == 1
    assert Refund.objects.count() == 1


def test_two_who_look_at_the_same_money_do_not_both_send_it(desk, booked):
    first, second = opened(desk, booked, "50,00"), opened(desk, booked, "50,00")
    desk.post(address(booked), {**first, "yes": "ja"})

    page = words(desk.post(address(booked), {**second, "yes": "ja"}))

    assert "An dieser Zahlung hat sich inzwischen etwas geändert." in page
    assert "Höchstens 100,00 €" in page
    assert Refund.objects.count() == 1
    again = dict(re.findall(r'name="(amount|key|left)" value="([^"]*)"', page))
    assert again["left"] == "10000"
    desk.post(address(booked), {**again, "yes": "ja"})
    assert Refund.objects.count() == 2


# --- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        ("abc", "Schreib den Betrag wie 47,50."),
        ("-5", "Schreib den Betrag wie 47,50."),
        ("", "Gib einen Betrag ein"),
        ("0", "Gib einen Betrag über 0,00 ein."),
        ("150,01", "Höchstens 150,00 € lassen sich erstatten."),
        ("99999999999", "Höchstens 999.999,99 €."),
        ("9" * 5000, "Schreib den Betrag wie 47,50."),
    ],
)
@pytest.mark.parametrize("button", ["ask", "yes"])
def test_an_amount_that_cannot_be_is_answered_at_its_field(desk, booked, amount, sentence, button):
    response = desk.post(address(booked), {**opened(desk, booked, amount), button: "ja"})

    assert response.status_code == 200
    assert sentence in words(response)
    assert 'id="id_amount_error"' in words(response)
    assert not Refund.objects.exists()


@pytest.mark.parametrize("mangled", [{"key": "x"}, {"left": "x"}, {"left": "99999999999999999999"}])
def test_a_mangled_page_sends_nothing(desk, booked, mangled):
    response = desk.post(address(booked), {**opened(desk, booked, "5"), "yes": "ja", **mangled})

    assert response.status_code == 200
    assert not Refund.objects.exists()


def test_while_the_bank_fights_over_it_nothing_goes_back(desk, booked, stripe):
    sure = {**opened(desk, booked, "5"), "yes": "ja"}
    stripe.open_dispute(stripe.intents[0]["id"])
    stripe.deliver_pending()

    for response in (
        desk.get(address(booked), follow=True),
        desk.post(address(booked), sure, follow=True),
    ):
        assert "Nichts erstattet: Die Zahlung wird bestritten" in words(response)
    assert BUTTON not in page_of(desk, booked)
    assert not Refund.objects.exists()


def test_what_is_not_paid_has_nothing_to_give_back(desk, paid_type, now):
    booking = hold(paid_type, now=now)
    checkout.begin(booking, now=now)

    assert "Hier ist nichts bezahlt." in words(desk.get(address(booking), follow=True))
    assert BUTTON not in page_of(desk, booking)


def test_when_everything_is_back_there_is_nothing_left(desk, booked, now):
    deposits.refund_by_hand(Deposit.objects.get(), 15000, by="coach", now=now)

    assert "Es ist schon alles zurück" in words(desk.get(address(booked), follow=True))
    assert BUTTON not in page_of(desk, booked)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"STRIPE_SECRET_KEY": ""}, "Stripe ist nicht eingerichtet"),
        ({"STRIPE_IS_LIVE": True}, "gehört zum anderen Modus"),
    ],
)
def test_what_this_stripe_cannot_send_is_not_promised(desk, booked, settings, changes, sentence):
    for name, value in changes.items():
        setattr(settings, name, value)

    assert sentence in words(desk.get(address(booked), follow=True))
    assert BUTTON not in page_of(desk, booked)


def test_a_payment_is_refunded_under_its_own_booking_alone(desk, booked, paid_type, stripe, now):
    other = pay(paid_type, stripe, now, guest=BEN, start=HALF_PAST_NINE + timedelta(minutes=30))
    wrong = reverse("admin:booking_booking_refund", args=[booked.pk, other.deposits.get().pk])

    assert desk.get(wrong).status_code == 404


@pytest.mark.parametrize(
    ("permissions", "status"),
    [
        (["view_booking", "change_booking", "view_deposit"], 403),
        (["refund_deposit"], 403),
        (["view_booking", "view_deposit", "refund_deposit"], 200),
    ],
)
def test_refunding_is_a_right_of_its_own(client, clock, booked, permissions, status):
    helper = staff(client, *permissions)

    assert helper.get(address(booked)).status_code == status
    assert helper.post(address(booked), {"amount": "1"}).status_code == status
    if "view_booking" in permissions:
        assert (BUTTON in page_of(helper, booked)) is (status == 200)


# --- the rule itself -------------------------------------------------------------------------------


def test_one_key_is_one_refund_even_after_it_failed(booked, stripe, now):
    deposit, key = Deposit.objects.get(), uuid.uuid4()
    first = deposits.refund_by_hand(deposit, 5000, by="coach", key=key, left_cents=15000, now=now)
    deposits.send(first, now=now)
    stripe.refund_fails(stripe.refunds[0]["id"])
    stripe.deliver_pending()

    again = deposits.refund_by_hand(deposit, 5000, by="coach", key=key, left_cents=15000, now=now)

    assert again == first
    assert Refund.objects.count() == 1


def test_a_key_of_another_payment_sends_nothing(booked, paid_type, stripe, now):
    key = uuid.uuid4()
    deposits.refund_by_hand(booked.deposits.get(), 100, by="coach", key=key, now=now)
    other = pay(paid_type, stripe, now, guest=BEN, start=HALF_PAST_NINE + timedelta(minutes=30))

    with pytest.raises(NothingToRefund):
        deposits.refund_by_hand(other.deposits.get(), 100, by="coach", key=key, now=now)


def test_what_changed_since_the_coach_looked_is_looked_at_again(booked, now):
    deposit = Deposit.objects.get()
    deposits.refund_by_hand(deposit, 100, by="coach", left_cents=15000, now=now)

    with pytest.raises(RefundChanged):
        deposits.refund_by_hand(deposit, 100, by="coach", left_cents=15000, now=now)


@pytest.mark.django_db(transaction=True)
def test_a_form_that_arrives_five_times_at_once_is_one_refund(booked, now):
    deposit, key = Deposit.objects.get(), uuid.uuid4()

    results = at_once(
        [
            lambda: deposits.refund_by_hand(
                deposit, 5000, by="coach", key=key, left_cents=15000, now=now
            )
        ]
        * 5
    )

    assert kinds(results) == Counter({"Refund": 5})
    assert Refund.objects.get().amount_cents == 5000


@pytest.mark.django_db(transaction=True)
def test_of_five_who_looked_at_the_same_money_one_sends_it(booked, now):
    deposit = Deposit.objects.get()

    results = at_once(
        [
            lambda: deposits.refund_by_hand(
                deposit, 5000, by="coach", key=uuid.uuid4(), left_cents=15000, now=now
            )
        ]
        * 5
    )

    assert kinds(results) == Counter({"Refund": 1, "RefundChanged": 4})
