"""Guests in a process of its own: `python -m tests.load.generator PORT SITE_PORT HOST SESSION`.

Reads one JSON object a line, `{"rate": …, "seconds": …, "seed": …}`, and answers each with what was
measured; when its input ends, with what the site has acknowledged. It is the mail server, too: it
listens on PORT, accepts everything, and looks for links to confirm.

Visits come by a Poisson process whatever the site does (an open loop), and each request's time counts
from when it was due, not from when it could be sent: a server that hesitates makes all those wait
who come meanwhile, and that must show. Inside a visit the next page is asked for after the last.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.load.client import Pool
from tests.load.mix import MIX, Guest, Town, Visit, VisitOver, visits_a_second
from tests.load.results import percentile
from tests.smtp_relay import Relay, Session

# After the last arrival, for those who are still waiting for an answer.
DRAIN_SECONDS = 11.0
LAST_SECONDS = 30.0


@dataclass
class Tally:
    """What happened to requests that were due from `begin` to `end`."""

    begin: float = 0.0
    end: float = 0.0
    latencies: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    in_time: int = 0
    late: list[float] = field(default_factory=list)

    def note(self, kind: str, due: float, seconds: float, trouble: str) -> None:
        if not self.begin <= due < self.end:
            return
        self.latencies[kind].append(seconds * 1000)
        if trouble:
            self.errors[trouble] += 1
        elif due + seconds < self.end:
            self.in_time += 1


class Generator:
    def __init__(self, town: Town) -> None:
        self.town = town
        self.tally = Tally()
        self.visits: set[asyncio.Task[None]] = set()
        town.note = self._note

    async def step(self, *, rate: float, seconds: float, seed: int) -> dict[str, Any]:
        """Let guests come for some seconds, wait for those under way, tell what was measured."""
        loop = asyncio.get_running_loop()
        chance = self.town.random = random.Random(seed)
        due = loop.time()
        tally = self.tally = Tally(begin=due, end=due + seconds)
        cpu = time.process_time()
        while (due := due + chance.expovariate(visits_a_second(rate))) < tally.end:
            await asyncio.sleep(max(0.0, due - loop.time()))
            tally.late.append(max(0.0, loop.time() - due) * 1000)
            (visit,) = chance.choices(MIX, [each.weight for each in MIX])
            self._begin(visit, due)
        await asyncio.sleep(max(0.0, tally.end - loop.time()))
        cpu = time.process_time() - cpu
        sys.stdout.write("over\n")  # the CPU of the others is read now
        sys.stdout.flush()
        if self.visits:
            await asyncio.wait(self.visits, timeout=DRAIN_SECONDS)
        return self._told(tally, seconds, cpu)

    def acknowledged(self) -> dict[str, Any]:
        town = self.town
        return {
            "booked": town.booked,
            "joined": town.joined,
            "confirmed": town.confirmed,
            "taken": town.taken,
            "mail_p95": percentile(town.mail_seconds, 0.95),
            "mailed": dict(town.relay.accepted),
        }

    def _begin(self, visit: Visit, due: float) -> None:
        task = asyncio.create_task(self._go(visit, Guest(self.town, visit.kind, due)))
        self.visits.add(task)
        task.add_done_callback(self.visits.discard)

    async def _go(self, visit: Visit, guest: Guest) -> None:
        try:
            await visit.make(guest)
        except VisitOver:
            pass
        except Exception as error:
            # A page that is not what it should be is an error of the site, and shown as one.
            trouble = f"unexpected page: {type(error).__name__}"
            self.tally.note(visit.kind, guest.due, 0.0, trouble)

    def _note(self, kind: str, due: float, seconds: float, trouble: str) -> None:
        self.tally.note(kind, due, seconds, trouble)

    @staticmethod
    def _told(tally: Tally, seconds: float, cpu: float) -> dict[str, Any]:
        every = [value for values in tally.latencies.values() for value in values]
        return {
            "answered": tally.in_time / seconds,
            "requests": len(every),
            "p50": percentile(every, 0.50),
            "p95": percentile(every, 0.95),
            "p99": percentile(every, 0.99),
            "late": percentile(tally.late, 0.99),
            "errors": tally.errors,
            "cpu": cpu / seconds,
            "kinds": {
                kind: (len(values), percentile(values, 0.50), percentile(values, 0.95))
                for kind, values in tally.latencies.items()
            },
        }


async def main(mail_port: int, site_port: int, host: str, session: str) -> None:
    loop, relay = asyncio.get_running_loop(), Relay()
    await loop.create_server(lambda: Session(relay), "127.0.0.1", mail_port)
    town = Town(Pool(site_port), host, relay, session, random.Random(), note=lambda *_: None)
    generator = Generator(town)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        _tell(await generator.step(**json.loads(line)))
    if generator.visits:
        await asyncio.wait(generator.visits, timeout=LAST_SECONDS)
    _tell(generator.acknowledged())


def _tell(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
