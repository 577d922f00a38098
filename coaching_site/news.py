"""Whether Postgres told of a change to anything that public pages show.

Triggers on those tables (migration pages 0006) send a notification with the transaction that
changes them; it arrives in every process on every host a few milliseconds after the commit. Each
process listens on one connection of its own, so a pooler that hands out connections by transaction
must not stand in between. While the line is down, nothing is known, and nothing may be kept.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time

import psycopg
from django.conf import settings
from django.db import connection

CHANNEL = "content"
# So often the line is tried; a host that vanished without a word is noticed after twice that.
BEAT_SECONDS = 5
PAUSE_SECONDS = 1

logger = logging.getLogger(__name__)


class Listener:
    """Counts editions: a new one with each change, none while nobody listens."""

    def __init__(self) -> None:
        self._edition: int | None = None
        self._numbers = itertools.count(1)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def edition(self) -> int | None:
        """The number of the edition that holds now. Read it before you read what a page shows."""
        if self._thread is None and settings.LISTENS_FOR_NEWS:
            self._start()
        return self._edition

    def _start(self) -> None:
        """Begin in the process that serves: threads do not survive a fork."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="news", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self._listen()
            except psycopg.Error as error:
                if self._edition is not None:
                    logger.warning("The line for news is down: %s", type(error).__name__)
            except Exception:
                # Without this thread nothing would be kept until the process ends.
                logger.exception("The line for news broke; it is tried again.")
            finally:
                self._edition = None
            time.sleep(PAUSE_SECONDS)

    def _listen(self) -> None:
        line = {
            **connection.get_connection_params(),
            "application_name": "news",
            "autocommit": True,
            "tcp_user_timeout": BEAT_SECONDS * 1000,
        }
        with psycopg.connect(**line) as listening:
            listening.execute(f"LISTEN {CHANNEL}")
            self._edition = next(self._numbers)
            _renew_pool()
            while True:
                for _ in listening.notifies(timeout=BEAT_SECONDS, stop_after=1):
                    self._edition = next(self._numbers)
                listening.execute("SELECT 1")


def _renew_pool() -> None:
    """Replace what broke together with the line before.

    Else the visitors would find the dead connections one by one, with a growing pause after each.
    """
    pool = getattr(connection, "pool", None)
    # Nobody may have asked the database in this process yet: then there is nothing to renew.
    if pool is not None and not pool.closed:
        pool.check()


_listener = Listener()
edition = _listener.edition
