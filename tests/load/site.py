"""The site as in production: gunicorn with its own settings, a worker, a Postgres with durable commits.

With a practice of today behind it: one coach, a thousand past calls, five thousand readers.
"""

from __future__ import annotations

import importlib
import io
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import time as clock
from pathlib import Path
from typing import Any

import psycopg
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client

from booking.models import Calendar, CallType, WeeklyHours
from coaching_site.local.supervisor import WEB, WORKER, Child
from tests.bench import cluster, scenes
from tests.running_site import Visitor, free_port, wait_until
from tests.sending_ground import MORE

SCENE = "1,000 past bookings"
READERS = 5_000
STOP_SECONDS = 20
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Ground:
    """The running site: where it is, its database, and which processes are whose."""

    port: int
    mail_port: int
    session: str
    database: str
    processes: dict[str, int]

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(cluster().dsn(self.database), autocommit=True) as asking:
            return asking.execute(sql, values).fetchall()

    def connections(self) -> int:
        """How many lines Postgres has open for web and worker now."""
        ((count,),) = self.query(CONNECTIONS, self.database)
        return int(count)

    def cpu(self) -> dict[str, float]:
        """CPU seconds up to now of web, worker and Postgres with all their children, and of all."""
        used = {name: _of_family(root) for name, root in self.processes.items()}
        return used | {"machine": _of_machine()}


@contextmanager
def serving() -> Iterator[Ground]:
    with scenes.entered(SCENE):
        session = _furnish()
        database = str(connection.settings_dict["NAME"])
    port, mail_port = free_port(), free_port()
    environment = {name: value for name, value in os.environ.items() if name != "WEB_WORKERS"} | {
        "SITE_PROFILE": "local",
        "SITE_URL": f"http://localhost:{port}",
        "DATABASE_URL": cluster().url(database),
        "PORT": str(port),
        "TRUSTED_PROXIES": "127.0.0.1",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(mail_port),
        "EMAIL_SECURITY": "none",
    }
    children = [Child("web", WEB, environment), Child("worker", WORKER, environment)]
    for child in children:
        child.start()
    try:
        wait_until(lambda: Visitor(f"http://localhost:{port}").get("/readyz").status == 200)
        yield Ground(port, mail_port, session, database, _roots(children))
    finally:
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.wait(time.monotonic() + STOP_SECONDS)


def _furnish() -> str:
    """A practice, readers, a calendar that a day of guests does not fill; returns the coach's session."""
    call_command("prepare_database", verbosity=0)
    call_command("demo_data", stdout=io.StringIO())
    calendar = Calendar.objects.get()
    WeeklyHours.objects.all().delete()
    WeeklyHours.objects.bulk_create(
        WeeklyHours(calendar=calendar, weekday=day, start=clock(7), end=clock(21))
        for day in range(1, 8)
    )
    CallType.objects.update(max_per_day=None)
    issues: Any = importlib.import_module("tests.newsletter.issues")
    (first,) = issues.readers(1)
    with connection.cursor() as cursor:
        cursor.execute(MORE, [first.consent_id, READERS - 1])
        cursor.execute("VACUUM ANALYZE")
    coach = Client()
    coach.force_login(get_user_model().objects.get())
    return coach.cookies["sessionid"].value


def _roots(children: list[Child]) -> dict[str, int]:
    found = {child.name: child.process.pid for child in children if child.process is not None}
    database = cluster().process
    assert database is not None
    return found | {"Postgres": database.pid}


def _of_family(root: int) -> float:
    """CPU seconds of a process and all its descendants, also of those that have ended."""
    listing = subprocess.run(
        ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    family = {root}
    for line in sorted(listing.stdout.splitlines(), key=lambda each: int(each.split()[0])):
        pid, parent = map(int, line.split())
        if parent in family:
            family.add(pid)
    return sum(map(_of_process, family))


def _of_process(pid: int) -> float:
    try:
        # Behind the name, which may hold anything: proc(5), from field 3 on.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / CLOCK_TICKS


def _of_machine() -> float:
    """All that ran on this machine: proc(5), the first line of /proc/stat without idle and waiting."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / CLOCK_TICKS
