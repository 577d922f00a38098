"""Writes the whole list to standard output or into a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from newsletter import exports

FORMATS: dict[str, Callable[[], Iterator[str]]] = {
    "csv": exports.csv_lines,
    "json": lambda: exports.json_lines(now=timezone.now()),
    "suppressions": exports.suppression_lines,
}


class Command(BaseCommand):
    help = "The list as CSV, its suppressions as CSV (the import reads both), or all of it as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="standard output, if left out")
        parser.add_argument("--format", choices=list(FORMATS), default="csv")

    def handle(self, **options: Any) -> None:
        lines = FORMATS[options["format"]]()
        path: Path | None = options["file"]
        if path is None:
            for line in lines:
                self.stdout.write(line, ending="")
            return
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)
        self.stdout.write(f"written={path}")
