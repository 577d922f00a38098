"""What grows with calendars, bookings and readers, and what serialises them: the figures of docs/scale.md."""

from __future__ import annotations

import statistics
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from booking import availability, invoicing, reminders, scheduling
from booking.models import BusyFeed, Calendar, CallType, Notification
from booking.scheduling import Guest
from booking.slots import Interval
from coaching_site import limits
from coaching_site.desk import retention
from newsletter.sending import running
from tests.bench import cluster, holds, scenes, sending
from tests.bench.holds import Wish
from tests.load import page

ONE, MANY = "1,000 past bookings", "1,000 calendars, 100 each"
ROUNDS = 7
# A process has ten connections at most, so many of them book at once.
THREADS = (1, 4, 8)
CONNECTIONS = (1, 4, 16)
BOOKINGS = 120  # of each number of threads
YEAR, WEEKS = timedelta(days=365), timedelta(days=14)
COMMIT_SECONDS = 2.0
READERS = 1_000_000
STRETCH = 2_000  # so many mails of the long list are sent
MONTH = "/termin/kennenlernen/"

Costs = dict[str, tuple[float, int]]  # milliseconds, queries

# The scenes' past lies back to back; a coach has a call every third day.
SPREAD = """
    UPDATE booking_booking past SET start = start - shift, "end" = "end" - shift
    FROM (
        SELECT id, 143 * (date_trunc('day', now()) - interval '14 days' - start) + interval '21 days' shift
        FROM booking_booking WHERE start < now() - interval '7 days'
    ) each WHERE each.id = past.id
"""
# What one row takes with its indexes, and what makes one.
TABLES = {
    "booking_booking": "a booking",
    "booking_notification": "a mail about it (two for a booking, more with reminders)",
    "procrastinate_jobs": "a job (one for a mail, forgotten after its period)",
    "procrastinate_events": "an event of a job (three for a job, forgotten with it)",
}
LIST_TABLES = {
    "newsletter_subscriber": "a reader",
    "newsletter_delivery": "a delivery (one for a reader and issue)",
}
PROBE = "CREATE TABLE IF NOT EXISTS load_probe (id bigserial PRIMARY KEY, word text)"
COMMITS = {
    "plain": "INSERT INTO load_probe (word) VALUES ('x')",
    "with NOTIFY": "WITH row AS (INSERT INTO load_probe (word) VALUES ('x') RETURNING id)"
    " SELECT pg_notify('load_probe', '') FROM row",
}


def run() -> str:
    # First, while this process is small: Linux counts a parent's memory into its child's peak.
    issue, list_sizes = _list()
    costs: dict[str, Costs] = {}
    for scene in (ONE, MANY):
        with scenes.entered(scene):
            _furnish()
            costs[scene] = _costs()
            if scene == MANY:
                with _all_on_offer():
                    costs[scene] |= {"the month of days, every type on offer": _cost(_month())}
    with scenes.entered(MANY):
        speeds = _bookings()
        commits = _commits(str(connection.settings_dict["NAME"]))
        sizes = _sizes(TABLES)
    heads = ["on disk, with indexes", "rows measured", "bytes a row"]
    on_disk = page.table(heads, [*sizes, *list_sizes])
    return "\n".join([_growth(costs), speeds, commits, issue, on_disk])


def _furnish() -> None:
    """A practice, a coach at the desk, and a feed for each calendar that was read just now."""
    call_command("prepare_database", verbosity=0)
    call_command("demo_data", verbosity=0, stdout=_Nowhere())
    now = timezone.now()
    BusyFeed.objects.bulk_create(
        BusyFeed(
            calendar=calendar,
            url=f"https://kalender.example/{calendar.pk}.ics",
            created_at=now,
            checked_at=now,
            fetched_at=now,
        )
        for calendar in Calendar.objects.all()
    )
    with connection.cursor() as cursor:
        cursor.execute(SPREAD)
        cursor.execute("VACUUM FULL booking_booking")
    # The day's reminders are owed and sent: what is measured is a minute like any other.
    reminders.owe_what_is_due(now=now)
    Notification.objects.update(sent_at=now)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


class _Nowhere:
    def write(self, words: str) -> None: ...


def _costs() -> Costs:
    coach = Client(SERVER_NAME="localhost")
    coach.force_login(get_user_model().objects.get())
    day = _some_day()
    feed = reverse("booking:feed", args=[Calendar.objects.earliest("pk").feed_secret])

    def page_of(name: str) -> Callable[[], object]:
        return lambda: _found(coach, reverse(name))

    work: Mapping[str, Callable[[], object]] = {
        "the month of days": _month(),
        "one day's times": lambda: _found(Client(SERVER_NAME="localhost"), day),
        "the coach's feed for calendar programs": lambda: _found(coach, feed),
        "the coach's „Heute“": page_of("admin:index"),
        "the coach's week": page_of("admin:calendar"),
        "the coach's month": page_of("admin:calendar_month"),
        "every minute: reminders": lambda: reminders.owe_what_is_due(now=timezone.now()),
        "every minute: newsletter": lambda: running.keep_going(now=timezone.now()),
        "every 5 minutes: feeds that are due": lambda: list(BusyFeed.objects.due(timezone.now())),
        "every 5 minutes: invoices owed": lambda: invoicing.write_all_owed(now=timezone.now()),
        "every 10 minutes: holds that ran out": lambda: scheduling.free_expired_holds(
            now=timezone.now()
        ),
        "every hour: counts of tries": lambda: limits.forget(now=timezone.now()),
        "every night: what is over is forgotten": lambda: retention.rehearse(now=timezone.now()),
    }
    return {name: _cost(action) for name, action in work.items()}


