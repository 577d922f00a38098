"""The backup of the night, its way to the other host, and who hears of it when there is none."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings

from coaching_site import jobs
from coaching_site.desk import alarms
from coaching_site.desk.backups import copying, folder, writing
from coaching_site.desk.backups.errors import AlreadyCopying, BackupError, LineBroken

ALARM = "desk.warn_of_failed_backup"
COPY = "desk.copy_backups"
COPY_ALARM = "desk.warn_of_failed_copy"
UNEXPECTED = "Es ist etwas geschehen, das nicht vorgesehen ist; Näheres steht im Protokoll."
NONE_MADE = "Es kam keine zustande, und es ist auch keine gescheitert: Vielleicht lief der Worker nachts nicht."
# A line that breaks is tried again some hours later, and somebody hears of it after these.
LINE_MAY_BREAK_FOR = timedelta(hours=3)

logger = logging.getLogger(__name__)


def run(*, now: datetime) -> None:
    """Make a backup. One that fails alarms the coach, and raises what it failed of."""
    try:
        file = writing.back_up(now=now)
    except Exception as failure:
        _alarm(ALARM, folder.newest_name(), failure)
        raise
    logger.info("Backup %s was written.", file.name)
    start_carrying()


def start_carrying() -> None:
    """Let the worker carry what the other host lacks, if there is one."""
    if settings.BACKUP_COPY.host:
        jobs.enqueue_once(COPY, key=COPY, timestamp=0)


def carry(*, now: datetime) -> None:
    """Carry backups to the other host. A failure alarms the coach, and raises what it failed of."""
    try:
        carried = copying.carry(now=now)
    except AlreadyCopying:
        logger.info("Backups are being carried already.")
    except Exception as failure:
        if not (isinstance(failure, LineBroken) and _is_fresh(now)):
            _alarm(COPY_ALARM, folder.newest_carried(), failure)
        raise
    else:
        logger.info(
            "Of the backups %s were carried, %s were there, %s went.",
            carried.sent,
            carried.there,
            carried.gone,
        )


def warn_when_late(*, now: datetime) -> None:
    """Alarm the coach when nights go by without a backup and without a failure."""
    newest = folder.newest_at()
    if settings.BACKUP_RECIPIENTS and (newest is None or newest < now - folder.MUCH_TOO_LATE):
        alarms.once(ALARM, newest=folder.newest_name(), reason=NONE_MADE)


def _is_fresh(now: datetime) -> bool:
    """Whether what waits to be carried was only just made."""
    newest = folder.newest_at()
    return newest is not None and newest > now - LINE_MAY_BREAK_FOR


def _alarm(alarm: str, newest: str, failure: Exception) -> None:
    """Once until one comes about again: the newest there is names the alarm."""
    reason = failure.message if isinstance(failure, BackupError) else UNEXPECTED
    alarms.once(alarm, newest=newest, reason=reason)
