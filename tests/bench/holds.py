"""How many holds fit into a second, beside Postgres answering the very same statements."""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from statistics import median
from threading import Barrier
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from booking import scheduling
from booking.models import Booking, CallType
from booking.scheduling import Guest
from booking.slots import Interval
from tests.bench import measure, scenes

ROUNDS = 9
THREADS = (1, 4, 8)
HOLDS = 240
LATENCY_HOLDS = 60
YEAR = timedelta(days=365)


class Wish(NamedTuple):
    """A hold somebody is about to ask for."""

    call_type: CallType
    start: datetime
    guest: Guest
    form_token: uuid.UUID
    now: datetime


class Statement(NamedTuple):
    sql: str
    params: Any
    reads: bool


def throughput(rounds: int = ROUNDS) -> str:
    """Holds a second in one calendar, all waiting for the same lock, with durable commits."""
    with scenes.entered("10,000 past bookings"):
        wishes = _wishes(HOLDS)
        recorded = [_recorded(wish) for wish in wishes]
        _forget(wishes)
        speeds: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
        for _ in range(rounds):
            for threads in THREADS:
                for name, action, work in (
                    ("site", _hold, wishes),
                    ("raw", _replay, recorded),
                ):
                    speeds[name, threads].append(_per_second(action, work, threads))
                    _forget(wishes)
    rows = []
    for threads in THREADS:
        site, raw = speeds["site", threads], speeds["raw", threads]
        shares = [100 * mine / bare for mine, bare in zip(site, raw, strict=True)]
        rows.append(
            [threads, f"{median(site):.0f}", f"{median(raw):.0f}", f"{median(shares):.0f} %"]
        )
    heads = ["threads", "holds a second", "raw Postgres", "share"]
    return measure.table("Holds a second", heads, rows)


def latency(rounds: int = ROUNDS) -> str:
    """One hold after the other, at every length of history."""
    costs: defaultdict[str, list[measure.Cost]] = defaultdict(list)
    for _ in range(rounds):
        for scene in scenes.SCENES:
            with scenes.entered(scene):
                wishes = _wishes(LATENCY_HOLDS + 5)
                for wish in wishes[:5]:
                    _hold(wish)
                hold_next = partial(_hold_next, iter(wishes[5:]))
                costs[scene].append(measure.cost(hold_next, LATENCY_HOLDS))
                _forget(wishes)
    middles = {scene: measure.middle(each) for scene, each in costs.items()}
    first = next(iter(middles.values()))
    rows = [[scene, c.cpu, c.wall, c.wall / first.wall] for scene, c in middles.items()]
    return measure.table("One hold", ["hold", "CPU ms", "wall ms", "wall to first row"], rows)


def _wishes(count: int) -> list[Wish]:
    """Free times from all over the year, so that no week is fuller than a coach's week is."""
    now = timezone.now()
    call_type = CallType.objects.offered().get(slug="kennenlernen")
    call_type.horizon_days = YEAR.days
    offers = scheduling.offered_slots(call_type, now=now, within=Interval(now, now + YEAR))
    # Every third half hour: a pause of a quarter of an hour lies between.
    apart = offers[:: max(3, len(offers) // count)][:count]
    assert len(apart) == count
    return [
        Wish(
            call_type,
            offer.start,
            Guest(name="Ada Müller", email=f"ada{number}@example.org", topic="Mein Team"),
            uuid.uuid4(),
            now,
        )
        for number, offer in enumerate(apart)
    ]


def _hold(wish: Wish) -> object:
    return scheduling.hold(**wish._asdict(), visitor_zone="Europe/Berlin")


def _hold_next(wishes: Iterator[Wish]) -> object:
    return _hold(next(wishes))


def _recorded(wish: Wish) -> list[Statement]:
    """What one hold says to Postgres between BEGIN and COMMIT."""
    statements: list[Statement] = []

    def listen(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        statements.append(Statement(sql, params, context["cursor"].description is not None))
        return result

    with connection.execute_wrapper(listen):
        _hold(wish)
    return statements


def _replay(statements: Sequence[Statement]) -> None:
    """The same statements on the same kind of connection and cursor, without anything around."""
    raw: Any = connection.connection
    with raw.transaction(), raw.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.sql, statement.params)
            if statement.reads:
                cursor.fetchall()


def _forget(wishes: Sequence[Wish]) -> None:
    Booking.objects.filter(form_token__in=[wish.form_token for wish in wishes]).delete()


def _per_second(action: Callable[[Any], object], work: Sequence[Any], threads: int) -> float:
    start = Barrier(threads + 1)

    def run(share: Sequence[Any]) -> None:
        with _connected():
            start.wait()
            for each in share:
                action(each)

    with ThreadPoolExecutor(threads) as crowd:
        shares = [crowd.submit(run, work[number::threads]) for number in range(threads)]
        start.wait()
        begun = time.perf_counter()
        for share in shares:
            share.result()
        return len(work) / (time.perf_counter() - begun)


@contextmanager
def _connected() -> Iterator[None]:
    connection.ensure_connection()
    try:
        yield
    finally:
        connection.close()
