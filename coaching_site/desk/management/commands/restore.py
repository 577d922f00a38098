"""Brings a backup back, and says what nobody but the operator can know."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from procrastinate.contrib.django.models import ProcrastinateJob

from booking.models import InvoiceSequence
from coaching_site.desk.backups import copying, database, keys, restoring
from coaching_site.desk.backups.errors import BackupError
from coaching_site.desk.backups.restoring import Restored
from newsletter.models import Issue

# In the order in which they should be looked at.
TO_DO = """
Seit der Sicherung ist an dieser Datenbank nichts mehr geschehen, draußen schon. Deshalb wartet der
Worker: Keine Mail geht hinaus, kein Geld zurück. Die Seite selbst darf laufen. Sieh nach:

1. Ausgaben: Eine, die danach verschickt wurde, ginge an alle noch einmal, die sie schon haben. Halte
   unter „Ausgaben“ an, was „wird verschickt“ oder „geplant“ ist und schon draußen war.
2. Abmeldungen und Löschungen seitdem: Was in deinem Postfach steht, trag noch einmal ein. Abmeldungen
   per Klick kennt niemand mehr; verschick bis zu einem Hinweis darauf keinen Newsletter.
3. Zahlungen seitdem: Bei Stripe steht, wer bezahlt hat. Wo hier der Termin fehlt, trag ihn ein oder
   erstatte bei Stripe. Erstattungen geschehen nicht doppelt: Stripe wird vorher gefragt.
4. Termine, Widerrufe und Absagen seitdem: Sie stehen in den Mails an dich. Trag sie nach.
5. Rechnungen seitdem: Ihre Nummern würden noch einmal vergeben. Setz den Nummernkreis auf die letzte,
   die per Mail hinausging (`booking_invoicesequence`, Spalte `last`).
6. Mails zu Terminen, die seit der Sicherung hinausgingen, gehen ein zweites Mal hinaus, mit derselben
   Message-ID. Was zur Zeit der Sicherung gerade lief, beginnt noch einmal.

Danach: manage.py restore --finish
"""


class Command(BaseCommand):
    help = (
        "Brings a backup back into an EMPTY database and the media folder, where nothing is "
        "overwritten. The worker waits until --finish."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        source = parser.add_mutually_exclusive_group()
        source.add_argument("file", nargs="?", type=Path)
        source.add_argument(
            "--from-copy",
            metavar="NAME",
            help=f"fetch it from the host of BACKUP_COPY_URL; „{copying.NEWEST}“ is the newest there",
        )
        parser.add_argument(
            "--identity", metavar="FILE", type=Path, help="the secret key; - reads it from a pipe"
        )
        parser.add_argument(
            "--finish", action="store_true", help="all is looked at: the worker may start"
        )

    def handle(self, **options: Any) -> None:
        if options["finish"]:
            restoring.let_go(database.of_site())
            self.stdout.write("Der Worker darf laufen; er beginnt von selbst.")
            return
        if not ((options["file"] or options["from_copy"]) and options["identity"]):
            raise CommandError("Nenn die Sicherung und mit --identity den geheimen Schlüssel.")
        try:
            identity = keys.read(options["identity"])
            with self._source(options) as file:
                self._tell(restoring.restore(file, identity, into=database.of_site()))
        except BackupError as error:
            raise CommandError(error.message) from error

    def _source(self, options: dict[str, Any]) -> AbstractContextManager[Path]:
        if options["from_copy"]:
            return copying.fetched(options["from_copy"])
        return nullcontext(options["file"])

    def _tell(self, restored: Restored) -> None:
        for table, count in restored.rows.items():
            self.stdout.write(f"{count:>10}  {table}")
        self.stdout.write(
            f"{restored.pictures:>10}  Bilder, {restored.pictures_kept} waren schon da und blieben"
        )
        if restored.new_migrations:
            self.stdout.write("Diese Fassung ist neuer als die Sicherung: manage.py migrate")
        self._tell_what_waits()
        self.stdout.write(TO_DO)

    def _tell_what_waits(self) -> None:
        sending = Issue.objects.filter(status__in=[Issue.Status.SENDING, Issue.Status.SCHEDULED])
        waiting = ProcrastinateJob.objects.filter(status__in=["todo", "doing"])
        self.stdout.write(f"{sending.count():>10}  Ausgaben unterwegs oder geplant")
        self.stdout.write(f"{waiting.count():>10}  Aufträge warten")
        for series in InvoiceSequence.objects.order_by("year", "series"):
            self.stdout.write(f"{series.last:>10}  letzte Nummer der Reihe {series}")
