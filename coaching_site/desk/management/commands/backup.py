"""Makes an encrypted backup, or the key it is encrypted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from coaching_site.desk.backups import copying, keys, nightly, writing
from coaching_site.desk.backups.errors import BackupError


class Command(BaseCommand):
    help = (
        "Writes database and media, encrypted for BACKUP_RECIPIENTS, into one file with a checksum "
        "beside it, and deletes what is older than the privacy notice allows. The worker then carries it "
        "to the host of BACKUP_COPY_URL. Runs by itself every night; safe to repeat."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        instead = parser.add_mutually_exclusive_group()
        instead.add_argument(
            "--copy",
            action="store_true",
            help="make none; carry at once what the host of BACKUP_COPY_URL lacks",
        )
        instead.add_argument(
            "--list-copies",
            action="store_true",
            help="make none; list those on that host, newest first",
        )
        instead.add_argument(
            "--new-key",
            metavar="FILE",
            type=Path,
            help="only write a new secret key there and print its public one",
        )

    def handle(self, **options: Any) -> None:
        try:
            if options["new_key"]:
                self._make_key(options["new_key"])
            elif options["copy"]:
                self._copy()
            elif options["list_copies"]:
                self._list_copies()
            else:
                self._back_up()
        except BackupError as error:
            raise CommandError(error.message) from error

    def _make_key(self, path: Path) -> None:
        public = keys.make(path, now=timezone.now())
        self.stdout.write(f"BACKUP_RECIPIENTS={public}")
        self.stderr.write(
            f"Der geheime Schlüssel steht in {path}. Bewahr ihn zweimal auf, aber nicht auf dem Server, "
            "der sichert: Ohne ihn öffnet niemand eine Sicherung, mit ihm jeder."
        )

    def _back_up(self) -> None:
        file = writing.back_up(now=timezone.now())
        megabytes = file.stat().st_size / 1_000_000
        self.stdout.write(f"{file} ({megabytes:.1f} MB)")
        nightly.start_carrying()

    def _copy(self) -> None:
        carried = copying.carry(now=timezone.now())
        self.stdout.write(f"sent={carried.sent} there={carried.there} gone={carried.gone}")

    def _list_copies(self) -> None:
        for copy in copying.copies():
            state = "" if copy.is_whole else "  unvollständig"
            self.stdout.write(f"{copy.name} ({copy.size / 1_000_000:.1f} MB){state}")
