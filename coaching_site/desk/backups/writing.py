"""Making a backup."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from django.conf import settings

from coaching_site import postgres_programs
from coaching_site.desk.backups import archive, database, folder, keys
from coaching_site.desk.backups.database import Database
from coaching_site.desk.backups.errors import CannotWrite, FolderServed, NoRecipient


def back_up(*, now: datetime) -> Path:
    """Write database and media into one encrypted file and drop what is too old. Returns the file.

    Raises BackupError; then there is no new file, and nothing was dropped.
    """
    if not settings.BACKUP_RECIPIENTS:
        raise NoRecipient
    if folder.path().resolve().is_relative_to(Path(settings.MEDIA_ROOT).resolve()):
        raise FolderServed
    try:
        with folder.locked() as place:
            file = place / folder.name(now)
            _write(file, plain=_everything(database.of_site(), media=Path(settings.MEDIA_ROOT)))
            folder.forget_old(now=now)
    except OSError as error:
        raise CannotWrite from error
    return file


def _write(file: Path, *, plain: Generator[bytes]) -> None:
    unfinished = file.with_name(folder.UNFINISHED + file.name)
    number = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with closing(plain), os.fdopen(number, "wb") as target:
            sha256 = archive.encrypt(plain, target, keys.recipients())
            target.flush()
            os.fsync(target.fileno())
        folder.publish(unfinished, file, sha256=sha256)
    finally:
        unfinished.unlink(missing_ok=True)


def _everything(source: Database, *, media: Path) -> Generator[bytes]:
    """The archive's bytes, in the order in which they come.

    The database first: a picture that somebody adds meanwhile is then one too many, not one too few.
    """
    with database.snapshot(source) as moment:
        program = database.program("pg_dump", at_least=moment.server_major)
        with database.dumping(source, with_program=program, at=moment) as dump:
            yield from archive.database_members(dump)
    count = 0
    for name in _names(media):
        try:
            file = (media / name).open("rb")
        except FileNotFoundError:
            continue  # deleted since it was listed
        with file:
            yield from archive.media_member(name, file)
        count += 1
    yield from archive.closing_members(
        archive.Manifest(
            postgres_major=postgres_programs.major(program),
            migrations=moment.migrations,
            rows=moment.rows,
            media=count,
        )
    )


def _names(media: Path) -> list[str]:
    files = (path for path in media.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(str(path.relative_to(media)) for path in files)
