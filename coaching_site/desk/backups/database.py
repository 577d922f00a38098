"""What a backup asks of Postgres and of its programs."""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psycopg
from django.db import connection
from psycopg import pq, sql
from psycopg.conninfo import make_conninfo

from coaching_site import postgres_programs
from coaching_site.desk.backups.errors import ProgramFailed, ProgramMissing

logger = logging.getLogger(__name__)

# While it is there no worker starts. A table that restoring makes and letting go drops, and no
# model's: it must stand before the first table of the dump does.
HOLD = "held_after_restore"

# Never among the words a program is started with.
SECRET = {"password", "sslpassword"}

RELATIONS = """
    SELECT space.nspname, relation.relname
    FROM pg_class AS relation JOIN pg_namespace AS space ON space.oid = relation.relnamespace
    WHERE relation.relkind = ANY(%(kinds)s)
    AND space.nspname <> 'information_schema' AND space.nspname NOT LIKE 'pg\\_%%'
    AND relation.relname <> %(hold)s
    AND NOT EXISTS (
        SELECT 1 FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype = 'e'
    )
    ORDER BY 1, 2
"""
TABLES = ["r"]
ANYTHING = ["r", "p", "v", "m", "S", "f"]


@dataclass(frozen=True)
class Database:
    """Where a database is. The password is kept apart: lists of processes are for everybody."""

    conninfo: str
    password: str

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.conninfo, password=self.password or None)

    @property
    def environment(self) -> dict[str, str]:
        """For a program that reads this database."""
        return {**os.environ, "PGPASSWORD": self.password} if self.password else dict(os.environ)


def of_site() -> Database:
    """The one Django talks to.

    With the settings' own words alone: what our library fills in, an older pg_dump may not know.
    """
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()} - SECRET
    chosen = connection.get_connection_params()
    words = {name: value for name, value in chosen.items() if name in known}
    return Database(make_conninfo(**words), str(chosen.get("password") or ""))


@dataclass(frozen=True)
class Snapshot:
    """One moment of the database, for as long as its transaction is open."""

    name: str
    server_major: int
    rows: dict[str, int]
    migrations: list[str]


@contextmanager
def snapshot(of: Database) -> Iterator[Snapshot]:
    """Hold one moment, so that what pg_dump reads is what was counted."""
    with of.connect() as held:
        held.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        held.read_only = True
        name = _one(held, sql.SQL("SELECT pg_export_snapshot()"))
        yield Snapshot(str(name), server_major(held), count_rows(held), applied_migrations(held))


def count_rows(held: psycopg.Connection[Any]) -> dict[str, int]:
    return {
        f"{space}.{table}": int(
            _one(held, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(space, table)))
        )
        for space, table in held.execute(RELATIONS, {"kinds": TABLES, "hold": HOLD}).fetchall()
    }


def applied_migrations(held: psycopg.Connection[Any]) -> list[str]:
    found = held.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1")
    return [name for (name,) in found.fetchall()]


def is_empty(held: psycopg.Connection[Any]) -> bool:
    return held.execute(RELATIONS, {"kinds": ANYTHING, "hold": HOLD}).fetchone() is None


def server_major(held: psycopg.Connection[Any]) -> int:
    return held.info.server_version // 10_000


def program(name: str, *, at_least: int) -> Path:
    """Raises ProgramMissing."""
    try:
        return postgres_programs.find(name, at_least=at_least)
    except postgres_programs.NoProgram:
        raise ProgramMissing(name, at_least) from None


@contextmanager
def dumping(of: Database, *, with_program: Path, at: Snapshot) -> Iterator[IO[bytes]]:
    """What pg_dump writes, as it writes it. Raises ProgramFailed when it did not come to its end.

    Until then nothing of it may count as whole.
    """
    arguments = [
        f"--dbname={of.conninfo}",
        f"--snapshot={at.name}",
        "--format=custom",
        "--no-password",
        f"--exclude-table={HOLD}",
    ]
    with _running(with_program, arguments, of, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout


def load(pieces: Iterable[bytes], *, into: Database, with_program: Path) -> None:
    """Give a dump to pg_restore. All of it comes in, or nothing; raises ProgramFailed."""
    arguments = [
        f"--dbname={into.conninfo}",
        "--single-transaction",
        "--no-password",
        # The roles of another machine do not exist here.
        "--no-owner",
        "--no-privileges",
        # An extension that the server's administrator made is not ours to comment on.
        "--no-comments",
    ]
    with _running(with_program, arguments, into, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        # Should it end before its time, its exit code tells.
        with suppress(BrokenPipeError):
            for piece in pieces:
                process.stdin.write(piece)
        with suppress(BrokenPipeError):
            process.stdin.close()


@contextmanager
def _running(
    path: Path,
    arguments: Sequence[str],
    on: Database,
    *,
    stdin: int | None = None,
    stdout: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """The program, until it has ended well; what goes wrong around it ends it at once."""
    # Not a pipe: nobody reads it until the program has ended.
    with tempfile.TemporaryFile() as complaints:
        with subprocess.Popen(
            [str(path), *arguments],
            env=on.environment,
            stdin=stdin,
            stdout=stdout,
            stderr=complaints,
        ) as process:
            try:
                yield process
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            complaints.seek(0)
            _log_first(path.name, complaints.read().decode(errors="replace"))
            raise ProgramFailed(path.name)


def _log_first(name: str, complaints: str) -> None:
    """The first complaint alone: the lines below it show what stands in a row."""
    errors = [line for line in complaints.splitlines() if "error:" in line]
    logger.error("%s", errors[0] if errors else f"{name} failed without a word.")


def _one(held: psycopg.Connection[Any], query: sql.SQL | sql.Composed) -> Any:
    row = held.execute(query).fetchone()
    assert row is not None
    return row[0]
