"""Asks the running site whether it is well; the container's health check."""

from __future__ import annotations

import os
from typing import Any
from urllib.request import Request, urlopen

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Asks /healthz of the site on this host. Ends with an error unless it answers 200."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        port = os.environ.get("PORT", "8000")
        request = Request(
            f"http://127.0.0.1:{port}/healthz", headers={"Host": settings.ALLOWED_HOSTS[0]}
        )
        with urlopen(request, timeout=4) as answer:  # noqa: S310  (our own address)
            self.stdout.write(answer.read().decode())
