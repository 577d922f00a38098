"""Writes the whole list to standard output or into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from newsletter import exports


class Command(BaseCommand):
    help = "The list with states, tags, times and consents as CSV (the import reads it) or JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="standard output, if left out")
        parser.add_argument("--format", choices=["csv", "json"], default="csv")

    def handle(self, **options: Any) -> None:
        as_json = options["format"] == "json"
        lines = exports.json_lines(now=timezone.now()) if as_json else exports.csv_lines()
        path: Path | None = options["file"]
        if path is None:
            for line in lines:
                self.stdout.write(line, ending="")
            return
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)
        self.stdout.write(f"written={path}")
