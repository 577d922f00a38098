"""Whether this host's clock and the database's agree: rules read the one, jobs are due by the other.

Postgres keeps double bookings and second mails away whatever the clocks say. But a worker that is a
day ahead would remind a day early and let requests lapse that still have time.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from datetime import datetime, timedelta

import psycopg
from django.db import Error, connection
from django.utils import timezone
from psycopg_pool import PoolTimeout

# Far more than NTP leaves; a host that is further behind asks Stripe for pages that would live less
# than half an hour, which it refuses. The claim on a mail lives longer.
MOST_APART = timedelta(minutes=1)
LOOK_EVERY_SECONDS = 5.0

logger = logging.getLogger(__name__)


def apart() -> timedelta:
    """How far this host's clock is ahead of the database's; negative if it is behind."""
    before = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (there,) = cursor.fetchone()
    assert isinstance(there, datetime)
    # The answer took a while: the clock was read somewhere in the middle.
    return before + (timezone.now() - before) / 2 - there


def is_off() -> bool:
    """Whether the two are further apart than rules bear."""
    return abs(apart()) > MOST_APART


def stop_when_it_is_off() -> None:
    """Watch from a thread; ask this process to end in order once its clock is off.

    Whoever starts it again gets one that waits until the clock is right (`wait_until_it_is_right`).
    """
    threading.Thread(target=_watch, name="clock", daemon=True).start()


def wait_until_it_is_right() -> None:
    """Return once the clocks agree."""
    while is_off():
        logger.error(
            "The clock of this host and the database's are apart; waiting. Is NTP running?"
        )
        connection.close()
        time.sleep(LOOK_EVERY_SECONDS)
    connection.close()


def _watch() -> None:
    while True:
        time.sleep(LOOK_EVERY_SECONDS)
        try:
            if is_off():
                logger.error("The clock of this host and the database's are apart; ending.")
                os.kill(os.getpid(), signal.SIGTERM)
                return
        except (Error, psycopg.Error, PoolTimeout):
            pass  # without a database no job runs either
        finally:
            connection.close()
