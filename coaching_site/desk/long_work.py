"""Files that take long to make: asked for at the desk, made by a worker, kept for a day.

One worker at a time makes one file, so that mails are never kept waiting by exports. It writes each
part together with how far it is. If it is killed, the next one begins anew: the same rows give the
same bytes, and of the old attempt nothing stays.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import cast

from django.contrib.auth.models import AnonymousUser, User
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F
from django.db.models.functions import Least
from django.utils import timezone
from django.utils.module_loading import import_string

from coaching_site import jobs, periods
from coaching_site.desk import export_kinds
from coaching_site.desk.export_kinds import ExportKind, Maker, Part
from coaching_site.desk.models import LongWork, LongWorkPiece
from coaching_site.desk.permissions import EXPORT
from coaching_site.desk.progress import SILENCE
from coaching_site.desk.work_models import PIECE_BYTES, LongWorkQuerySet

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
# Whoever is at the desk.
Asker = User | AnonymousUser
State = LongWork.State

JOB = "desk.long_work"
FILE_LIFE = periods.EXPORT_FILES.life

WENT_WRONG = (
    "Beim Erstellen ist ein Fehler aufgetreten; er steht im Protokoll des Servers. "
    "Versuch es noch einmal."
)


# --- who and what -----------------------------------------------------------------------------


def kind_of(work: LongWork) -> ExportKind | None:
    """None for a kind there is no more."""
    return export_kinds.BY_NAME.get(work.kind)


def may_export(asker: Asker, kind: ExportKind | None) -> bool:
    """Exports need a permission of their own, beside the one to see what is in them."""
    if kind is None:
        return False
    return asker.has_perm(EXPORT) and asker.has_perm(kind.permission)


def may_download(asker: Asker, work: LongWork) -> bool:
    """Only who asked for a file gets it, and only while they may."""
    return work.asked_by_id == asker.pk and may_export(asker, kind_of(work))


def parts(kind: ExportKind, rows: list[int], *, now: datetime) -> Iterator[Part]:
    """The kind's file, part by part."""
    return cast("Maker", import_string(kind.maker))(rows, now=now)


# --- asking -----------------------------------------------------------------------------------


def ask(
    kind: ExportKind, *, file_name: str, rows: list[int], total: int, by: int | None, now: datetime
) -> LongWork:
    """Have a file made of these rows, or of all `total` there are where the kind takes all."""
    with transaction.atomic():
        work = LongWork.objects.create(
            kind=kind.name,
            file_name=file_name,
            rows=rows,
            total=total,
            asked_by_id=by,
            asked_at=now,
        )
        _wake()
    return work


def again(pk: int) -> bool:
    """Begin anew what was stopped or failed, as long as it is known what was chosen."""
    with transaction.atomic():
        ended = LongWork.objects.filter(
            pk=pk, state__in=[State.STOPPED, State.FAILED], is_gone=False
        )
        asked = ended.update(
            state=State.WAITING,
            done=0,
            started_at=None,
            moved_at=None,
            ended_at=None,
            expires_at=None,
            problem="",
        )
        if asked:
            _wake()
    return bool(asked)


def stop(pk: int, *, now: datetime) -> bool:
    """Break off; the worker finds out with its next part. Returns whether it was still at work."""
    with transaction.atomic():
        stopped = (
            LongWork.objects.filter(pk=pk)
            .unfinished()
            .update(state=State.STOPPED, ended_at=now, expires_at=now + FILE_LIFE)
        )
        if stopped:
            _delete_pieces([pk])
    return bool(stopped)


def remove_file(pk: int) -> bool:
    """Delete a file before its day is over; returns whether there was one."""
    return bool(_remove([pk]))


# --- working ----------------------------------------------------------------------------------


def work_through(*, clock: Clock = timezone.now) -> None:
    """What a job does: make the file that waits longest, and leave the rest to the next job."""
    work = LongWork.objects.unfinished().first()
    if work is None:
        return
    make(work, clock=clock)
    if LongWork.objects.unfinished().exists():
        _wake()


def make(work: LongWork, *, clock: Clock = timezone.now) -> None:
    """Make one file from its beginning; an error of the program ends it with a sentence.

    Raises OperationalError and InterfaceError: a database that comes back makes it good.
    """
    attempt = _begin(work, clock())
    if attempt is None:
        return
    try:
        _write(work, attempt, clock)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("Long work %s (%s) failed.", work.pk, work.kind)
        _fail(work, attempt, clock())


