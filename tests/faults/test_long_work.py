"""`kill -9` of the worker that makes a large export: another one makes it, whole and the same."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
from django.db import connection

from coaching_site import jobs
from coaching_site.desk import export_kinds, long_work
from coaching_site.desk.models import LongWork, LongWorkPiece
from newsletter import exports
from tests.newsletter import issues

pytestmark = [pytest.mark.xdist_group("faults"), pytest.mark.django_db(transaction=True)]

PEOPLE = 40
PORTION = 5
# Dies as with `kill -9`, after it has written the fourth part and before it says so to anybody.
WORKER = f"""
    import os, signal, sys, django
    os.environ["DJANGO_SETTINGS_MODULE"] = "coaching_site.settings"
    django.setup()
    from django.core.management import call_command
    from coaching_site.desk import long_work
    from newsletter import exports
    exports.PORTION = {PORTION}
    keep, kept = long_work._keep, []
    def dies(*arguments, **named):
        done = keep(*arguments, **named)
        kept.append(done)
        if len(kept) == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    if "killed" in sys.argv:
        long_work._keep = dies
    call_command("procrastinate", "worker", "--one-shot", "--concurrency", "1")
"""


def worker(*words: str) -> int:
    """One worker on this test's database, until nothing is left to do; returns its exit code."""
    names = connection.settings_dict
    url = f"postgres://{names['USER']}@{names['HOST'].replace('/', '%2F')}/{names['NAME']}"
    program = [sys.executable, "-c", textwrap.dedent(WORKER), *words]
    return subprocess.run(
        program, env={**os.environ, "DATABASE_URL": url}, check=False, timeout=120
    ).returncode


def test_an_export_whose_worker_is_killed_is_made_by_another(monkeypatch, admin_user, now):
    monkeypatch.setattr(exports, "PORTION", PORTION)
    rows = [row.pk for row in issues.readers(PEOPLE)]
    kind = export_kinds.BY_NAME["people"]
    work, undisturbed = (
        long_work.ask(
            kind, file_name="abos.csv", rows=rows, total=PEOPLE, by=admin_user.pk, now=now
        )
        for _ in range(2)
    )
    long_work.make(undisturbed)

    assert worker("killed") == -9
    work.refresh_from_db()
    assert (work.state, work.done) == ("running", 3 * PORTION)
    assert LongWorkPiece.objects.filter(work=work).count() == 4

    # A worker that no longer says that it lives is noticed after half a minute: here that is over.
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"
        )
    jobs.enqueue("jobs.rescue", timestamp=0)
    assert worker() == 0

    work, undisturbed = LongWork.objects.order_by("pk")
    assert (work.state, work.attempt, work.done) == ("done", 2, PEOPLE)
    assert work.sha256 == undisturbed.sha256
    assert b"".join(long_work.content(work)) == b"".join(long_work.content(undisturbed))
