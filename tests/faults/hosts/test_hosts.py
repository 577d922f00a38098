"""Three hosts on one Postgres are one site: whoever is sent from one to another notices nothing."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password

from booking.views import details
from tests.faults.hosts.guests import PAID, Crowd, Traveller, free_slots
from tests.faults.hosts.invariants import problems
from tests.faults.hosts.issue import UNSENT, begin_issue
from tests.faults.hosts.site import ASK, Hosts
from tests.newsletter import issues
from tests.running_site import TYPING_SECONDS, Page, Visitor, wait_until

pytestmark = pytest.mark.xdist_group("faults")
SOAK = os.environ.get("SOAK") is not None
GUESTS = 30 if SOAK else 4
RUSH = 60 if SOAK else 18
READERS = 1_000 if SOAK else 120
PASSWORD = "only for this test, and long"

# Three appointments, made long ago, that begin within a day: their first reminder is due.
SOON = """
    WITH next AS (
        SELECT id, row_number() OVER (ORDER BY id DESC) AS place FROM booking_booking
        WHERE status = 'confirmed' ORDER BY id DESC LIMIT 3
    )
    UPDATE booking_booking b SET confirmed_at = now() - interval '9 days',
        start = now() + interval '20 hours' + next.place * interval '1 hour',
        "end" = now() + interval '20 hours' + next.place * interval '1 hour' + (b."end" - b.start)
    FROM next WHERE b.id = next.id
"""
WORKERS = (
    "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '3 seconds'"
)
STARTED_TWICE = """
    SELECT task_name, args->>'timestamp', count(*) FROM procrastinate_jobs
    WHERE (args->>'timestamp')::bigint > 0 GROUP BY 1, 2 HAVING count(*) > 1
"""
# A function of ours that is found before Postgres's own, and locks nothing.
UNGUARDED = (
    "CREATE SCHEMA unguarded",
    "CREATE FUNCTION unguarded.pg_advisory_xact_lock(integer, integer) RETURNS void"
    " LANGUAGE sql AS ''",
    "CREATE FUNCTION unguarded.dawdle() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END $$",
    "CREATE TRIGGER dawdle BEFORE INSERT ON booking_booking"
    " FOR EACH ROW EXECUTE FUNCTION unguarded.dawdle()",
    "ALTER TABLE booking_booking DROP CONSTRAINT booking_no_overlap",
    "ALTER DATABASE hosts SET search_path = unguarded, pg_catalog, public",
)
GUARDED = (
    "ALTER DATABASE hosts RESET search_path",
    "DELETE FROM booking_booking WHERE email LIKE 'eilig%'",
    "DROP SCHEMA unguarded CASCADE",
    "ALTER TABLE booking_booking ADD CONSTRAINT booking_no_overlap ",
)
DEFINITION = (
    "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'booking_no_overlap'"
)
CUT_ALL_LINES = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database()
"""


def test_guests_book_and_pay_across_hosts(hosts, random, figures):
    crowd = Crowd(hosts, random)
    crowd.book_all(itertools.islice(free_slots(hosts), GUESTS))
    payers = Crowd(hosts, random)
    # There may be fewer of these times than guests.
    paid = list(itertools.islice(free_slots(hosts, PAID), GUESTS))
    payers.book_all(paid, pays=True)
    hosts.settle()

    assert len(crowd.booked) == GUESTS
    assert len(payers.booked) == len(paid) > 0
    assert (crowd.apologies, payers.apologies) == (0, 0)
    assert problems(hosts, [crowd, payers]) == []
    figures(f"{GUESTS + len(paid)} guests booked across three hosts, {len(paid)} of them paid.")


def test_a_limit_counts_on_all_hosts_together(hosts):
    visitor = Traveller(hosts.urls)
    form = visitor.get(next(free_slots(hosts)))
    time.sleep(TYPING_SECONDS)

    tried = [
        visitor.post(form, name="Ada", email="oft@firma.example").status
        for _ in range(details.SENDS_AN_ADDRESS + 1)
    ]

    assert tried == [200] * details.SENDS_AN_ADDRESS + [429]


