"""The site as `make run` serves it, with processes that may be killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings

from tests.mail_server import Mailbox
from tests.running_site import ROOT, START_SECONDS, Visitor, free_port, wait_until


@dataclass
class LocalSite:
    """One `python -m coaching_site.local run` in a folder of its own."""

    folder: Path
    mailbox: Mailbox
    mail_host: str
    mail_port: int
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def output(self) -> str:
        return (self.folder / "output.txt").read_text()

    def start(self) -> float:
        """Run until the site is well; returns the seconds it took."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "SITE_PROFILE", "SITE_URL")
        }
        environment |= {
            "DATA_FOLDER": str(self.folder),
            "PORT": str(self.port),
            "EMAIL_HOST": self.mail_host,
            "EMAIL_PORT": str(self.mail_port),
            "EMAIL_SECURITY": "none",
        }
        begun = time.monotonic()
        with (self.folder / "output.txt").open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "coaching_site.local", "run"],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.wait_until_well()
        return time.monotonic() - begun

    def wait_until_well(self) -> None:
        def is_well() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.output
            return Visitor(self.url).get("/readyz").status == 200

        wait_until(is_well, START_SECONDS)

    def stop(self) -> int:
        """Ctrl-C, and the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)

    def kill(self, part: str) -> None:
        """`kill -9` for `web`, `worker`, `payments` or `database`."""
        patterns = {
            "web": r"gunicorn",
            "worker": r"procrastinate worker",
            "payments": r"tests\.stripe_sandbox",
            "database": rf"postgres -D {re.escape(str(self.folder))}",
        }
        for pid, command in self._descendants():
            if re.search(patterns[part], command):
                os.kill(pid, signal.SIGKILL)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What Postgres answers; nothing for a statement that answers no rows."""
        dsn = f"host={self.folder / 'postgres' / 'socket'} user=postgres dbname=coaching"
        with psycopg.connect(dsn, autocommit=True) as connection:
            answer = connection.execute(sql, values)
            return answer.fetchall() if answer.description else []

    def _descendants(self) -> list[tuple[int, str]]:
        assert self.process is not None
        listing = subprocess.run(
            ["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        )
        rows = [line.split(None, 2) for line in listing.stdout.splitlines()]
        family, found = {self.process.pid}, []
        for pid, parent, command in rows:
            if int(parent) in family:
                family.add(int(pid))
                found.append((int(pid), command))
        return found


@pytest.fixture
def local_site(smtp, tmp_path) -> Iterator[LocalSite]:
    box, host, port = smtp
    box.clear()
    # The tests have collected them already, which takes several seconds.
    (tmp_path / "static_collected").symlink_to(settings.STATIC_ROOT)
    site = LocalSite(tmp_path, box, host, port)
    yield site
    if site.process is not None and site.process.poll() is None:
        site.stop()
