"""Asks the running site whether it is well; the container's health check."""

from __future__ import annotations

import os
import time
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = (
        "Asks /healthz of the site on this host, or /readyz with --ready. "
        "Ends with an error unless it answers 200."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--ready", action="store_true", help="database, migrations and worker as well"
        )
        parser.add_argument(
            "--wait", type=float, default=0, metavar="SECONDS", help="ask again for so long"
        )

    def handle(self, *, ready: bool, wait: float, **options: Any) -> None:
        deadline = time.monotonic() + wait
        while (told := _ask("/readyz" if ready else "/healthz"))[0] != 200:
            if time.monotonic() >= deadline:
                raise CommandError(told[1])
            time.sleep(1)
        self.stdout.write(told[1])


def _ask(path: str) -> tuple[int, str]:
    """Status and words of the answer; status 0 when there was none."""
    address = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}{path}"
    request = Request(address, headers={"Host": settings.ALLOWED_HOSTS[0]})
    try:
        with urlopen(request, timeout=4) as answer:  # noqa: S310  (our own address)
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()
    except (HTTPException, OSError) as error:
        return 0, f"The site does not answer ({type(error).__name__})."
