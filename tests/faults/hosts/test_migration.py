"""A later version comes with a migration while guests book on the old one: nobody sees an error."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.faults.hosts.guests import Crowd, free_slots
from tests.faults.hosts.invariants import problems
from tests.faults.hosts.site import DATABASE, Hosts
from tests.running_site import ROOT, Visitor, wait_until

pytestmark = pytest.mark.xdist_group("faults")
SOAK = os.environ.get("SOAK") is not None
GUESTS = 40 if SOAK else 10
OLD_ROWS = 100_000 if SOAK else 2_000
READING_SECONDS = 10.0 if SOAK else 2.0
NEXT = "tests.faults.hosts.next_settings"

# Calls of long ago, so that the table is not a small one.
HISTORY = """
    INSERT INTO booking_booking SELECT (jsonb_populate_record(NULL::booking_booking, to_jsonb(b) || jsonb_build_object(
        'id', nextval(pg_get_serial_sequence('booking_booking', 'id')),
        'reference', 'alt' || n, 'form_token', gen_random_uuid(), 'uid', gen_random_uuid(), 'email', 'alt' || n || '@alt.example',
        'start', timestamptz '2000-01-01' + n * interval '1 hour',
        'end', timestamptz '2000-01-01' + n * interval '1 hour' + interval '30 minutes'))).*
    FROM generate_series(1, %s) n, (SELECT * FROM booking_booking WHERE status = 'confirmed' LIMIT 1) b
"""
UNDO = (
    "DROP INDEX IF EXISTS bookings_by_mood",
    "ALTER TABLE booking_booking DROP COLUMN IF EXISTS mood",
    "DELETE FROM django_migrations WHERE app = 'next_version'",
    "DELETE FROM booking_booking WHERE email LIKE '%@alt.example'",
)
WAITING = """
    SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
    AND relation = 'booking_booking'::regclass
"""
HAS_COLUMN = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'mood'"


@contextmanager
def somebody_reads_for_long(hosts: Hosts) -> Iterator[None]:
    """A report or a backup: it only reads, and keeps every change of the table waiting."""
    with psycopg.connect(hosts.cluster.dsn(DATABASE)) as reading:
        reading.execute("SELECT count(*) FROM booking_booking").fetchone()
        yield
        reading.rollback()


@pytest.fixture
def undone(hosts: Hosts) -> Iterator[Hosts]:
    yield hosts
    for host in hosts.hosts:
        host.run_version(hosts.environment["DJANGO_SETTINGS_MODULE"])
        for part in host.parts:
            hosts.kill(part)
    for statement in UNDO:
        hosts.query(statement)
    hosts.start()


def test_a_migration_under_load_fails_nobody(undone, random, figures):
    hosts: Hosts = undone
    crowd = Crowd(hosts, random)
    slots = free_slots(hosts)
    crowd.book(next(slots))
    hosts.query(HISTORY, OLD_ROWS)

    def deploy() -> None:
        with somebody_reads_for_long(hosts):
            preparing = migrate(hosts, "prepare_database")
            assert preparing.stderr is not None
            assert "its migration is tried again" in preparing.stderr.readline()
            time.sleep(READING_SECONDS)
        assert preparing.communicate(timeout=120)[1] is not None
        assert preparing.returncode == 0
        take_over(hosts)

    crowd.book_all(itertools.islice(slots, GUESTS), apart=READING_SECONDS / GUESTS, during=deploy)
    crowd.book_all(itertools.islice(slots, 3))
    hosts.settle()

    assert hosts.query(HAS_COLUMN) == [(1,)]
    assert (crowd.apologies, crowd.unanswered) == (0, 0)
    assert len(crowd.booked) == GUESTS + 4
    assert problems(hosts, [crowd]) == []
    figures(
        f"A migration of a table of {OLD_ROWS:,} bookings that somebody reads for {READING_SECONDS:.0f} s,"
        f" and new processes on three hosts, while {GUESTS} guests book: {crowd.answers} answers,"
        " no error, all booked."
    )


def test_without_a_limit_on_its_patience_everybody_waits_behind_the_migration(undone):
    """So the test above can fail."""
    hosts: Hosts = undone
    visitor = Visitor(hosts.urls[0])
    slot = next(free_slots(hosts))
    with somebody_reads_for_long(hosts):
        careless = migrate(hosts, "migrate")
        wait_until(lambda: hosts.query(WAITING) == [(1,)])
        answers: list[int] = []
        waiting = threading.Thread(target=lambda: answers.append(visitor.get(slot).status))
        waiting.start()
        waiting.join(timeout=2)
        assert answers == []
    waiting.join()
    careless.communicate(timeout=60)
    assert careless.returncode == 0
    assert answers == [200]


def migrate(hosts: Hosts, command: str) -> subprocess.Popen[str]:
    """The later version's migration, on its way."""
    return subprocess.Popen(
        [sys.executable, "manage.py", command, "-v0"],
        cwd=ROOT,
        env={**hosts.environment, "DJANGO_SETTINGS_MODULE": NEXT},
        stderr=subprocess.PIPE,
        text=True,
    )


def take_over(hosts: Hosts) -> None:
    """The first host reads its code anew, the others are replaced one after the other."""
    first, *others = hosts.hosts
    assert first.web.process is not None
    first.web.process.send_signal(signal.SIGHUP)
    for host in hosts.hosts:
        host.run_version(NEXT)
    for host in others:
        host.web.ask_to_stop()
        host.web.wait(time.monotonic() + 60)
        host.web.start()
        wait_until(lambda: Visitor(host.url).get("/healthz").status == 200)  # noqa: B023
    for host in hosts.hosts:
        host.worker.ask_to_stop()
    hosts.wait_until_well()
