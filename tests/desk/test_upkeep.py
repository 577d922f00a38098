"""What the machine and the queue lack is told once, and again after it had been well."""

from __future__ import annotations

import shutil
from collections import namedtuple
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from coaching_site import jobs
from coaching_site.desk import attention, today, upkeep
from tests import mail_server

pytestmark = pytest.mark.django_db

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
GIGABYTE = 10**9
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def disk(monkeypatch, settings, tmp_path) -> dict[str, int]:
    """One disk for all that the site keeps, with as much room as a test says."""
    size = {"total": 100 * GIGABYTE, "free": 50 * GIGABYTE}
    settings.MEDIA_ROOT, settings.BACKUP_FOLDER = tmp_path / "media", tmp_path / "backups"
    monkeypatch.setattr(upkeep, "_database_folder", lambda: tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(size["total"], 0, size["free"]))
    return size


def started(task: str) -> int:
    return ProcrastinateJob.objects.filter(task_name=task).count()


def ended(task: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'succeeded'"
            " WHERE status = 'todo' AND task_name = %s",
            [task],
        )


def job(task: str, *, status: str, at: datetime, lock: str | None = None, **arguments: Any) -> int:
    """A job of this status that nothing has happened to since then."""
    number = jobs.enqueue(task, **arguments)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = %s, lock = %s WHERE id = %s",
            [status, lock, number],
        )
        if status == "failed":
            cursor.execute(
                "INSERT INTO procrastinate_events (job_id, type, at) VALUES (%s, 'failed', now())",
                [number],
            )
        cursor.execute("UPDATE procrastinate_events SET at = %s WHERE job_id = %s", [at, number])
    return number


# --- disks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "free", "is_full"),
    [(100, 11, False), (100, 9, True), (8, 0.95, True), (8, 1.05, False)],
)
def test_a_disk_is_nearly_full_below_a_tenth_or_a_gigabyte(disk, total, free, is_full):
    disk["total"], disk["free"] = total * GIGABYTE, int(free * GIGABYTE)

    assert bool(upkeep.full_disks()) is is_full


def test_a_full_disk_is_told_once_until_there_was_room_again(disk, mailbox, run_jobs):
    disk["free"] = GIGABYTE // 2
    for _ in range(3):
        upkeep.warn_of_full_disks()
        ended(upkeep.DISK_ALARM)
    assert started(upkeep.DISK_ALARM) == 1

    disk["free"] = 50 * GIGABYTE
    upkeep.warn_of_full_disks()
    disk["free"] = GIGABYTE // 2
    upkeep.warn_of_full_disks()
    run_jobs()

    (message,) = mailbox.messages
    text = mail_server.text(message)
    assert "Datenbank, Bilder, Sicherungen: noch 500\u00a0MB frei." in text
    assert "BACKUP_FOLDER" in text


def test_a_full_disk_stands_on_the_first_page(disk, admin_user):
    disk["free"] = GIGABYTE // 2

    (matter,) = attention.full_disks(admin_user)

    assert "noch 500\u00a0MB frei" in matter.sentence


def test_the_database_s_own_disk_is_looked_at_where_it_is_on_this_machine():
    found = upkeep._database_folder.__wrapped__()

    assert found is None or (found / "PG_VERSION").exists()


# --- jobs -----------------------------------------------------------------------------------------


def test_each_job_that_was_given_up_is_told_once(now, mailbox, run_jobs):
    first = job("booking.send_refund", status="failed", at=now, refund_id=1)
    upkeep.warn_of_failed_jobs(now=now)
    upkeep.warn_of_failed_jobs(now=now)
    ended(upkeep.FAILED_ALARM)
    upkeep.warn_of_failed_jobs(now=now + DAY)
    second = job("booking.send_refund", status="failed", at=now, refund_id=2)
    upkeep.warn_of_failed_jobs(now=now + DAY)

    told = ProcrastinateJob.objects.filter(task_name=upkeep.FAILED_ALARM).order_by("pk")
    assert [each.args["numbers"] for each in told] == [[first], [second]]
    run_jobs()
    text = mail_server.text(mailbox.messages[-1])
    assert "- booking.send_refund (1)" in text
    assert f"bei den Nummern {second}. Ist er behoben" in " ".join(text.split())


def test_what_a_rule_begins_anew_or_tells_itself_is_no_alarm(now):
    job("newsletter.deliver", status="failed", at=now, issue=1)
    job("desk.back_up", status="failed", at=now, timestamp=0)
    job("booking.owed_invoices", status="failed", at=now, timestamp=0)
    job("booking.owed_invoices", status="succeeded", at=now, timestamp=60)
    job("booking.send_refund", status="failed", at=now - 8 * DAY, refund_id=1)
    assert not upkeep.failed_jobs(now).exists()

    broken = job("booking.owed_invoices", status="failed", at=now, timestamp=120)
    assert [each.id for each in upkeep.failed_jobs(now)] == [broken]


def test_a_queue_that_stands_still_is_told_once_until_it_moved(mailbox):
    now = timezone.now()
    waits = job("booking.send_refund", status="todo", at=now - 2 * HOUR, refund_id=0)
    for _ in range(2):
        upkeep.warn_of_overdue_jobs(now=now)
        ended(upkeep.OVERDUE_ALARM)
    assert started(upkeep.OVERDUE_ALARM) == 1
    app.tasks[upkeep.OVERDUE_ALARM](reason="")
    assert "docker compose restart worker" in mail_server.text(mailbox.messages.pop())

    ended("booking.send_refund")
    app.tasks[upkeep.OVERDUE_ALARM](reason="")
    assert mailbox.messages == []  # it has moved before the mail left
    upkeep.warn_of_overdue_jobs(now=now)
    job("booking.send_refund", status="todo", at=now - 2 * HOUR, refund_id=waits)
    upkeep.warn_of_overdue_jobs(now=now)
    assert started(upkeep.OVERDUE_ALARM) == 1


def test_a_job_that_waits_for_its_time_or_for_another_is_not_overdue(now):
    job("booking.send_refund", status="doing", at=now - 2 * HOUR, lock="a", refund_id=1)
    job("booking.send_refund", status="todo", at=now - 2 * HOUR, lock="a", refund_id=2)
    job("booking.send_refund", status="todo", at=now - HOUR / 2, refund_id=3)
    later = jobs.enqueue("booking.send_refund", at=now + HOUR, refund_id=4)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_events SET at = %s WHERE job_id = %s", [now - DAY, later]
        )
    assert not upkeep.overdue_jobs(now).exists()

    assert upkeep.overdue_jobs(now + 3 * HOUR).exists()


def test_failed_and_overdue_jobs_stand_on_the_first_page(disk, admin_user, whole, now):
    job("booking.send_refund", status="failed", at=now, refund_id=1)
    job("booking.send_refund", status="todo", at=now - 2 * HOUR, refund_id=2)

    told = [matter.sentence for matter in today.page(admin_user, now=now).matters]

    assert any("Ein Auftrag im Hintergrund bleibt liegen" in each for each in told)
    assert any("Ein Auftrag im Hintergrund ist endgültig misslungen" in each for each in told)


def test_the_jobs_of_the_day_look_at_all_of_it(disk, run_jobs, settings, tmp_path):
    disk["free"] = 0
    settings.BACKUP_RECIPIENTS = ["age1x"]
    for name in ("desk.look_after_the_house", "desk.look_at_the_queue"):
        jobs.enqueue(name, timestamp=0)

    done = run_jobs()

    assert {"desk.warn_of_failed_backup", upkeep.DISK_ALARM} <= set(done)
