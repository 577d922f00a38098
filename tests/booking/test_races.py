"""Many people, one slot: real threads, real transactions, one booking."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import cycle
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import connection, connections
from django.db.transaction import on_commit
from django.test import Client
from django.urls import reverse

from booking import availability, cancellation, scheduling
from booking.availability import DAY
from booking.errors import SlotTaken
from booking.models import Booking, Calendar, CallType, Notification
from booking.models.bookings import BookingQuerySet
from booking.scheduling import Guest
from coaching_site import spam
from tests.booking.conftest import NINE, hold, new_type, somebody

# One group: two crowds at once would be more connections than the tests' Postgres takes.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("races")]

CROWD = 50
# As many threads and as many connections: everyone really waits inside Postgres.
RUSH = 200
SECOND = timedelta(seconds=1)
QUARTER = timedelta(minutes=15)


@pytest.fixture
def a_connection_each(db) -> Iterator[None]:
    """Lets the whole crowd talk to Postgres at once; the site's own pool is smaller."""
    pool: Any = connection.pool  # type: ignore[attr-defined]
    pool.resize(1, RUSH + 10)
    yield
    # A pool lets go of connections only after minutes, and other tests want some too.
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]


@contextmanager
def without_the_constraint() -> Iterator[None]:
    """Takes the guard away in the tests' database alone."""
    guard = next(c for c in Booking._meta.constraints if c.name == "booking_no_overlap")
    with connection.schema_editor() as editor:
        editor.remove_constraint(Booking, guard)
    yield
    Booking.objects.all().delete()
    with connection.schema_editor() as editor:
        editor.add_constraint(Booking, guard)


def at_once(actions: Sequence[Callable[[], object]]) -> list[object]:
    """Start everyone together; return what each got, be it an error."""
    start = Barrier(len(actions))

    def run(action: Callable[[], object]) -> object:
        start.wait(timeout=30)
        try:
            return action()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(actions)) as crowd:
        return list(crowd.map(run, actions))


def kinds(results: list[object]) -> Counter[str]:
    return Counter(type(result).__name__ for result in results)


def let_two_meet_after_the_check(monkeypatch) -> None:
    """Nobody locks, and nobody writes before the other has found the slot free."""
    check, meeting = availability.check, Barrier(2)

    def check_and_wait(*args: Any, **kwargs: Any) -> object:
        slot = check(*args, **kwargs)
        meeting.wait(timeout=30)
        return slot

    monkeypatch.setattr(scheduling, "lock", lambda calendar: None)
    monkeypatch.setattr(scheduling, "check", check_and_wait)


def read_without_locking(monkeypatch, meeting: Barrier | None = None) -> None:
    """Rows are read as they are, perhaps by two at once, and written later."""

    def read(bookings: Any, booking: Booking) -> Booking:
        found: Booking = bookings.with_its_type().get(pk=booking.pk)
        if meeting is not None:
            meeting.wait(timeout=30)
        return found

    monkeypatch.setattr(BookingQuerySet, "locked", read)
    monkeypatch.setattr(scheduling, "lock", lambda calendar: None)


def release_last(monkeypatch) -> None:
    """Who gives back writes after the one who books."""
    booked, save = Event(), Booking.save

    def save_in_turn(booking: Booking, **options: Any) -> None:
        if booking.is_confirmed:
            save(booking, **options)
            on_commit(booked.set)
        else:
            booked.wait(timeout=30)
            save(booking, **options)

    monkeypatch.setattr(Booking, "save", save_in_turn)


def guest(number: int) -> Guest:
    return Guest(name=f"Gast {number}", email=f"gast{number}@example.org")


Contest = Callable[[Calendar, datetime, int], list[Callable[[], Booking]]]


def same_slot(calendar: Calendar, now: datetime, crowd: int) -> list[Callable[[], Booking]]:
    call_type = new_type(calendar)
    return [partial(hold, call_type, now=now, guest=guest(number)) for number in range(crowd)]


def overlapping_slots(calendar: Calendar, now: datetime, crowd: int) -> list[Callable[[], Booking]]:
    call_type = new_type(calendar, length=60, step=15)
    return [
        partial(hold, call_type, now=now, guest=guest(number), start=NINE + number % 4 * QUARTER)
        for number in range(crowd)
    ]


