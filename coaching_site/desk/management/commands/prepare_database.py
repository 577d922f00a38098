"""Brings the database up to this code, one process at a time, however many hosts start at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from psycopg.errors import LockNotAvailable

from coaching_site.desk.backups import database

# Any number will do that no other lock of this database has.
LOCK = 7_263_874_411
LOOK_EVERY_SECONDS = 0.5
# A change to a table waits until nobody reads it, and whoever comes meanwhile waits behind it. So it
# waits only this long, lets the visitors through, and asks again.
LOCK_PATIENCE = "2s"
TRIES = 60
PAUSE_SECONDS = 1.0


class Command(BaseCommand):
    help = (
        "Carries out the migrations and gives the roles their permissions. Safe to repeat; of "
        "several at once one works and the others wait for it."
    )
    requires_system_checks: list[str] = []

    def handle(self, *, verbosity: int, **options: object) -> None:
        with self._alone():
            self._migrate(verbosity)
            call_command("roles", verbosity=verbosity)

    def _migrate(self, verbosity: int) -> None:
        """Carry out what is missing; a migration that finds its table in use is undone and tried again.

        Raises CommandError when one of them never gets its turn.
        """
        for _ in range(TRIES):
            try:
                _set_lock_timeout(LOCK_PATIENCE)
                call_command("migrate", interactive=False, verbosity=verbosity)
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable):
                    raise
            else:
                _set_lock_timeout("0")
                return
            self.stderr.write("A table is in use; its migration is tried again.")
            time.sleep(PAUSE_SECONDS)
        raise CommandError(
            "A table is in use all the time. pg_stat_activity tells by whom; nothing is half done."
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold an advisory lock on a connection of its own; Postgres frees it if we are killed."""
        with database.of_site().connect() as held:
            held.autocommit = True
            is_told = False
            # Asked again and again: a statement that waits would itself be waited for by
            # CREATE INDEX CONCURRENTLY, and neither would end.
            while held.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() != (True,):
                if not is_told:
                    self.stderr.write("Another process prepares the database; waiting for it.")
                    is_told = True
                time.sleep(LOOK_EVERY_SECONDS)
            yield


def _set_lock_timeout(patience: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [patience])
