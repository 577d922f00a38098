"""The library's command; a worker waits for the operator after a backup was brought back, and for its clock."""

from __future__ import annotations

import time
from typing import Any

from django.db import connection
from procrastinate.contrib.django.management.commands import procrastinate

from coaching_site import clock
from coaching_site.desk.backups import database, restoring

LOOK_EVERY_SECONDS = 2


class Command(procrastinate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        if options["command"] == "worker":
            self._wait_for_the_operator()
            clock.wait_until_it_is_right()
            clock.stop_when_it_is_off()
        super().handle(*args, **options)

    def _wait_for_the_operator(self) -> None:
        here = database.of_site()
        connection.close()
        if restoring.is_held(here):
            self.stderr.write(
                "Eine Sicherung wurde zurückgespielt. Der Worker wartet auf `manage.py restore --finish`."
            )
        while restoring.is_held(here):
            time.sleep(LOOK_EVERY_SECONDS)
