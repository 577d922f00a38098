"""Three hosts on one Postgres are one site: whoever is sent from one to another notices nothing."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.faults.hosts.guests import PAID, Crowd, Traveller, free_slots
from tests.faults.hosts.invariants import problems
from tests.running_site import TYPING_SECONDS, Page, wait_until

pytestmark = pytest.mark.xdist_group("faults")
SOAK = os.environ.get("SOAK") is not None
GUESTS = 30 if SOAK else 5
RUSH = 60 if SOAK else 18


def test_guests_book_and_pay_across_hosts(hosts, random, figures):
    crowd = Crowd(hosts, random)
    crowd.book_all(itertools.islice(free_slots(hosts), GUESTS))
    payers = Crowd(hosts, random)
    payers.book_all(itertools.islice(free_slots(hosts, PAID), GUESTS), pays=True)
    hosts.settle()

    assert len(crowd.booked) == GUESTS
    assert len(payers.booked) == GUESTS
    assert (crowd.apologies, payers.apologies) == (0, 0)
    assert problems(hosts, [crowd, payers]) == []
    figures(f"{2 * GUESTS} guests booked across three hosts, half of them paying.")
