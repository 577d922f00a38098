"""Hold, pay, settle, give up: the real library in front of a Stripe that keeps its own books."""

from __future__ import annotations

from datetime import timedelta

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from booking import cancellation, checkout, deposits, scheduling
from booking.errors import (
    HoldRanOut,
    NothingToRefund,
    PaymentsAway,
    PaymentsRefused,
    PaymentUnclear,
)
from booking.models import Alarm, Booking, Deposit, Notification, Refund
from booking.stripe_gateway import Dispute
from tests.booking.conftest import BEN, NINE, hold

MINUTE = timedelta(minutes=1)


def mails(booking: Booking, kind: str) -> int:
    return Notification.objects.filter(booking=booking, kind=kind).count()


# --- the way to Stripe ------------------------------------------------------------------------


def test_the_session_asks_for_the_deposit_in_cents_and_nothing_else(booking, stripe, now):
    address = checkout.begin(booking, now=now)

    [session] = stripe.sessions
    assert address == session["url"]
    assert (session["amount_total"], session["currency"]) == (15000, "eur")
    assert session["client_reference_id"] == booking.reference
    assert session["expires_at"] == (now + timedelta(minutes=31)).timestamp()
    assert session["locale"] == "de"


def test_the_hold_outlives_the_session(booking, session, now):
    booking.refresh_from_db()

    assert booking.held_until == now + timedelta(minutes=35)


def test_a_second_press_uses_the_open_session_again(booking, session, stripe, now):
    again = checkout.begin(booking, now=now + MINUTE)

    assert again == session["url"]
    assert len(stripe.sessions) == 1


# --- settling -----------------------------------------------------------------------------------


def test_who_paid_has_an_appointment_and_one_confirmation_each(booking, session, stripe, now):
    stripe.pay(session["id"])
    for _ in range(3):
        checkout.look(booking, now=now)
        stripe.deliver_pending()

    booking.refresh_from_db()
    assert booking.is_confirmed
    assert booking.paid_cents == 15000
    assert mails(booking, "confirmation") == 2
    assert Deposit.objects.get().unsettled_cents == 15000


def test_the_webhook_alone_books(booking, session, stripe):
    stripe.pay(session["id"])

    answers = stripe.deliver_pending()

    booking.refresh_from_db()
    assert all(answer.status == 200 for answer in answers)
    assert booking.is_confirmed


def test_the_job_alone_books(booking, session, stripe, now):
    stripe.pay(session["id"])

    done = checkout.reconcile(now=now)

    booking.refresh_from_db()
    assert booking.is_confirmed
    assert not done.is_away


def test_money_that_comes_late_books_if_the_time_is_still_free(booking, session, stripe, now):
    stripe.pay(session["id"])
    late = now + timedelta(minutes=36)
    scheduling.free_expired_holds(now=late)

    checkout.reconcile(now=late)

    booking.refresh_from_db()
    assert booking.is_confirmed


def test_money_that_comes_too_late_goes_back_once(
    booking, session, paid_type, stripe, now, run_jobs
):
    stripe.pay(session["id"])
    late = now + timedelta(minutes=36)
    hold(paid_type, now=late, guest=BEN)

    for _ in range(2):
        checkout.reconcile(now=late)
        stripe.deliver_pending()
    deposits.send(Refund.objects.get(), now=late)
    checkout.reconcile(now=late)

    booking.refresh_from_db()
    assert not booking.is_confirmed
    assert [each["amount"] for each in stripe.refunds] == [15000]
    assert Refund.objects.get().is_back
    assert Alarm.objects.get().kind == Alarm.Kind.LATE
    assert mails(booking, "paid_too_late") == 2
    assert mails(booking, "refund") == 1
    assert mails(booking, "confirmation") == 0


def test_the_coach_reads_of_late_money_in_one_mail(booking, session, paid_type, stripe, now):
    stripe.pay(session["id"])
    late = now + timedelta(minutes=36)
    hold(paid_type, now=late, guest=BEN)

    checkout.reconcile(now=late)

    told = ProcrastinateJob.objects.filter(task_name="booking.tell_about_alarm")
    assert Alarm.objects.get().kind == Alarm.Kind.LATE
    assert told.count() == 0
    assert Notification.objects.filter(kind="paid_too_late", audience="coach").count() == 1


