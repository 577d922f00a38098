"""A full calendar asks Postgres as often as an empty one: what it costs does not grow with rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from booking import availability, mail, scheduling
from booking.models import CallType
from booking.scheduling import Guest
from booking.slots import Interval
from coaching_site import spam
from tests.booking.conftest import hold

pytestmark = pytest.mark.usefixtures("clock")

ROWS = 30


def last_offer(call_type: CallType, now) -> Interval:
    return availability.offered_slots(call_type, now=now)[-1]


def month(client: Client, call_type: CallType, now) -> Callable[[], object]:
    return lambda: client.get("/termin/")


def times(client: Client, call_type: CallType, now) -> Callable[[], object]:
    day = last_offer(call_type, now).start.date()
    address = reverse("booking:times", args=[call_type.slug, day])
    return lambda: client.get(address)


def details(client: Client, call_type: CallType, now) -> Callable[[], object]:
    start = last_offer(call_type, now).start
    address = reverse("booking:details", args=[call_type.slug, start])
    return lambda: client.get(address)


def holding(client: Client, call_type: CallType, now) -> Callable[[], object]:
    start = last_offer(call_type, now).start
    address = reverse("booking:details", args=[call_type.slug, start])
    stamp = spam.stamp(now - timedelta(minutes=1))
    return lambda: client.post(address, {"name": "Ben", "email": "ben@example.org", "stamp": stamp})


def confirming(client: Client, call_type: CallType, now) -> Callable[[], object]:
    start = last_offer(call_type, now).start
    held = hold(call_type, now=now, start=start, guest=Guest(name="Cem", email="cem@example.org"))
    address = reverse("booking:review", args=[mail.token(held)])
    return lambda: client.post(address)


@pytest.mark.parametrize(
    ("visit", "status"),
    [(month, 200), (times, 200), (details, 200), (holding, 302), (confirming, 302)],
)
def test_as_many_queries_with_thirty_bookings_as_with_one(client, call_type, now, visit, status):
    counts: list[int] = []
    for rows in (1, ROWS):
        for slot in availability.offered_slots(call_type, now=now)[: rows - len(counts)]:
            guest = Guest(name="Ada", email=f"{slot.start.timestamp():.0f}@example.org")
            scheduling.confirm(hold(call_type, now=now, start=slot.start, guest=guest), now=now)
        action = visit(client, call_type, now)
        with CaptureQueriesContext(connection) as asked:
            assert action().status_code == status
        counts.append(len(asked))

    assert counts[0] == counts[1]


def test_the_month_takes_three_queries_with_and_without_an_address(client, call_type):
    """The types, the plan with what is taken, the practice: nothing is older than the visit."""
    for address in ("/termin/", "/termin/kennenlernen/"):
        with CaptureQueriesContext(connection) as asked:
            assert client.get(address).status_code == 200
        assert len(asked) == 3


def test_holds_that_ran_out_cost_no_queries_either(call_type, now):
    early = now - timedelta(hours=1)
    counts: list[int] = []
    for rows in (1, ROWS):
        for slot in availability.offered_slots(call_type, now=early)[:rows]:
            hold(
                call_type,
                now=early,
                start=slot.start,
                guest=Guest("Ada", f"{slot.start.timestamp():.0f}@example.org"),
            )
        with CaptureQueriesContext(connection) as asked:
            hold(
                call_type,
                now=now,
                start=last_offer(call_type, now).start,
                guest=Guest("Ben", f"ben{rows}@example.org"),
            )
        counts.append(len(asked))

    assert counts[0] == counts[1]