def keep_going(*, now: datetime) -> int:
    """Find what nobody works at and have it begun anew, delete files whose day is over.

    Returns how many were found.
    """
    forget_files(now=now)
    waiting = LongWork.objects.unfinished()
    silent = waiting.exclude(moved_at__gt=now - SILENCE).exclude(asked_at__gt=now - SILENCE)
    count = silent.count()
    if count:
        _wake()
    return count


def _wake() -> None:
    """One job for all files: it takes them one after the other, and never works twice at once."""
    jobs.enqueue_once(JOB, key=JOB)


def _begin(work: LongWork, now: datetime) -> int | None:
    """A new attempt, with nothing of the ones before; None if it is not wanted any more."""
    with transaction.atomic():
        locked = LongWork.objects.select_for_update().unfinished().filter(pk=work.pk).first()
        if locked is None:
            return None
        _delete_pieces([locked.pk])
        locked.state, locked.attempt, locked.done = State.RUNNING, locked.attempt + 1, 0
        locked.started_at = locked.moved_at = now
        locked.save(update_fields=["state", "attempt", "done", "started_at", "moved_at"])
    return locked.attempt


def _write(work: LongWork, attempt: int, clock: Clock) -> None:
    kind = kind_of(work)
    if kind is None:
        raise LookupError(work.kind)
    digest, size, number = hashlib.sha256(), 0, 0
    for part in parts(kind, work.rows, now=work.asked_at):
        pieces = list(_pieces(part.data))
        if not _keep(work, attempt, part.rows, pieces, first=number, now=clock()):
            return
        digest.update(part.data)
        size, number = size + len(part.data), number + len(pieces)
    _finish(work, attempt, sha256=digest.hexdigest(), size=size, now=clock())


def _keep(
    work: LongWork, attempt: int, rows: int, pieces: list[bytes], *, first: int, now: datetime
) -> bool:
    """Write a part with how far it is, unless it was stopped or another worker began anew."""
    with transaction.atomic():
        moved = _mine(work, attempt).update(done=Least(F("done") + rows, F("total")), moved_at=now)
        if moved:
            LongWorkPiece.objects.bulk_create(
                LongWorkPiece(work=work, number=number, data=data)
                for number, data in enumerate(pieces, first)
            )
    return bool(moved)


def _finish(work: LongWork, attempt: int, *, sha256: str, size: int, now: datetime) -> None:
    _mine(work, attempt).update(
        state=State.DONE,
        done=F("total"),
        sha256=sha256,
        size=size,
        moved_at=now,
        ended_at=now,
        expires_at=now + FILE_LIFE,
    )


def _fail(work: LongWork, attempt: int, now: datetime) -> None:
    with transaction.atomic():
        failed = _mine(work, attempt).update(
            state=State.FAILED, problem=WENT_WRONG, ended_at=now, expires_at=now + FILE_LIFE
        )
        if failed:
            _delete_pieces([work.pk])


def _mine(work: LongWork, attempt: int) -> LongWorkQuerySet:
    """The row, as long as this attempt is the last one and nobody stopped it."""
    return LongWork.objects.filter(pk=work.pk, attempt=attempt, state=State.RUNNING)


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES))


# --- the file ---------------------------------------------------------------------------------


def content(work: LongWork) -> Iterator[bytes]:
    """The file's bytes, one piece in memory at a time."""
    number = 0
    while True:
        found = LongWorkPiece.objects.filter(work=work, number=number).values_list(
            "data", flat=True
        )
        data = found.first()
        if data is None:
            return
        yield bytes(data)
        number += 1


# --- forgetting -------------------------------------------------------------------------------


def forget_files(*, now: datetime) -> int:
    """Delete files whose day is over, and what was chosen for them; returns how many."""
    over = LongWork.objects.filter(expires_at__lte=now, is_gone=False)
    return _remove(over.values_list("pk", flat=True))


def forget_old(*, now: datetime) -> int:
    """Delete records of exports three years after their year; returns how many."""
    old = LongWork.objects.filter(ended_at__lt=periods.EXPORTS.first_kept(now))
    count = old.count()
    old.delete()
    return count


def _remove(pks: Iterable[int]) -> int:
    """Whatever ended loses its bytes and the list of its rows; the record of it stays."""
    with transaction.atomic():
        ended = LongWork.objects.filter(pk__in=list(pks)).filter(
            state__in=[State.DONE, State.STOPPED, State.FAILED], is_gone=False
        )
        locked = list(ended.select_for_update().values_list("pk", flat=True))
        _delete_pieces(locked)
        LongWork.objects.filter(pk__in=locked).update(is_gone=True, rows=[])
    return len(locked)


def _delete_pieces(works: list[int]) -> None:
    """Without a look at each: together they may be large."""
    pieces = LongWorkPiece.objects.filter(work__in=works)
    pieces._raw_delete(pieces.db)
