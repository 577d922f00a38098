"""Files that take long to make: who asked for which, how far it is, and its bytes.

The bytes lie in the database, in pieces: web and worker may run on different hosts, a piece is read
without holding the rest in memory, and nothing of it can be reached by an address. They go after a
day; the work itself stays as a record of who took what along, naming nobody in it.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Func, IntegerField, Q
from django.db.models.lookups import LessThanOrEqual

from coaching_site.desk.progress import Progress

PIECE_BYTES = 1024 * 1024


class LongWorkQuerySet(models.QuerySet["LongWork"]):
    def unfinished(self) -> LongWorkQuerySet:
        """What a worker still has to do, in the order it was asked for."""
        return self.filter(state__in=[LongWork.State.WAITING, LongWork.State.RUNNING]).order_by(
            "asked_at", "pk"
        )

    def without_rows(self) -> LongWorkQuerySet:
        """Leave out which rows were chosen: a list of them may be long."""
        return self.defer("rows")


class LongWork(models.Model):
    """One file somebody asked for.

    WAITING → RUNNING → DONE; whoever stops it, or an error, makes it STOPPED or FAILED, from where
    it may WAIT again. Each start begins anew and is an attempt of its own: a worker that
    was thought dead and comes back finds that it is not the last, and writes nothing more.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "wartet"
        RUNNING = "running", "wird erstellt"
        DONE = "done", "fertig"
        STOPPED = "stopped", "abgebrochen"
        FAILED = "failed", "gescheitert"

    kind = models.CharField("Art", max_length=40)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name="verlangt von",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    asked_at = models.DateTimeField("verlangt am")
    file_name = models.CharField("Dateiname", max_length=100)
    # The keys of the chosen rows, in their order; nothing where the kind takes all there are.
    rows: models.JSONField[list[int], list[int]] = models.JSONField(
        "ausgewählte Zeilen", default=list, blank=True
    )
    state = models.CharField("Stand", max_length=8, choices=State, default=State.WAITING)
    attempt = models.PositiveIntegerField("Versuch", default=0)
    done = models.PositiveIntegerField("erledigt", default=0)
    total = models.PositiveIntegerField("insgesamt")
    started_at = models.DateTimeField("begonnen am", null=True, blank=True)
    moved_at = models.DateTimeField("zuletzt bewegt am", null=True, blank=True)
    ended_at = models.DateTimeField("beendet am", null=True, blank=True)
    expires_at = models.DateTimeField("Datei bis", null=True, blank=True, db_index=True)
    is_gone = models.BooleanField("Datei gelöscht", default=False)
    size = models.BigIntegerField("Größe in Bytes", null=True, blank=True)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    problem = models.TextField("was schiefging", blank=True)

    objects = LongWorkQuerySet.as_manager()

    class Meta:
        verbose_name = "Export"
        verbose_name_plural = "Exporte"
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="desk_long_work_state_is_known",
                condition=Q(state__in=["waiting", "running", "done", "stopped", "failed"]),
            ),
            models.CheckConstraint(
                name="desk_long_work_counts_no_row_twice", condition=Q(done__lte=F("total"))
            ),
            models.CheckConstraint(
                name="desk_long_work_done_has_its_file",
                condition=~Q(state="done")
                | Q(size__isnull=False, expires_at__isnull=False, sha256__regex="^[0-9a-f]{64}$"),
            ),
            models.CheckConstraint(
                name="desk_long_work_ended_expires",
                condition=~Q(state__in=["done", "stopped", "failed"])
                | Q(ended_at__isnull=False, expires_at__isnull=False),
            ),
            models.CheckConstraint(
                name="desk_long_work_failed_says_why",
                condition=~Q(state="failed") | ~Q(problem=""),
            ),
            models.CheckConstraint(
                name="desk_long_work_gone_names_no_rows",
                condition=Q(is_gone=False) | Q(state__in=["done", "stopped", "failed"], rows=[]),
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_unfinished(self) -> bool:
        return self.state in (self.State.WAITING, self.State.RUNNING)

    @property
    def may_be_asked_again(self) -> bool:
        return self.state in (self.State.STOPPED, self.State.FAILED) and not self.is_gone

    def has_file(self, now: datetime) -> bool:
        """Whether it can be downloaded; after its day it cannot, even before it is deleted."""
        is_there = self.state == self.State.DONE and not self.is_gone
        return is_there and self.expires_at is not None and now < self.expires_at

    def progress(self, now: datetime) -> Progress:
        return Progress(self.done, self.total, self.started_at, now, moved=self.moved_at)


class LongWorkPiece(models.Model):
    """Some bytes of a file."""

    work = models.ForeignKey(
        LongWork, verbose_name="Export", on_delete=models.CASCADE, related_name="pieces"
    )
    number = models.PositiveIntegerField("Nummer")
    data = models.BinaryField("Bytes")

    class Meta:
        verbose_name = "Stück eines Exports"
        verbose_name_plural = "Stücke der Exporte"
        constraints = [
            models.UniqueConstraint(
                name="desk_long_work_piece_is_numbered_once", fields=["work", "number"]
            ),
            models.CheckConstraint(
                name="desk_long_work_piece_is_small",
                condition=LessThanOrEqual(
                    Func(F("data"), function="octet_length", output_field=IntegerField()),
                    PIECE_BYTES,
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"Stück {self.number}"
