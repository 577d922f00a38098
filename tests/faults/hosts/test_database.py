"""Postgres is killed and connections are cut while guests book: what they were told is so."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from random import Random

import pytest

from tests.faults.hosts.guests import Crowd, free_slots
from tests.faults.hosts.invariants import problems
from tests.faults.hosts.site import Hosts

pytestmark = pytest.mark.xdist_group("faults")
SOAK = os.environ.get("SOAK") is not None
GUESTS = 60 if SOAK else 12
FAULTS = 6 if SOAK else 2
PAUSE_SECONDS = 4.0 if SOAK else 1.5

# Most of the lines, whoever they belong to; our own stays.
CUT = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database() AND random() < %s
"""


def kill_the_database(hosts: Hosts, random: Random) -> None:
    hosts.kill_database()
    time.sleep(random.random())
    hosts.revive()


def cut_lines(hosts: Hosts, random: Random) -> None:
    hosts.query(CUT, 0.3 + 0.6 * random.random())


@pytest.mark.parametrize("fault", [kill_the_database, cut_lines])
def test_what_guests_were_told_survives(
    hosts, random, figures, fault: Callable[[Hosts, Random], None]
):
    crowd = Crowd(hosts, random)
    # Two want each time, so that a fault in the wrong moment could book it twice.
    slots = itertools.islice(free_slots(hosts), GUESTS // 2)
    wanted = [slot for slot in slots for _ in range(2)]

    def trouble() -> None:
        for _ in range(FAULTS):
            time.sleep(PAUSE_SECONDS)
            fault(hosts, random)
            hosts.revive()

    crowd.book_all(wanted, apart=FAULTS * PAUSE_SECONDS / GUESTS, during=trouble)
    hosts.settle()

    # A job whose end could not be written down runs again; its mail may, with the same Message-ID.
    assert problems(hosts, [crowd], repeats=FAULTS * len(hosts.hosts)) == []
    assert len(crowd.booked) >= GUESTS // 6, "hardly anybody could book"
    figures(
        f"{fault.__name__}, {FAULTS} times while {GUESTS} guests wanted {GUESTS // 2} times:"
        f" {len(crowd.booked)} were told „gebucht“, {crowd.apologies} of {crowd.answers} answers were"
        f" an apology, {crowd.unanswered} had none; all that was promised is so."
    )
