"""How often public pages are shown: one number a day and page, told of nobody.

Kept pages are answered without a query, so each process counts in its memory and adds what it has
to the table `pages_dailycount` from a thread of its own: every minute, and when the process ends in
order. A kill loses a minute at most. Of who looks nothing is stored, neither here nor there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date

import psycopg
from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest
from django.utils import timezone

EVERY_SECONDS = 60
# Words by which programs that read pages name themselves; those that claim to be browsers count.
ROBOTS = (
    "bot",
    "crawl",
    "spider",
    "slurp",
    "preview",
    "externalhit",
    "headless",
    "lighthouse",
    "monitor",
    "uptime",
    "scan",
    "fetch",
    "http-client",
    "httpclient",
    "python",
    "curl",
    "wget",
    "libwww",
    "okhttp",
    "java/",
)

# One statement, so that processes that write at once add up; rows in one order, so that they never
# wait for each other in a circle.
ADD = """
    INSERT INTO pages_dailycount AS known (day, what, count)
    SELECT * FROM unnest(%s::date[], %s::text[], %s::integer[])
    ON CONFLICT (day, what) DO UPDATE SET count = known.count + excluded.count
"""

Counts = Counter[tuple[date, str]]

logger = logging.getLogger(__name__)


class DailyCounter:
    """The counts of one process that are not in Postgres yet."""

    def __init__(self) -> None:
        self._counts: Counts = Counter()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    def count(self, what: str, *, day: date) -> None:
        """One more, and a thread that writes it down soon."""
        with self._lock:
            self._counts[day, what] += 1
            if self._thread is None and settings.WRITES_COUNTS:
                # Begun in the process that serves: threads do not survive a fork.
                self._thread = threading.Thread(target=self._run, name="counters", daemon=True)
                self._thread.start()

    def write(self) -> int:
        """Add what came together to Postgres; returns how many. What cannot be written waits.

        A line that breaks between the commit and its answer counts that minute twice.
        """
        with self._writing:
            counts = self._take()
            if not counts:
                return 0
            try:
                _add(counts)
            except (Error, psycopg.Error) as error:
                with self._lock:
                    self._counts.update(counts)
                logger.warning("Counts wait for the database: %s", type(error).__name__)
                return 0
            return counts.total()

    def _take(self) -> Counts:
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts

    def _run(self) -> None:
        while True:
            time.sleep(EVERY_SECONDS)
            self.write()
            # Back to the pool: between two minutes nobody needs it.
            connection.close()


def _add(counts: Mapping[tuple[date, str], int]) -> None:
    rows = sorted((day, what, count) for (day, what), count in counts.items())
    with connection.cursor() as cursor:
        cursor.execute(ADD, [list(column) for column in zip(*rows, strict=True)])


_counter = DailyCounter()


def counting(what: str) -> Callable[[HttpRequest], None]:
    """For `kept.until_it_changes(shown=…)`: counts a page each time somebody is shown it."""

    def shown(request: HttpRequest) -> None:
        if is_somebody_looking(request):
            today = timezone.localdate(timezone.now(), timezone.get_default_timezone())
            _counter.count(what, day=today)

    return shown


def is_somebody_looking(request: HttpRequest) -> bool:
    """Whether a person sees the page now, as far as one can know without storing anything.

    No robot that says so, no browser that fetches ahead (Fetch standard, `Sec-Purpose`), and nobody
    of the desk: its sign-in is the only thing that ever sets a session's cookie.
    """
    sent = request.META
    agent = sent.get("HTTP_USER_AGENT", "").lower()
    return (
        request.method == "GET"
        and agent != ""
        and "prefetch" not in sent.get("HTTP_SEC_PURPOSE", "")
        and settings.SESSION_COOKIE_NAME not in sent.get("HTTP_COOKIE", "")
        and not any(word in agent for word in ROBOTS)
    )


def write() -> int:
    """Add to Postgres what this process has counted; before it ends, for instance."""
    return _counter.write()