def test_sessions_pictures_and_news_are_the_same_everywhere(hosts):
    with hosts.models():
        coach = get_user_model().objects.get(username="coach")
        coach.password = make_password(PASSWORD, hasher="argon2")  # as the hosts know it
        coach.save()
    (hosts.folder / "media" / "bild.webp").write_bytes(b"RIFF....WEBP")
    desk = Traveller(hosts.urls)
    desk.post(desk.get("/verwaltung/login/"), username="coach", password=PASSWORD)

    assert {desk.get("/verwaltung/").url for _ in hosts.urls} == {
        f"{url}/verwaltung/" for url in hosts.urls
    }
    for url in hosts.urls:
        assert Visitor(url).get("/media/bild.webp").status == 200
    for name in ("Ahorn", "Birke"):
        hosts.query("UPDATE pages_practice SET last_name = %s", name)
        wait_until(lambda: all(name in Visitor(url).get("/impressum/").text for url in hosts.urls))  # noqa: B023


def test_an_issue_and_a_reminder_reach_everybody_once(hosts, random, figures):
    crowd = Crowd(hosts, random)
    crowd.book_all(itertools.islice(free_slots(hosts), 3))
    hosts.settle()
    hosts.query(SOON)
    with hosts.models():
        issues.readers(READERS, domain="ausgabe.example")
        begin_issue()
    for _ in range(12):  # as if all hosts thought of it at once, again and again
        hosts.query(ASK, "booking.due_reminders", None)
    hosts.settle()
    wait_until(lambda: hosts.query(UNSENT) == [(0,)])

    assert problems(hosts, [Crowd(hosts, random)]) == []
    got = Counter(str(mail["X-Envelope-To"]) for mail in hosts.mailbox.messages)
    letters = {address: n for address, n in got.items() if address.endswith("@ausgabe.example")}
    assert letters == {f"reader{n}@ausgabe.example": 1 for n in range(READERS)}
    assert {got[told.address] for told in crowd.booked} == {2}
    figures(f"An issue to {READERS} readers by three workers: each got it once.")


def test_what_is_due_at_a_time_is_started_by_one_of_the_workers(hosts):
    hosts.query("DELETE FROM procrastinate_jobs")
    hosts.query("DELETE FROM procrastinate_periodic_defers")
    restart_workers(hosts)
    assert hosts.query(STARTED_TWICE) == []

    # Each of them thought of it: without their common note it would have been started again.
    hosts.query("DELETE FROM procrastinate_periodic_defers")
    restart_workers(hosts)
    assert hosts.query(STARTED_TWICE) != []
    hosts.query("DELETE FROM procrastinate_jobs")


def restart_workers(hosts: Hosts) -> None:
    """A worker that begins looks for what was due in the last minutes."""
    for host in hosts.hosts:
        hosts.kill(host.worker)
    hosts.query("DELETE FROM procrastinate_workers")
    hosts.start()
    wait_until(lambda: hosts.query(WORKERS) == [(len(hosts.hosts),)])
    hosts.settle()


def test_of_a_rush_on_three_hosts_one_gets_the_time(hosts, figures):
    slots = free_slots(hosts)
    assert Counter(page.status for page in rush(hosts, next(slots))) == {200: 1, 409: RUSH - 1}

    # Without lock and constraint the same rush books twice, so the first half can fail.
    with nothing_guards_the_calendar(hosts):
        assert Counter(page.status for page in rush(hosts, next(slots)))[200] > 1
    figures(f"{RUSH} visitors on three hosts wanted one time at once: one got it.")


def rush(hosts: Hosts, slot: str) -> list[Page]:
    """Everybody reads the form in peace, then all press the button together."""
    start = Barrier(RUSH)

    def want(number: int) -> Page:
        visitor = Traveller(hosts.urls, first=number)
        form = visitor.get(slot)
        time.sleep(TYPING_SECONDS)
        start.wait(timeout=120)
        return visitor.post(form, name=f"Gast {number}", email=f"eilig{number}@firma.example")

    with ThreadPoolExecutor(RUSH) as crowd:
        return list(crowd.map(want, range(RUSH)))


@contextmanager
def nothing_guards_the_calendar(hosts: Hosts) -> Iterator[None]:
    """Lock and constraint do nothing, and between look and write is time for others."""
    [(definition,)] = hosts.query(DEFINITION)
    *back, add = GUARDED
    _change_the_database(hosts, UNGUARDED)
    try:
        yield
    finally:
        _change_the_database(hosts, [*back, add + definition])


def _change_the_database(hosts: Hosts, statements: Iterable[str]) -> None:
    """And let every process connect anew."""
    for statement in statements:
        hosts.query(statement)
    hosts.query(CUT_ALL_LINES)
    hosts.wait_until_well()
