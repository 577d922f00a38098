"""The calendar's rules."""

import uuid
from datetime import date, time, timedelta

import pytest
from django.db import OperationalError, transaction
from psycopg.errors import DeadlockDetected

from booking import availability, cancellation, scheduling
from booking.errors import (
    AlreadyCancelled,
    HoldRanOut,
    NotBookable,
    SlotPast,
    SlotRefused,
    SlotTaken,
    SlotTooFar,
    SlotTooSoon,
)
from booking.models import Booking, DateOverride, Notification, WeeklyHours
from booking.scheduling import HOLD_LIFE
from tests.booking.conftest import ADA, BEN, HALF_PAST_NINE, NINE, hold, new_type

SECOND = timedelta(seconds=1)


def starts(call_type, now, **more):
    return [slot.start for slot in availability.offered_slots(call_type, now=now, **more)]


def test_the_first_offers_are_the_coachs_hours_after_the_notice(call_type, now):
    first = availability.next_offers(call_type, now=now)

    assert [f"{slot.start:%d. %H:%M}" for slot in first] == ["02. 08:00", "02. 08:30", "02. 09:00"]


def test_nothing_is_offered_beyond_the_horizon(call_type, now):
    last = starts(call_type, now)[-1]

    assert last.date() == date(2027, 4, 30)


def test_an_override_replaces_the_weekly_plan(call_type, now):
    DateOverride.objects.create(
        calendar=call_type.calendar, first_day=date(2027, 3, 2), last_day=date(2027, 3, 5)
    )
    DateOverride.objects.create(
        calendar=call_type.calendar,
        first_day=date(2027, 3, 4),
        last_day=date(2027, 3, 4),
        start=time(15),
        end=time(16),
    )

    first = availability.next_offers(call_type, now=now)

    assert [f"{slot.start:%d. %H:%M}" for slot in first] == ["04. 14:00", "04. 14:30", "08. 08:00"]


def test_hours_may_end_at_midnight_and_go_on_the_next_day(call_type, now):
    WeeklyHours.objects.all().delete()
    for weekday, end in ((2, time(0)), (4, time(1))):
        WeeklyHours.objects.create(
            calendar=call_type.calendar, weekday=weekday, start=time(23), end=end
        )

    offers = starts(call_type, now)[:6]

    assert [f"{start:%d. %H:%M}" for start in offers] == [
        "02. 22:00",
        "02. 22:30",
        "04. 22:00",
        "04. 22:30",
        "04. 23:00",
        "04. 23:30",
    ]


@pytest.mark.parametrize("bookings", [1, 30])
def test_a_month_of_slots_takes_one_query(call_type, now, django_assert_num_queries, bookings):
    for start in starts(call_type, now)[:bookings]:
        hold(call_type, now=now, start=start)

    with django_assert_num_queries(1):
        availability.offered_slots(call_type, now=now)


def test_a_hold_is_absent_for_others_and_there_for_its_guest(call_type, held, now):
    assert NINE not in starts(call_type, now)
    assert NINE in starts(call_type, now, besides=held)


def test_a_hold_keeps_its_slot_for_a_quarter_of_an_hour(held, now):
    assert (held.status, held.held_until) == ("held", now + timedelta(minutes=15))


def test_a_hold_that_ran_out_is_free_without_any_job(call_type, held, now):
    later = now + HOLD_LIFE

    taken_over = hold(call_type, guest=BEN, now=later)

    held.refresh_from_db()
    assert (taken_over.status, held.status) == ("held", "expired")


def test_a_hold_lasts_to_its_last_second(call_type, held, now):
    with pytest.raises(SlotTaken):
        hold(call_type, guest=BEN, now=now + HOLD_LIFE - SECOND)


def test_a_hold_blocks_overlapping_calls_of_other_types(call_type, held, now):
    hour = new_type(call_type.calendar, slug="stunde", length=60, step=15)

    with pytest.raises(SlotTaken):
        hold(hour, guest=BEN, start=NINE + timedelta(minutes=15), now=now)


def test_buffers_keep_a_distance(calendar, now):
    call_type = new_type(calendar, buffer_after=15, step=15)
    hold(call_type, now=now)

    with pytest.raises(SlotTaken):
        hold(call_type, start=HALF_PAST_NINE, guest=BEN, now=now)
    hold(call_type, start=HALF_PAST_NINE + timedelta(minutes=15), guest=BEN, now=now)


def test_a_full_day_is_offered_no_more(calendar, now):
    call_type = new_type(calendar, max_per_day=1)
    hold(call_type, now=now)

    with pytest.raises(SlotTaken):
        hold(call_type, start=HALF_PAST_NINE, guest=BEN, now=now)


@pytest.mark.parametrize(
    ("away", "error"),
    [
        (timedelta(days=-7), SlotPast),
        (timedelta(days=-2), SlotTooSoon),
        (timedelta(minutes=10), SlotRefused),
        (timedelta(hours=5), SlotRefused),
        (timedelta(days=3), SlotRefused),
        (timedelta(days=70), SlotTooFar),
    ],
)
def test_a_forged_time_is_refused_and_leaves_nothing(call_type, now, away, error):
    with pytest.raises(error) as refused:
        hold(call_type, start=NINE + away, now=now)

    assert type(refused.value) is error
    assert Booking.objects.count() == 0