def _month() -> Callable[[], object]:
    visitor = Client(SERVER_NAME="localhost")
    return lambda: _found(visitor, MONTH)


def _some_day() -> str:
    call_type = CallType.objects.get(slug="kennenlernen")
    first = availability.offered_slots(call_type, now=timezone.now())[0]
    return f"{MONTH}{timezone.localdate(first.start)}/"


def _found(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)


def _cost(action: Callable[[], object]) -> tuple[float, int]:
    """The median of some rounds by the clock, and the number of queries."""
    with CaptureQueriesContext(connection) as captured:
        action()
    queries = len(captured)  # the client empties the list with its next request
    seconds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds) * 1000, queries


@contextmanager
def _all_on_offer() -> Iterator[None]:
    CallType.objects.update(is_active=True)
    try:
        yield
    finally:
        CallType.objects.exclude(slug="kennenlernen").update(is_active=False)


def _growth(costs: Mapping[str, Costs]) -> str:
    one, many = costs[ONE], costs[MANY]
    rows = [
        [name, *(_words(one[name]) if name in one else ("", "")), *_words(many[name])]
        for name in many
    ]
    heads = [
        "made anew, no page kept",
        "1 calendar, ms",
        "queries",
        "1,000 calendars, ms",
        "queries",
    ]
    return page.table(heads, rows)


def _words(cost: tuple[float, int]) -> tuple[str, str]:
    return f"{cost[0]:.1f}", str(cost[1])


def _bookings() -> str:
    """Whole bookings (a hold, then the yes with its mails and jobs) a second, in threads of one process."""
    types = list(CallType.objects.order_by("pk"))
    one, rest = types[0], iter(types[1:])
    ready = iter(_wishes(one, BOOKINGS * len(THREADS)))
    rows = []
    for threads in THREADS:
        alone = [next(ready) for _ in range(BOOKINGS)]
        apart = [_wishes(next(rest), 1, within=WEEKS)[0] for _ in range(BOOKINGS)]
        speeds = [holds.per_second(_book, work, threads) for work in (alone, apart)]
        rows.append([threads, *(f"{speed:.0f}" for speed in speeds)])
    heads = ["threads of one process", "bookings a second, all in one calendar", "each in its own"]
    return page.table(heads, rows)


def _wishes(call_type: CallType, count: int, within: timedelta = YEAR) -> list[Wish]:
    """Free times from all over the time within which somebody looks."""
    now, call_type.horizon_days = timezone.now(), within.days
    offers = availability.offered_slots(call_type, now=now, within=Interval(now, now + within))
    apart = offers[:: max(3, len(offers) // count)][:count]
    assert len(apart) == count
    return [
        Wish(
            call_type,
            offer.start,
            Guest(name="Gast", email=f"gast-{uuid.uuid4()}@firma.example"),
            uuid.uuid4(),
            now,
        )
        for offer in apart
    ]


def _book(wish: Wish) -> None:
    held = scheduling.hold(**wish._asdict(), visitor_zone="Europe/Berlin")
    scheduling.confirm(held, now=wish.now)


def _commits(database: str) -> str:
    """Durable commits a second of the smallest transaction, without Python's lock in the way."""
    with psycopg.connect(cluster().dsn(database), autocommit=True) as probe:
        probe.execute(PROBE)
    rows = [
        [many, *(f"{_commits_a_second(database, sql, many):.0f}" for sql in COMMITS.values())]
        for many in CONNECTIONS
    ]
    heads = ["connections", "commits a second, one row", "one row and a NOTIFY"]
    return page.table(heads, rows)


def _commits_a_second(database: str, sql: str, threads: int) -> float:
    over, done = threading.Event(), [0] * threads
    start = threading.Barrier(threads + 1)

    def work(number: int) -> None:
        with psycopg.connect(cluster().dsn(database), autocommit=True) as own:
            start.wait()
            while not over.is_set():
                own.execute(sql)
                done[number] += 1

    crowd = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for each in crowd:
        each.start()
    start.wait()
    begun = time.perf_counter()
    time.sleep(COMMIT_SECONDS)
    over.set()
    for each in crowd:
        each.join()
    return sum(done) / (time.perf_counter() - begun)


def _sizes(tables: Mapping[str, str]) -> list[list[object]]:
    """For each table: what a row is, how many there are, bytes each with all indexes."""
    rows: list[list[object]] = []
    with connection.cursor() as cursor:
        for table, what in tables.items():
            cursor.execute(f"SELECT count(*), pg_total_relation_size('{table}') FROM {table}")
            count, size = cursor.fetchone()
            rows.append([what, f"{count:,}", f"{size / max(1, count):,.0f}"])
    return rows


def _list() -> tuple[str, list[list[object]]]:
    """An issue to a million: freezing it and the first mails as a table, and what rows take on disk."""
    frozen = sending.ground(READERS)
    with sending.relay(0.0) as port:
        told: dict[str, Any] = sending.measured("lanes", STRETCH, port)
    name = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = "sending"
    try:
        sizes = _sizes(LIST_TABLES)
    finally:
        scenes.leave()
        connection.settings_dict["NAME"] = name
    heads = ["readers", "freezing s", "first mails", "mails a second", "sender's peak MB"]
    row = [f"{READERS:,}", frozen, f"{told['sent']:,}", f"{told['sent'] / told['seconds']:,.0f}"]
    return page.table(heads, [[*row, f"{told['peak_mb']:.0f}"]]), sizes
