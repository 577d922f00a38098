"""Several hosts on one Postgres: for each a gunicorn and a worker, with a folder and a clock of its own.

What hosts share is what docs/betrieb.md says: the database, the keys, and the folder of pictures.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections

from coaching_site import clock
from coaching_site.local.postgres import Cluster
from coaching_site.local.supervisor import WEB, WORKER, Child
from tests import mail_server
from tests.faults.hosts.gate import Gate
from tests.mail_server import Mailbox
from tests.running_site import ROOT, Visitor, free_port, wait_until
from tests.stripe_sandbox import Sandbox

HOSTS = 3
MOST_APART = clock.MOST_APART.total_seconds()
DATABASE = "hosts"
PATIENCE_SECONDS = 120
# A long run has more guests than the demo's hours have room for.
OPEN_AT_WEEKENDS = """
    INSERT INTO booking_weeklyhours (calendar_id, weekday, start, "end")
    SELECT id, day, '08:00', '20:00' FROM booking_calendar, generate_series(6, 7) AS day
"""
# A worker says that it lives every second (tests.faults.hosts.settings).
DEAD_AFTER = "6 seconds"
SENDING = "lease=4,slice=3,first_pause=0.3,longest_pause=1,first_deferral=0.2,longest_deferral=0.5"

FORGET_THE_DEAD = (
    f"DELETE FROM procrastinate_workers WHERE last_heartbeat < now() - interval '{DEAD_AFTER}'"
)
# A mail whose worker died waits three minutes; nobody works at it, so they may be over.
CLAIMS_RUN_OUT = """
    UPDATE booking_notification SET claimed_until = now() WHERE claimed_until > now() AND NOT EXISTS
        (SELECT 1 FROM procrastinate_jobs WHERE status = 'doing'
            AND (args->>'notification_id')::bigint = booking_notification.id)
"""
NO_MORE_WAITING = "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo' AND scheduled_at > now()"
ASK = """
    INSERT INTO procrastinate_jobs (task_name, args, queue_name, status, queueing_lock)
    VALUES (%s, '{"timestamp": 0}', 'default', 'todo', %s) ON CONFLICT DO NOTHING
"""
LEFT = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
WHAT_IS_LEFT = """
    SELECT status, task_name, args, attempts, scheduled_at, j.worker_id, last_heartbeat, now()
    FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
    WHERE status IN ('todo', 'doing')
"""
OWED = "SELECT count(*) FROM booking_notification WHERE sent_at IS NULL"


@dataclass
class Host:
    """One machine, as far as several of them on this one can be told apart."""

    number: int
    folder: Path
    environment: dict[str, str]

    def __post_init__(self) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.clock = self.folder / "clock"
        self.set_clock(0)
        self.environment = {**self.environment, "PORT": str(self.port)}
        self.web = Child("web", self._with_own_clock(WEB[2:]), self.environment)
        self.worker = Child(
            "worker", self._with_own_clock(["manage", *WORKER[2:]]), self.environment
        )

    @property
    def parts(self) -> list[Child]:
        return [self.web, self.worker]

    def set_clock(self, seconds: float) -> None:
        """From now on this host is so far ahead of all others."""
        self.ahead = seconds
        new = self.clock.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self.clock)

    def run_version(self, settings_module: str) -> None:
        """What is started from now on is of another version."""
        for part in self.parts:
            part.environment = {**part.environment, "DJANGO_SETTINGS_MODULE": settings_module}

    def _with_own_clock(self, command: list[str]) -> list[str]:
        return [sys.executable, "-m", "tests.faults.hosts.shifted", str(self.clock), *command]


@dataclass
class Hosts:
    """All of them, with what they have in common."""

    cluster: Cluster
    folder: Path
    mailbox: Mailbox
    mail_gate: Gate
    stripe: Sandbox
    environment: dict[str, str]
    hosts: list[Host] = field(default_factory=list)
    # Who had mail before the mailbox was emptied for this test.
    mails_before: set[str] = field(default_factory=set)

    @property
    def urls(self) -> list[str]:
        return [host.url for host in self.hosts]

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.cluster.dsn(DATABASE), autocommit=True) as connection:
            answer = connection.execute(sql, values or None)
            return answer.fetchall() if answer.description else []

    def manage(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self) -> None:
        for host in self.hosts:
            for part in host.parts:
                if not part.is_running():
                    part.start()

    def revive(self) -> None:
        """What a machine's supervisor does, and what brings Postgres back. Call it from the main thread.

        A process ends with the thread that started it.
        """
        if not self.cluster.is_running():
            self.cluster.launch()
        self.start()

    def kill(self, part: Child) -> None:
        """`kill -9` for a process and all it has started."""
        assert part.process is not None
        with suppress(ProcessLookupError):
            os.killpg(part.process.pid, signal.SIGKILL)
        part.process.wait()

    def kill_database(self) -> None:
        assert self.cluster.process is not None
        self.cluster.process.kill()
        self.cluster.process.wait()

    def wait_until_well(self) -> None:
        def are_well() -> bool:
            self.revive()
            # A host whose clock is wrong says so, and goes on answering.
            right = [host.url for host in self.hosts if abs(host.ahead) < MOST_APART]
            return all(Visitor(url).get("/readyz").status == 200 for url in right)

        wait_until(are_well, PATIENCE_SECONDS)

    def settle(self) -> None:
        """Wait until no job is left and no mail is owed; who died is found in seconds here."""

        def is_settled() -> bool:
            self.revive()
            for statement in (FORGET_THE_DEAD, CLAIMS_RUN_OUT, NO_MORE_WAITING):
                self.query(statement)
            if self.query(LEFT) == [(0,)] and self.query(OWED) == [(0,)]:
                return True
            for task in ("jobs.rescue", "booking.owed_notifications"):
                self.query(ASK, task, task)
            time.sleep(0.5)
            return False

        self.wait_until_well()
        try:
            wait_until(is_settled, PATIENCE_SECONDS)
        except AssertionError:
            raise AssertionError(f"not settled: {self.query(WHAT_IS_LEFT)}") from None

    def empty_the_mailbox(self) -> None:
        """What a test looks at is its own mail."""
        self.mails_before |= {str(mail["X-Envelope-To"]).lower() for mail in self.mailbox.messages}
        self.mailbox.clear()

    def stop(self) -> None:
        parts = [part for host in self.hosts for part in host.parts]
        for part in parts:
            part.ask_to_stop()
        for part in parts:
            part.wait(time.monotonic() + 20)

    @contextmanager
    def models(self) -> Iterator[None]:
        """Django's models, read from and written to where the hosts keep their rows."""
        ours: Any = connections["default"]
        there = {
            **ours.settings_dict,
            "HOST": str(self.cluster.sockets),
            "USER": "postgres",
            "NAME": DATABASE,
            "PASSWORD": "",
            "PORT": "",
            "OPTIONS": {
                name: value
                for name, value in ours.settings_dict["OPTIONS"].items()
                if name != "pool"
            },
        }
        connections["default"] = type(ours)(there, alias="default")
        try:
            yield
        finally:
            connections["default"].close()
            connections["default"] = ours


