"""An import's life: taken in, checked, taken over; in batches that can be stopped and done again.

Every batch commits its lines together with how far the import is. So a killed worker loses the batch
it was at and nothing else, and whoever goes on begins with the next line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import IO

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from coaching_site import jobs, periods
from newsletter import import_models
from newsletter.errors import ImportRefused, NewsletterError
from newsletter.imports import columns, deciding, files
from newsletter.imports.columns import Column
from newsletter.imports.deciding import Raced, Range
from newsletter.imports.files import EncodingGuess, Part, PieceStream, Record, Records
from newsletter.imports.rows import Interpreter, Row
from newsletter.models import Import, ImportFile, ImportPiece, ImportRow

Clock = Callable[[], datetime]
Status = Import.Status

BATCH = 5_000
# A job works so long and then lets the next one go on: a stopping worker need not wait for it.
SLICE_SECONDS = 15.0
REPORT_LIFE = periods.IMPORTS.life
RACES = 5


class NotNow(NewsletterError):
    """The import is in another state than the page said."""

    message = "Das geht bei diesem Import gerade nicht. Sieh nach, wie er steht."


class NoEmailColumn(NewsletterError):
    message = "Sag, in welcher Spalte die E-Mail-Adressen stehen."


@dataclass(frozen=True)
class Provenance:
    """Where the list is from, and what its people agreed to when."""

    source: str = ""
    consent_date: date | None = None
    consent_text: str = ""
    tag: str = ""


@dataclass(frozen=True)
class Preview:
    """The first lines of a file as they are read now."""

    file: ImportFile
    headings: list[str]
    rows: list[list[str]] = field(default_factory=list)
    problem: str = ""


# --- taking in ------------------------------------------------------------------------------


def take_in(name: str, upload: IO[bytes], *, by: int | None, now: datetime) -> Import:
    """Keep the uploaded list and guess how it is to be read. Raises ImportRefused."""
    with transaction.atomic():
        run = Import.objects.create(file_name=files.plain_name(name), made_by_id=by, created_at=now)
        for part in files.parts(name, upload):
            number = run.files.count()
            run.size += _keep(run, number, part, files.MAX_BYTES - run.size)
        _put_departures_first(run)
        run.mapping = guess_mapping(run)
        run.save(update_fields=["size", "mapping"])
    return run


def _keep(run: Import, number: int, part: Part, allowance: int) -> int:
    file = ImportFile(run=run, number=number, name=part.name, encoding="utf-8-sig", delimiter=",")
    file.save()
    guess, sample = EncodingGuess(), b""
    for count, data in enumerate(files.pieces(part.stream, allowance=allowance)):
        ImportPiece.objects.create(file=file, number=count, data=data)
        guess.feed(data)
        file.size += len(data)
        sample = sample or data[: files.SAMPLE_BYTES]
    file.encoding = guess.result()
    file.delimiter = files.guess_delimiter(sample, file.encoding, columns.known_headings())
    file.has_header = not _begins_with_an_address(file)
    file.everyone = _who_is_in(file)
    file.save()
    return file.size


def _begins_with_an_address(file: ImportFile) -> bool:
    first = next(iter(_first_rows(file, 1)), [])
    return any("@" in cell and "." in cell for cell in first)


def _who_is_in(file: ImportFile) -> ImportFile.Everyone:
    """Mailchimp's three files differ by name, and by columns the others do not have."""
    name = file.name.casefold()
    headings = {cell.strip() for cell in next(iter(_first_rows(file, 1)), [])}
    if name.startswith("cleaned") or "CLEAN_TIME" in headings:
        return ImportFile.Everyone.BARRED
    if name.startswith(("unsubscribed", "nonsubscribed")) or "UNSUB_TIME" in headings:
        return ImportFile.Everyone.LEFT
    return ImportFile.Everyone.ACTIVE


def _put_departures_first(run: Import) -> None:
    """The first line of an address counts; whoever left in one file must not come by another."""
    order = [ImportFile.Everyone.BARRED, ImportFile.Everyone.LEFT, ImportFile.Everyone.ACTIVE]
    kept = sorted(run.files.all(), key=lambda file: order.index(ImportFile.Everyone(file.everyone)))
    run.files.update(number=F("number") + len(kept))
    for number, file in enumerate(kept):
        ImportFile.objects.filter(pk=file.pk).update(number=number)


# --- reading --------------------------------------------------------------------------------


def _stream(file: ImportFile) -> PieceStream:
    return PieceStream(pieces(file))


def pieces(file: ImportFile) -> Iterator[bytes]:
    """The bytes of a file, as far as they are kept, one piece in memory at a time."""
    number = 0
    while True:
        found = ImportPiece.objects.filter(file=file, number=number).values_list("data", flat=True)
        data = found.first()
        if data is None:
            return
        yield bytes(data)
        number += 1


def _records(file: ImportFile, stream: PieceStream) -> Iterator[Record]:
    return iter(Records(files.text_lines(stream, file.encoding), file.delimiter))


