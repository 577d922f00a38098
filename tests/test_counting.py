"""How often pages are shown: a number a day that is true, costs no query and tells of nobody."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from urllib.request import Request, urlopen

import psycopg
import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from psycopg.conninfo import make_conninfo

from coaching_site import counters, kept, news
from pages.models import DailyCount
from tests.booking.conftest import calendar as calendar
from tests.booking.conftest import call_type as call_type
from tests.booking.conftest import clock as clock
from tests.running_site import ROOT, free_port, wait_until

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1"
TODAY = date(2027, 3, 1)
# What a row would say if two processes read it first and wrote it back afterwards.
WITHOUT_THE_GUARD = """
    INSERT INTO pages_dailycount AS known (day, what, count)
    SELECT * FROM unnest(%s::date[], %s::text[], %s::integer[])
    ON CONFLICT (day, what) DO UPDATE SET count = excluded.count
        + (SELECT before.count FROM pages_dailycount before WHERE before.id = known.id)
"""


@pytest.fixture(autouse=True)
def counter(monkeypatch) -> counters.DailyCounter:
    """One that has counted nothing yet."""
    new = counters.DailyCounter()
    monkeypatch.setattr(counters, "_counter", new)
    monkeypatch.setattr(kept, "_pages", {})
    return new


def visit(path: str = "/", *, agent: str = BROWSER, **headers: str) -> HttpResponse:
    answer = Client(headers={"user-agent": agent}).get(path, headers=headers)
    assert isinstance(answer, HttpResponse)
    return answer


def written() -> dict[tuple[date, str], int]:
    counters.write()
    return {(row.day, row.what): row.count for row in DailyCount.objects.all()}


# --- what counts ------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_landing_page_and_pages_of_times_are_counted_by_the_day_in_berlin(clock, call_type):
    clock(datetime(2027, 2, 28, 22, 59, tzinfo=UTC))
    visit("/")
    clock(datetime(2027, 2, 28, 23, 1, tzinfo=UTC))
    visit("/?utm=1", agent=PHONE)
    visit("/termin/kennenlernen/2027-03-03/")
    visit("/termin/kennenlernen/")
    assert visit("/termin/fehlt/2027-03-03/").status_code == 404

    assert written() == {
        (date(2027, 2, 28), "landing"): 1,
        (date(2027, 3, 1), "landing"): 1,
        (date(2027, 3, 1), "times"): 1,
    }


@pytest.mark.django_db
def test_a_kept_page_and_one_the_browser_has_already_count_without_a_query(monkeypatch):
    monkeypatch.setattr(news, "edition", lambda: 1)
    tag = visit("/")["ETag"]

    with CaptureQueriesContext(connection) as queries:
        assert visit("/").status_code == 200
        assert visit("/", if_none_match=tag).status_code == 304
    assert len(queries) == 0
    assert sum(written().values()) == 3


@pytest.mark.parametrize(
    ("method", "headers", "counts"),
    [
        ("GET", {"user-agent": BROWSER}, True),
        ("GET", {"user-agent": BROWSER, "cookie": "csrftoken=x"}, True),
        ("HEAD", {"user-agent": BROWSER}, False),
        ("GET", {"user-agent": BROWSER, "sec-purpose": "prefetch"}, False),
        ("GET", {"user-agent": BROWSER, "sec-purpose": "prefetch;prerender"}, False),
        ("GET", {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, False),
        ("GET", {"user-agent": "curl/8.14"}, False),
        ("GET", {"user-agent": ""}, False),
        ("GET", {}, False),
        ("GET", {"user-agent": BROWSER, "cookie": "a=b; sessionid=x"}, False),
    ],
    ids=lambda value: str(value)[:60],
)
def test_only_people_who_are_not_of_the_desk_count(method, headers, counts):
    request = RequestFactory(headers=headers).generic(method, "/")

    assert counters.is_somebody_looking(request) is counts


@pytest.mark.django_db
def test_nothing_of_a_visitor_is_stored_and_no_cookie_set(counter):
    answer = visit("/", agent=f"{BROWSER} Besonders/1", referer="https://woher.example/")
    counters.write()
    row = DailyCount.objects.get()

    assert not answer.cookies
    assert {field.name for field in row._meta.fields} == {"id", "day", "what", "count"}
    assert "Besonders" not in str(vars(counter))


def test_what_is_no_page_is_not_counted(counter):
    @kept.until_it_changes(shown=counters.counting("landing"))
    def away(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=302)

    away(RequestFactory(headers={"user-agent": BROWSER}).get("/"))

    assert not counter._counts


# --- writing it down --------------------------------------------------------------------------


@pytest.mark.django_db
def test_writing_twice_adds_nothing_and_later_views_are_added(counter):
    counter.count("landing", day=TODAY)
    assert (counter.write(), counter.write()) == (1, 0)
    counter.count("landing", day=TODAY)
    counter.count("landing", day=TODAY)

    assert written() == {(TODAY, "landing"): 3}


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_written_waits_for_the_next_minute(counter, caplog, monkeypatch):
    counter.count("landing", day=TODAY)
    with monkeypatch.context() as broken:
        broken.setattr(counters, "ADD", "SELECT * FROM fehlt WHERE %s = %s = %s")
        assert counter.write() == 0
    assert "Counts wait for the database" in caplog.text

    counter.count("landing", day=TODAY)
    assert written() == {(TODAY, "landing"): 2}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("add", "total"),
    [(counters.ADD, 12), (WITHOUT_THE_GUARD, 10)],
    ids=["as it is", "without the guard"],
)
def test_two_counters_that_write_at_once_add_up(counter, monkeypatch, add, total):
    """The second waits for the first to commit; without the guard it forgets what it wrote."""
    monkeypatch.setattr(counters, "ADD", add)
    DailyCount.objects.create(day=TODAY, what="landing", count=5)
    here = counters.DailyCounter()
    for _ in range(5):
        here.count("landing", day=TODAY)
    with other_host() as there:
        there.execute(add, [[TODAY], ["landing"], [2]])
        writing = threading.Thread(target=apart(here))
        writing.start()
        wait_until(lambda: DailyCount.objects.exists() and someone_waits())
        there.commit()
        writing.join()

    assert written() == {(TODAY, "landing"): total}


@pytest.mark.django_db(transaction=True)
def test_a_thread_writes_without_being_asked(counter, monkeypatch, settings):
    monkeypatch.setattr(counters, "EVERY_SECONDS", 0.02)
    settings.WRITES_COUNTS = True

    counter.count("landing", day=TODAY)

    wait_until(lambda: DailyCount.objects.filter(count=1).exists())


@pytest.mark.django_db(transaction=True)
def test_workers_that_end_in_order_write_down_what_they_counted():
    with gunicorn(workers=2) as (address, server):
        for _ in range(20):
            with urlopen(Request(address, headers={"User-Agent": BROWSER})) as answer:
                assert answer.status == 200
        assert not DailyCount.objects.exists()
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0

    assert DailyCount.objects.get().count == 20


def other_host() -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(dsn())


def dsn() -> str:
    return make_conninfo(os.environ["DATABASE_URL"], dbname=connection.settings_dict["NAME"])


def apart(one: counters.DailyCounter) -> Callable[[], None]:
    def write() -> None:
        one.write()
        connection.close()

    return write


def someone_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


@contextmanager
def gunicorn(*, workers: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The site's own server, on the tests' database."""
    port = free_port()
    database = rf"/{connection.settings_dict['NAME']}\1"
    environment = {
        **os.environ,
        "DATABASE_URL": re.sub(r"/[^/?]*(\?|$)", database, os.environ["DATABASE_URL"]),
        "PORT": str(port),
        "WEB_WORKERS": str(workers),
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "coaching_site/gunicorn.py"]
    server = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        address = f"http://localhost:{port}/"
        wait_until(lambda: urlopen(f"{address}robots.txt").status == 200)
        yield address, server
    finally:
        if server.poll() is None:
            server.kill()
