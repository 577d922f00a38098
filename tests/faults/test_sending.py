"""Senders are killed, the database and the mail server go away: nobody is forgotten, nobody gets it twice.

What a killed sender had in flight is uncertain: at most one mail a connection, listed, not repeated.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from coaching_site.local.postgres import Cluster
from newsletter.models import Pace
from newsletter.sending import running
from tests import smtp_relay
from tests.newsletter.issues import draft, readers
from tests.running_site import ROOT, wait_until
from tests.smtp_relay import LOST_AFTER, LOST_BEFORE, Relay

# One after the other: each of them wants the machine for itself.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("faults")]

SOAK = os.environ.get("SOAK") is not None
SEEDS = range(20) if SOAK else range(1)
READERS = 600 if SOAK else 200
CONNECTIONS = 6
AWAY_SECONDS = 10.0 if SOAK else 3.0
# In real life minutes: a killed sender's claims run out, the mail server is asked again.
TIMINGS = "lease=2,slice=3,first_pause=0.3,longest_pause=1,first_deferral=0.2,longest_deferral=0.5"


WORKER = [sys.executable, "manage.py", "procrastinate", "worker"]


@dataclass
class Office:
    """Senders as processes, and what they send to."""

    relay: Relay
    server: smtp_relay.RunningRelay
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def hire(self, *arguments: str, dsn: str = "") -> subprocess.Popen[str]:
        """A sender at work; returns once it is."""
        process = self.run([sys.executable, "-m", "tests.sender_process", *arguments], dsn=dsn)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def run(self, command: list[str], *, dsn: str = "") -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "DATABASE_URL": dsn or database_url(),
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(self.relay.port),
            "EMAIL_SECURITY": "none",
            "SENDING_TIMINGS": TIMINGS,
        }
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def wait_for(self, accepted: int) -> None:
        wait_until(lambda: self.relay.total >= accepted, seconds=60)

    def finish(self, seconds: float = 90) -> None:
        """Until every sender has gone home by itself."""
        for process in self.processes:
            process.wait(timeout=seconds)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture
def office() -> Iterator[Office]:
    relay = Relay(keeps=False, answer_after=0.004)
    with smtp_relay.running(relay) as server:
        office = Office(relay, server)
        yield office
        office.close()


@pytest.fixture
def issue():
    Pace.objects.create(pk=1, connections=CONNECTIONS)
    readers(READERS)
    now = timezone.now()
    issue = running.schedule(draft().pk, at=None, now=now - 2 * running.UNDO)
    running.start(issue.pk, now=now)
    return issue


def database_url() -> str:
    values = connection.get_connection_params()
    info = psycopg.conninfo.make_conninfo(
        **{name: values[name] for name in ("host", "port", "user", "password") if values.get(name)}
    )
    parts = psycopg.conninfo.conninfo_to_dict(info)
    host = str(parts.get("host", "")).replace("/", "%2F")
    return f"postgres://{parts['user']}:{parts.get('password', '')}@{host}:{parts.get('port', '')}/{values['dbname']}"


def told(issue) -> dict[str, str]:
    """Address and state, as the ledger has them."""
    rows = issue.deliveries.values_list("subscriber__address_key", "state")
    return dict(rows)


def check(issue, relay: Relay, *, crashes: int, duplicates: int = 0) -> None:
    """Nobody forgotten, nobody twice, nothing called sent that was not accepted."""
    ledger = told(issue)
    states = Counter(ledger.values())
    accepted = {address for address in relay.accepted if address in ledger}
    assert relay.duplicates <= duplicates
    assert set(states) <= {"sent", "uncertain"}, states
    assert {address for address, state in ledger.items() if state == "sent"} <= accepted
    assert states["uncertain"] <= CONNECTIONS * crashes
    # Whoever did not get it is on the list of the uncertain.
    assert {address for address, state in ledger.items() if state != "uncertain"} <= accepted


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_senders_forget_nobody_and_repeat_nothing(office, issue, seed):
    random = Random(seed)
    kills = 4 if SOAK else 2
    for _ in range(kills):
        victim = office.hire()
        office.wait_for(min(office.relay.total + random.randrange(5, READERS // 5), READERS - 10))
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    office.hire()
    office.finish()

    check(issue, office.relay, crashes=kills)
    issue.refresh_from_db()
    assert issue.status == "sent"


def test_writing_it_down_afterwards_would_be_noticed(office, issue):
    victim = office.hire("careless")
    office.wait_for(60)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    office.hire()
    office.finish()

    assert office.relay.duplicates > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_two_senders_at_once_of_which_one_is_killed(office, issue, seed):
    random = Random(seed)
    first, _ = office.hire(), office.hire()
    office.wait_for(random.randrange(20, READERS // 2))
    first.send_signal(signal.SIGKILL)
    office.finish()

    check(issue, office.relay, crashes=1)


def test_a_relay_that_loses_connections_before_and_after_its_answer(office, issue):
    random = Random(7)
    lost = Counter[str]()

    def rule(to: str) -> str | None:
        choice = random.choices([None, LOST_BEFORE, LOST_AFTER], [20, 1, 1])[0]
        lost[str(choice)] += 1
        return choice

    office.relay.on_message = rule
    office.hire()
    office.finish()

    ledger = told(issue)
    states = Counter(ledger.values())
    assert office.relay.duplicates == 0
    assert states["uncertain"] == lost[LOST_BEFORE] + lost[LOST_AFTER] > 0
    assert states["sent"] + states["uncertain"] == READERS
    assert office.relay.total == states["sent"] + lost[LOST_AFTER]


def test_a_relay_that_goes_down_and_comes_back(office, issue):
    office.hire()
    office.wait_for(50)
    office.server.down()
    time.sleep(1)
    office.server.up()
    office.finish()

    # A connection that broke after the final dot leaves a mail of which nobody knows.
    check(issue, office.relay, crashes=1)


def test_a_storm_of_come_back_later(office, issue):
    random = Random(3)
    answers = ["451 4.7.1 later", "450 4.2.1 busy", "454 4.7.0 throttled", "421 4.7.0 slow down"]
    weights = [30, 5, 5, 1, 1]
    office.relay.on_recipient = lambda to: random.choices([None, *answers], weights)[0]
    office.hire()
    office.finish()

    check(issue, office.relay, crashes=0)


def test_a_worker_told_to_stop_finishes_what_is_in_flight_and_leaves_the_rest(office, issue):
    office.relay.answer_after = 0.1
    worker = office.run(WORKER)
    office.wait_for(30)

    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=45) == 0

    states = Counter(told(issue).values())
    assert states["sent"] == office.relay.total >= 30
    assert set(states) == {"sent", "pending"}
    office.relay.answer_after = 0.0
    office.run(WORKER)
    wait_until(lambda: office.relay.total == READERS, seconds=60)
    assert office.relay.duplicates == 0


def test_a_database_that_goes_away_is_waited_for(office, tmp_path):
    """In a cluster of its own, which is stopped at once while mails are on their way."""
    cluster = Cluster(tmp_path / "postgres", {"max_connections": "50"})
    cluster.start()
    try:
        url = cluster.create_database("away")
        prepare = [sys.executable, "-m", "tests.sending_ground", str(READERS), str(CONNECTIONS)]
        environment = {**os.environ, "DATABASE_URL": url}
        subprocess.run(prepare, cwd=ROOT, env=environment, check=True)
        office.hire(dsn=url)
        office.wait_for(60)
        cluster.stop()
        time.sleep(AWAY_SECONDS)
        cluster.start()
        office.finish()
        with psycopg.connect(cluster.dsn("away")) as there:
            states: dict[str, int] = dict(
                there.execute(
                    "SELECT state, count(*) FROM newsletter_delivery GROUP BY 1"
                ).fetchall()
            )
    finally:
        cluster.stop()

    assert (office.relay.total, office.relay.duplicates) == (READERS, 0)
    assert states == {"sent": READERS}
