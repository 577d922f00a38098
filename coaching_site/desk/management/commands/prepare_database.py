"""Brings the database up to this code, one process at a time, however many hosts start at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.core.management.base import BaseCommand

from coaching_site.desk.backups import database

# Any number will do that no other lock of this database has.
LOCK = 7_263_874_411
LOOK_EVERY_SECONDS = 0.5


class Command(BaseCommand):
    help = (
        "Carries out the migrations and gives the roles their permissions. Safe to repeat; of "
        "several at once one works and the others wait for it."
    )
    requires_system_checks: list[str] = []

    def handle(self, *, verbosity: int, **options: object) -> None:
        with self._alone():
            call_command("migrate", interactive=False, verbosity=verbosity)
            call_command("roles", verbosity=verbosity)

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
