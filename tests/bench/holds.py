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

from booking import availability, scheduling
from booking.models import Booking, CallType
from booking.scheduling import Guest
from booking.slots import Interval
from tests.bench import measure, scenes
from tests.bench.measure import Cost, Pair, Part
from tests.bench.replay import recorded, replay

ROUNDS = 9
THREADS = (1, 4, 8)
HOLDS = 240
LATENCY_HOLDS = 60
SLUG = "kennenlernen"
SCENE = "10,000 past bookings"
YEAR = timedelta(days=365)
WARMING = 5
LIMIT = "the same statements in raw Postgres"


class Wish(NamedTuple):
    """A hold somebody is about to ask for."""

    call_type: CallType
    start: datetime
    guest: Guest
    form_token: uuid.UUID
    now: datetime


def throughput(rounds: int = ROUNDS) -> Part:
    """Holds a second in one calendar, all waiting for the same lock, with durable commits."""
    with scenes.entered(SCENE):
        wishes = _wishes(HOLDS)
        heard = [recorded(partial(_hold, wish)) for wish in wishes]
        _forget(wishes)
        speeds: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
        for _ in range(rounds):
            for threads in THREADS:
                for name, action, work in (("site", _hold, wishes), ("raw", replay, heard)):
                    speeds[name, threads].append(per_second(action, work, threads))
                    _forget(wishes)
    rows = []
    for threads in THREADS:
        site, raw = speeds["site", threads], speeds["raw", threads]
        shares = [100 * mine / bare for mine, bare in zip(site, raw, strict=True)]
        rows.append(
            [threads, f"{median(site):.0f}", f"{median(raw):.0f}", f"{median(shares):.0f} %"]
        )
    heads = [
        "threads",
        "holds a second in one calendar",
        "the same statements without the site",
        "share",
    ]
    return Part(measure.table(heads, rows))


def latency(rounds: int = ROUNDS) -> Part:
    """One hold after the other, at every length of history."""
    costs: defaultdict[tuple[str, str], list[Cost]] = defaultdict(list)
    for _ in range(rounds):
        for scene in scenes.SCENES:
            with scenes.entered(scene):
                wishes = _wishes(LATENCY_HOLDS + WARMING)
                heard = [recorded(partial(_hold, wish)) for wish in wishes]
                _forget(wishes)
                costs["site", scene].append(_each(_hold, wishes))
                _forget(wishes)
                costs["raw", scene].append(_each(replay, heard))
                _forget(wishes)
    middles = {scene: measure.middle(costs["site", scene]) for scene in scenes.SCENES}
    first = next(iter(middles.values()))
    rows = [[scene, c.cpu, c.wall, c.wall / first.wall] for scene, c in middles.items()]
    bare = measure.middle(costs["raw", SCENE])
    return Part(
        measure.table(["one hold", "CPU ms", "wall ms", "wall to first row"], rows),
        [Pair(f"one hold, {SCENE}", middles[SCENE], LIMIT, bare)],
    )


def _each(action: Callable[[Any], object], work: Sequence[Any]) -> Cost:
    """One after the other; the first ones warm the connection."""
    for each in work[:WARMING]:
        action(each)
    rest = iter(work[WARMING:])
    return measure.cost(lambda: action(next(rest)), len(work) - WARMING)


def free_times(count: int) -> list[datetime]:
    """Free times from all over the year, so that no week is fuller than a coach's week is."""
    now = timezone.now()
    call_type = CallType.objects.offered().get(slug=SLUG)
    call_type.horizon_days = YEAR.days
    offers = availability.offered_slots(call_type, now=now, within=Interval(now, now + YEAR))
    # Every third half hour: a pause of a quarter of an hour lies between.
    apart = offers[:: max(3, len(offers) // count)][:count]
    assert len(apart) == count
    return [offer.start for offer in apart]


def _wishes(count: int) -> list[Wish]:
    now = timezone.now()
    call_type = CallType.objects.offered().get(slug=SLUG)
    call_type.horizon_days = YEAR.days
    return [
        Wish(
            call_type,
            start,
            Guest(name="Ada Müller", email=f"ada{number}@example.org", topic="Mein Team"),
            uuid.uuid4(),
            now,
        )
        for number, start in enumerate(free_times(count))
    ]


def _hold(wish: Wish) -> object:
    return scheduling.hold(**wish._asdict(), visitor_zone="Europe/Berlin")


def _forget(wishes: Sequence[Wish]) -> None:
    Booking.objects.filter(form_token__in=[wish.form_token for wish in wishes]).delete()


def per_second(action: Callable[[Any], object], work: Sequence[Any], threads: int) -> float:
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
