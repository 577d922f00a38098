"""The mail server and Stripe go away, hang or answer late while guests book."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.booking.money_invariants import problems as money_problems
from tests.faults.hosts.gate import Gate
from tests.faults.hosts.guests import PAID, Crowd, free_slots
from tests.faults.hosts.invariants import problems
from tests.faults.hosts.site import ASK
from tests.running_site import wait_until
from tests.stripe_sandbox import Sandbox

pytestmark = pytest.mark.xdist_group("faults")
SOAK = os.environ.get("SOAK") is not None
GUESTS = 12 if SOAK else 3
AWAY_SECONDS = 20.0 if SOAK else 2.0
LATE_SECONDS = 3.0
API = "* /v1/*"

MAIL_FAULTS = {
    "refuses": lambda gate: gate.shut(),
    "hangs": lambda gate: gate.silence(),
    "is late": lambda gate: gate.slow(0.3),
}
STRIPE_FAULTS = {
    "breaks lines": lambda stripe: stripe.faults.reset(API, times=None),
    "hangs": lambda stripe: stripe.faults.silence(API, times=None),
    "is late": lambda stripe: stripe.faults.delay(LATE_SECONDS, API, times=None),
    "forgets to answer": lambda stripe: stripe.faults.lose_answer(API, times=None),
}

# The two that leave most in doubt are tried each time.
STRIPE_FAULTS_NOW = [
    fault for name, fault in STRIPE_FAULTS.items() if SOAK or name in ("hangs", "forgets to answer")
]


def test_guests_book_while_the_mail_server_is_away(hosts, random, figures):
    slots = free_slots(hosts)
    crowds = []
    for name, fault in MAIL_FAULTS.items():
        crowd = Crowd(hosts, random)
        break_mail: Callable[[Gate], None] = fault
        break_mail(hosts.mail_gate)
        crowd.book_all(itertools.islice(slots, GUESTS))
        time.sleep(AWAY_SECONDS)
        hosts.mail_gate.open()
        assert len(crowd.booked) == GUESTS, name
        assert crowd.apologies == 0, name
        crowds.append(crowd)
    hosts.settle()

    # A mail whose answer got lost on the way back comes again, with the same Message-ID.
    assert problems(hosts, crowds, repeats=3 * GUESTS) == []
    figures(
        f"A mail server that refuses, hangs and is late: {3 * GUESTS} guests booked, all mails came."
    )


def test_nobody_pays_twice_while_stripe_is_away(hosts, random, figures):
    slots = free_slots(hosts, PAID)
    crowds = []
    for fault in STRIPE_FAULTS_NOW:
        crowd = Crowd(hosts, random)
        break_stripe: Callable[[Sandbox], None] = fault

        def trouble(break_it: Callable[[Sandbox], None] = break_stripe) -> None:
            break_it(hosts.stripe)
            time.sleep(AWAY_SECONDS + 2.5)  # until the first have typed and pressed
            hosts.stripe.faults.clear()

        crowd.book_all(itertools.islice(slots, GUESTS), during=trouble, pays=True)
        crowds.append(crowd)

    def books_agree() -> bool:
        hosts.query(ASK, "booking.reconcile_payments", "booking.reconcile_payments")
        hosts.settle()
        return not money_problems(hosts.stripe, datetime.now(UTC))

    with hosts.models():
        wait_until(books_agree)
    assert [sentence for crowd in crowds for sentence in crowd.strange] == []
    booked = sum(len(crowd.booked) for crowd in crowds)
    assert booked >= GUESTS
    assert problems(hosts, crowds) == []
    figures(
        f"A Stripe that breaks lines, hangs, is late and forgets to answer: of {len(crowds) * GUESTS} guests"
        f" {booked} paid once and are booked, {sum(crowd.apologies for crowd in crowds)} answers said"
        " that payments are away; nobody paid twice."
    )