def different_types(calendar: Calendar, now: datetime, crowd: int) -> list[Callable[[], Booking]]:
    short = new_type(calendar, slug="kurz", length=30, step=15)
    long = new_type(calendar, slug="lang", length=90, buffer_before=15)
    wishes = [(short, NINE + 2 * QUARTER), (long, NINE)]
    return [
        partial(hold, call_type, now=now, guest=guest(number), start=start)
        for number, (call_type, start) in zip(range(crowd), cycle(wishes), strict=False)
    ]


def pauses_only(calendar: Calendar, now: datetime, crowd: int) -> list[Callable[[], Booking]]:
    """Nothing overlaps, so no constraint helps: the pause is up to the lock alone."""
    call_type = new_type(calendar, buffer_after=15)
    starts = [NINE, NINE + 2 * QUARTER]
    return [
        partial(hold, call_type, now=now, guest=guest(number), start=starts[number % 2])
        for number in range(crowd)
    ]


def last_of_the_day(calendar: Calendar, now: datetime, crowd: int) -> list[Callable[[], Booking]]:
    """Everybody wants another time, but the coach takes one call a day."""
    call_type = new_type(calendar, max_per_day=1)
    return [
        partial(
            hold, call_type, now=now, guest=guest(number), start=NINE + number % 6 * 2 * QUARTER
        )
        for number in range(crowd)
    ]


def hold_against_booking(
    calendar: Calendar, now: datetime, crowd: int
) -> list[Callable[[], Booking]]:
    """One comes back after the hold ran out and says yes; the others want to hold that time."""
    call_type = new_type(calendar)
    mine = hold(call_type, now=now, guest=guest(crowd))
    late = now + scheduling.HOLD_LIFE
    return [
        partial(scheduling.confirm, mine, now=late, again=True),
        *(partial(hold, call_type, now=late, guest=guest(n)) for n in range(crowd - 1)),
    ]


contests = pytest.mark.parametrize(
    "contest",
    [
        same_slot,
        overlapping_slots,
        different_types,
        pauses_only,
        last_of_the_day,
        hold_against_booking,
    ],
)


@contests
def test_control_without_the_guards_each_of_these_is_won_twice(
    contest: Contest, calendar, now, monkeypatch
):
    actions = contest(calendar, now, 2)
    let_two_meet_after_the_check(monkeypatch)
    read_without_locking(monkeypatch)

    with without_the_constraint():
        results = at_once(actions)

        assert kinds(results) == {"Booking": 2}
        assert Booking.objects.taking_time(now).count() == 2


@contests
def test_of_two_hundred_one_wins_and_all_others_are_refused_by_the_rules(
    contest: Contest, calendar, now, a_connection_each
):
    results = at_once(contest(calendar, now, RUSH))

    assert kinds(results) == {"Booking": 1, "SlotTaken": RUSH - 1}
    assert Booking.objects.taking_time(now + scheduling.HOLD_LIFE - SECOND).count() == 1
    # The lock let them look one after the other; no constraint and no deadlock had to say no.
    assert {getattr(result, "__cause__", None) for result in results} == {None}


def test_who_loses_is_offered_three_times_that_can_be_held(calendar, now, a_connection_each):
    at_once(same_slot(calendar, now, 20))
    call_type = CallType.objects.get()

    offers = availability.next_offers(call_type, now=now, after=NINE)

    assert len(offers) == 3
    for number, offer in enumerate(offers):
        hold(call_type, now=now, start=offer.start, guest=guest(number + 20))


def test_a_time_given_back_goes_to_one_of_those_who_wait(call_type, now, a_connection_each):
    mine = hold(call_type, now=now, guest=guest(RUSH))
    wishes = [partial(hold, call_type, now=now, guest=guest(number)) for number in range(RUSH - 1)]

    released, *results = at_once([partial(scheduling.release, mine, now=now), *wishes])

    assert isinstance(released, Booking)
    assert kinds(results)["Booking"] <= 1
    assert set(kinds(results)) <= {"Booking", "SlotTaken"}
    assert Booking.objects.taking_time(now).count() == kinds(results)["Booking"]


