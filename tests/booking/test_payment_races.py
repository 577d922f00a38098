"""Everybody at once, with money in it: real threads, real transactions, one Stripe."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test import Client
from django.urls import reverse

from booking import checkout, deposits, mail, scheduling, stripe_gateway
from booking.errors import BookingError, PaymentsAway
from booking.models import Alarm, Booking, Deposit, Notification, Refund
from booking.models.bookings import BookingQuerySet
from booking.models.payments import DepositQuerySet, StripeEventQuerySet
from tests.booking.conftest import BEN, hold, order_form
from tests.booking.test_races import at_once, kinds
from tests.running_site import wait_until

# The same group as the other crowds: two at once would be too many connections.
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("races"),
    pytest.mark.usefixtures("clock", "room_at_stripe"),
]

EIGHT = 8


@pytest.fixture
def room_at_stripe(monkeypatch):
    """Here everybody may ask Stripe at the same moment; the site lets only a few wait for it."""
    monkeypatch.setattr(stripe_gateway, "PATIENCE", 30.0)


def press_pay(booking: Booking) -> int:
    return (
        Client()
        .post(reverse("booking:review", args=[mail.token(booking)]), order_form(booking))
        .status_code
    )


def come_back(booking: Booking) -> int:
    return Client().get(reverse("booking:paid", args=[mail.token(booking)])).status_code


def confirmations(booking: Booking) -> int:
    return Notification.objects.filter(booking=booking, kind="confirmation").count()


def count_news(patch: pytest.MonkeyPatch) -> list[bool]:
    """Notes for each payment that is heard of whether it was new."""
    receive, news = deposits.receive, list[bool]()

    def receive_and_note(*args: Any, **kwargs: Any) -> bool:
        news.append(receive(*args, **kwargs))
        return news[-1]

    patch.setattr(deposits, "receive", receive_and_note)
    return news


def forget_what_was_heard(patch: pytest.MonkeyPatch) -> None:
    """No event is remembered, and nobody locks."""
    patch.setattr(StripeEventQuerySet, "remember", lambda *_: True)
    patch.setattr(scheduling, "lock", lambda calendar: None)
    patch.setattr(BookingQuerySet, "locked", lambda rows, row: rows.with_its_type().get(pk=row.pk))
    patch.setattr(DepositQuerySet, "locked", lambda rows, pk: rows.get(pk=pk))


def meet_at(patch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Neither of two goes on from here before the other has come as far."""
    action, meeting = getattr(owner, name), Barrier(2)

    def wait_for_the_other(*args: Any, **kwargs: Any) -> Any:
        meeting.wait(timeout=30)
        return action(*args, **kwargs)

    patch.setattr(owner, name, wait_for_the_other)


# --- settling -------------------------------------------------------------------------------------


def test_eight_times_the_same_event_books_once(booking, session, stripe, monkeypatch):
    stripe.pay(session["id"])
    event = stripe.event("checkout.session.completed")
    news = count_news(monkeypatch)

    answers = at_once([lambda: stripe.deliver(event).status] * EIGHT)

    booking.refresh_from_db()
    assert set(answers) == {200}
    assert news == [True]
    assert (booking.paid_cents, confirmations(booking)) == (15000, 2)


def test_control_without_locks_and_memory_one_payment_is_new_to_both(
    booking, session, stripe, monkeypatch
):
    stripe.pay(session["id"])
    event = stripe.event("checkout.session.completed")

    with monkeypatch.context() as patch:
        forget_what_was_heard(patch)
        news = count_news(patch)
        meet_at(patch, deposits, "receive")
        at_once([lambda: stripe.deliver(event).status] * 2)

    assert news == [True, True]


def test_page_webhook_and_job_at_once_book_once(booking, session, stripe, now):
    stripe.pay(session["id"])
    event = stripe.event("checkout.session.completed")

    results = at_once(
        [
            *[partial(come_back, booking)] * 3,
            *[lambda: stripe.deliver(event).status] * 3,
            *[partial(checkout.reconcile, now=now)] * 2,
        ]
    )

    booking.refresh_from_db()
    assert set(results[:3]) == {302}
    assert set(results[3:6]) == {200}
    assert (booking.paid_cents, confirmations(booking)) == (15000, 2)


def test_who_finds_the_calendar_busy_for_long_is_told_again_later(
    booking, session, stripe, monkeypatch
):
    monkeypatch.setattr(checkout, "LOCK_PATIENCE", "200ms")
    stripe.pay(session["id"])
    event = stripe.event("checkout.session.completed")

    with transaction.atomic():
        scheduling.lock(booking.calendar)
        [busy] = at_once([lambda: stripe.deliver(event).status])
    heard = stripe.deliver(event).status

    booking.refresh_from_db()
    assert (busy, heard) == (503, 200)
    assert (booking.is_confirmed, confirmations(booking)) == (True, 2)


# --- the way to Stripe ----------------------------------------------------------------------------


def test_a_double_press_leads_to_one_page_whichever_answer_is_seen(booking, stripe):
    stripe.faults.delay(0.5, "POST /v1/checkout/sessions")  # time enough for all to ask
    answers = at_once([partial(press_pay, booking)] * 4)

    assert answers == [303] * 4
    assert len(stripe.sessions) == 1


