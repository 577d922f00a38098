"""Calling an appointment off."""

from datetime import timedelta

import pytest

from booking import cancellation
from booking.errors import NotBooked, NothingToRefund, TooLateToCancel
from booking.models import Notification, Refund
from booking.scheduling import HOLD_LIFE
from tests.booking.conftest import ADA, BEN, NINE, hold


def test_a_guest_calls_off_and_both_are_told(confirmed, now, mailbox, run_jobs):
    run_jobs()
    mailbox.clear()

    cancelled = cancellation.cancel_by_guest(confirmed, now=now)

    run_jobs()
    assert (cancelled.status, cancelled.cancelled_by, cancelled.sequence) == (
        "cancelled",
        "guest",
        1,
    )
    assert len(mailbox.to(ADA.email)) == len(mailbox.to("coach@praxis.example")) == 1


def test_calling_off_twice_is_once(confirmed, now):
    cancellation.cancel_by_guest(confirmed, now=now)

    again = cancellation.cancel_by_coach(confirmed, now=now)

    assert (again.cancelled_by, again.sequence) == ("guest", 1)
    assert Notification.objects.filter(kind="cancellation").count() == 2


def test_a_guest_cannot_call_off_what_has_begun_but_the_coach_can(confirmed):
    with pytest.raises(TooLateToCancel):
        cancellation.cancel_by_guest(confirmed, now=confirmed.start)

    assert cancellation.cancel_by_coach(confirmed, now=confirmed.start).is_cancelled


def test_a_mere_hold_cannot_be_called_off(held, now):
    with pytest.raises(NotBooked):
        cancellation.cancel_by_guest(held, now=now)


def test_the_slot_of_a_cancelled_call_can_be_booked_again(call_type, confirmed, now):
    cancellation.cancel_by_guest(confirmed, now=now)

    taken = hold(call_type, guest=BEN, start=NINE, now=now + HOLD_LIFE + timedelta(hours=1))

    confirmed.refresh_from_db()
    assert (taken.status, confirmed.status) == ("held", "cancelled")


def test_a_free_call_has_nothing_that_could_go_back(confirmed, now):
    with pytest.raises(NothingToRefund):
        cancellation.cancel_for_withdrawal(confirmed, refund_cents=1, now=now)

    confirmed.refresh_from_db()
    assert confirmed.is_confirmed
    assert cancellation.cancel_for_withdrawal(confirmed, refund_cents=0, now=now) is None
    confirmed.refresh_from_db()
    assert (confirmed.status, confirmed.cancelled_by) == ("cancelled", "guest")


def test_nobody_withdraws_from_a_mere_hold(held, now):
    with pytest.raises(NotBooked):
        cancellation.cancel_for_withdrawal(held, refund_cents=0, now=now)


def test_more_than_was_paid_never_goes_back_and_the_appointment_stays(booked, now):
    with pytest.raises(NothingToRefund):
        cancellation.cancel_for_withdrawal(booked, refund_cents=15001, now=now)

    booked.refresh_from_db()
    assert booked.is_confirmed
    assert not Refund.objects.exists()
