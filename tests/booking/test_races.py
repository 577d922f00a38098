"""Many people, one slot: real threads, real transactions, one booking."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.urls import reverse

from booking import scheduling
from booking.errors import SlotTaken
from booking.models import Booking, Notification
from coaching_site import spam
from tests.booking.conftest import NINE, hold, new_type, somebody

pytestmark = pytest.mark.django_db(transaction=True)

CROWD = 50


@pytest.fixture
def a_connection_each(db) -> Iterator[None]:
    """Lets the whole crowd talk to Postgres at once; the site's own pool is smaller."""
    pool: Any = connection.pool  # type: ignore[attr-defined]
    before = (pool.min_size, pool.max_size)
    pool.resize(1, CROWD + 10)
    yield
    pool.resize(*before)


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
    check, meeting = scheduling.check, Barrier(2)

    def check_and_wait(*args: Any, **kwargs: Any) -> object:
        slot = check(*args, **kwargs)
        meeting.wait(timeout=30)
        return slot

    monkeypatch.setattr(scheduling, "lock", lambda calendar: None)
    monkeypatch.setattr(scheduling, "check", check_and_wait)


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
