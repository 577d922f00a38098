"""Deletes what has been kept long enough."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from coaching_site.desk import retention


class Command(BaseCommand):
    help = "Deletes and blanks what has been kept long enough. Runs by itself every day; safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="only count, change nothing at all"
        )

    def handle(self, **options: Any) -> None:
        run = retention.rehearse if options["dry_run"] else retention.carry_out
        for what, count in run(now=timezone.now()).items():
            self.stdout.write(f"{count:>8}  {what}")
