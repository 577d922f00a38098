"""One big import in a process of its own: `python -m tests.import_load ROWS` prints JSON.

Seconds for each phase, and by how much the process grew at its largest. DATABASE_URL names an empty,
migrated database.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from typing import IO, Any

import django
from django.utils import timezone

from tests.bench import measure

WORDS = (
    "Mit „Abonnieren“ willigst du ein, dass dir Ada Lovelace etwa einmal im Monat den Newsletter "
    "„5000 CTOs“ an diese Adresse schickt: Gedanken und Hinweise zur Führung von Technikteams. "
    "Du kannst dich jederzeit abmelden, mit einem Klick in jeder Mail."
)
# As lists are: mostly plain, some with umlauts, few without a proper address.
HEADER = "E-Mail;Vorname;Nachname;Status;Tags\r\n"


def write_list(rows: int, file: IO[bytes]) -> None:
    file.write(HEADER.encode())
    for number in range(rows):
        file.write(_line(number).encode())
    file.seek(0)


def _line(number: int) -> str:
    if number % 100 == 99:
        return f"kein at {number};Max;Muster;active;\r\n"
    if number % 50 == 49:
        return f"leser{number}@münchen-{number % 89}.example;Jörg;Müller;active;süd\r\n"
    status = "unsubscribed" if number % 20 == 19 else "active"
    company = f"firma-{number % 997}.example"
    return f"Vorname.Name{number}@{company};Vor{number};Name;{status};berlin\r\n"


def main(rows: int) -> dict[str, object]:
    os.environ["DJANGO_SETTINGS_MODULE"] = "coaching_site.settings"
    django.setup()
    running: Any = importlib.import_module("newsletter.imports.running")
    now = timezone.now()
    with tempfile.TemporaryFile() as file:
        write_list(rows, file)
        before, cpu = measure.peak_megabytes(), time.process_time()
        upload, run = timed(lambda: running.take_in("liste.csv", file, by=None, now=now))
        provenance = running.Provenance("Bench", date(2026, 5, 4), WORDS)
        running.begin_check(run, mapping=run.mapping, provenance=provenance, now=now)
        check, _ = timed(lambda: running.work(run.pk))
        running.start(run, now=now)
        take_over, _ = timed(lambda: running.work(run.pk))
    cpu_ms = (time.process_time() - cpu) * 1000
    run.refresh_from_db()
    assert run.status == "done", run.problem
    assert run.counts == run.check_counts, (run.counts, run.check_counts)
    return {
        "rows": rows,
        "megabytes": run.size / 1024 / 1024,
        "upload": upload,
        "check": check,
        "take_over": take_over,
        "cpu_ms": cpu_ms,
        "growth": measure.peak_megabytes() - before,
        "peak": measure.peak_megabytes(),
        "counts": run.counts,
    }


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = action()
    return time.perf_counter() - begun, result


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]))) + "\n")