@pytest.mark.parametrize("wrong", [{"amount_total": 14900}, {"currency": "usd"}])
def test_money_that_does_not_fit_books_nothing_and_is_not_forgotten(booking, stripe, now, wrong):
    stripe.faults.tamper(**wrong)
    checkout.begin(booking, now=now)
    stripe.pay(stripe.sessions[0]["id"])

    checkout.look(booking, now=now)

    booking.refresh_from_db()
    assert not booking.is_confirmed
    assert Deposit.objects.get().unsettled_cents > 0
    assert Alarm.objects.get().kind == Alarm.Kind.MISMATCH
    with pytest.raises(PaymentUnclear):
        checkout.begin(booking, now=now)


# --- giving up ------------------------------------------------------------------------------------


def test_giving_up_ends_the_session_before_the_time_is_free(booking, session, stripe, now):
    checkout.give_up(booking, now=now)

    booking.refresh_from_db()
    assert booking.status == Booking.Status.EXPIRED
    assert stripe.sessions[0]["status"] == "expired"
    assert Deposit.objects.get().status == Deposit.Status.CLOSED


def test_who_paid_before_giving_up_has_an_appointment(booking, session, stripe, now):
    stripe.pay(session["id"])

    checkout.give_up(booking, now=now)

    booking.refresh_from_db()
    assert booking.is_confirmed


def test_without_stripe_the_time_stays_held(booking, session, stripe, now):
    stripe.faults.server_error(times=None)

    with pytest.raises(PaymentsAway):
        checkout.give_up(booking, now=now)

    booking.refresh_from_db()
    assert booking.is_held(now)


# --- Stripe away ------------------------------------------------------------------------------------


def test_an_answer_that_got_lost_is_asked_for_again_with_the_same_key(booking, stripe, now):
    stripe.faults.lose_answer(times=2)
    with pytest.raises(PaymentsAway):
        checkout.begin(booking, now=now)

    address = checkout.begin(booking, now=now + MINUTE)

    assert [address] == [each["url"] for each in stripe.sessions]
    assert len({request.idempotency_key for request in stripe.requests}) == 1


def test_after_a_server_error_the_next_try_is_a_new_attempt(booking, stripe, now):
    stripe.faults.server_error(times=1)
    with pytest.raises(PaymentsAway):
        checkout.begin(booking, now=now)

    assert checkout.begin(booking, now=now)
    assert Deposit.objects.count() == 2


def test_a_refused_payment_page_is_told_to_the_coach_once_and_nothing_stays_open(
    booking, stripe, now
):
    stripe.faults.refuse(403, "no right", on="POST /v1/checkout/sessions")

    with pytest.raises(PaymentsRefused):
        checkout.begin(booking, now=now)

    assert Alarm.objects.get().kind == Alarm.Kind.REFUSED
    assert not Deposit.objects.unfinished().exists()
    assert checkout.begin(booking, now=now)


def test_who_gives_up_while_stripe_is_spoiled_gives_the_time_back(booking, stripe, now):
    """The first question never arrived, the second is an error for good: nobody saw a page to pay on."""
    stripe.faults.reset(on="POST /v1/checkout/sessions", times=None)
    with pytest.raises(PaymentsAway):
        checkout.begin(booking, now=now)
    stripe.faults.clear()
    stripe.faults.server_error(on="POST /v1/checkout/sessions")

    given_up = checkout.give_up(booking, now=now)

    assert given_up.status == "expired"
    assert not Deposit.objects.unfinished().exists()


def test_who_gives_up_while_stripe_refuses_gives_the_time_back(booking, stripe, now):
    stripe.faults.reset(on="POST /v1/checkout/sessions", times=None)
    with pytest.raises(PaymentsAway):
        checkout.begin(booking, now=now)
    stripe.faults.clear()
    stripe.faults.refuse(403, "no right", on="POST /v1/checkout/sessions")

    assert checkout.give_up(booking, now=now).status == "expired"
    assert not Deposit.objects.unfinished().exists()


def test_a_page_stripe_knows_no_more_keeps_no_time_held(booking, session, stripe, now):
    stripe.faults.refuse(
        404,
        "No such checkout.session",
        on="* /v1/checkout/sessions/*",
        times=None,
        code="resource_missing",
    )

    given_up = checkout.give_up(booking, now=now)

    stripe.faults.clear()
    stripe.expire(session["id"])  # what is gone can be paid by nobody
    assert given_up.status == "expired"
    assert not Deposit.objects.unfinished().exists()


