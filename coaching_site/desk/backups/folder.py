"""The folder of backups: names, checksums, one writer at a time, and what goes when."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction

from coaching_site import periods
from coaching_site.desk.backups.errors import AlreadyRunning, BackupError

# The time in UTC, as in RFC 3339 but without colons, which not every file system takes.
NAME = re.compile(r"backup-(\d{4}-\d\d-\d\dT\d{6}Z)\.tar\.age")
TIME = "%Y-%m-%dT%H%M%SZ"
CHECKSUM = ".sha256"
# How a file is called until it is whole.
UNFINISHED = ".unfinished-"
# The daily job looks again after that long, and what is over by then has gone before.
NEXT_LOOK = timedelta(days=1)
# One is made each night, and takes its time; after this long a night went by without.
LATE = timedelta(hours=30)
# After that long somebody hears of it even though none has failed.
MUCH_TOO_LATE = timedelta(days=2)
# One that has waited for so long should have been carried to the other host.
CARRIED_WITHIN = timedelta(hours=12)
# Says which is the newest that the other host has whole.
CARRIED = ".carried"


def path() -> Path:
    return Path(settings.BACKUP_FOLDER)


def name(now: datetime) -> str:
    return f"backup-{now.astimezone(UTC).strftime(TIME)}.tar.age"


def backups() -> list[Path]:
    """All that carry a backup's name, newest first."""
    return sorted((file for file in path().glob("*") if NAME.fullmatch(file.name)), reverse=True)


def taken_at(file: Path) -> datetime:
    """When it was made, by its name: carrying a file about changes all other times."""
    found = NAME.fullmatch(file.name)
    assert found is not None
    return datetime.strptime(found[1], TIME).replace(tzinfo=UTC)


def newest_at() -> datetime | None:
    """When the newest was made, whether it is good or not."""
    return next(map(taken_at, backups()), None)


def newest_name() -> str:
    """The newest one's name, or nothing."""
    return next((file.name for file in backups()), "")


def is_late(*, now: datetime) -> bool:
    """Whether backups are set up, and the night that should have brought one is over."""
    newest = newest_at()
    return bool(settings.BACKUP_RECIPIENTS) and (newest is None or newest < now - LATE)


def newest_carried() -> str:
    """The name of the newest that was carried to the other host, or nothing."""
    note = path() / CARRIED
    return note.read_text().strip() if note.is_file() else ""


def note_carried(name: str) -> None:
    unfinished = path() / f"{UNFINISHED}{CARRIED}"
    unfinished.write_text(f"{name}\n")
    unfinished.rename(path() / CARRIED)


def waits_to_be_carried(*, now: datetime) -> bool:
    """Whether one has waited for long, although there is another host to carry it to."""
    if not settings.BACKUP_COPY.host:
        return False
    carried = newest_carried()
    return any(file.name > carried and taken_at(file) < now - CARRIED_WITHIN for file in backups())


def first_kept(now: datetime) -> datetime:
    """What was made before goes, for it would be too old when the next night comes."""
    return periods.BACKUPS.first_kept(now) + NEXT_LOOK


def checksum_of(file: Path) -> Path:
    return file.with_name(file.name + CHECKSUM)


def is_good(file: Path) -> bool:
    """Whether its bytes are those that were written. Reads all of them."""
    kept = checksum_of(file)
    if not kept.is_file():
        return False
    return kept.read_text().split()[:1] == [sha256(file)]


def sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def locked() -> Iterator[Path]:
    """The folder, for one writer; rests of a killed one are gone. Raises AlreadyRunning and OSError."""
    with only_one(".lock", AlreadyRunning):
        clear_rests()
        yield path()


def clear_rests() -> None:
    """Delete what is unfinished. Only whoever holds the folder knows that nobody is at it."""
    for rest in path().glob(f"{UNFINISHED}*"):
        rest.unlink()


@contextmanager
def only_one(name: str, otherwise: type[BackupError]) -> Iterator[None]:
    """Hold the lock of that name in the folder, or raise that error. Ends with its process."""
    path().mkdir(mode=0o700, parents=True, exist_ok=True)
    with (path() / name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise otherwise from None
        yield


def publish(unfinished: Path, file: Path, *, sha256: str) -> None:
    """Give a written file its name, with its checksum beside it; whatever dies, no half one has a name."""
    kept = checksum_of(file)
    unfinished_sum = kept.with_name(UNFINISHED + kept.name)
    with unfinished_sum.open("w") as written:
        written.write(f"{sha256}  {file.name}\n")  # as `sha256sum --check` reads it
        written.flush()
        os.fsync(written.fileno())
    unfinished_sum.rename(kept)
    unfinished.rename(file)
    _sync_folder(file.parent)


def forget_old(*, now: datetime) -> int:
    """Delete what has been kept long enough, but never the newest good one; returns how many.

    They go when the transaction around this is committed, so that a rehearsal keeps them.
    """
    old = [file for file in backups() if taken_at(file) < first_kept(now)]
    kept = next((file for file in backups() if is_good(file)), None) if old else None
    gone = [file for file in old if file != kept]
    for file in gone:
        transaction.on_commit(partial(_remove, file))
    return len(gone)


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)
    checksum_of(file).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """A new name is safe from a power cut only when its folder is on the disk (fsync(2))."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
