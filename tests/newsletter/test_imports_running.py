"""An import at work: stopped, killed, pressed twice; every line counts once."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from datetime import timedelta

import pytest
from django.db import connection

from newsletter.imports import deciding, running
from newsletter.models import Consent, Import, ImportRow, Subscriber
from tests.newsletter.conftest import DAYS, sign_up
from tests.newsletter.import_tools import PROVEN, checked, csv_bytes, people, taken_over, upload

pytestmark = pytest.mark.django_db

LIST = csv_bytes("E-Mail,Tags", *[f"leser{number}@firma.example,a" for number in range(10)])


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(running, "BATCH", 3)


def started(now) -> Import:
    run = checked(LIST, now)
    running.start(run, now=now)
    run.refresh_from_db()
    return run


def test_progress_and_speed_can_be_told(now):
    run = started(now)

    running._take_over_batch(run.pk, now + timedelta(seconds=3))

    run.refresh_from_db()
    found = run.progress(now + timedelta(seconds=3))
    assert (found.done, found.total, found.percent) == (3, 10, 30)
    assert found.left == timedelta(seconds=7)


def test_a_batch_done_twice_counts_once(now):
    """As after a kill between the commit and the job's end: the next job begins with the next line."""
    run = started(now)
    for _ in range(9):
        running._take_over_batch(run.pk, now)

    run.refresh_from_db()
    assert (run.status, run.position, run.counts) == ("done", 10, {"new": 10})
    assert Subscriber.objects.count() == Consent.objects.count() == 10


def test_a_batch_that_dies_half_way_leaves_nothing(now, monkeypatch):
    run = started(now)
    with monkeypatch.context() as broken:
        broken.setattr(deciding, "_suppress", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            running.work(run.pk)
    assert people() == {}

    running.work(run.pk)

    run.refresh_from_db()
    assert (run.status, run.counts) == ("done", {"new": 10})


def test_a_check_that_dies_half_way_goes_on(now, monkeypatch):
    run = upload(LIST, now)
    running.begin_check(run, mapping=run.mapping, provenance=PROVEN, now=now)
    report, calls = deciding.report, []

    def dies_at_the_third(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise ZeroDivisionError
        return report(*arguments)

    with monkeypatch.context() as broken:
        broken.setattr(deciding, "report", dies_at_the_third)
        with pytest.raises(ZeroDivisionError):
            running.work(run.pk)
    run.refresh_from_db()
    assert run.position == 6

    running.work(run.pk)

    run.refresh_from_db()
    assert (run.status, run.total, run.check_counts) == ("checked", 10, {"new": 10})


def test_a_stopped_import_keeps_what_it_did_and_goes_on(now):
    run = started(now)
    running._take_over_batch(run.pk, now)

    assert running.stop(run)
    assert not running.work(run.pk)
    assert len(people()) == 3
    assert running.go_on(run, now=now)
    running.work(run.pk)

    run.refresh_from_db()
    assert (run.status, run.counts) == ("done", {"new": 10})


def test_a_stopped_check_may_be_mapped_anew(now):
    run = upload(LIST, now)
    running.begin_check(run, mapping=run.mapping, provenance=PROVEN, now=now)
    running.stop(run)

    running.begin_check(run, mapping={"E-Mail": "email"}, provenance=PROVEN, now=now)
    running.work(run.pk)

    run.refresh_from_db()
    assert (run.status, run.rows.count()) == ("checked", 10)


def test_start_pressed_twice_starts_once(now, run_jobs):
    run = checked(LIST, now)

    assert running.start(run, now=now)
    assert not running.start(run, now=now)
    run_jobs()
    assert not running.start(run, now=now)

    run.refresh_from_db()
    assert run.counts == {"new": 10}


def test_what_was_taken_over_is_not_mapped_again(now):
    run = taken_over(checked(LIST, now), now)

    with pytest.raises(running.NotNow):
        running.begin_check(run, mapping={"E-Mail": "email"}, provenance=PROVEN, now=now)
    assert not running.discard(run)


def test_a_job_works_for_a_while_and_leaves_the_rest_to_the_next(now, run_jobs, monkeypatch):
    monkeypatch.setattr(running, "SLICE_SECONDS", 0)
    run = upload(LIST, now)
    running.begin_check(run, mapping=run.mapping, provenance=PROVEN, now=now)

    done = run_jobs()

    run.refresh_from_db()
    assert run.status == "checked"
    assert len(done) == 4


def test_two_workers_at_one_import_do_each_line_once(now):
    run = upload(LIST, now)
    running.begin_check(run, mapping=run.mapping, provenance=PROVEN, now=now)
    one, other = running._Reading(run), running._Reading(run)
    first, second = one.next_batch(0), other.next_batch(0)

    assert running._note_checked(run, 0, first, one, now) is None
    assert running._note_checked(run, 0, second, other, now) is True

    one.close()
    other.close()
    assert ImportRow.objects.filter(run=run).count() == 3


def test_whoever_signs_up_at_that_very_moment_keeps_their_row(now, monkeypatch):
    run = started(now)
    add = deciding._add_subscribers
    calls = []

    def sign_up_first(cursor, params):
        calls.append(1)
        if len(calls) == 1:
            # As another transaction would, between the look and the insert.
            cursor.execute(
                "UPDATE newsletter_batch SET address_key = 'leser1@firma.example' WHERE number = 1"
            )
        return add(cursor, params)

    monkeypatch.setattr(deciding, "_add_subscribers", sign_up_first)
    running.work(run.pk)

    run.refresh_from_db()
    assert (run.status, run.counts) == ("done", {"new": 10})


def test_whoever_signed_up_after_the_check_is_waited_for(now):
    run = checked(LIST, now)
    sign_up("leser1@firma.example", now + DAYS)

    run = taken_over(run, now + DAYS)

    assert run.counts == {"new": 9, "waiting": 1}
    assert run.rows.filter(outcome="waiting").get().address == "leser1@firma.example"


KILLED = """
    import os, sys, django
    os.environ["DJANGO_SETTINGS_MODULE"] = "coaching_site.settings"
    django.setup()
    from newsletter.imports import deciding, running
    running.BATCH = 3
    take_over, calls = deciding.take_over, []
    def dies(*arguments, **named):
        counts = take_over(*arguments, **named)
        calls.append(1)
        if len(calls) == 2:
            os._exit(9)
        return counts
    deciding.take_over = dies
    running.work(int(sys.argv[1]))
"""


@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_costs_no_line_and_doubles_none(now):
    run = started(now)
    names = connection.settings_dict
    url = f"postgres://{names['USER']}@{names['HOST'].replace('/', '%2F')}/{names['NAME']}"
    program = [sys.executable, "-c", textwrap.dedent(KILLED), str(run.pk)]
    killed = subprocess.run(program, env={**os.environ, "DATABASE_URL": url}, check=False)
    assert killed.returncode == 9
    run.refresh_from_db()
    assert (run.position, run.counts, len(people())) == (3, {"new": 3}, 3)

    running.work(run.pk)

    run.refresh_from_db()
    assert (run.status, run.position, run.counts) == ("done", 10, {"new": 10})
    assert len(people()) == 10
