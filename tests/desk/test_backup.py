"""Encrypted backups: what comes back is what was there, and nothing half ever counts as whole."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import psycopg
import pyrage
import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from booking import invoicing
from booking.models import Booking
from coaching_site import jobs, postgres_programs
from coaching_site.desk import retention
from coaching_site.desk.backups import archive, database, folder, keys, nightly, restoring, writing
from coaching_site.desk.backups.database import HOLD, Database
from coaching_site.desk.backups.errors import (
    AlreadyRunning,
    BackupError,
    CannotWrite,
    ChecksumMissing,
    ChecksumWrong,
    CodeTooOld,
    Damaged,
    FolderServed,
    KeyExists,
    KeyUnreadable,
    NoRecipient,
    NotEmpty,
    ProgramFailed,
    ProgramMissing,
    RowsMissing,
    ServerTooOld,
    WrongKey,
)
from newsletter.models import Subscriber
from tests import mail_server
from tests.booking import papers
from tests.desk.test_retention import paid_by_hand
from tests.newsletter.conftest import sign_up
from tests.running_site import ROOT, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("backups")]

DAY = timedelta(days=1)
READER = "ada@leser.example"
PICTURE = os.urandom(150_000)

# --- what is saved, and where to ---------------------------------------------------------------


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


# --- there and back ----------------------------------------------------------------------------


def test_every_row_of_every_table_comes_back_with_all_that_guards_it(
    filled, identity, empty, settings, tmp_path, now
):
    here, saved = database.of_site(), writing.back_up(now=now)
    settings.MEDIA_ROOT = tmp_path / "elsewhere"

    restored = restoring.restore(saved, identity, into=empty)

    assert contents(empty) == contents(here)
    assert structure(empty) == structure(here)
    # That the comparison compares something.
    for table in ("booking_booking", "booking_invoice", "newsletter_consent", "procrastinate_jobs"):
        assert restored.rows[f"public.{table}"] > 0
    assert restored.new_migrations == []
    assert (restored.pictures, restored.pictures_kept) == (2, 0)
    assert (tmp_path / "elsewhere/portrait/ich.webp").read_bytes() == PICTURE
    assert (tmp_path / "elsewhere/portrait/leer.webp").read_bytes() == b""


def test_a_row_that_is_missing_is_noticed(filled, identity, empty, now):
    saved = writing.back_up(now=now)
    restoring.restore(saved, identity, into=empty)
    with empty.connect() as held:
        held.execute("DELETE FROM procrastinate_jobs")

    assert contents(empty) != contents(database.of_site())
    with pytest.raises(RowsMissing, match=r"public\.procrastinate_jobs"):
        restoring._count(empty, archive.check(saved, identity))


def test_what_is_written_while_it_is_saved_is_not_in_it_by_half(
    filled, now, identity, empty, monkeypatch
):
    """Rows are counted and dumped at one and the same moment."""
    dumping = database.dumping

    def late(*arguments, **named):
        sign_up("ben@leser.example", now)
        return dumping(*arguments, **named)

    monkeypatch.setattr(database, "dumping", late)

    restored = restoring.restore(writing.back_up(now=now), identity, into=empty)

    assert restored.rows["public.newsletter_subscriber"] == 1
    assert Subscriber.objects.count() == 2


def test_whoever_finds_the_file_reads_nobody_s_name(saved, identity, tmp_path):
    plain = tmp_path / "plain.tar"
    pyrage.decrypt_file(str(saved), str(plain), [identity])

    # The picture and the manifest stand in the archive as they are; pg_dump packs rows.
    for known in (PICTURE[:64], b"booking_booking", b"portrait/ich.webp"):
        assert known in plain.read_bytes()
        assert known not in saved.read_bytes()
    for known in (READER.encode(), b"Ada M", b"ada@example.org"):
        assert known not in saved.read_bytes()


def test_it_can_be_read_without_this_program(saved, identity, tmp_path):
    """By age, tar and pg_restore alone, should the site be gone for good."""
    pyrage.decrypt_file(str(saved), str(tmp_path / "plain.tar"), [identity])
    subprocess.run(["tar", "-xf", "plain.tar"], cwd=tmp_path, check=True)
    pieces = sorted((tmp_path / "database").iterdir())
    dump = b"".join(piece.read_bytes() for piece in pieces)

    program = postgres_programs.find("pg_restore", at_least=18)
    listed = subprocess.run([program, "--list"], input=dump, capture_output=True, check=True)

    assert b"TABLE DATA public booking_booking" in listed.stdout


def test_the_file_and_its_checksum_are_for_the_owner_and_sha256sum(saved):
    assert saved.name == "backup-2027-03-01T080000Z.tar.age"
    assert saved.stat().st_mode & 0o777 == 0o600
    assert saved.parent.stat().st_mode & 0o777 == 0o700
    subprocess.run(
        ["sha256sum", "--check", "--status", f"{saved.name}.sha256"], cwd=saved.parent, check=True
    )


def test_a_picture_that_is_there_stays_as_it_is(saved, identity, empty, settings):
    mine = Path(settings.MEDIA_ROOT) / "portrait" / "ich.webp"
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_bytes(b"newer")

    restored = restoring.restore(saved, identity, into=empty)

    assert mine.read_bytes() == b"newer"
    assert restored.pictures_kept >= 1


# --- after coming back -------------------------------------------------------------------------


def test_no_worker_starts_before_the_operator_has_looked(saved, identity, empty, tmp_path):
    """As somebody would do it by hand, with the commands alone."""
    secret = tmp_path / "key.txt"
    secret.write_text(f"# a comment\n{identity}\n")
    environment = environment_for(empty) | {"DATA_FOLDER": str(tmp_path / "data")}

    told = manage(environment, "restore", str(saved), "--identity", str(secret))
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "procrastinate", "worker"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert worker.stderr is not None
        assert "restore --finish" in worker.stderr.readline()
        assert workers(empty) == 0

        manage(environment, "restore", "--finish")
        wait_until(lambda: workers(empty) == 1)
        # What ran when the backup was made belongs to nobody: the job of every minute takes it up,
        # as after a crash.
        with empty.connect() as held:
            held.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
                """ VALUES ('default', 'jobs.rescue', '{"timestamp": 0}')"""
            )
        wait_until(lambda: tidied(empty) == "succeeded")
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate()
    for words in ("1  public.booking_booking", "letzte Nummer der Reihe", "2  Bilder", "--finish"):
        assert words in told
    assert (tmp_path / "data" / "media" / "portrait" / "ich.webp").stat().st_mode & 0o777 == 0o640


def manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def workers(of: Database) -> int:
    with of.connect() as held:
        row = held.execute("SELECT count(*) FROM procrastinate_workers").fetchone()
    return int(row[0]) if row else 0


def tidied(of: Database) -> str:
    with of.connect() as held:
        row = held.execute(
            "SELECT status::text FROM procrastinate_jobs WHERE task_name = 'jobs.tidy'"
        ).fetchone()
    return str(row[0]) if row else ""


def test_a_held_site_can_be_saved_and_brought_back(saved, identity, empty, now, monkeypatch):
    """The hold is no part of a backup; it would be in the way of the next."""
    restoring.restore(saved, identity, into=empty)
    monkeypatch.setattr(database, "of_site", lambda: empty)

    again = writing.back_up(now=now + DAY)
    with empty.connect() as held:
        held.execute("DROP SCHEMA public CASCADE")
        held.execute("CREATE SCHEMA public")

    assert f"public.{HOLD}" not in restoring.restore(again, identity, into=empty).rows
    assert restoring.is_held(empty)


# --- what is refused, with nothing changed -----------------------------------------------------


def refused(saved: Path, identity: pyrage.x25519.Identity, into: Database, why: type[BackupError]):
    with pytest.raises(why):
        restoring.restore(saved, identity, into=into)

    with into.connect() as held:
        assert database.is_empty(held)
    assert not restoring.is_held(into)


def rewrite(saved: Path, data: bytes) -> None:
    """Change the file and its checksum too, as somebody would who means it."""
    saved.write_bytes(data)
    folder.checksum_of(saved).write_text(f"{folder.sha256(saved)}  {saved.name}\n")


def test_another_key_opens_nothing(saved, empty):
    refused(saved, pyrage.x25519.Identity.generate(), empty, WrongKey)


def test_a_changed_byte_is_seen_by_the_checksum(saved, identity, empty):
    data = bytearray(saved.read_bytes())
    data[len(data) // 2] ^= 1
    saved.write_bytes(data)

    refused(saved, identity, empty, ChecksumWrong)


def test_a_file_without_its_checksum_is_refused(saved, identity, empty):
    folder.checksum_of(saved).unlink()

    refused(saved, identity, empty, ChecksumMissing)


@pytest.mark.parametrize("place", [0.3, 0.6, 0.999])
def test_a_changed_byte_with_a_new_checksum_is_seen_by_the_encryption(
    saved, identity, empty, place
):
    data = bytearray(saved.read_bytes())
    data[int(len(data) * place)] ^= 1
    rewrite(saved, bytes(data))

    refused(saved, identity, empty, Damaged)


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.999])
def test_a_file_that_was_cut_off_is_refused_whole(saved, identity, empty, settings, kept):
    shutil.rmtree(settings.MEDIA_ROOT, ignore_errors=True)
    data = saved.read_bytes()
    rewrite(saved, data[: int(len(data) * kept)])

    refused(saved, identity, empty, Damaged)
    assert not Path(settings.MEDIA_ROOT).exists()


def test_an_archive_without_its_last_member_is_none(saved, identity, empty):
    piece = archive._member("media/a.webp", 1, [b"a"])
    forged = saved.with_name("forged")
    with forged.open("wb") as target:
        archive.encrypt([*piece, bytes(1024)], target, keys.recipients())
    rewrite(saved, forged.read_bytes())

    refused(saved, identity, empty, Damaged)


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside"])
def test_no_picture_is_written_beyond_its_folder(name, tmp_path):
    """The key that encrypts is public: anybody could have written the archive."""
    with pytest.raises(Damaged):
        restoring._put_back(name, BytesIO())

    assert not (tmp_path / "outside").exists()


def test_a_database_with_anything_in_it_is_left_alone(saved, identity, empty, settings):
    with empty.connect() as held:
        held.execute("CREATE TABLE mine AS SELECT 42 AS answer")

    with pytest.raises(NotEmpty):
        restoring.restore(saved, identity, into=empty)
    with pytest.raises(NotEmpty):
        restoring.restore(saved, identity, into=database.of_site())

    with empty.connect() as held:
        assert held.execute("SELECT answer FROM mine").fetchone() == (42,)
    assert not restoring.is_held(empty)


def test_a_dump_that_does_not_come_in_whole_leaves_nothing(saved, identity, empty, caplog):
    """It breaks off at the triggers, when every row is in."""
    with empty.connect() as held:
        held.execute(
            "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RAISE 'no more'; END $$"
        )
        held.execute(
            "CREATE EVENT TRIGGER no_triggers ON ddl_command_start WHEN TAG IN ('CREATE TRIGGER')"
            " EXECUTE FUNCTION refuse()"
        )

    refused(saved, identity, empty, ProgramFailed)

    assert "no more" in caplog.text


def test_an_older_server_is_told_so(saved, identity, empty, monkeypatch):
    monkeypatch.setattr(database, "server_major", lambda held: 15)

    refused(saved, identity, empty, ServerTooOld)


def test_a_backup_of_a_newer_site_is_told_so(saved, identity, empty, monkeypatch):
    manifest = archive.check(saved, identity)
    newer = replace(manifest, migrations=[*manifest.migrations, "booking.9999_newer"])
    monkeypatch.setattr(archive, "check", lambda file, identity: newer)

    refused(saved, identity, empty, CodeTooOld)


def test_a_backup_of_an_older_site_says_what_migrate_will_bring(saved, identity):
    manifest = archive.check(saved, identity)

    assert restoring._compare_migrations(replace(manifest, migrations=manifest.migrations[1:])) == [
        manifest.migrations[0]
    ]


# --- making one, and what goes wrong -----------------------------------------------------------


def test_without_a_recipient_nothing_is_written(settings, now):
    settings.BACKUP_RECIPIENTS = []

    with pytest.raises(NoRecipient):
        writing.back_up(now=now)

    assert not Path(settings.BACKUP_FOLDER).exists()


def test_backups_are_never_put_where_pictures_are_served(settings, now):
    settings.BACKUP_FOLDER = Path(settings.MEDIA_ROOT) / "backups"

    with pytest.raises(FolderServed):
        writing.back_up(now=now)


def test_two_do_not_write_at_once(now):
    with folder.locked(), pytest.raises(AlreadyRunning):
        writing.back_up(now=now)


def test_programs_older_than_the_server_are_not_used(now, monkeypatch):
    monkeypatch.setattr(database, "server_major", lambda held: 99)

    with pytest.raises(ProgramMissing, match="pg_dump ab Version 99"):
        writing.back_up(now=now)

    assert names(folder.path()) == []


def test_the_oldest_program_that_fits_is_taken(monkeypatch, tmp_path):
    for version in (15, 17, 18):
        program = tmp_path / str(version) / "bin" / "pg_dump"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}.2'\n")
        program.chmod(0o755)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(postgres_programs, "SYSTEM_FOLDERS", (f"{tmp_path}/*/bin",))

    assert postgres_programs.find("pg_dump", at_least=16) == tmp_path / "17/bin/pg_dump"
    with pytest.raises(postgres_programs.NoProgram):
        postgres_programs.find("pg_dump", at_least=19)


def test_no_list_of_processes_shows_the_password(now, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "ge-heim")
    started = []

    def watch(arguments, **named):
        started.append((arguments, named.get("env", {}).get("PGPASSWORD")))
        return process(arguments, **named)

    process = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", watch)

    writing.back_up(now=now)

    ((arguments, password),) = [each for each in started if "--format=custom" in each[0]]
    assert password == "ge-heim"
    assert "ge-heim" not in " ".join(arguments)


def test_a_dump_that_breaks_off_leaves_no_file(filled, now, monkeypatch):
    """pg_dump is ended while it writes, as when memory runs out."""
    members = archive.database_members

    def cut(dump):
        yield from members(dump)
        raise MemoryError

    monkeypatch.setattr(archive, "database_members", cut)
    with pytest.raises(MemoryError):
        writing.back_up(now=now)

    assert names(folder.path()) == []


def test_a_dump_that_fails_leaves_no_file(filled, now, monkeypatch):
    """What it wrote until then must not count as whole."""
    gone = database.Snapshot("00000000-00000000-1", 15, {}, [])
    monkeypatch.setattr(database, "snapshot", lambda of: nullcontext(gone))

    with pytest.raises(ProgramFailed):
        writing.back_up(now=now)

    assert names(folder.path()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full disk")
def test_a_full_disk_is_told_as_one():
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(OSError, match="No space left"),
    ):
        archive.encrypt([bytes(100_000)], full, keys.recipients())


def test_a_folder_that_cannot_be_written_is_told_without_naming_it(settings, tmp_path, now):
    (tmp_path / "file").write_text("")
    settings.BACKUP_FOLDER = tmp_path / "file" / "backups"

    with pytest.raises(CannotWrite) as refused:
        writing.back_up(now=now)

    assert str(tmp_path) not in refused.value.message


def test_killed_in_the_middle_it_leaves_no_file_with_a_good_name(filled, now, settings, tmp_path):
    place = Path(settings.BACKUP_FOLDER)
    (tmp_path / "data" / "media").mkdir(parents=True)
    with (tmp_path / "data" / "media" / "large").open("wb") as large:
        large.truncate(20_000_000_000)  # holes, which take no room
    environment = {
        **environment_for(database.of_site()),
        "DATA_FOLDER": str(tmp_path / "data"),
        "BACKUP_FOLDER": str(place),
        "BACKUP_RECIPIENTS": ",".join(settings.BACKUP_RECIPIENTS),
    }
    backup = subprocess.Popen([sys.executable, "manage.py", "backup"], cwd=ROOT, env=environment)

    wait_until(lambda: any(file.stat().st_size > 1_000_000 for file in place.glob("*")))
    backup.kill()
    backup.wait()

    (rest,) = names(place)
    assert rest.startswith(folder.UNFINISHED)
    assert folder.backups() == []
    # And the next one clears it away.
    file = writing.back_up(now=now)
    assert names(place) == [file.name, f"{file.name}.sha256"]


# --- what goes, and what stays -----------------------------------------------------------------


def older(days: float, now: datetime, *, good: bool = True) -> Path:
    folder.path().mkdir(parents=True, exist_ok=True)
    file = folder.path() / folder.name(now - timedelta(days=days))
    file.write_bytes(os.urandom(100))
    folder.checksum_of(file).write_text(f"{folder.sha256(file)}  {file.name}\n")
    if not good:
        file.write_bytes(b"cut off")
    return file


def test_no_backup_is_older_than_thirty_days_when_the_next_night_comes(now):
    kept, gone, long_gone = older(28.9, now), older(29.1, now), older(100, now)
    stranger = folder.path() / "backup-of-mine.tar.age"
    stranger.write_text("")

    assert folder.forget_old(now=now) == 2

    assert kept.exists()
    assert stranger.exists()
    for file in (gone, long_gone):
        assert not file.exists()
        assert not folder.checksum_of(file).exists()


def test_the_newest_good_one_stays_however_old(now):
    oldest, newest_good = older(60, now), older(50, now)
    broken = older(40, now, good=False)
    folder.checksum_of(older(3, now)).unlink()

    assert folder.forget_old(now=now) == 2

    assert newest_good.exists()
    assert not oldest.exists()
    assert not broken.exists()


def test_a_backup_drops_what_is_too_old_once_it_is_there_itself(now):
    old = older(31, now)

    writing.back_up(now=now)

    assert not old.exists()


def test_a_backup_that_fails_drops_nothing(now, monkeypatch):
    old, older_still = older(31, now), older(32, now)
    monkeypatch.setattr(database, "server_major", lambda held: 99)

    with pytest.raises(ProgramMissing):
        writing.back_up(now=now)

    assert old.exists()
    assert older_still.exists()


def test_a_rehearsal_of_the_retention_keeps_the_files(now):
    old, _ = older(31, now), older(1, now)

    assert retention.rehearse(now=now)["Sicherungskopien; Gelöschtes verschwindet mit ihnen"] == 1

    assert old.exists()


# --- every night -------------------------------------------------------------------------------


def ended() -> None:
    """Every job that waits has been done, as far as the queue knows."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE status = 'todo'")


