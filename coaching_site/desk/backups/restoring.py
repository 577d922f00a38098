"""Bringing a backup back, into an empty database."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import pyrage
from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from coaching_site.desk.backups import archive, database, folder
from coaching_site.desk.backups.archive import Manifest
from coaching_site.desk.backups.database import HOLD, Database
from coaching_site.desk.backups.errors import (
    ChecksumMissing,
    ChecksumWrong,
    CodeTooOld,
    Damaged,
    FileUnreadable,
    NotEmpty,
    RowsMissing,
    ServerTooOld,
)


@dataclass(frozen=True)
class Restored:
    """What came back."""

    rows: dict[str, int]
    pictures: int
    # Those that were there already, whatever they show.
    pictures_kept: int
    # What this code knows and the backup does not: `migrate` brings it.
    new_migrations: list[str]


def restore(file: Path, identity: pyrage.x25519.Identity, *, into: Database) -> Restored:
    """Bring database and media back; from then on no worker starts (`let_go`).

    All of the file is gone through before anything is changed, and the database comes in one
    transaction. Raises BackupError; then a repetition does no harm.
    """
    check_sum(file)
    manifest = archive.check(file, identity)
    new_migrations = _compare_migrations(manifest)
    program = _prepare(into, manifest)
    try:
        with archive.opened(file, identity) as tar:
            pictures = [_put_back(name, content) for name, content in archive.media(tar)]
        with archive.opened(file, identity) as tar:
            database.load(archive.database(tar), into=into, with_program=program)
    except BaseException:
        let_go(into)
        raise
    return Restored(
        rows=_count(into, manifest),
        pictures=pictures.count(True),
        pictures_kept=pictures.count(False),
        new_migrations=new_migrations,
    )


def check_sum(file: Path) -> None:
    """Raises FileUnreadable, ChecksumMissing and ChecksumWrong."""
    if not file.is_file():
        raise FileUnreadable
    if not folder.checksum_of(file).is_file():
        raise ChecksumMissing
    if not folder.is_good(file):
        raise ChecksumWrong


def let_go(of: Database) -> None:
    """The worker may start."""
    with of.connect() as held:
        held.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(HOLD)))


def is_held(of: Database) -> bool:
    """Whether a backup was brought back and nobody has looked at it yet."""
    with of.connect() as held:
        row = held.execute("SELECT to_regclass(%s)", [HOLD]).fetchone()
    return row is not None and row[0] is not None


def _prepare(into: Database, manifest: Manifest) -> Path:
    """Hold the worker, before there is anything it could do; returns pg_restore's place."""
    with into.connect() as held:
        major = database.server_major(held)
        if major < manifest.postgres_major:
            raise ServerTooOld(manifest.postgres_major, major)
        if not database.is_empty(held):
            raise NotEmpty
        program = database.program("pg_restore", at_least=major)
        held.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} (since timestamptz DEFAULT now())").format(
                sql.Identifier(HOLD)
            )
        )
    return program


def _compare_migrations(manifest: Manifest) -> list[str]:
    """Those the backup lacks. Raises CodeTooOld for one that this code does not know."""
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    unknown = sorted(set(manifest.migrations) - known)
    if unknown:
        raise CodeTooOld(unknown)
    return sorted(known - set(manifest.migrations))


def _count(into: Database, manifest: Manifest) -> dict[str, int]:
    """Raises RowsMissing unless every table has as many rows as at the moment of the dump."""
    with into.connect() as held:
        held.execute("ANALYZE")
        rows = database.count_rows(held)
    different = [table for table, count in manifest.rows.items() if rows.get(table) != count]
    if different:
        raise RowsMissing(different)
    return rows


def _put_back(name: str, content: IO[bytes]) -> bool:
    """Write a picture unless there is one of that name; returns whether. Raises Damaged."""
    parts = PurePosixPath(name)
    # Who has the public key can write an archive; none may reach beyond the folder.
    if parts.is_absolute() or ".." in parts.parts:
        raise Damaged
    target = Path(settings.MEDIA_ROOT) / parts
    if target.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{folder.UNFINISHED}{target.name}")
    with unfinished.open("wb") as file:
        shutil.copyfileobj(content, file)
        file.flush()
        os.fsync(file.fileno())
    if settings.FILE_UPLOAD_PERMISSIONS is not None:
        unfinished.chmod(settings.FILE_UPLOAD_PERMISSIONS)
    unfinished.rename(target)
    return True