def _first_rows(file: ImportFile, count: int) -> list[list[str]]:
    with closing(_stream(file)) as stream:
        return [record.cells for record in islice(_records(file, stream), count)]


def headings(file: ImportFile) -> list[str]:
    """The names of the columns; numbered ones where the file has none. Raises ImportRefused."""
    first = next(iter(_first_rows(file, 1)), [])
    if len(first) > files.MAX_COLUMNS:
        raise ImportRefused(
            f"Die Datei hat {len(first)} Spalten, erlaubt sind {files.MAX_COLUMNS}. "
            "Wähle in deinem Programm aus, was du exportierst."
        )
    return columns.unique_headings(first if file.has_header else [""] * len(first))


def preview(file: ImportFile, count: int = 5) -> Preview:
    try:
        names = headings(file)
        rows = _first_rows(file, count + 1)[1 if file.has_header else 0 :][:count]
    except ImportRefused as error:
        return Preview(file, [], problem=error.message)
    width = len(names)
    return Preview(file, names, [[*row, *[""] * width][:width] for row in rows])


def all_headings(run: Import) -> list[str]:
    """Every column of every file, once."""
    names = [name for file in run.files.all() for name in headings(file)]
    return list(dict.fromkeys(names))


def guess_mapping(run: Import) -> dict[str, str]:
    """What the columns mean, as far as their names say; an address in a first line says enough."""
    found: dict[str, str] = {}
    for file in run.files.all():
        names = headings(file)
        if file.has_header:
            found |= columns.guess(names)
        else:
            first = next(iter(_first_rows(file, 1)), [])
            places = [place for place, cell in enumerate(first) if "@" in cell]
            found |= {names[places[0]]: Column.EMAIL.value} if places else {}
    return found


# --- from one state to the next -------------------------------------------------------------


def begin_check(
    run: Import, *, mapping: Mapping[str, str], provenance: Provenance, now: datetime
) -> None:
    """Read the whole list with this mapping; nothing is taken over. Raises NotNow, NoEmailColumn."""
    if Column.EMAIL.value not in mapping.values():
        raise NoEmailColumn
    with transaction.atomic():
        locked = _locked(run.pk)
        if not locked.may_be_mapped:
            raise NotNow
        delete_rows(locked.pk)
        Import.objects.filter(pk=locked.pk).update(
            status=Status.CHECKING,
            mapping=dict(mapping),
            source=provenance.source,
            consent_date=provenance.consent_date,
            consent_text=provenance.consent_text,
            tag=provenance.tag,
            position=0,
            total=None,
            bytes_done=0,
            check_counts={},
            problem="",
            **_from_here(0, now),
        )
        _enqueue(locked.pk)


def start(run: Import, *, now: datetime) -> bool:
    """Let the checked list come in. Pressed twice, it starts once; returns whether it did."""
    with transaction.atomic():
        locked = _locked(run.pk)
        if not locked.may_start:
            return False
        Import.objects.filter(pk=locked.pk).update(
            status=Status.RUNNING,
            taking_over=True,
            position=0,
            counts={},
            **_from_here(0, now),
        )
        _enqueue(locked.pk)
    return True


def stop(run: Import) -> bool:
    """Stop before the next batch; what is done stays done. Returns whether it was at work."""
    with transaction.atomic():
        locked = _locked(run.pk)
        if not locked.is_working:
            return False
        Import.objects.filter(pk=locked.pk).update(status=Status.STOPPED)
    return True


def go_on(run: Import, *, now: datetime) -> bool:
    """Go on where it was stopped. Returns whether it does."""
    with transaction.atomic():
        locked = _locked(run.pk)
        if not locked.may_go_on:
            return False
        Import.objects.filter(pk=locked.pk).update(
            status=Status.RUNNING if locked.taking_over else Status.CHECKING,
            **_from_here(locked.position, now),
        )
        _enqueue(locked.pk)
    return True


def discard(run: Import) -> bool:
    """Throw away a list nothing was taken over from. Returns whether it is gone."""
    with transaction.atomic():
        locked = _locked(run.pk)
        if locked.taking_over:
            return False
        delete_rows(locked.pk)
        locked.delete()
    return True


def forget_old(*, now: datetime) -> int:
    """Delete files and lines that served their time, and lists nobody took over; returns how many."""
    over = Import.objects.filter(report_gone=False, created_at__lte=now - REPORT_LIFE)
    stale = over.exclude(status=Status.DONE) | over.filter(finished_at__lte=now - REPORT_LIFE)
    count = 0
    for run in stale.filter(moved_at__lte=now - REPORT_LIFE) | stale.filter(moved_at__isnull=True):
        with transaction.atomic():
            if not run.taking_over:
                discard(run)
            else:
                delete_rows(run.pk)
                run.files.all().delete()
                status = Status.DONE if run.status == Status.DONE else Status.STOPPED
                Import.objects.filter(pk=run.pk).update(report_gone=True, status=status)
        count += 1
    return count


def _locked(pk: int) -> Import:
    return Import.objects.select_for_update().get(pk=pk)


def _from_here(position: int, now: datetime) -> dict[str, object]:
    return {"started_at": now, "start_position": position, "moved_at": now}