def alarms() -> int:
    return ProcrastinateJob.objects.filter(task_name=nightly.ALARM).count()


def test_three_bad_nights_alarm_once_and_a_good_one_between_them_again(now, monkeypatch):
    writing.back_up(now=now)
    with monkeypatch.context() as broken:
        broken.setattr(database, "server_major", lambda held: 99)
        for night in (1, 2, 3):
            with pytest.raises(ProgramMissing):
                nightly.run(now=now + night * DAY)
            ended()
    assert alarms() == 1

    nightly.run(now=now + 4 * DAY)
    with monkeypatch.context() as broken:
        broken.setattr(database, "server_major", lambda held: 99)
        with pytest.raises(ProgramMissing):
            nightly.run(now=now + 5 * DAY)
    assert alarms() == 2


def test_the_alarm_says_what_to_do_and_names_no_folder(mailbox, run_jobs, now, settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.BACKUP_FOLDER = tmp_path / "file" / "backups"

    with pytest.raises(CannotWrite):
        nightly.run(now=now)
    run_jobs()

    (message,) = mailbox.messages
    text = mail_server.text(message)
    assert message["To"] == "coach@praxis.example"
    assert "manage.py backup" in text
    assert "Es gibt noch keine einzige." in text
    assert str(tmp_path) not in text


def test_a_failure_nobody_foresaw_is_not_told_in_its_own_words(now, monkeypatch):
    def broken(*, now: datetime) -> Path:
        raise ZeroDivisionError("ada@example.org")

    monkeypatch.setattr(writing, "back_up", broken)

    with pytest.raises(ZeroDivisionError):
        nightly.run(now=now)

    (job,) = ProcrastinateJob.objects.filter(task_name=nightly.ALARM)
    assert job.args["reason"] == nightly.UNEXPECTED


def test_the_job_of_the_night_saves_only_for_somebody(run_jobs, settings):
    recipients, settings.BACKUP_RECIPIENTS = settings.BACKUP_RECIPIENTS, []
    jobs.enqueue("desk.back_up", timestamp=0)
    run_jobs()
    assert not folder.path().exists()

    settings.BACKUP_RECIPIENTS = recipients
    jobs.enqueue("desk.back_up", timestamp=0)
    run_jobs()
    assert [folder.is_good(file) for file in folder.backups()] == [True]


def test_production_without_backups_is_warned_before_it_goes_live(settings):
    def said() -> list[str]:
        found = run_checks(include_deployment_checks=True)
        return [message.msg for message in found if message.id == "desk.W001"]

    settings.SITE_PROFILE = "production"
    assert said() == []
    settings.BACKUP_RECIPIENTS = []
    assert said() == ["BACKUP_RECIPIENTS ist leer: Es gibt keine Sicherungen."]
    settings.SITE_PROFILE = "local"
    assert said() == []


# --- keys --------------------------------------------------------------------------------------


def test_a_new_key_is_for_its_owner_alone_and_never_replaces_one(tmp_path):
    path, out = tmp_path / "key.txt", StringIO()

    call_command("backup", "--new-key", str(path), stdout=out, stderr=StringIO())

    public = str(keys.read(path).to_public())
    assert out.getvalue() == f"BACKUP_RECIPIENTS={public}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyExists):
        keys.make(path, now=datetime(2027, 3, 1, tzinfo=UTC))


def test_a_key_may_come_through_a_pipe(identity, monkeypatch):
    monkeypatch.setattr("sys.stdin", StringIO(f"{identity}\n"))

    assert str(keys.read(Path("-"))) == str(identity)


@pytest.mark.parametrize("text", ["", "nonsense", "# only a comment", "ä"])
def test_what_is_no_key_is_told_so(tmp_path, text):
    path = tmp_path / "key.txt"
    path.write_text(text)

    with pytest.raises(KeyUnreadable):
        keys.read(path)
    with pytest.raises(CommandError, match="kein geheimer Schlüssel"):
        call_command("restore", "any.age", "--identity", str(path))
