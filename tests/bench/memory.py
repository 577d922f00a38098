"""What web and worker take of the machine's memory, started as in production, without Postgres.

Counted is PSS: memory of one process alone, and its share of what it has in common with others.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.request import Request, urlopen

from django.conf import settings
from django.utils import timezone

from coaching_site.local.supervisor import WEB, WORKER, Child
from newsletter.imports import running as imports
from newsletter.models import Delivery, Import
from tests import import_load, sending_ground
from tests.bench import cluster, measure, scenes, sending
from tests.bench.measure import Part
from tests.running_site import ROOT, Visitor, free_port, wait_until

LIMIT_MB = 160
READERS = 1_000
LINES = 10_000
ROUNDS = 60
PAGES = ("/", "/angebot/", "/termin/", "/datenschutz/", "/newsletter/archiv/", "/newsletter/")
WORDS = "Ich möchte den Newsletter bekommen."
ABOUT = """
Web (gunicorn's first process and those that answer) and worker run as in their containers. Counted is
the PSS of all of them: memory a process has for itself, and its share of what several have in
common. The work: some hundred requests for public pages, kept ones and such as are made anew for each
visitor; an issue sent, a list taken in.
"""
KILOBYTES = re.compile(r"^(Rss|Pss): +(\d+) kB", re.MULTILINE)


@dataclass(frozen=True)
class Taken:
    """Megabytes of some processes together."""

    rss: float
    pss: float

    def __add__(self, other: Taken) -> Taken:
        return Taken(self.rss + other.rss, self.pss + other.pss)


def memory() -> Part:
    """Production's number of web processes, and a single one: started, and after work."""
    rows: list[list[object]] = []
    for workers in (2, 1):
        with _served(workers) as (web, worker, url):
            stages = [("started", _taken(web), _taken(worker))]
            _work(url)
            stages.append(("after work", _taken(web), _taken(worker)))
        for stage, ours, jobs in stages:
            both = ours + jobs
            name = f"{workers} web process{'es' if workers > 1 else ''}, {stage}"
            rows.append([name, ours.pss, jobs.pss, both.pss, both.rss, both.pss / LIMIT_MB])
    heads = [
        "memory without Postgres, MB",
        "web",
        "worker",
        "together",
        "RSS summed",
        f"together to the limit of {LIMIT_MB} MB",
    ]
    return Part(measure.table(heads, rows) + ABOUT)


@contextmanager
def _served(workers: int) -> Iterator[tuple[Child, Child, str]]:
    """Web and worker as their containers start them, on a database of their own."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name, sending.relay(0.0) as mail, scenes.copied("memory"):
        folder = Path(name)
        (folder / "static_collected").symlink_to(settings.STATIC_ROOT)
        environment = {
            **os.environ,
            "SITE_PROFILE": "local",
            "SITE_URL": f"http://localhost:{port}",
            "DATABASE_URL": cluster().url("memory"),
            "DATA_FOLDER": name,
            "PORT": str(port),
            "WEB_WORKERS": str(workers),
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(mail),
            "EMAIL_SECURITY": "none",
        }
        command = [sys.executable, "manage.py", "demo_data", "-v0"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        web, worker = Child("web", WEB, environment), Child("worker", WORKER, environment)
        for child in (web, worker):
            child.start()
        url = f"http://localhost:{port}"
        try:
            wait_until(lambda: _get(f"{url}/readyz") == 200)
            for _ in range(workers * 4):
                _get(f"{url}/")
            yield web, worker, url
        finally:
            for child in (web, worker):
                child.ask_to_stop()
            for child in (web, worker):
                child.wait(time.monotonic() + 20)


def _work(url: str) -> None:
    """Some hundred requests, an issue sent, a list taken in."""
    visitor = Visitor(url)
    day = visitor.get("/termin/").links(r"^/termin/[^/]+/2\d{3}-")[0]
    slot = visitor.get(day).links("/zeit/")[0]
    for _ in range(ROUNDS):
        for page in (*PAGES, day, slot):
            assert _get(f"{url}{page}") == 200
    sending_ground.ground(READERS, 8)
    sent = Delivery.objects.filter(state=Delivery.State.SENT)
    wait_until(lambda: sent.count() == READERS)
    _import()


def _import() -> None:
    now = timezone.now()
    with tempfile.TemporaryFile() as file:
        import_load.write_list(LINES, file)
        run = imports.take_in("liste.csv", file, by=None, now=now)
    provenance = imports.Provenance("Bench", date(2026, 5, 4), WORDS)
    imports.begin_check(run, mapping=run.mapping, provenance=provenance, now=now)
    _wait_for(run, Import.Status.CHECKED)
    imports.start(run, now=now)
    _wait_for(run, Import.Status.DONE)


def _wait_for(run: Import, status: str) -> None:
    wait_until(lambda: Import.objects.get(pk=run.pk).status == status)


def _taken(child: Child) -> Taken:
    assert child.process is not None
    return sum((_of(pid) for pid in _family(child.process.pid)), Taken(0, 0))


def _family(pid: int) -> Iterator[int]:
    """A process and all that descend from it."""
    yield pid
    for each in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in each.read_text().split():
            yield from _family(int(child))


def _of(pid: int) -> Taken:
    found = dict(KILOBYTES.findall(Path(f"/proc/{pid}/smaps_rollup").read_text()))
    return Taken(int(found["Rss"]) / 1024, int(found["Pss"]) / 1024)


def _get(url: str) -> int:
    request = Request(url, headers={"Accept-Encoding": "br, gzip"})
    with urlopen(request, timeout=30) as answer:
        answer.read()
        return int(answer.status)
