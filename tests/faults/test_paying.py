"""Guests book and pay while parts of the site are killed and Stripe's answers get lost.

Once the jobs have run, the site's books and Stripe's say the same: what was paid is an appointment
or went back, and nobody can pay for what is not theirs.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from django.db import connections

from booking.models import Deposit
from tests.booking.conftest import PRIVATELY
from tests.booking.money_invariants import problems
from tests.faults.conftest import LocalSite
from tests.faults.test_kill import free_slots
from tests.running_site import TYPING_SECONDS, Page, Visitor, wait_until
from tests.stripe_sandbox import Sandbox

# One after the other: each of them wants the machine for itself.
pytestmark = pytest.mark.xdist_group("faults")

SOAK = os.environ.get("SOAK") is not None
GUESTS = 45 if SOAK else 12
SECONDS_A_GUEST = 1.0
SECONDS_A_KILL = 8.0
SECONDS_A_FAULT = 1.5
TRIES = 6
PARTS = ("web", "worker", "database")
MOODS = ("pays", "pays", "leaves after paying", "gives up", "gives up and pays", "presses twice")
SETTLED_SECONDS = 180

PRICED = """
    UPDATE booking_calltype SET price_cents = 30000, deposit_cents = 15000
    WHERE slug = 'kennenlernen' RETURNING id
"""
RECONCILE = """
    INSERT INTO procrastinate_jobs (task_name, args, queue_name, status)
    VALUES ('booking.reconcile_payments', '{"timestamp": 0}', 'default', 'todo') RETURNING id
"""
CONFIRMED = "SELECT count(*) FROM booking_booking WHERE status = 'confirmed'"


@pytest.fixture
def stripe(local_site: LocalSite, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A Stripe that sends its events by itself, and again when nobody listens."""
    webhook = f"{local_site.url}/stripe/webhook/"
    with Sandbox(
        mode="automatic", webhook_url=webhook, retry_after=[1.0] * 60, patience=3
    ) as sandbox:
        monkeypatch.setenv("STRIPE_SECRET_KEY", sandbox.api_key)
        monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", sandbox.webhook_secret)
        monkeypatch.setenv("STRIPE_API_BASE", sandbox.base_url)
        yield sandbox


@dataclass
class Crowd:
    """Guests who want to pay, each as patient as they happen to be."""

    site: LocalSite
    stripe: Sandbox
    random: Random
    strange: list[str] = field(default_factory=list)

    def run(self) -> None:
        slots = free_slots(self.site, GUESTS)
        guests = [
            threading.Thread(target=self.visit, args=(number, slot, self.random.choice(MOODS)))
            for number, slot in enumerate(slots)
        ]
        for guest in guests:
            guest.start()
            time.sleep(SECONDS_A_GUEST)
        for guest in guests:
            guest.join()

    def visit(self, number: int, slot: str, mood: str) -> None:
        """Who gets no answer begins again, with the same address and perhaps a hold in the way."""
        for _ in range(TRIES):
            try:
                self.book(Visitor(self.site.url), number, slot, mood)
                break
            except OSError:
                time.sleep(SECONDS_A_GUEST)

    def book(self, visitor: Visitor, number: int, slot: str, mood: str) -> None:
        form = visitor.get(slot)
        time.sleep(TYPING_SECONDS)
        review = self.seen(
            visitor.post(
                form, name=f"Gast {number}", email=f"gast{number}@firma.example", **PRIVATELY
            )
        )
        if "/pruefen/" not in review.url:
            return
        checkout = self.seen(visitor.post(review, early_start="on"))
        if mood == "presses twice" or checkout.status == 503:
            time.sleep(SECONDS_A_GUEST)
            checkout = self.seen(visitor.post(review, early_start="on"))
        if mood.startswith("gives up"):
            self.seen(visitor.post(review, review.url.replace("/pruefen/", "/freigeben/")))
        if mood == "gives up" or "/c/pay/" not in checkout.url:
            return
        if mood == "leaves after paying":
            self.stripe.pay(checkout.url.rpartition("/")[2])
        else:
            self.seen(visitor.post(checkout, ende="bezahlen"))

    def seen(self, page: Page) -> Page:
        """Whatever was killed, a guest reads a sentence of ours."""
        if page.status >= 500 and page.status != 503 and "Es liegt an uns." not in page.text:
            self.strange.append(f"{page.status} {page.url} {page.text[:300]}")
        return page


def kill_at_random(site: LocalSite, random: Random, stop: threading.Event) -> None:
    while not stop.wait(SECONDS_A_KILL):
        site.kill(random.choice(PARTS))
        site.wait_until_well()


def break_lines(stripe: Sandbox, random: Random, stop: threading.Event) -> None:
    while not stop.wait(SECONDS_A_FAULT):
        fault = random.choice(
            [stripe.faults.lose_answer, stripe.faults.reset, stripe.faults.rate_limit]
        )
        fault(random.choice(["POST *", "GET *"]), times=random.choice([1, 2]))


@contextmanager
def trouble(make: Callable[..., None], where: object, random: Random) -> Iterator[None]:
    """Somebody who makes trouble until the block ends."""
    stop = threading.Event()
    maker = threading.Thread(target=make, args=(where, random, stop))
    maker.start()
    try:
        yield
    finally:
        stop.set()
        maker.join()


@contextmanager
def in_the_database_of(site: LocalSite) -> Iterator[None]:
    """Django's models, read from where the site keeps its rows."""
    ours: Any = connections["default"]
    options = {
        name: value for name, value in ours.settings_dict["OPTIONS"].items() if name != "pool"
    }
    there = {
        "HOST": str(site.folder / "postgres" / "socket"),
        "USER": "postgres",
        "NAME": "coaching",
        "PASSWORD": "",
        "PORT": "",
        "OPTIONS": options,
    }
    connections["default"] = type(ours)({**ours.settings_dict, **there}, alias="default")
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = ours


@pytest.mark.parametrize("seed", range(5 if SOAK else 1))
def test_no_money_is_lost_by_kills_and_broken_lines(local_site, stripe, django_db_blocker, seed):
    local_site.start()
    local_site.query(PRICED)
    crowd = Crowd(local_site, stripe, Random(seed))

    with (
        trouble(kill_at_random, local_site, Random(seed)),
        trouble(break_lines, stripe, Random(seed)),
    ):
        crowd.run()
    stripe.faults.clear()
    local_site.wait_until_well()

    found: list[str] = []

    def is_settled() -> bool:
        local_site.query(RECONCILE)
        time.sleep(3)
        found[:] = problems(stripe, datetime.now(UTC))
        return not found

    with django_db_blocker.unblock(), in_the_database_of(local_site):
        assert Deposit.objects.exists()
        with suppress(AssertionError):
            wait_until(is_settled, SETTLED_SECONDS)
    assert crowd.strange == []
    assert found == []
    assert local_site.query(CONFIRMED)[0][0] >= GUESTS // 6, "hardly anybody could pay"
    assert len(stripe.charges) >= GUESTS // 6
