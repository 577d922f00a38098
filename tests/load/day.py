"""A mixed day at rising rates: where the knee is, and whether everything the site said is true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.load import chart, page
from tests.load.mix import MIX
from tests.load.results import Step, climb, knee
from tests.load.site import Ground, serving
from tests.running_site import ROOT, wait_until

RATES = (20, 40, 80, 160, 320, 640, 1280)
SECONDS = 15.0
WARM_UP_RATE, WARM_UP_SECONDS = 25.0, 6.0
SETTLE_SECONDS = 90

OVERLAPS = """
    SELECT count(*) FROM booking_booking one JOIN booking_booking other
    ON one.calendar_id = other.calendar_id AND one.id < other.id
    AND one.start < other."end" AND other.start < one."end"
    WHERE one.status IN ('held', 'confirmed') AND other.status IN ('held', 'confirmed')
"""
BOOKED = """
    SELECT asked.email, count(booking.id) FILTER (WHERE booking.status = 'confirmed')
    FROM unnest(%s::text[]) asked(email) LEFT JOIN booking_booking booking USING (email)
    GROUP BY 1
"""
READERS = """
    SELECT asked.address, reader.status FROM unnest(%s::text[]) asked(address)
    LEFT JOIN newsletter_subscriber reader ON reader.address_key = asked.address
"""
WAITING = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND priority = 0 AND scheduled_at IS NULL"


class Guests:
    """The generator's process."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        command = [sys.executable, "-m", "tests.load.generator"]
        arguments = [str(ground.mail_port), str(ground.port), ground.host, ground.session]
        self.process = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def come(self, *, rate: float, seconds: float, seed: int) -> Step:
        before = self.ground.cpu()
        self._say({"rate": rate, "seconds": seconds, "seed": seed})
        assert self._line() == "over\n"
        after, connections = self.ground.cpu(), self.ground.connections()
        told = json.loads(self._line())
        cpu = {name: (after[name] - before[name]) / seconds for name in after}
        cpu["generator"] = told.pop("cpu")
        machine = cpu.pop("machine")
        cpu["others"] = max(0.0, machine - sum(cpu.values()))
        kinds = {kind: tuple(values) for kind, values in told.pop("kinds").items()}
        errors = Counter(told.pop("errors"))
        return Step(
            asked=rate, errors=errors, cpu=cpu, kinds=kinds, connections=connections, **told
        )

    def go(self) -> dict[str, Any]:
        """Let the last ones finish; returns what the site has acknowledged to all of them."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        told: dict[str, Any] = json.loads(self._line())
        self.process.wait(timeout=30)
        return told

    def _say(self, what: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


def run(*, seconds: float = SECONDS, rates: Sequence[float] = RATES) -> str:
    """Measure, draw, check; returns Markdown. Raises AssertionError if the site broke its word."""
    with serving() as ground:
        guests = Guests(ground)
        try:
            steps, told = _measured(ground, guests, seconds, rates)
        finally:
            guests.process.kill()
        truth = _truth(ground, told)
    page.CHART.write_text(chart.latencies(steps))
    return "\n".join([_table(steps), _errors(steps), _kinds(steps), _mix(), truth])


def _measured(
    ground: Ground, guests: Guests, seconds: float, rates: Sequence[float]
) -> tuple[list[Step], dict[str, Any]]:
    """All steps, and what the site has acknowledged meanwhile."""
    guests.come(rate=WARM_UP_RATE, seconds=WARM_UP_SECONDS, seed=0)

    def measure(rate: float) -> Step:
        step = guests.come(rate=rate, seconds=seconds, seed=round(rate))
        _report(step)
        return step

    steps = climb(measure, iter(rates))
    # The worker sends mails to the generator: it must be there until all have gone.
    wait_until(lambda: ground.query(WAITING) == [(0,)], SETTLE_SECONDS)
    return steps, guests.go()


def _report(step: Step) -> None:
    sys.stderr.write(
        f"{step.asked:5.0f} a second: p50 {step.p50:.1f}, p95 {step.p95:.1f}, p99 {step.p99:.1f} ms,"
        f" generator late {step.late:.0f} ms, errors {dict(step.errors)}\n"
    )


def _table(steps: Sequence[Step]) -> str:
    heads = [
        "requests a second",
        "answered",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "errors",
        "connections",
        *(f"CPU {name}" for name in ("web", "worker", "Postgres", "generator", "others")),
        "",
    ]
    held = knee(steps)
    rows = [
        [
            f"{step.asked:.0f}",
            f"{step.answered:.0f}",
            f"{step.p50:.1f}",
            f"{step.p95:.1f}",
            f"{step.p99:.1f}",
            f"{step.errors.total()} of {step.requests:,}",
            step.connections,
            *(step.cpu[name] for name in ("web", "worker", "Postgres", "generator", "others")),
            "**the knee**" if step is held else "; ".join(step.troubles),
        ]
        for step in steps
    ]
    count = os.cpu_count()
    return f"CPU is in cores of {count}.\n\n{page.table(heads, rows)}"


def _errors(steps: Sequence[Step]) -> str:
    lines = [
        f"- at {step.asked:.0f} a second: "
        + ", ".join(f"{kind} ({count})" for kind, count in step.errors.most_common())
        for step in steps
        if step.errors
    ]
    return "\n".join(["Errors by kind:", "", *lines, ""] if lines else ["No errors.", ""])


def _kinds(steps: Sequence[Step]) -> str:
    held = knee(steps)
    if held is None:
        return ""
    rows = [
        [visit.kind, count, f"{p50:.1f}", f"{p95:.1f}"]
        for visit in MIX
        for count, p50, p95 in [held.kinds.get(visit.kind, (0, 0.0, 0.0))]
    ]
    title = f"At the knee, {held.asked:.0f} a second, by what was asked for:"
    return f"{title}\n\n{page.table(['visit', 'requests', 'p50 ms', 'p95 ms'], rows)}"


def _mix() -> str:
    rows = [[visit.kind, f"{visit.share:.0f} %", visit.requests] for visit in MIX]
    heads = ["the mix", "share of all requests", "requests a visit"]
    return page.table(heads, rows)


def _truth(ground: Ground, told: dict[str, Any]) -> str:
    """Compare what guests were told with what is there."""
    booked = dict(ground.query(BOOKED, told["booked"]))
    wrong = {email: count for email, count in booked.items() if count != 1}
    assert not wrong, f"booked once, found otherwise: {wrong}"
    assert ground.query(OVERLAPS) == [(0,)], "a double booking"
    readers = dict(ground.query(READERS, told["joined"]))
    lost = [address for address, status in readers.items() if status is None]
    assert not lost, f"signed up, not found: {lost}"
    unconfirmed = [each for each in told["confirmed"] if readers[each] != "confirmed"]
    assert not unconfirmed, f"confirmed, not found so: {unconfirmed}"
    unmailed = [email for email in booked if email not in told["mailed"]]
    assert not unmailed, f"booked, but no confirmation came: {unmailed}"
    return (
        f"Afterwards: {len(booked):,} acknowledged bookings stand in the database once each and have their "
        f"confirmation mail, no two times overlap, {told['taken']:,} guests were told that their time was just "
        f"taken; {len(readers):,} acknowledged sign-ups are there, {len(told['confirmed']):,} of them confirmed. "
        f"From the button to the mail it took at most {told['mail_p95']:.1f} s for 95 of 100, all rates together.\n"
    )