def test_control_without_the_guards_a_release_undoes_a_booking(held, now, monkeypatch):
    read_without_locking(monkeypatch, meeting=Barrier(2))
    release_last(monkeypatch)

    confirmed, _ = at_once(
        [partial(scheduling.confirm, held, now=now), partial(scheduling.release, held, now=now)]
    )

    held.refresh_from_db()
    assert isinstance(confirmed, Booking)
    assert held.status == "expired"


def test_a_release_never_undoes_a_booking(call_type, now, a_connection_each):
    for number in range(10):
        held = hold(
            call_type,
            now=now,
            guest=guest(number),
            start=NINE + number // 6 * DAY + number % 6 * 2 * QUARTER,
        )
        crowd = [
            partial(scheduling.confirm, held, now=now),
            partial(scheduling.release, held, now=now),
        ]

        results = at_once(crowd * 5)

        held.refresh_from_db()
        if held.is_confirmed:
            assert kinds(results) == {"Booking": 10}
        else:
            assert held.status == "expired"
            assert kinds(results) == {"Booking": 5, "HoldRanOut": 5}


def test_control_without_lock_and_constraint_two_people_get_the_same_slot(
    call_type, now, monkeypatch
):
    let_two_meet_after_the_check(monkeypatch)

    with without_the_constraint():
        results = at_once([lambda: hold(call_type, guest=somebody(), now=now)] * 2)

        assert kinds(results) == {"Booking": 2}
        assert Booking.objects.filter(start=NINE, status="held").count() == 2


def test_without_the_lock_the_constraint_still_has_the_last_word(call_type, now, monkeypatch):
    let_two_meet_after_the_check(monkeypatch)

    results = at_once([lambda: hold(call_type, guest=somebody(), now=now)] * 2)

    assert kinds(results) == {"Booking": 1, "SlotTaken": 1}


def test_fifty_people_want_one_slot_and_one_gets_it(call_type, now, a_connection_each):
    results = at_once([lambda: hold(call_type, guest=somebody(), now=now)] * CROWD)

    assert kinds(results) == {"Booking": 1, "SlotTaken": CROWD - 1}
    assert Booking.objects.count() == 1


