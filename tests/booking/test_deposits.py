"""The money's rules where two things happen at once, or in an order nobody planned."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from booking import cancellation, checkout, deposits, stripe_gateway
from booking.errors import LinkOver, NothingToRefund, PaymentsAway
from booking.models import Alarm, Booking, Deposit, OneOffLink, Refund
from tests.booking.conftest import BEN, NINE, hold

LATE = NINE - timedelta(hours=47)


def the_payment() -> Deposit:
    return Deposit.objects.get(status="paid")


def at_stripe(stripe) -> list[tuple[int, str]]:
    return [(each["amount"], each["status"]) for each in stripe.refunds]


# --- what is owed, while somebody refunds in the dashboard ----------------------------------------


def test_what_the_dashboard_leaves_of_a_refund_that_waits_is_still_sent(booked, stripe, now):
    cancellation.cancel_by_coach(booked, now=now)
    stripe.dashboard_refund(the_payment().payment_intent, 5000)

    checkout.reconcile(now=now)

    assert at_stripe(stripe) == [(5000, "succeeded"), (10000, "succeeded")]
    assert the_payment().unsettled_cents == 0


def test_what_the_dashboard_sent_counts_toward_what_is_owed_and_the_rest_stays_kept(
    booked, stripe, now
):
    cancellation.cancel_by_guest(booked, now=LATE)
    stripe.dashboard_refund(the_payment().payment_intent, 10250)

    checkout.reconcile(now=now)

    deposit = the_payment()
    assert at_stripe(stripe) == [(10250, "succeeded")]
    assert (deposit.refunded_cents, deposit.kept_cents) == (10250, 4750)


def test_what_was_kept_can_be_given_back_later(booked, stripe, now):
    cancellation.cancel_by_guest(booked, now=LATE)

    deposits.refund_by_hand(the_payment(), 4750, by="coach", now=now)
    checkout.reconcile(now=now)

    assert sorted(at_stripe(stripe)) == [(4750, "succeeded"), (10250, "succeeded")]
    assert the_payment().kept_cents == 0


def test_a_refund_we_gave_up_counts_if_stripe_has_it(booked, stripe, now):
    refund = deposits.refund_by_hand(the_payment(), 5000, by="coach", now=now)
    sent = stripe_gateway.give_back(
        the_payment().payment_intent,
        amount_cents=5000,
        key=str(refund.key),
        idempotency_key=refund.idempotency_key,
    )
    Refund.objects.update(status="failed", failure="Stripe: charge_disputed")

    deposits.note_refunds(sent.payment_intent, [sent], now=now)

    refund.refresh_from_db()
    assert (refund.is_back, refund.failure, the_payment().refunded_cents) == (True, "", 5000)


def test_one_form_is_one_refund_however_often_it_is_sent(booked, stripe, now):
    token = uuid.uuid4()

    first, second = (
        deposits.refund_by_hand(the_payment(), 5000, by="coach", key=token, now=now)
        for _ in range(2)
    )

    checkout.reconcile(now=now)
    assert first == second
    assert at_stripe(stripe) == [(5000, "succeeded")]


# --- disputes -------------------------------------------------------------------------------------


def test_what_is_owed_while_the_bank_decides_waits_in_the_coachs_list(booked, stripe, now):
    stripe.open_dispute(the_payment().payment_intent)
    stripe.deliver_pending()
    Alarm.objects.update(resolved_at=now, resolved_by="coach")

    cancellation.cancel_by_coach(booked, now=now)

    assert Alarm.objects.open().get().kind == Alarm.Kind.REFUND_FAILED
    assert the_payment().unsettled_cents == 15000


def test_an_old_answer_does_not_open_a_dispute_again(booked, stripe, now):
    dispute = stripe.open_dispute(the_payment().payment_intent)
    fought_over = stripe_gateway.read_dispute(dispute["id"])
    stripe.close_dispute(dispute["id"], won=True)
    deposits.note_dispute(stripe_gateway.read_dispute(dispute["id"]), now=now)

    deposits.note_dispute(fought_over, now=now)

    assert not the_payment().is_disputed


# --- more than one payment for a booking ----------------------------------------------------------


@pytest.fixture
def paid_twice(booking: Booking, session, stripe, paid_type, now) -> Booking:
    """The first payment came too late and went back, the second booked; then the first refund failed."""
    stripe.pay(session["id"])
    other = hold(paid_type, now=now + timedelta(minutes=36), guest=BEN)
    checkout.reconcile(now=now + timedelta(minutes=36))
    checkout.give_up(other, now=now + timedelta(minutes=37))
    stripe.advance(37 * 60)
    checkout.begin(booking, now=now + timedelta(minutes=37), again=True)
    stripe.pay(stripe.sessions[-1]["id"])
    stripe.deliver_pending()
    stripe.refund_fails(stripe.refunds[0]["id"])
    stripe.deliver_pending()
    booking.refresh_from_db()
    return booking


def test_the_terms_take_from_the_payment_that_booked_alone(paid_twice, now):
    cancellation.cancel_by_guest(paid_twice, now=LATE)

    first, second = Deposit.objects.order_by("pk")
    assert (first.kept_cents, first.alarms.open().exists()) == (0, True)
    assert (second.kept_cents, second.refunded_cents) == (4750, 10250)


def test_what_the_coach_says_goes_back_once_and_not_from_each_payment(paid_twice, now):
    cancellation.cancel_for_guest(paid_twice, refund_cents=5000, now=now)

    assert [each.amount_cents for each in Refund.objects.filter(reason="guest")] == [5000]


def test_who_never_paid_cannot_be_promised_money_back(confirmed, now):
    with pytest.raises(NothingToRefund):
        cancellation.cancel_for_guest(confirmed, refund_cents=1, now=now)

    confirmed.refresh_from_db()
    assert confirmed.is_confirmed


# --- an attempt in two hands ----------------------------------------------------------------------


def test_an_error_for_one_tab_does_not_forget_the_page_another_got(
    booking, stripe, now, monkeypatch
):
    ask = stripe_gateway.open_session

    def answer_only_the_other_tab(params, *, key):
        checkout.settle(ask(params, key=key), now=now)
        raise PaymentsAway(spoiled=True)

    monkeypatch.setattr(stripe_gateway, "open_session", answer_only_the_other_tab)
    with pytest.raises(PaymentsAway):
        checkout.begin(booking, now=now)

    assert Deposit.objects.get().status == Deposit.Status.OPEN


def test_nobody_pays_for_what_a_used_up_link_could_not_book(booking, stripe, now):
    link = OneOffLink.objects.create(call_type=booking.call_type, max_uses=1, uses=1)
    Booking.objects.update(one_off=link)

    with pytest.raises(LinkOver):
        checkout.begin(booking, now=now)

    assert stripe.sessions == []


def test_money_that_came_for_a_link_somebody_else_used_up_goes_back(booking, session, stripe, now):
    link = OneOffLink.objects.create(call_type=booking.call_type, max_uses=1, uses=1)
    Booking.objects.update(one_off=link)
    stripe.pay(session["id"])

    checkout.reconcile(now=now)

    booking.refresh_from_db()
    assert not booking.is_confirmed
    assert at_stripe(stripe) == [(15000, "succeeded")]


def test_what_stripe_has_forgotten_is_closed_once_nobody_can_pay(booking, session, stripe, now):
    del stripe.account.state.sessions[session["id"]]

    checkout.reconcile(now=now + timedelta(minutes=32))

    assert Deposit.objects.get().status == Deposit.Status.CLOSED


def test_a_debit_that_came_back_does_not_block_the_booking_for_ever(booking, session, stripe, now):
    stripe.pay(session["id"], delayed=True)
    checkout.look(booking, now=now)
    assert Deposit.objects.get().status == Deposit.Status.OPEN
    stripe.settle(session["id"], succeeds=False)

    stripe.deliver_pending()

    assert Deposit.objects.get().status == Deposit.Status.CLOSED
    assert checkout.begin(booking, now=now)


def test_a_debit_that_arrives_later_books_if_the_time_is_still_free(booking, session, stripe, now):
    stripe.pay(session["id"], delayed=True)
    stripe.deliver_pending()
    stripe.settle(session["id"])

    stripe.deliver_pending()

    booking.refresh_from_db()
    assert booking.is_confirmed


def test_a_key_stripe_has_forgotten_sends_no_refund_twice(booked, stripe, now):
    refund = deposits.refund_by_hand(the_payment(), 5000, by="coach", now=now)
    stripe.faults.lose_answer("POST /v1/refunds", times=2)
    with pytest.raises(PaymentsAway):
        deposits.send(refund, now=now)
    stripe.advance(25 * 3600)

    deposits.send(refund, now=now)

    assert at_stripe(stripe) == [(5000, "succeeded")]
