"""What is kept of a list on its way in: the file, how it is read, and what becomes of every line.

The file lies in the database, in pieces: web and worker may run on different hosts, a piece is read
without holding the rest in memory, and nothing of it can be reached by an address. Pieces go when
the import is done, lines some days later; the import itself stays as a record without addresses.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from coaching_site.desk.progress import Progress
from newsletter.addresses import LONGEST

NAME_LENGTH = 200
TAG_LENGTH = 80


class Import(models.Model):
    """One list on its way in.

    UPLOADED → CHECKING → CHECKED → RUNNING → DONE; CHECKING and RUNNING may be STOPPED and go on.
    FAILED is a file that could not be read to its end; another mapping may heal that.
    """

    class Status(models.TextChoices):
        UPLOADED = "uploaded", "hochgeladen"
        CHECKING = "checking", "wird geprüft"
        CHECKED = "checked", "geprüft, noch nichts übernommen"
        RUNNING = "running", "wird übernommen"
        STOPPED = "stopped", "angehalten"
        DONE = "done", "fertig"
        FAILED = "failed", "nicht lesbar"

    status = models.CharField("Stand", max_length=12, choices=Status, default=Status.UPLOADED)
    file_name = models.CharField("Datei", max_length=200)
    size = models.BigIntegerField("Größe in Bytes", default=0)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name="hochgeladen von",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField("hochgeladen am")
    mapping = models.JSONField("Zuordnung der Spalten", default=dict, blank=True)
    tag = models.CharField("Schlagwort für alle", max_length=TAG_LENGTH, blank=True)
    source = models.CharField("Herkunft", max_length=150, blank=True)
    consent_date = models.DateField("Datum der Einwilligung", null=True, blank=True)
    consent_text = models.TextField("Wortlaut der Einwilligung", blank=True)
    # Lines done in the present phase. It moves in the transaction that does those lines.
    position = models.PositiveIntegerField("erledigte Zeilen", default=0)
    total = models.PositiveIntegerField("Zeilen", null=True, blank=True)
    bytes_done = models.BigIntegerField("gelesene Bytes", default=0)
    # Whether „go on“ means checking or taking over.
    taking_over = models.BooleanField("Übernahme begonnen", default=False)
    check_counts = models.JSONField("Ergebnis der Prüfung", default=dict, blank=True)
    counts = models.JSONField("Ergebnis", default=dict, blank=True)
    # From when and where the present speed is measured.
    started_at = models.DateTimeField("begonnen am", null=True, blank=True)
    start_position = models.PositiveIntegerField("begonnen bei Zeile", default=0)
    moved_at = models.DateTimeField("zuletzt bewegt am", null=True, blank=True)
    finished_at = models.DateTimeField("fertig am", null=True, blank=True)
    problem = models.TextField("Hindernis", blank=True)
    report_gone = models.BooleanField("Bericht gelöscht", default=False)

    class Meta:
        verbose_name = "Import"
        verbose_name_plural = "Importe"
        constraints = [
            models.CheckConstraint(
                name="newsletter_import_status_is_known",
                condition=Q(
                    status__in=[
                        "uploaded",
                        "checking",
                        "checked",
                        "running",
                        "stopped",
                        "done",
                        "failed",
                    ]
                ),
            ),
            models.CheckConstraint(
                name="newsletter_import_counts_no_line_twice",
                condition=Q(total__isnull=True) | Q(position__lte=F("total")),
            ),
            models.CheckConstraint(
                name="newsletter_import_finished_has_a_time",
                condition=~Q(status="done") | Q(finished_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_working(self) -> bool:
        return self.status in (self.Status.CHECKING, self.Status.RUNNING)

    @property
    def may_be_mapped(self) -> bool:
        """As long as nothing was taken over and the file is there, it can be read differently."""
        is_open = not self.taking_over and not self.is_working and not self.report_gone
        return is_open and ImportPiece.objects.filter(file__run=self).exists()

    @property
    def may_start(self) -> bool:
        return self.status == self.Status.CHECKED

    @property
    def may_go_on(self) -> bool:
        return self.status == self.Status.STOPPED and not self.report_gone

    @property
    def has_provenance(self) -> bool:
        """Source, date and words together prove a consent; two of them do not."""
        return bool(self.source and self.consent_date and self.consent_text)

    def progress(self, now: datetime) -> Progress:
        """How far the present phase is."""
        return Progress(
            done=self.position,
            total=self._expected,
            started=self.started_at,
            now=now,
            before=self.start_position,
            moved=self.moved_at,
        )

    @property
    def _expected(self) -> int:
        """How many lines there are; until they are counted, as the bytes read so far promise."""
        if self.total is not None:
            return self.total
        read = self.bytes_done / self.size if self.size else 0.0
        return max(self.position + 1, round(self.position / read) if read else 0)


class ImportFile(models.Model):
    """One CSV file of an import, and how to read it. A ZIP brings several."""

    class Everyone(models.TextChoices):
        """Who stands in this file, unless a column says otherwise."""

        ACTIVE = "active", "Leute, die den Newsletter bekommen"
        LEFT = "left", "Leute, die sich abgemeldet haben"
        BARRED = "barred", "unzustellbare Adressen"

    run = models.ForeignKey(
        Import, verbose_name="Import", on_delete=models.CASCADE, related_name="files"
    )
    number = models.PositiveSmallIntegerField("Nummer")
    name = models.CharField("Name", max_length=200)
    size = models.BigIntegerField("Größe in Bytes", default=0)
    encoding = models.CharField("Zeichensatz", max_length=20)
    delimiter = models.CharField("Trennzeichen", max_length=1)
    has_header = models.BooleanField("erste Zeile enthält Überschriften", default=True)
    everyone = models.CharField(
        "Wer steht in dieser Datei?", max_length=8, choices=Everyone, default=Everyone.ACTIVE
    )

    class Meta:
        verbose_name = "Datei eines Imports"
        verbose_name_plural = "Dateien der Importe"
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(
                name="newsletter_import_file_is_numbered_once", fields=["run", "number"]
            ),
            models.CheckConstraint(
                name="newsletter_import_file_everyone_is_known",
                condition=Q(everyone__in=["active", "left", "barred"]),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ImportPiece(models.Model):
    """Some bytes of an uploaded file."""

    file = models.ForeignKey(
        ImportFile, verbose_name="Datei", on_delete=models.CASCADE, related_name="pieces"
    )
    number = models.PositiveIntegerField("Nummer")
    data = models.BinaryField("Bytes")

    class Meta:
        verbose_name = "Stück einer Datei"
        verbose_name_plural = "Stücke der Dateien"
        constraints = [
            models.UniqueConstraint(
                name="newsletter_import_piece_is_numbered_once", fields=["file", "number"]
            ),
        ]

    def __str__(self) -> str:
        return f"Stück {self.number}"


class Outcome(models.TextChoices):
    """What becomes of a line."""

    NEW = "new", "neu angemeldet"
    PROMOTED = "promoted", "jetzt angemeldet, war unbestätigt"
    UNPROVEN = "unproven", "neu, unbestätigt (wird nie beschickt)"
    PENDING = "pending", "neu, wartet auf die eigene Bestätigung"
    FILLED = "filled", "ergänzt um Name oder Schlagwörter"
    SAME = "same", "unverändert"
    LEFT = "left", "als abgemeldet übernommen"
    TAKEN_OFF = "taken_off", "hier abgemeldet"
    BARRED = "barred", "gesperrt"
    SKIPPED = "skipped", "übersprungen (abgemeldet)"
    WAITING = "waiting", "übersprungen (wartet auf die eigene Bestätigung)"
    GONE = "gone", "übersprungen (in der Quelle gelöscht)"
    DUPLICATE = "duplicate", "doppelt in der Datei"
    INVALID = "invalid", "fehlerhaft"


class ImportRow(models.Model):
    """One line of the list: what it says, and what becomes of it. The report, line by line."""

    class Wish(models.TextChoices):
        """What the line asks for; the rules decide what becomes of it."""

        ACTIVE = "active"
        UNCLEAR = "unclear"
        PENDING = "pending"
        LEFT = "left"
        BARRED = "barred"
        NONE = "none"  # nothing: its outcome was settled by reading it

    pk = models.CompositePrimaryKey("run_id", "number")
    run = models.ForeignKey(
        Import, verbose_name="Import", on_delete=models.CASCADE, db_index=False, related_name="rows"
    )
    number = models.PositiveIntegerField("Nummer")
    file_number = models.PositiveSmallIntegerField("Datei")
    line = models.PositiveIntegerField("Zeile")
    address = models.CharField("E-Mail-Adresse", max_length=LONGEST)
    address_key = models.CharField("Suchform der Adresse", max_length=LONGEST)
    # The address in sixteen bytes, for a small index that lets each address in once.
    key_hash = models.UUIDField("Prüfzahl der Adresse", null=True)
    name = models.CharField("Name", max_length=NAME_LENGTH)
    tags = ArrayField(models.CharField(max_length=TAG_LENGTH), verbose_name="Schlagwörter")
    wish = models.CharField("gewünscht", max_length=8, choices=Wish)
    suppress = ArrayField(models.CharField(max_length=12), verbose_name="Sperren")
    proven = models.BooleanField("mit Nachweis")
    requested_at = models.DateTimeField("eingetragen am", null=True)
    confirmed_at = models.DateTimeField("bestätigt am", null=True)
    left_at = models.DateTimeField("abgemeldet am", null=True)
    created_at = models.DateTimeField("angelegt am", null=True)
    evidence = models.JSONField("Nachweis der Zeile", null=True)
    # What our own export knows beyond that: every consent, the signed links' id, the mail's ledger.
    record = models.JSONField("eigener Export", null=True)
    note = models.CharField("Hinweis beim Lesen", max_length=200)
    outcome = models.CharField("Ergebnis", max_length=12, choices=Outcome)
    why = models.CharField("Grund", max_length=12)

    class Meta:
        verbose_name = "Zeile eines Imports"
        verbose_name_plural = "Zeilen der Importe"
        constraints = [
            models.UniqueConstraint(
                name="newsletter_import_takes_an_address_once", fields=["run", "key_hash"]
            ),
        ]

    def __str__(self) -> str:
        return f"Zeile {self.line}: {self.address}"

    @property
    def reason(self) -> str:
        """Why this becomes of it, as the coach reads it."""
        return " ".join(filter(None, [WHY.get(self.why, ""), self.note]))


# The reasons the rules give. What was seen while reading the line is its note.
WHY: dict[str, str] = {
    "left": "Hat sich hier abgemeldet.",
    "left_too": "Ist hier schon abgemeldet.",
    "barred": "Hat sich beschwert, ist gesperrt oder unzustellbar oder wurde auf Wunsch gelöscht.",
    "returned": "In der Quelle abgemeldet oder unzustellbar, hier aber selbst bestätigt.",
    "waiting": "Hat sich hier eingetragen und noch nicht bestätigt.",
    "no_proof": "Ohne Nachweis der Einwilligung.",
    "no_yes": "Der Status ist kein klares Ja.",
}


def add_counts(old: dict[str, Any], new: dict[str, int]) -> dict[str, int]:
    return {key: old.get(key, 0) + new.get(key, 0) for key in {**old, **new}}
