"""The backup of the night, and who hears of it when there is none."""

from __future__ import annotations

import logging
from datetime import datetime

from procrastinate.contrib.django.models import ProcrastinateJob

from coaching_site import jobs
from coaching_site.desk.backups import folder, writing
from coaching_site.desk.backups.errors import BackupError

ALARM = "desk.warn_of_failed_backup"
UNEXPECTED = "Es ist etwas geschehen, das nicht vorgesehen ist; Näheres steht im Protokoll."

logger = logging.getLogger(__name__)


def run(*, now: datetime) -> None:
    """Make a backup. One that fails alarms the coach, and raises what it failed of."""
    try:
        file = writing.back_up(now=now)
    except Exception as failure:
        _alarm(failure.message if isinstance(failure, BackupError) else UNEXPECTED)
        raise
    logger.info("Backup %s was written.", file.name)


def _alarm(reason: str) -> None:
    """Once until a backup comes about again: the newest there is names the alarm.

    Ended jobs are kept for a month; whoever does nothing for so long is reminded.
    """
    newest = next((file.name for file in folder.backups()), "")
    alarmed = ProcrastinateJob.objects.filter(task_name=ALARM, args__newest=newest)
    if not alarmed.exists():
        jobs.enqueue(ALARM, newest=newest, reason=reason)
