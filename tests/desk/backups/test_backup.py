"""Making encrypted backups: nothing half ever counts as whole, and what must stay stays."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob
from psycopg.conninfo import conninfo_to_dict

from coaching_site import jobs, postgres_programs
from coaching_site.desk import retention
from coaching_site.desk.backups import archive, database, folder, keys, nightly, writing
from coaching_site.desk.backups.errors import (
    AlreadyRunning,
    CannotWrite,
    FolderServed,
    KeyExists,
    KeyUnreadable,
    NoRecipient,
    ProgramFailed,
    ProgramMissing,
)
from tests import mail_server
from tests.desk.backups.conftest import environment_for, names, older
from tests.running_site import ROOT, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("backups")]

DAY = timedelta(days=1)

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


def test_an_older_program_is_told_nothing_it_may_not_know():
    """Our library fills in words like sslcertmode, at which pg_dump 15 stops."""
    words = conninfo_to_dict(database.of_site().conninfo)

    assert set(words) <= {"host", "port", "user", "dbname", "client_encoding"}


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