def test_giving_up_against_pressing_pay_leaves_no_page_for_a_free_time(booking, stripe, now):
    for _ in range(4):
        results = at_once(
            [
                partial(checkout.begin, booking, now=now, again=True),
                partial(checkout.give_up, booking, now=now),
            ]
        )

        booking.refresh_from_db()
        assert all(isinstance(each, str | Booking | BookingError) for each in results)
        open_pages = [each for each in stripe.sessions if each["status"] == "open"]
        assert len(open_pages) <= booking.is_held(now)


def test_giving_up_against_paying_ends_with_an_appointment_or_without_a_payment(
    booking, session, stripe, now
):
    def pay() -> object:
        return stripe.pay(session["id"])

    at_once([pay, partial(checkout.give_up, booking, now=now)])
    stripe.deliver_pending()

    booking.refresh_from_db()
    assert booking.is_confirmed == bool(stripe.charges)


# --- late -----------------------------------------------------------------------------------------


def test_of_two_late_payments_for_one_time_one_books_and_one_goes_back(
    booking, session, paid_type, stripe, now
):
    stripe.pay(session["id"])
    late = now + timedelta(minutes=36)
    other = hold(paid_type, guest=BEN, now=late)
    stripe.advance(36 * 60)
    checkout.begin(other, now=late)
    stripe.pay(stripe.sessions[-1]["id"])
    later = late + timedelta(minutes=36)
    scheduling.free_expired_holds(now=later)

    at_once([partial(checkout.look, each, now=later) for each in (booking, other)])
    checkout.reconcile(now=later)

    assert Booking.objects.filter(status="confirmed").count() == 1
    assert [each["amount"] for each in stripe.refunds] == [15000]
    assert Alarm.objects.get().kind == Alarm.Kind.LATE


# --- giving back ----------------------------------------------------------------------------------


def test_the_refund_button_pressed_by_two_at_once_gives_back_once(booked, stripe, now):
    deposit = Deposit.objects.get()
    press = partial(deposits.refund_by_hand, deposit, 15000, by="coach", now=now)

    results = at_once([press] * 4)
    checkout.reconcile(now=now)

    assert kinds(results) == {"Refund": 1, "NothingToRefund": 3}
    assert [each["amount"] for each in stripe.refunds] == [15000]


def test_one_form_sent_by_two_at_once_is_one_refund(booked, stripe, now):
    press = partial(
        deposits.refund_by_hand,
        Deposit.objects.get(),
        5000,
        by="coach",
        key=uuid.uuid4(),
        now=now,
    )

    assert kinds(at_once([press] * 4)) == {"Refund": 4}
    assert Refund.objects.count() == 1


def test_control_without_the_lock_of_the_row_money_is_promised_twice(booked, now, monkeypatch):
    press = partial(deposits.refund_by_hand, Deposit.objects.get(), 15000, by="coach", now=now)

    with monkeypatch.context() as patch:
        patch.setattr(DepositQuerySet, "locked", lambda rows, pk: rows.get(pk=pk))
        meet_at(patch, Deposit, "save")  # both have added up by then
        at_once([press] * 2)

    assert [each.amount_cents for each in Refund.objects.all()] == [15000, 15000]
    Refund.objects.all().delete()
    Deposit.objects.update(refunded_cents=0)


def test_two_workers_with_one_refund_send_it_once(booked, stripe, now):
    refund = deposits.refund_by_hand(Deposit.objects.get(), 5000, by="coach", now=now)

    def send() -> None:
        with suppress(PaymentsAway):  # the other one is asking; the job comes back
            deposits.send(Refund.objects.select_related("deposit").get(pk=refund.pk), now=now)

    at_once([send] * 4)
    checkout.reconcile(now=now)

    assert [each["amount"] for each in stripe.refunds] == [5000]


def test_calling_off_while_the_payment_is_settled_gives_the_money_back(
    booking, session, stripe, now
):
    stripe.pay(session["id"])
    event = stripe.event("checkout.session.completed")

    def cancel() -> object:
        return Client().post(reverse("booking:cancel", args=[mail.token(booking)])).status_code

    [heard, cancelled] = at_once([lambda: stripe.deliver(event).status, cancel])
    checkout.reconcile(now=now)

    booking.refresh_from_db()
    assert heard == 200
    assert cancelled in (302, 409)
    assert booking.is_cancelled == bool(stripe.refunds)


def test_who_notes_a_refund_does_not_hold_the_payment_while_the_booking_is_taken(
    booked, stripe, now
):
    """Who calls off takes the booking first and then the payment; the other way round locks up."""
    payment = Deposit.objects.get().payment_intent
    stripe.dashboard_refund(payment, 5000)
    found = stripe_gateway.refunds_of(payment)

    with ThreadPoolExecutor(1) as crowd, transaction.atomic():
        Booking.objects.locked(booked)
        noting = crowd.submit(note_and_leave, payment, found, now)
        wait_until(somebody_waits_for_a_lock, seconds=10)
        Deposit.objects.select_for_update(nowait=True).get()
        transaction.on_commit(lambda: noting.result(timeout=30))

    assert Refund.objects.get().is_back


def note_and_leave(payment: str, found: list[stripe_gateway.MoneyBack], now: datetime) -> None:
    try:
        deposits.note_refunds(payment, found, now=now)
    finally:
        connections.close_all()


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])
