"""Web and workers are killed at random under all the site does at once; SOAK_SEED chooses which and when."""

from __future__ import annotations

import io
import itertools
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from random import Random

import pytest
from django.utils import timezone

from newsletter.imports import running as imports
from newsletter.models import Import, Issue, Subscriber
from tests.faults.hosts.guests import Crowd, Traveller, free_slots
from tests.faults.hosts.invariants import problems
from tests.faults.hosts.issue import UNSENT, begin_issue
from tests.faults.hosts.site import Hosts
from tests.import_load import write_list
from tests.newsletter import issues
from tests.running_site import TYPING_SECONDS, wait_until

pytestmark = pytest.mark.xdist_group("faults")
SOAK = os.environ.get("SOAK") is not None
SECONDS = float(os.environ.get("SOAK_SECONDS", "120" if SOAK else "8"))
SECONDS_A_KILL = 2.5 if SOAK else 2.0
GUESTS = 80 if SOAK else 10
READERS = 3_000 if SOAK else 150
LINES = 100_000 if SOAK else 3_000
SIGN_UPS = 40 if SOAK else 4
PAGES = ("/", "/angebot/", "/termin/", "/newsletter/", "/impressum/")
# Mails one sender may have on their way when it dies.
CONNECTIONS = 10


@dataclass
class Passers:
    """People who look at pages, and some who sign up for the newsletter."""

    hosts: Hosts
    seen: Counter[int] = field(default_factory=Counter)
    signed_up: list[str] = field(default_factory=list)

    def look(self, is_over: threading.Event) -> None:
        visitor = Traveller(self.hosts.urls)
        for path in itertools.cycle(PAGES):
            if is_over.is_set():
                return
            with suppress(OSError, HTTPException):
                self.seen[visitor.get(path).status] += 1

    def sign_up(self, address: str) -> None:
        visitor = Traveller(self.hosts.urls)
        with suppress(OSError, HTTPException):
            form = visitor.get("/newsletter/")
            time.sleep(TYPING_SECONDS)
            if "/postfach/" in visitor.post(form, email=address).url:
                self.signed_up.append(address)


def kill_at_random(hosts: Hosts, random: Random, seconds: float) -> Counter[str]:
    """In this thread, because what it starts again ends with it."""
    killed: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(random.uniform(0.5, 1.5) * SECONDS_A_KILL)
        part = random.choice([part for host in hosts.hosts for part in host.parts])
        hosts.kill(part)
        killed[part.name] += 1
        hosts.revive()
    return killed


def begin_import(lines: int) -> Import:
    """A list that was checked and begins to come in."""
    file = io.BytesIO()
    write_list(lines, file)
    now = timezone.now()
    run = imports.take_in("liste.csv", file, by=None, now=now)
    # Nobody's consent: they come in, and no issue is sent to them.
    provenance = imports.Provenance("Messe", None, "")
    imports.begin_check(run, mapping=run.mapping, provenance=provenance, now=now)
    wait_until(lambda: Import.objects.get(pk=run.pk).status == Import.Status.CHECKED)
    imports.start(run, now=now)
    return run


def test_whoever_dies_nothing_acknowledged_is_lost(hosts, random, figures):
    crowd, passers = Crowd(hosts, random), Passers(hosts)
    is_over = threading.Event()
    slots = itertools.islice(free_slots(hosts), GUESTS // 2)
    with hosts.models():
        before = Subscriber.objects.count()
        issues.readers(READERS, domain="chaos.example")
        run, issue = begin_import(LINES), begin_issue()

    def sign_up() -> None:
        for number in range(SIGN_UPS):
            passers.sign_up(f"abo{number}@abo.example")

    people = [threading.Thread(target=passers.look, args=(is_over,)) for _ in range(2)]
    people.append(threading.Thread(target=sign_up))
    for person in people:
        person.start()
    killed: Counter[str] = Counter()
    crowd.book_all(
        [slot for slot in slots for _ in range(2)],
        apart=SECONDS / GUESTS,
        during=lambda: killed.update(kill_at_random(hosts, random, SECONDS)),
    )
    is_over.set()
    for person in people:
        person.join()
    hosts.settle()
    wait_until(lambda: hosts.query(UNSENT) == [(0,)])
    hosts.settle()

    assert problems(hosts, [crowd], repeats=4 * killed["worker"]) == []
    assert set(passers.seen) <= {200, 502, 503}, passers.seen
    with hosts.models():
        states = _issue_is_whole(hosts, issue, killed["worker"])
        _import_is_whole(run, before)
        known = set(Subscriber.objects.values_list("address_key", flat=True))
    assert set(passers.signed_up) <= known
    asked = Counter(str(mail["X-Envelope-To"]) for mail in hosts.mailbox.messages)
    assert set(passers.signed_up) <= set(asked)
    figures(
        f"{SECONDS:.0f} s in which {killed['web']} times a web process and {killed['worker']} times a"
        f" worker of three hosts were killed: {len(crowd.booked)} of {GUESTS // 2} times booked,"
        f" {passers.seen.total()} pages looked at, {len(passers.signed_up)} sign-ups, {LINES:,} lines"
        f" imported, {states['sent']} of {READERS} mails of an issue sent once,"
        f" {states['uncertain']} uncertain and not repeated; nothing acknowledged was lost."
    )


def _issue_is_whole(hosts: Hosts, issue: Issue, kills: int) -> Counter[str]:
    """Nobody got it twice; who is called sent has it; the rest is listed as uncertain."""
    rows = dict(issue.deliveries.values_list("subscriber__address_key", "state"))
    got = Counter(
        str(mail["X-Envelope-To"])
        for mail in hosts.mailbox.messages
        if str(mail["X-Envelope-To"]) in rows and str(mail["Subject"]) == issue.subject
    )
    states = Counter(rows.values())
    assert set(states) <= {"sent", "uncertain"}, states
    assert states["uncertain"] <= CONNECTIONS * kills
    assert set(got.values()) <= {1}, got.most_common(3)
    assert {address for address, state in rows.items() if state == "sent"} <= set(got)
    return states


def _import_is_whole(run: Import, before: int) -> None:
    run.refresh_from_db()
    assert run.status == Import.Status.DONE, run.problem
    assert run.counts == run.check_counts
