"""What the machine and the queue lack, as far as the site can see it, and who hears of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob

from coaching_site import german, jobs
from coaching_site.desk import alarms
from coaching_site.desk.backups import nightly

DISK_ALARM = "desk.warn_of_full_disk"
FAILED_ALARM = "desk.warn_of_failed_jobs"
OVERDUE_ALARM = "desk.warn_of_overdue_jobs"
# A disk is nearly full when less than this share or less than so many bytes are free.
LEAST_SHARE, LEAST_BYTES = 0.1, 10**9
LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")
# A job that should have run so long ago is overdue; one given up is told of for a week.
JOBS_TAKE, FAILED_LATELY = timedelta(hours=1), timedelta(days=7)
# Their failures are told in a mail of their own.
TOLD_ELSEWHERE = ("desk.back_up", nightly.COPY)


# --- disks ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Disk:
    """One that is nearly full: what lies on it, and how many bytes are free."""

    holds: str
    free: int

    @property
    def told(self) -> str:
        return f"{self.holds}: noch {german.number(self.free // 10**6)}{german.NBSP}MB frei"


def full_disks() -> list[Disk]:
    """Those of the site's folders that are nearly full, each disk once."""
    holds: dict[int, list[str]] = {}
    free: dict[int, int] = {}
    for what, path in _places():
        device, usage = os.stat(path).st_dev, shutil.disk_usage(path)
        if usage.free < max(LEAST_BYTES, usage.total * LEAST_SHARE):
            holds.setdefault(device, []).append(what)
            free[device] = usage.free
    return [Disk(", ".join(names), free[device]) for device, names in holds.items()]


def warn_of_full_disks() -> None:
    """Alarm the coach, once until all of them have room again."""
    disks = full_disks()
    if not disks:
        alarms.over(DISK_ALARM)
        return
    alarms.once(
        DISK_ALARM,
        reason="; ".join(disk.told for disk in disks),
        holds="; ".join(disk.holds for disk in disks),
    )


def _places() -> Iterator[tuple[str, Path]]:
    """What lies where, as far as this machine sees it."""
    database = _database_folder()
    if database is not None:
        yield "Datenbank", database
    yield "Bilder", _existing(Path(settings.MEDIA_ROOT))
    yield "Sicherungen", _existing(Path(settings.BACKUP_FOLDER))


def _existing(path: Path) -> Path:
    """The folder, or the nearest above it that is there and may be looked at."""
    whole = path.absolute()
    return next(each for each in (whole, *whole.parents) if os.path.exists(each))


@cache
def _database_folder() -> Path | None:
    """Where Postgres keeps its files; None where it is on another machine or does not say."""
    if connection.settings_dict["HOST"] not in LOCAL_HOSTS:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('data_directory')"
            " WHERE pg_has_role('pg_read_all_settings', 'member')"
        )
        row = cursor.fetchone()
    # Asked in a way that also says no where this user may not look.
    return Path(row[0]) if row and os.path.isdir(row[0]) else None


# --- jobs -----------------------------------------------------------------------------------------


def failed_jobs(now: datetime) -> QuerySet[ProcrastinateJob]:
    """Jobs that were given up lately.

    Only those that were repeated in vain, and rules of the day that have not succeeded since:
    what is tried once is begun anew by such a rule.
    """
    event = ProcrastinateEvent.objects.filter(job=OuterRef("pk"), type="failed")
    succeeded = ProcrastinateJob.objects.filter(
        task_name=OuterRef("task_name"), status="succeeded", pk__gt=OuterRef("pk")
    )
    given_up = Q(task_name__in=_repeated()) | Q(task_name__in=_periodic()) & ~Exists(succeeded)
    return (
        ProcrastinateJob.objects.filter(given_up, status="failed")
        .exclude(task_name__in=TOLD_ELSEWHERE)
        .filter(Exists(event.filter(at__gte=now - FAILED_LATELY)))
    )


def overdue_jobs(now: datetime) -> QuerySet[ProcrastinateJob]:
    """Jobs that should have begun an hour ago, and wait for no other one to end."""
    queued = ProcrastinateEvent.objects.filter(job=OuterRef("pk"), at__gt=now - JOBS_TAKE)
    ahead = ProcrastinateJob.objects.filter(lock=OuterRef("lock"), status="doing")
    return (
        ProcrastinateJob.objects.filter(status="todo")
        .filter(Q(scheduled_at=None) | Q(scheduled_at__lte=now - JOBS_TAKE))
        .exclude(Exists(queued))
        .exclude(Exists(ahead))
    )


def warn_of_failed_jobs(*, now: datetime) -> None:
    """Alarm the coach of those that failed since the last alarm."""
    told = ProcrastinateJob.objects.filter(task_name=FAILED_ALARM).values_list(
        "args__numbers", flat=True
    )
    known = {number for numbers in told for number in numbers}
    found = [job for job in failed_jobs(now).order_by("pk") if job.id not in known]
    if found:
        jobs.enqueue(FAILED_ALARM, numbers=[job.id for job in found], tasks=_named(found))


def warn_of_overdue_jobs(*, now: datetime) -> None:
    """Alarm the coach, once until the queue has moved on."""
    if overdue_jobs(now).exists():
        alarms.once(OVERDUE_ALARM)
    else:
        alarms.over(OVERDUE_ALARM)


def _named(found: list[ProcrastinateJob]) -> list[str]:
    """„booking.send_refund (2)“: how many of each task."""
    names = [job.task_name for job in found]
    return [f"{name} ({names.count(name)})" for name in dict.fromkeys(names)]


def _repeated() -> list[str]:
    return [task.name for task in app.tasks.values() if task.retry_strategy is not None]


def _periodic() -> list[str]:
    return [task.task.name for task in app.periodic_registry.periodic_tasks.values()]
