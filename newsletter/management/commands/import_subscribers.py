"""Brings a list in from a file, as the admin does: read, check, take over, report."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from newsletter.errors import NewsletterError
from newsletter.imports import columns, files, running
from newsletter.imports.running import Provenance
from newsletter.models import Import, ImportRow, Outcome

SHOWN_PROBLEMS = 20
PROBLEMS = (Outcome.INVALID, Outcome.DUPLICATE, Outcome.UNPROVEN)


class Command(BaseCommand):
    help = "Imports subscribers from a CSV or ZIP file. Sends no mail. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--source", default="", help="where the list is from")
        parser.add_argument("--consent-date", type=date.fromisoformat, help="YYYY-MM-DD")
        parser.add_argument("--consent-text-file", type=Path, help="the words people agreed to")
        parser.add_argument("--tag", default="", help="a tag for everyone on the list")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="FIELD=COLUMN",
            help=f"fields: {', '.join(columns.Column)}",
        )
        parser.add_argument("--encoding", choices=list(files.ENCODINGS))
        parser.add_argument("--delimiter", choices=list(files.DELIMITERS))
        parser.add_argument("--dry-run", action="store_true", help="only say what would happen")

    def handle(self, **options: Any) -> None:
        try:
            self._bring(options)
        except NewsletterError as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error

    def _bring(self, options: dict[str, Any]) -> None:
        with options["file"].open("rb") as upload:
            run = running.take_in(options["file"].name, upload, by=None, now=timezone.now())
        self._read_otherwise(run, options)
        running.begin_check(
            run,
            mapping=_mapping(run, options["map"]),
            provenance=_provenance(options),
            now=timezone.now(),
        )
        running.work(run.pk)
        run.refresh_from_db()
        if run.status == Import.Status.FAILED:
            raise CommandError(run.problem)
        self._problems(run)
        if options["dry_run"]:
            self.stdout.write(f"dry run: {_counts(run.check_counts)}")
            running.discard(run)
            return
        running.start(run, now=timezone.now())
        running.work(run.pk)
        run.refresh_from_db()
        self.stdout.write(f"import {run.pk} {run.status}: {_counts(run.counts)}")

    def _read_otherwise(self, run: Import, options: dict[str, Any]) -> None:
        wanted = {name: options[name] for name in ("encoding", "delimiter") if options[name]}
        if wanted:
            run.files.update(**wanted)
            run.mapping = running.guess_mapping(run)

    def _problems(self, run: Import) -> None:
        rows = ImportRow.objects.filter(run=run, outcome__in=PROBLEMS).order_by("number")
        for row in rows[:SHOWN_PROBLEMS]:
            self.stdout.write(
                f"Zeile {row.line}: {row.address or '–'}: {row.get_outcome_display()}. {row.reason}"
            )


def _mapping(run: Import, wanted: list[str]) -> dict[str, str]:
    """The guess, with what the command line says about columns above it."""
    mapping = dict(run.mapping)
    known = running.all_headings(run)
    for each in wanted:
        name, _, column = each.partition("=")
        if name not in list(columns.Column) or column not in known:
            raise CommandError(
                f"--map {each}: FIELD=COLUMN, with one of these columns: {', '.join(known)}"
            )
        mapping = {key: value for key, value in mapping.items() if value != name}
        mapping[column] = name
    return mapping


def _provenance(options: dict[str, Any]) -> Provenance:
    text_file: Path | None = options["consent_text_file"]
    return Provenance(
        source=options["source"],
        consent_date=options["consent_date"],
        consent_text=text_file.read_text("utf-8").strip() if text_file else "",
        tag=options["tag"],
    )


def _counts(counts: dict[str, int]) -> str:
    return " ".join(f"{outcome}={count}" for outcome, count in sorted(counts.items()))
