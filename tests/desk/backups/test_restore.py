"""What comes back is what was there; anything less is refused, with nothing changed."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pyrage
import pytest

from coaching_site import postgres_programs
from coaching_site.desk.backups import archive, database, folder, restoring, writing
from coaching_site.desk.backups.database import HOLD, Database
from coaching_site.desk.backups.errors import (
    BackupError,
    ChecksumMissing,
    ChecksumWrong,
    CodeTooOld,
    Damaged,
    NotEmpty,
    ProgramFailed,
    RowsMissing,
    ServerTooOld,
    WrongKey,
)
from newsletter.models import Subscriber
from tests.desk.backups.conftest import PICTURE, READER, contents, environment_for, structure
from tests.newsletter.conftest import sign_up
from tests.running_site import ROOT, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("backups")]

DAY = timedelta(days=1)

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
    forge(saved, [*archive._member("media/a.webp", 1, [b"a"]), bytes(1024)], identity)

    refused(saved, identity, empty, Damaged)


def forge(saved: Path, members: list[bytes], identity: pyrage.x25519.Identity) -> None:
    target = BytesIO()
    archive.encrypt(members, target, [identity.to_public()])
    rewrite(saved, target.getvalue())


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside"])
def test_no_picture_is_written_beyond_its_folder(name, tmp_path):
    with pytest.raises(Damaged):
        restoring._put_back(name, BytesIO())

    assert not (tmp_path / "outside").exists()


def test_an_archive_of_somebody_else_s_making_reaches_no_other_folder(
    saved, identity, empty, tmp_path
):
    """The key that encrypts is public: anybody could have written it."""
    manifest = archive.check(saved, identity)
    outside = archive._member("media/../outside", 1_000_000, [bytes(1_000_000)])
    forge(saved, [*outside, *archive.closing_members(manifest)], identity)

    refused(saved, identity, empty, Damaged)

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