@contextmanager
def running(folder: Path) -> Iterator[Hosts]:
    """Three hosts with demo data, until the block ends."""
    cluster = Cluster(folder / "postgres", {"fsync": "off", "max_connections": "300"})
    cluster.start()
    url = cluster.create_database(DATABASE)
    with mail_server.serve() as (mailbox, _, port):
        gate = Gate(port)
        first = free_port()
        webhook = f"http://localhost:{first}/stripe/webhook/"
        with Sandbox(
            mode="automatic", webhook_url=webhook, retry_after=[1.0] * 60, patience=3
        ) as stripe:
            environment = _environment(folder, url, gate, stripe, f"http://localhost:{first}")
            hosts = Hosts(cluster, folder, mailbox, gate, stripe, environment)
            try:
                _prepare(hosts, first)
                hosts.start()
                hosts.wait_until_well()
                for url in hosts.urls:
                    Visitor(url).get("/")  # from here on it hears of news
                yield hosts
            finally:
                hosts.stop()
                gate.shut()
                cluster.stop()


def _environment(
    folder: Path, url: str, gate: Gate, stripe: Sandbox, site_url: str
) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.faults.hosts.settings",
        "SITE_PROFILE": "local",
        "SITE_URL": site_url,
        "DATABASE_URL": url,
        "DATA_FOLDER": str(folder),
        "WEB_WORKERS": "1",
        "TRUSTED_PROXIES": "127.0.0.1",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(gate.port),
        "EMAIL_SECURITY": "none",
        "SENDING_TIMINGS": SENDING,
        "STRIPE_SECRET_KEY": stripe.api_key,
        "STRIPE_WEBHOOK_SECRET": stripe.webhook_secret,
        "STRIPE_API_BASE": stripe.base_url,
    }


def _prepare(hosts: Hosts, first_port: int) -> None:
    shared = hosts.folder / "media"
    shared.mkdir()
    for command in ("prepare_database", "demo_data"):
        done = hosts.manage(command, "-v0")
        assert done.returncode == 0, done.stderr
    hosts.query(OPEN_AT_WEEKENDS)
    for number in range(HOSTS):
        own = hosts.folder / f"host{number}"
        own.mkdir()
        (own / "media").symlink_to(shared)
        (own / "static_collected").symlink_to(settings.STATIC_ROOT)
        host = Host(number, own, {**hosts.environment, "DATA_FOLDER": str(own)})
        hosts.hosts.append(host)
    # Links in mails and the way back from Stripe lead to the first one.
    hosts.hosts[0].port, hosts.hosts[0].url = first_port, f"http://localhost:{first_port}"
    for part in hosts.hosts[0].parts:
        part.environment["PORT"] = str(first_port)