def test_what_costs_money_cannot_be_held_yet(calendar, now):
    with pytest.raises(NotBookable):
        hold(new_type(calendar, price_cents=100), now=now)


def test_the_same_form_sent_twice_is_one_booking(call_type, now):
    form = uuid.uuid4()

    first = hold(call_type, form_token=form, now=now)
    second = hold(call_type, form_token=form, now=now)

    assert (first, Booking.objects.count()) == (second, 1)


def test_the_same_form_with_other_words_changes_them_but_not_the_holds_end(call_type, now):
    form = uuid.uuid4()
    first = hold(call_type, form_token=form, now=now)

    second = hold(call_type, form_token=form, guest=BEN, now=now + SECOND)

    assert (second.pk, second.name) == (first.pk, BEN.name)
    assert second.held_until == first.held_until


def test_the_same_form_with_another_time_moves_the_hold(call_type, now):
    form = uuid.uuid4()
    hold(call_type, form_token=form, now=now)

    moved = hold(call_type, form_token=form, start=HALF_PAST_NINE, now=now)

    assert (moved.start, Booking.objects.count()) == (HALF_PAST_NINE, 1)
    assert NINE in starts(call_type, now)


def test_a_form_whose_call_is_booked_changes_nothing_any_more(call_type, now):
    form = uuid.uuid4()
    scheduling.confirm(hold(call_type, form_token=form, now=now), now=now)

    again = hold(call_type, form_token=form, guest=BEN, start=HALF_PAST_NINE, now=now)

    assert (again.status, again.name, again.start) == ("confirmed", ADA.name, NINE)


def test_confirming_books_and_owes_both_sides_a_mail(held, now):
    booking = scheduling.confirm(held, now=now)

    assert (booking.status, booking.confirmed_at, booking.held_until) == ("confirmed", now, None)
    assert set(Notification.objects.values_list("kind", "audience")) == {
        ("confirmation", "guest"),
        ("confirmation", "coach"),
    }


def test_confirming_twice_books_once_and_mails_once(held, now, mailbox, run_jobs):
    scheduling.confirm(held, now=now)
    scheduling.confirm(held, now=now + SECOND)

    run_jobs()
    assert len(mailbox.to(ADA.email)) == 1


def test_after_the_hold_the_guest_is_asked_once_more(held, now):
    late = now + HOLD_LIFE

    with pytest.raises(HoldRanOut):
        scheduling.confirm(held, now=late)

    assert scheduling.confirm(held, now=late, again=True).is_confirmed


def test_after_the_hold_nobody_takes_what_another_has(call_type, held, now):
    late = now + HOLD_LIFE
    hold(call_type, guest=BEN, now=late)

    with pytest.raises(SlotTaken):
        scheduling.confirm(held, now=late, again=True)


def test_a_call_that_has_begun_is_not_confirmed(calendar, now):
    held = hold(new_type(calendar, notice=0), start=now + timedelta(minutes=30), now=now)

    with pytest.raises(SlotPast):
        scheduling.confirm(held, now=held.start, again=True)


def test_a_call_off_is_final(confirmed, now):
    cancellation.cancel_by_coach(confirmed, now=now)

    with pytest.raises(AlreadyCancelled):
        scheduling.confirm(confirmed, now=now, again=True)


def test_a_released_slot_is_free_at_once(call_type, held, now):
    scheduling.release(held, now=now)

    assert NINE in starts(call_type, now)


def test_releasing_leaves_a_booked_call_alone(confirmed, now):
    assert scheduling.release(confirmed, now=now).is_confirmed


def test_too_few_later_times_are_filled_up_with_earlier_ones(call_type, now):
    last = starts(call_type, now)[-1]

    offers = availability.next_offers(call_type, now=now, after=last)

    assert [slot.start for slot in offers] == [
        last - timedelta(hours=1),
        last - timedelta(minutes=30),
        last,
    ]


def test_what_comes_past_the_lock_meets_the_constraint_and_the_same_sentence(
    call_type, held, now, monkeypatch
):
    unaware = availability.check(call_type, start=HALF_PAST_NINE, now=now)
    monkeypatch.setattr(
        scheduling, "check", lambda *args, **kwargs: type(unaware)(held.start, held.end)
    )

    with pytest.raises(SlotTaken), transaction.atomic():
        hold(call_type, guest=BEN, now=now)

    assert Booking.objects.count() == 1


def test_a_deadlock_reads_like_a_lost_race(call_type, now, monkeypatch):
    def deadlock(calendar):
        raise OperationalError from DeadlockDetected()

    monkeypatch.setattr(scheduling, "lock", deadlock)

    with pytest.raises(SlotTaken):
        hold(call_type, now=now)


def test_other_trouble_with_the_database_is_not_hidden(call_type, now, monkeypatch):
    def broken(calendar):
        raise OperationalError

    monkeypatch.setattr(scheduling, "lock", broken)

    with pytest.raises(OperationalError):
        hold(call_type, now=now)
