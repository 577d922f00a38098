"""What sending costs: CPU a mail beside plain smtplib, the time for a list, memory, freezing.

The sender and the mail server are processes of their own; only the sender's CPU is counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.bench import cluster, measure, scenes
from tests.bench.measure import Cost, Pair, Part

LIST = 5_000
ABOUT = """
The mail server is a process of its own; only the sender's CPU is counted. Of long lists a stretch is
sent, so their memory is that of freezing the list and of the mails in the table.
"""
SLOW = 0.02  # seconds until the mail server answers a command
# The site last: it leaves nothing to send.
WAYS = {
    "smtplib": "smtplib with ready bytes, no ledger",
    "django": "EmailMultiAlternatives, no ledger",
    "lanes": "the site: ledger, own links, own bytes",
}
FROZEN = (1_000, 100_000)
LONG_FROZEN = (*FROZEN, 1_000_000)
STRETCH = 2_000  # so many mails of a long list are sent to see how much memory that takes


def sending(frozen: tuple[int, ...] = FROZEN) -> Part:
    """CPU beside smtplib, the time a list takes, and what freezing a long one takes."""
    told = _told()
    text = "\n".join([_cost(told), _time(), _memory(frozen)])
    ours, bare = (_a_mail(told[way]) for way in ("lanes", "smtplib"))
    return Part(text + ABOUT, [Pair("sending, a mail", ours, WAYS["smtplib"], bare)])


def _told() -> dict[str, dict[str, Any]]:
    ground(LIST)
    with relay(0.0) as port:
        return {way: measured(way, LIST, port) for way in WAYS}


def _a_mail(told: dict[str, Any]) -> Cost:
    return Cost(told["cpu_ms"], told["seconds"] * 1000 / told["sent"])


def _cost(told: dict[str, dict[str, Any]]) -> str:
    rows = [
        [name, f"{told[way]['sent']:,}", told[way]["cpu_ms"], told[way]["seconds"]]
        for way, name in WAYS.items()
    ]
    return measure.table(["way", "mails", "CPU ms a mail", "seconds"], rows)


def _time() -> str:
    with relay(SLOW) as port:
        ground(LIST)
        told = measured("lanes", LIST, port)
    speed = f"{told['sent'] / told['seconds']:,.0f}"
    row = [f"{told['sent']:,} mails", told["seconds"], speed, told["cpu_ms"]]
    slow = f"a server that answers each command after {SLOW * 1000:.0f} ms, default pace"
    return measure.table([slow, "seconds", "mails a second", "CPU ms a mail"], [row])


def _memory(frozen: tuple[int, ...]) -> str:
    rows = []
    with relay(0.0) as port:
        for size in frozen:
            seconds = ground(size)
            told = measured("lanes", STRETCH, port)
            rows.append([f"{size:,}", seconds, f"{told['sent']:,}", f"{told['peak_mb']:.0f}"])
    return measure.table(["readers", "freezing s", "mails sent", "sender's peak MB"], rows)


def ground(size: int) -> float:
    """A fresh database with an issue that has begun; the seconds freezing and starting took."""
    return float(_run("tests.sending_ground", str(size), url=scenes.copy("sending"), port=0))


def measured(way: str, most: int, port: int) -> dict[str, Any]:
    told = _run("tests.sending_load", way, str(most), url=cluster().url("sending"), port=port)
    parsed: dict[str, Any] = json.loads(told)
    return parsed


def _run(module: str, *arguments: str, url: str, port: int) -> str:
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(port),
        "EMAIL_SECURITY": "none",
    }
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


@contextmanager
def relay(answer_after: float) -> Iterator[int]:
    """A mail server in a process of its own; its port."""
    command = [sys.executable, "-m", "tests.smtp_relay", str(answer_after)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()