def _enqueue(pk: int) -> None:
    jobs.enqueue_once("newsletter.work_on_import", key=f"newsletter.import.{pk}", run=pk)


def delete_rows(pk: int) -> None:
    """Delete an import's lines, without a look at each."""
    rows = ImportRow.objects.filter(run_id=pk)
    rows._raw_delete(rows.db)


# --- working --------------------------------------------------------------------------------


def work(pk: int, *, clock: Clock = timezone.now, seconds: float | None = None) -> bool:
    """Check or take over for so long; returns whether something is left to do."""
    deadline = time.monotonic() + seconds if seconds is not None else None
    run = Import.objects.filter(pk=pk).first()
    if run is None or not run.is_working:
        return False
    if run.status == Status.CHECKING:
        return _check(run, clock, deadline)
    return _take_over(pk, clock, deadline)


def work_in_slices(pk: int) -> None:
    """What a job does: work for a while, and leave the rest to the next job."""
    if work(pk, seconds=SLICE_SECONDS):
        _enqueue(pk)


def _check(run: Import, clock: Clock, deadline: float | None) -> bool:
    reading = _Reading(run)
    position = run.position
    try:
        while True:
            batch = reading.next_batch(position)
            state = _note_checked(run, position, batch, reading, clock())
            if state is not None:
                return state
            position += len(batch)
            if deadline is not None and time.monotonic() > deadline:
                return True
    except ImportRefused as error:
        Import.objects.filter(pk=run.pk, status=Status.CHECKING).update(
            status=Status.FAILED, problem=error.message
        )
        return False
    finally:
        reading.close()


def _note_checked(
    run: Import, position: int, batch: _Batch, reading: _Reading, now: datetime
) -> bool | None:
    """Keep a batch's lines and how far the check is; whether work is left, or None to go on."""
    with transaction.atomic():
        locked = _locked(run.pk)
        if locked.status != Status.CHECKING:
            return False
        if locked.position != position:  # another worker is at it as well
            return True
        if batch:
            counts = deciding.report(locked, batch)
            locked.check_counts = import_models.add_counts(locked.check_counts, counts)
        locked.position += len(batch)
        locked.bytes_done, locked.moved_at = reading.bytes_done, now
        done = len(batch) < BATCH
        if done:
            locked.total, locked.status = locked.position, Status.CHECKED
        locked.save(
            update_fields=["check_counts", "position", "bytes_done", "moved_at", "total", "status"]
        )
    return False if done else None


def _take_over(pk: int, clock: Clock, deadline: float | None) -> bool:
    races = 0
    while True:
        try:
            if not _take_over_batch(pk, clock()):
                return False
            races = 0
        except Raced:
            races += 1
            if races > RACES:
                raise
        if deadline is not None and time.monotonic() > deadline:
            return True


def _take_over_batch(pk: int, now: datetime) -> bool:
    """The next lines, with how far the import is, or nothing of it; returns whether to go on."""
    with transaction.atomic():
        run = _locked(pk)
        if run.status != Status.RUNNING or run.total is None:
            return False
        last = min(run.position + BATCH, run.total)
        if last > run.position:
            counts = deciding.take_over(Range(run, run.position + 1, last), now=now)
            run.counts = import_models.add_counts(run.counts, counts)
        run.position, run.moved_at = last, now
        if last == run.total:
            run.status, run.finished_at = Status.DONE, now
            ImportPiece.objects.filter(file__run=run).delete()
        run.save(update_fields=["counts", "position", "moved_at", "status", "finished_at"])
    return run.status == Status.RUNNING


_Batch = Sequence[tuple[int, int, Row]]


class _Reading:
    """All lines of all files of an import, interpreted, from any number on."""

    def __init__(self, run: Import) -> None:
        self.run = run
        self.bytes_before = 0
        self.stream: PieceStream | None = None
        self.number = 0
        self.lines = self._lines()

    @property
    def bytes_done(self) -> int:
        return self.bytes_before + (self.stream.taken if self.stream else 0)

    def next_batch(self, position: int) -> _Batch:
        """The lines after `position`; a shorter batch is the last one."""
        while self.number < position and next(self.lines, None) is not None:
            self.number += 1
        batch = []
        for file, interpreter, record in islice(self.lines, BATCH):
            self.number += 1
            batch.append((self.number, file, interpreter.read(record)))
        return batch

    def close(self) -> None:
        self.lines.close()

    def _lines(self) -> Generator[tuple[int, Interpreter, Record], None, None]:
        for file in self.run.files.all():
            names = headings(file)
            interpreter = Interpreter(self.run, file, names)
            if Column.EMAIL not in interpreter.places:
                raise ImportRefused(f"In „{file.name}“ fehlt die Spalte mit den E-Mail-Adressen.")
            with closing(_stream(file)) as self.stream:
                records = _records(file, self.stream)
                for record in islice(records, 1 if file.has_header else 0, None):
                    yield file.number, interpreter, record
                self.bytes_before += self.stream.taken
                self.stream = None
