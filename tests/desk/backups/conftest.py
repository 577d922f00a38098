"""A site worth saving, a backup of it, and an empty database beside it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyrage
import pytest
from django.db import connection
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from booking import invoicing
from booking.models import Booking
from coaching_site import jobs, postgres_programs
from coaching_site.desk.backups import database, folder, writing
from coaching_site.desk.backups.database import HOLD, Database
from tests.booking import papers
from tests.desk.test_retention import paid_by_hand
from tests.newsletter.conftest import sign_up

READER = "ada@leser.example"
PICTURE = os.urandom(150_000)


@pytest.fixture(scope="module")
def identity() -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.generate()


@pytest.fixture(autouse=True)
def places(settings, tmp_path, identity) -> None:
    settings.BACKUP_RECIPIENTS = [str(identity.to_public())]
    settings.BACKUP_FOLDER = tmp_path / "backups"
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture(autouse=True)
def no_jobs(db) -> Iterator[None]:
    """Emptying a database after a test leaves the queue alone: its tables are no models of ours."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")


@pytest.fixture
def filled(confirmed: Booking, settings, now) -> None:
    """A guest with a paid invoice, a reader, a picture, and a job that was just running."""
    papers.practice()
    paid_by_hand(confirmed, now)
    invoicing.write_owed(confirmed, now=now)
    sign_up(READER, now)
    folder_of_portrait = Path(settings.MEDIA_ROOT) / "portrait"
    folder_of_portrait.mkdir(parents=True)
    (folder_of_portrait / "ich.webp").write_bytes(PICTURE)
    (folder_of_portrait / "leer.webp").write_bytes(b"")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s",
            [jobs.enqueue("jobs.tidy", timestamp=1)],
        )


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("first") / "backups"


@pytest.fixture
def saved(first: Path, request, settings: Any, now) -> Path:
    """A backup of all that: made for the first test that wants one, a copy for all others."""
    if not first.exists():
        request.getfixturevalue("filled")
        writing.back_up(now=now)
        shutil.copytree(settings.BACKUP_FOLDER, first)
    else:
        shutil.copytree(first, settings.BACKUP_FOLDER)
    return Path(settings.BACKUP_FOLDER) / folder.name(now)


@pytest.fixture
def empty(db) -> Iterator[Database]:
    """A second database on the tests' server, with nothing in it."""
    name = f"restored_{uuid.uuid4().hex[:12]}"
    here = database.of_site()
    with psycopg.connect(here.conninfo, dbname="postgres", autocommit=True) as maintenance:
        maintenance.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield Database(make_conninfo(here.conninfo, dbname=name), here.password)
        maintenance.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def contents(of: Database) -> dict[str, str]:
    """A hash of all rows for each table, and how far each sequence is."""
    hashed = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} AS t"
    with of.connect() as held:
        tables = held.execute(database.RELATIONS, {"kinds": ["r"], "hold": HOLD}).fetchall()
        sequences = held.execute("SELECT sequencename, last_value::text FROM pg_sequences")
        return dict(sequences.fetchall()) | {
            f"{space}.{name}": database._one(
                held, sql.SQL(hashed).format(sql.Identifier(space, name))
            )
            for space, name in tables
        }


def structure(of: Database) -> str:
    """Tables, functions, triggers and constraints, as statements.

    Without brackets and casts, which Postgres writes another way when it reads them back, and
    without the words for psql alone.
    """
    program = postgres_programs.find("pg_dump", at_least=18)
    done = subprocess.run(
        [program, f"--dbname={of.conninfo}", "--schema-only", f"--exclude-table={HOLD}"],
        env=of.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    loose = r"^\\(un)?restrict .*$|::text|::character varying|[()\[\]]"
    return re.sub(loose, "", done.stdout, flags=re.M)


def environment_for(database: Database) -> dict[str, str]:
    """For a process of the site on that database."""
    name = conninfo_to_dict(database.conninfo)["dbname"]
    url = re.sub(r"/[^/]*$", f"/{name}", os.environ["DATABASE_URL"])
    return {**os.environ, "DATABASE_URL": url}


def names(of: Path) -> list[str]:
    return sorted(file.name for file in of.iterdir() if file.name != ".lock")


def older(days: float, now: datetime, *, good: bool = True, size: int = 100) -> Path:
    """A file that looks like a backup of so many days ago."""
    folder.path().mkdir(parents=True, exist_ok=True)
    file = folder.path() / folder.name(now - timedelta(days=days))
    file.write_bytes(os.urandom(size))
    folder.checksum_of(file).write_text(f"{folder.sha256(file)}  {file.name}\n")
    if not good:
        file.write_bytes(b"cut off")
    return file
