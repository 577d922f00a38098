"""Clocks that are wrong: hosts that disagree, one that jumps an hour, one that slept."""

from __future__ import annotations

import itertools
import os
import signal
import time
from datetime import UTC, datetime

import pytest

from tests.booking.money_invariants import problems as money_problems
from tests.faults.hosts.guests import PAID, Crowd, free_slots
from tests.faults.hosts.invariants import problems
from tests.faults.hosts.site import ASK, Hosts
from tests.running_site import TYPING_SECONDS, Visitor, wait_until

pytestmark = pytest.mark.xdist_group("faults")
SOAK = os.environ.get("SOAK") is not None
GUESTS = 30 if SOAK else 4
HOUR = 3600

WORKERS = (
    "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '4 seconds'"
)


def set_clocks(hosts: Hosts, *seconds: float) -> None:
    for host, ahead in zip(hosts.hosts, seconds, strict=True):
        host.set_clock(ahead)


def test_hosts_that_disagree_by_a_minute_and_a_half_are_one_site(hosts, random, figures):
    set_clocks(hosts, 0, 45, -45)
    crowd, payers = Crowd(hosts, random), Crowd(hosts, random)
    slots = list(itertools.islice(free_slots(hosts), GUESTS))
    crowd.book_all(slot for slot in slots for _ in range(2))
    payers.book_all(itertools.islice(free_slots(hosts, PAID), GUESTS // 2), pays=True)
    for _ in range(6):
        hosts.query(ASK, "booking.due_reminders", None)
    hosts.settle()

    assert problems(hosts, [crowd, payers]) == []
    assert (crowd.apologies, payers.apologies) == (0, 0)
    with hosts.models():
        assert money_problems(hosts.stripe, datetime.now(UTC), settled=False) == []
    assert crowd.booked or payers.booked
    figures(
        f"Three hosts up to 90 seconds apart, {3 * GUESTS} guests who want {3 * GUESTS // 2} times:"
        f" {len(crowd.booked) + len(payers.booked)} booked, each mail came once."
    )


def test_a_form_from_a_host_that_is_ahead_is_refused_once_at_most(hosts):
    set_clocks(hosts, 0, HOUR, 0)
    ahead, right = hosts.urls[1], hosts.urls[0]
    visitor = Visitor(ahead)
    form = visitor.get(next(free_slots(hosts)))
    time.sleep(TYPING_SECONDS)
    details = {"name": "Ada", "email": "frueh@firma.example"}

    refused = visitor.post(form, form.url.replace(ahead, right), **details)
    time.sleep(TYPING_SECONDS)
    again = visitor.post(refused, refused.url.replace(ahead, right), **details)

    assert refused.status == 422
    assert "/pruefen/" in again.url


def test_a_hold_that_a_fast_clock_ends_is_never_booked_twice(hosts):
    """The host that is an hour ahead gives the time away early; the first guest is told, not betrayed."""
    slot = next(free_slots(hosts))
    first = Visitor(hosts.urls[0])
    form = first.get(slot)
    second = Visitor(hosts.urls[1])
    hosts.hosts[1].set_clock(HOUR)
    theirs = second.get(slot)
    time.sleep(TYPING_SECONDS)
    review = first.post(form, name="Ada", email="gast-a@firma.example")
    taken = second.post(theirs, name="Ben", email="gast-b@firma.example")
    booked = [first.post(review)]
    if "/pruefen/" in taken.url:
        booked.append(second.post(taken))
    hosts.hosts[1].set_clock(0)
    hosts.settle()

    assert sum("/gebucht/" in page.url for page in booked) == 1
    assert problems(hosts, []) == []


def test_a_worker_whose_clock_jumps_ends_and_waits_until_it_is_right(hosts, random):
    """Else it would remind an hour early, and ask for nothing for an hour once it is set back."""
    jumping = hosts.hosts[2]
    before = jumping.worker.process
    jumping.set_clock(HOUR)
    wait_until(lambda: before is not None and before.poll() is not None)

    jumping.worker.start()
    crowd = Crowd(hosts, random)
    crowd.book_all(itertools.islice(free_slots(hosts), 2))
    hosts.settle()
    assert hosts.query(WORKERS) == [(2,)]
    assert problems(hosts, [crowd]) == []

    jumping.set_clock(0)
    wait_until(lambda: hosts.query(WORKERS) == [(3,)])


def test_a_worker_that_was_asleep_sends_nothing_twice(hosts, random):
    """As a virtual machine that is suspended in the middle of a mail, and goes on."""
    hosts.mail_gate.slow(0.4)
    crowd = Crowd(hosts, random)
    process = hosts.hosts[0].worker.process
    assert process is not None
    pid = process.pid

    def sleep() -> None:
        time.sleep(TYPING_SECONDS + 1.0)
        os.killpg(pid, signal.SIGSTOP)
        time.sleep(8 if SOAK else 7)  # long enough to be taken for dead here
        hosts.query(ASK, "jobs.rescue", "jobs.rescue")
        time.sleep(1)
        os.killpg(pid, signal.SIGCONT)

    crowd.book_all(itertools.islice(free_slots(hosts), 4), during=sleep)
    hosts.mail_gate.open()
    hosts.settle()

    assert problems(hosts, [crowd], repeats=4) == []
    assert len(crowd.booked) == 4
