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

import psycopg

from tests.bench import cluster, measure

LIST = 5_000
SLOW = 0.02  # seconds until the mail server answers a command
WAYS = {
    "lanes": "the site: ledger, own links, own bytes",
    "smtplib": "smtplib with ready bytes, no ledger",
    "django": "EmailMultiAlternatives, no ledger",
}
FROZEN = (1_000, 100_000, 1_000_000)
STRETCH = 2_000  # so many mails of a long list are sent to see how much memory that takes


def sending() -> str:
    return "\n".join([_cost(), _time(), _memory()])


def _cost() -> str:
    _ground(LIST)
    rows = []
    with relay(0.0) as port:
        for way in ("smtplib", "django", "lanes"):
            told = _measured(way, LIST, port)
            rows.append([WAYS[way], f"{told['sent']:,}", told["cpu_ms"], told["seconds"]])
    heads = ["way", "mails", "CPU ms a mail", "seconds"]
    return measure.table("Sending: CPU of the sender", heads, rows)


def _time() -> str:
    rows = []
    with relay(SLOW) as port:
        _ground(LIST)
        told = _measured("lanes", LIST, port)
        rows.append(
            [
                f"{told['sent']:,}",
                told["seconds"],
                f"{told['sent'] / told['seconds']:,.0f}",
                told["cpu_ms"],
            ]
        )
    heads = ["mails", "seconds", "mails a second", "CPU ms a mail"]
    return measure.table("Sending to a server that answers after 20 ms, default pace", heads, rows)


def _memory() -> str:
    rows = []
    with relay(0.0) as port:
        for size in FROZEN:
            frozen = _ground(size)
            told = _measured("lanes", STRETCH, port)
            rows.append([f"{size:,}", frozen, f"{told['sent']:,}", f"{told['peak_mb']:.0f}"])
    heads = ["readers", "freezing s", "mails sent", "sender's peak MB"]
    return measure.table("Sending: freezing and memory", heads, rows)


def _ground(size: int) -> float:
    """A fresh database with an issue that has begun; the seconds freezing and starting took."""
    with psycopg.connect(cluster.dsn("postgres"), autocommit=True) as maintenance:
        maintenance.execute("DROP DATABASE IF EXISTS sending")
    done = _run("tests.sending_ground", str(size), url=cluster.create_database("sending"), port=0)
    return float(done)


def _measured(way: str, most: int, port: int) -> dict[str, Any]:
    told = _run("tests.sending_load", way, str(most), url=cluster.url("sending"), port=port)
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