def test_calls_that_overlap_without_being_equal_race_too(calendar, now, a_connection_each):
    short = new_type(calendar, slug="kurz", length=30, step=15)
    long = new_type(calendar, slug="lang", length=60, step=15)
    late = NINE + timedelta(minutes=15)

    results = at_once(
        [
            lambda: hold(long, guest=somebody(), now=now),
            lambda: hold(short, guest=somebody(), start=late, now=now),
        ]
        * (CROWD // 2)
    )

    assert kinds(results) == {"Booking": 1, "SlotTaken": CROWD - 1}


def test_one_form_sent_many_times_at_once_is_one_booking(call_type, now, a_connection_each):
    form = uuid.uuid4()

    results = at_once([lambda: hold(call_type, form_token=form, now=now)] * 20)

    assert {getattr(result, "pk", result) for result in results} == {Booking.objects.get().pk}


def test_one_button_pressed_many_times_at_once_books_and_mails_once(held, now, a_connection_each):
    results = at_once([lambda: scheduling.confirm(held, now=now)] * 20)

    assert kinds(results) == {"Booking": 20}
    assert Notification.objects.count() == 2


def test_two_holds_that_ran_out_cannot_both_be_confirmed(call_type, held, now):
    late = now + scheduling.HOLD_LIFE
    other = hold(call_type, guest=somebody(), now=late)
    later = late + scheduling.HOLD_LIFE

    results = at_once(
        [
            lambda: scheduling.confirm(held, now=later, again=True),
            lambda: scheduling.confirm(other, now=later, again=True),
        ]
    )

    assert kinds(results) == {"Booking": 1, "SlotTaken": 1}


def test_one_address_at_many_times_at_once_holds_one(call_type, now, a_connection_each):
    starts = [slot.start for slot in availability.offered_slots(call_type, now=now)[:20]]

    results = at_once([partial(hold, call_type, start=start, now=now) for start in starts])

    assert kinds(results) == {"Booking": 20}
    assert Booking.objects.filter(status="held").count() == 1


def test_a_network_at_many_times_at_once_holds_five(call_type, now, a_connection_each):
    starts = [slot.start for slot in availability.offered_slots(call_type, now=now)[:20]]

    results = at_once(
        [
            partial(hold, call_type, guest=somebody(), start=start, network="n", now=now)
            for start in starts
        ]
    )

    assert kinds(results) == {"Booking": 5, "TooManyHolds": 15}


def test_over_http_one_is_led_on_and_the_others_read_a_clear_page(
    call_type, clock, now, a_connection_each
):
    address = reverse("booking:details", args=[call_type.slug, NINE])

    def send() -> object:
        details = {
            "name": "Ada",
            "email": somebody().email,
            "form_token": uuid.uuid4(),
            "stamp": spam.stamp(now - timedelta(minutes=1)),
        }
        return Client(raise_request_exception=False).post(address, details).status_code

    assert Counter(at_once([send] * CROWD)) == {302: 1, 409: CROWD - 1}


def test_the_sentence_is_the_same_whoever_refuses():
    assert SlotTaken().message == "Dieser Termin wurde gerade vergeben."


# --- moving ---

TEN = NINE + timedelta(hours=1)
ELEVEN = NINE + timedelta(hours=2)


def booked(call_type: Any, start: Any, now: Any) -> Booking:
    return scheduling.confirm(hold(call_type, guest=somebody(), start=start, now=now), now=now)


def moving(booking: Booking, start: Any, now: Any) -> Callable[[], object]:
    return lambda: scheduling.move(booking, start=start, by=Booking.Side.GUEST, now=now)


def test_control_unguarded_two_moves_land_on_one_slot(call_type, now, monkeypatch):
    one, other = booked(call_type, NINE, now), booked(call_type, TEN, now)
    let_two_meet_after_the_check(monkeypatch)

    with without_the_constraint():
        results = at_once([moving(one, ELEVEN, now), moving(other, ELEVEN, now)])

        assert kinds(results) == {"Booking": 2}
        assert Booking.objects.filter(start=ELEVEN, status="confirmed").count() == 2


def test_control_unguarded_a_move_and_a_hold_land_on_one_slot(call_type, now, monkeypatch):
    one = booked(call_type, NINE, now)
    let_two_meet_after_the_check(monkeypatch)

    with without_the_constraint():
        at_once(
            [moving(one, TEN, now), lambda: hold(call_type, guest=somebody(), start=TEN, now=now)]
        )

        assert Booking.objects.filter(start=TEN).count() == 2


def test_without_the_lock_the_constraint_refuses_the_second_move(call_type, now, monkeypatch):
    one, other = booked(call_type, NINE, now), booked(call_type, TEN, now)
    let_two_meet_after_the_check(monkeypatch)

    results = at_once([moving(one, ELEVEN, now), moving(other, ELEVEN, now)])

    assert kinds(results) == {"Booking": 1, "SlotTaken": 1}


def test_moves_and_holds_want_one_slot_and_one_gets_it(call_type, now, a_connection_each):
    one, other = booked(call_type, NINE, now), booked(call_type, TEN, now)

    results = at_once(
        [moving(one, ELEVEN, now), moving(other, ELEVEN, now)]
        + [lambda: hold(call_type, guest=somebody(), start=ELEVEN, now=now)] * 10
    )

    assert kinds(results) == {"Booking": 1, "SlotTaken": 11}
    assert Booking.objects.filter(start=ELEVEN).count() == 1


def test_two_appointments_do_not_swap_through_each_other(call_type, now):
    one, other = booked(call_type, NINE, now), booked(call_type, TEN, now)

    results = at_once([moving(one, TEN, now), moving(other, NINE, now)])

    assert kinds(results) == {"SlotTaken": 2}
    assert sorted(Booking.objects.values_list("start", flat=True)) == [NINE, TEN]


def test_one_move_pressed_many_times_at_once_is_one_move(call_type, now, a_connection_each):
    one = booked(call_type, NINE, now)

    results = at_once([moving(one, TEN, now)] * 20)

    assert kinds(results) == {"Booking": 20}
    one.refresh_from_db()
    assert one.sequence == 1
    assert Notification.objects.filter(kind="moved").count() == 2


def test_a_move_and_a_cancellation_end_in_one_state(call_type, now):
    one = booked(call_type, NINE, now)

    results = at_once([moving(one, TEN, now), lambda: cancellation.cancel_by_guest(one, now=now)])

    one.refresh_from_db()
    assert one.status == "cancelled"
    assert kinds(results) in ({"Booking": 2}, {"Booking": 1, "NotMovable": 1})