def test_while_stripe_refuses_to_end_a_page_the_time_stays_held(booking, session, stripe, now):
    stripe.faults.refuse(403, "no right", on="* /v1/checkout/sessions/*", times=None)

    with pytest.raises(PaymentsRefused):
        checkout.give_up(booking, now=now)

    stripe.faults.clear()
    booking.refresh_from_db()
    assert booking.status == "held"
    assert Deposit.objects.unfinished().exists()


def test_one_payment_stripe_refuses_to_tell_about_keeps_nobody_from_theirs(
    booking, session, paid_type, stripe, now
):
    other = hold(paid_type, guest=BEN, start=NINE + 2 * timedelta(hours=1), now=now)
    checkout.begin(other, now=now)
    for each in stripe.sessions:
        stripe.pay(each["id"])
    stripe.faults.refuse(403, "no right", on=f"GET /v1/checkout/sessions/{session['id']}")

    done = checkout.reconcile(now=now)

    other.refresh_from_db()
    assert (done.payments, other.status) == (1, "confirmed")


def test_when_the_hold_ran_out_the_guest_is_asked_once_more(booking, session, stripe, now):
    late = now + timedelta(minutes=36)
    stripe.advance(36 * 60)

    with pytest.raises(HoldRanOut):
        checkout.begin(booking, now=late)

    assert checkout.begin(booking, now=late, again=True)
    assert [each["status"] for each in stripe.sessions].count("open") == 1


# --- calling off --------------------------------------------------------------------------------------


def test_in_time_everything_goes_back(booked, stripe, now):
    cancellation.cancel_by_guest(booked, now=NINE - timedelta(hours=48))

    deposits.send(Refund.objects.get(), now=now)
    assert [each["amount"] for each in stripe.refunds] == [15000]


def test_a_second_later_the_terms_say_what_stays(booked, stripe, now):
    late = NINE - timedelta(hours=48) + timedelta(seconds=1)

    cancellation.cancel_by_guest(booked, now=late)
    cancellation.cancel_by_guest(booked, now=late)

    deposits.send(Refund.objects.get(), now=now)
    deposits.send(Refund.objects.get(), now=now)
    deposit = Deposit.objects.get()
    assert [each["amount"] for each in stripe.refunds] == [10250]
    assert (deposit.refunded_cents, deposit.kept_cents) == (10250, 4750)


def test_the_coach_always_gives_everything_back(booked, stripe, now):
    cancellation.cancel_by_coach(booked, now=NINE)

    deposits.send(Refund.objects.get(), now=now)
    assert [each["amount"] for each in stripe.refunds] == [15000]


def test_more_than_there_is_never_goes_back(booked, now):
    with pytest.raises(NothingToRefund):
        deposits.refund_by_hand(Deposit.objects.get(), 15001, by="coach", now=now)


def test_a_refund_in_the_dashboard_is_written_down_once(booked, stripe, now):
    stripe.deliver_pending()
    stripe.dashboard_refund(stripe.intents[0]["id"], 5000)
    events = stripe.pending
    stripe.deliver_pending()
    for event in events:
        stripe.deliver(event)

    refund = Refund.objects.get()
    assert (refund.reason, refund.amount_cents) == ("dashboard", 5000)
    booked.refresh_from_db()
    assert booked.is_confirmed


def test_a_dispute_alarms_once(booked, stripe, now):
    stripe.open_dispute(stripe.intents[0]["id"])
    events = stripe.pending
    for event in [*events, *events]:
        assert stripe.deliver(event).status == 200

    assert Alarm.objects.get().kind == Alarm.Kind.DISPUTE
    assert Deposit.objects.get().is_disputed


def test_a_spoiled_answer_to_a_refund_is_asked_again_and_pays_back_once(booked, stripe, now):
    """Stripe keeps a 500 under its key for a day: the same key would never send the money."""
    refund = deposits.refund_by_hand(Deposit.objects.get(), 15000, by="coach", now=now)
    stripe.faults.server_error(on="POST /v1/refunds")
    with pytest.raises(PaymentsAway):
        deposits.send(refund, now=now)

    deposits.send(Refund.objects.get(), now=now)

    assert Refund.objects.get().status == "succeeded"
    assert [each["amount"] for each in stripe.refunds] == [15000]


def test_money_of_another_site_at_the_same_stripe_is_left_alone(booked, now):
    before = list(Deposit.objects.values())

    deposits.note_refunds("pi_of_a_shop", [], now=now)
    deposits.note_dispute(
        Dispute(id="dp_1", payment_intent="pi_of_a_shop", status="lost", due_by=None), now=now
    )

    assert list(Deposit.objects.values()) == before
    assert not Alarm.objects.exists()
