"""Backups on another host: whole or not there, carried by the next night, and the way back from them."""

from __future__ import annotations

import errno
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from urllib.parse import quote

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from procrastinate.contrib.django.models import ProcrastinateJob

from coaching_site import environment, jobs
from coaching_site.desk import attention
from coaching_site.desk.backups import copying, database, folder, nightly, restoring, sftp
from coaching_site.desk.backups.errors import (
    AlreadyCopying,
    CannotWrite,
    ChecksumWrong,
    CopyDamaged,
    CopyKeyUnreadable,
    CopyRefused,
    HostKeyWrong,
    LineBroken,
    LoginRefused,
    NoCopyHost,
    NoSuchCopy,
    NotArrivedWhole,
)
from tests import mail_server, sftp_server
from tests.desk.backups.conftest import contents, environment_for, names, older
from tests.running_site import ROOT, wait_until
from tests.sftp_server import PASSWORD, USER, Host

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("backups")]

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MEGABYTE = 1024 * 1024


@pytest.fixture
def host(tmp_path, settings, monkeypatch) -> Iterator[Host]:
    """The other host; the settings name it as the environment would."""
    (tmp_path / "there").mkdir()
    with sftp_server.serve(tmp_path / "there") as running:
        point_to(running, settings, monkeypatch)
        yield running


def variables(host: Host) -> dict[str, str]:
    account = f"{USER}:{quote(PASSWORD, safe='')}"
    return {
        "BACKUP_COPY_URL": f"sftp://{account}@127.0.0.1:{host.port}/backups",
        "BACKUP_COPY_HOST_KEY": host.scanned,
    }


def point_to(host: Host, settings, monkeypatch, **changes: str) -> None:
    for name, value in (variables(host) | changes).items():
        monkeypatch.setenv(name, value)
    settings.BACKUP_COPY = environment.read().backing_up.copying


def there(host: Host) -> list[str]:
    return sorted(each.name for each in (host.root / "backups").iterdir())


def whole(*files: Path) -> list[str]:
    return sorted(name for file in files for name in (file.name, f"{file.name}.sha256"))


def private_key(path: Path) -> str:
    """Writes a new one there; returns its public half."""
    key = Ed25519PrivateKey.generate()
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
    )
    return paramiko.PKey.from_path(path).get_base64()


# --- there ---------------------------------------------------------------------------------------


def test_what_is_there_is_what_was_written_and_is_not_sent_twice(host, now):
    large, small = older(1, now, size=5 * MEGABYTE + 17), older(2, now)

    assert copying.carry(now=now) == copying.Carried(sent=2, there=0, gone=0)

    assert there(host) == whole(large, small)
    for file in (large, small):
        for each in (file, folder.checksum_of(file)):
            assert (host.root / "backups" / each.name).read_bytes() == each.read_bytes()
    # The checksum gets its name last, and of all the newest comes first.
    assert host.done("rename") == [large.name, f"{large.name}.sha256", *whole(small)]

    written = len(host.done("write"))
    assert copying.carry(now=now) == copying.Carried(sent=0, there=2, gone=0)
    assert len(host.done("write")) == written


def test_a_key_opens_it_as_well(host, now, settings, monkeypatch, tmp_path):
    host.known_key = private_key(tmp_path / "key")
    url = f"sftp://{USER}@127.0.0.1:{host.port}/~/backups"
    point_to(
        host, settings, monkeypatch, BACKUP_COPY_URL=url, BACKUP_COPY_KEY=str(tmp_path / "key")
    )
    file = older(1, now)

    copying.carry(now=now)

    assert there(host) == whole(file)


def test_a_server_without_openssh_s_rename_will_do(host, now):
    file = older(1, now)
    host.knows_posix_rename = False
    copying.carry(now=now)
    (host.root / "backups" / file.name).write_bytes(b"cut")

    copying.carry(now=now)

    assert (host.root / "backups" / file.name).read_bytes() == file.read_bytes()


def test_a_host_with_another_key_gets_nothing(host, now, settings, monkeypatch):
    older(1, now)
    stranger = paramiko.ECDSAKey.generate()
    line = f"127.0.0.1 {stranger.get_name()} {stranger.get_base64()}"
    point_to(host, settings, monkeypatch, BACKUP_COPY_HOST_KEY=line)

    with pytest.raises(HostKeyWrong):
        copying.carry(now=now)

    # Nor one that has a key of another kind alone.
    point_to(host, settings, monkeypatch, BACKUP_COPY_HOST_KEY=f"x ssh-rsa {RSA.get_base64()}")
    with pytest.raises(HostKeyWrong):
        copying.carry(now=now)
    assert host.commands == []


RSA = paramiko.RSAKey.generate(2048)


def test_a_key_of_rsa_is_known_by_whatever_it_signs_with(host, now, settings, monkeypatch):
    """ssh-keyscan calls it ssh-rsa; what is signed is named otherwise since SHA-1 fell."""
    host.other_keys, host.key = [host.key], RSA
    point_to(host, settings, monkeypatch)
    older(1, now)

    assert copying.carry(now=now).sent == 1


def test_a_damaged_backup_is_not_carried(host, now):
    good = older(2, now)
    older(1, now, good=False)

    copying.carry(now=now)

    assert there(host) == whole(good)


def test_two_do_not_carry_at_once(host, now):
    older(1, now)

    with folder.only_one(copying.LOCK, AlreadyCopying):
        with pytest.raises(AlreadyCopying):
            copying.carry(now=now)
        nightly.carry(now=now)

    assert host.commands == []
    assert alarms() == []


# --- what goes wrong -------------------------------------------------------------------------------


def test_a_line_cut_in_the_middle_loses_nothing(host, now):
    first, second = older(1, now, size=3 * MEGABYTE), older(2, now, size=MEGABYTE)
    host.cut_after = MEGABYTE

    with pytest.raises(LineBroken):
        copying.carry(now=now)

    assert there(host) == [f"{folder.UNFINISHED}{first.name}"]
    assert folder.newest_carried() == ""

    host.mend()
    assert copying.carry(now=now).sent == 2
    assert there(host) == whole(first, second)
    assert folder.newest_carried() == first.name


def test_killed_in_the_middle_it_leaves_a_name_that_the_next_night_clears(host, now, settings):
    file = older(1, now, size=3 * MEGABYTE)
    host.silent_after = MEGABYTE
    process = subprocess.Popen(
        [sys.executable, "manage.py", "backup", "--copy"],
        cwd=ROOT,
        env={
            **environment_for(database.of_site()),
            **variables(host),
            "BACKUP_FOLDER": str(settings.BACKUP_FOLDER),
        },
    )
    wait_until(lambda: host.written >= MEGABYTE)
    process.kill()
    process.wait()

    assert there(host) == [f"{folder.UNFINISHED}{file.name}"]
    # Also one whose backup is let go before that night comes.
    (host.root / "backups" / f"{folder.UNFINISHED}{folder.name(now - 90 * DAY)}").touch()
    host.mend()
    host.woken.set()
    assert copying.carry(now=now).sent == 1
    assert there(host) == whole(file)


def test_a_host_that_falls_silent_is_not_waited_for(host, now, monkeypatch):
    monkeypatch.setattr(sftp, "SILENCE_SECONDS", 1)
    older(1, now, size=5 * MEGABYTE)
    host.silent_after = MEGABYTE

    with pytest.raises(LineBroken):
        copying.carry(now=now)


def test_a_host_that_does_not_greet_is_not_waited_for(now, host, settings, monkeypatch):
    monkeypatch.setattr(sftp, "CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"sftp://{USER}:x@127.0.0.1:{mute.getsockname()[1]}/backups"
        point_to(host, settings, monkeypatch, BACKUP_COPY_URL=address)
        with pytest.raises(LineBroken):
            copying.carry(now=now)

    # And one that is not there at all.
    with pytest.raises(LineBroken):
        copying.carry(now=now)


def test_a_full_disk_here_is_not_blamed_on_the_line(host, now, monkeypatch):
    file = older(1, now)
    copying.carry(now=now)

    def full(path: Path, *arguments: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder, "note_carried", full)
    with pytest.raises(CannotWrite):
        copying.carry(now=now)
    monkeypatch.setattr(copying, "_theirs", full)
    with pytest.raises(CannotWrite), copying.fetched(file.name):
        pass
    assert [name for name in names(folder.path()) if name.startswith(folder.UNFINISHED)] == []


def test_what_arrives_otherwise_than_it_left_does_not_count(host, now):
    older(1, now)
    host.spoils = True

    with pytest.raises(NotArrivedWhole):
        copying.carry(now=now)

    assert there(host) == []


@pytest.mark.parametrize("cut", [b"cut", None])
def test_a_copy_that_became_shorter_or_lost_its_checksum_is_sent_anew(host, now, cut):
    file = older(1, now)
    copying.carry(now=now)
    if cut is None:
        (host.root / "backups" / f"{file.name}.sha256").unlink()
    else:
        (host.root / "backups" / file.name).write_bytes(cut)

    assert copying.carry(now=now).sent == 1

    assert (host.root / "backups" / file.name).read_bytes() == file.read_bytes()
    assert there(host) == whole(file)


def test_a_disk_that_forgets_is_noticed_within_as_many_nights_as_there_are_copies(host, now):
    files = [older(days, now, size=1000) for days in (1, 2, 3)]
    copying.carry(now=now)
    spoilt = host.root / "backups" / files[1].name
    spoilt.write_bytes(bytes(1000))

    for night in range(3):
        copying.carry(now=now + night * HOUR * 24)
    assert spoilt.read_bytes() == files[1].read_bytes()

    # Without one of its own the site can only tell.
    spoilt.write_bytes(bytes(1000))
    files[1].unlink()
    with pytest.raises(CopyDamaged, match=files[1].name):
        for night in range(3):
            copying.carry(now=now + night * DAY)


# --- what goes, and what stays -----------------------------------------------------------------


def test_what_is_too_old_goes_there_as_well_but_never_the_newest_whole_one(host, now):
    middle, old = older(10, now), older(20, now)
    copying.carry(now=now)
    stranger = host.root / "backups" / "of-mine.tar.age"
    stranger.write_text("")

    assert copying.carry(now=now + 15 * DAY).gone == 1
    assert there(host) == [*whole(middle), stranger.name]

    assert copying.carry(now=now + 100 * DAY).gone == 0
    assert there(host) == [*whole(middle), stranger.name]
    assert old.name not in there(host)


def test_deleting_can_be_left_to_the_other_side(host, now, settings, monkeypatch):
    point_to(host, settings, monkeypatch, BACKUP_COPY_DELETE_OLD="no")
    host.only_grows = True
    files = [older(10, now), older(20, now)]
    copying.carry(now=now)

    assert copying.carry(now=now + 15 * DAY).gone == 0

    assert there(host) == whole(*files)


# --- the way back ------------------------------------------------------------------------------


def test_a_server_that_is_lost_comes_back_from_the_copy(
    saved, identity, empty, host, now, settings, tmp_path
):
    copying.carry(now=now)
    expected = restored_from(saved, identity, empty)
    settings.BACKUP_FOLDER = tmp_path / "a new machine"
    settings.MEDIA_ROOT = tmp_path / "a new machine's pictures"

    with copying.fetched(copying.NEWEST) as file:
        restoring.check_sum(file)
        restored = restoring.restore(file, identity, into=empty)
    restoring.let_go(empty)

    assert contents(empty) == expected
    assert restored.pictures == 2
    assert names(settings.BACKUP_FOLDER) == []


def restored_from(saved: Path, identity, empty) -> dict[str, str]:
    """What stands in a database that the backup here was brought back into; empty again afterwards."""
    restoring.restore(saved, identity, into=empty)
    found = contents(empty)
    with empty.connect() as held:
        held.execute("DROP SCHEMA public CASCADE")
        held.execute("CREATE SCHEMA public")
    return found


def test_a_corrupted_copy_changes_nothing(saved, host, now, tmp_path, settings, identity):
    copying.carry(now=now)
    (host.root / "backups" / saved.name).write_bytes(bytes(saved.stat().st_size))
    (tmp_path / "key").write_text(str(identity))

    with pytest.raises(CommandError, match=r"Die Prüfsumme stimmt nicht"):
        call_command("restore", "--from-copy", saved.name, "--identity", str(tmp_path / "key"))
    with pytest.raises(ChecksumWrong), copying.fetched("newest") as file:
        restoring.check_sum(file)
    assert [name for name in names(saved.parent) if name.startswith(folder.UNFINISHED)] == []


def test_only_what_is_there_can_be_fetched(host, now):
    file = older(1, now)
    copying.carry(now=now)

    for name in ("backup-2020-01-01T000000Z.tar.age", "../secret", f"{file.name}.sha256"):
        with pytest.raises(NoSuchCopy), copying.fetched(name):
            pass


def test_the_command_carries_and_lists(host, now):
    file, older_one = older(1, now), older(2, now)
    (host.root / "backups").mkdir()
    out = StringIO()
    call_command("backup", "--copy", stdout=out)
    (host.root / "backups" / f"{older_one.name}.sha256").unlink()
    call_command("backup", "--list-copies", stdout=out)

    assert out.getvalue().splitlines() == [
        "sent=2 there=0 gone=0",
        f"{file.name} (0.0 MB)",
        f"{older_one.name} (0.0 MB)  unvollständig",
    ]


def test_without_another_host_the_command_says_so(settings):
    with pytest.raises(CommandError, match="BACKUP_COPY_URL ist leer"):
        call_command("backup", "--copy")
    with pytest.raises(NoCopyHost):
        copying.copies()


# --- every night, and who hears of it ------------------------------------------------------------


def alarms() -> list[str]:
    return [
        job.args["reason"] for job in ProcrastinateJob.objects.filter(task_name=nightly.COPY_ALARM)
    ]


def test_a_finished_backup_is_carried_by_a_job_of_its_own(host, run_jobs):
    jobs.enqueue("desk.back_up", timestamp=0)

    assert run_jobs() == ["desk.back_up", nightly.COPY]

    (file,) = folder.backups()
    assert there(host) == whole(file)


def test_nobody_is_asked_while_there_is_no_other_host(run_jobs, settings):
    jobs.enqueue("desk.back_up", timestamp=0)
    jobs.enqueue(nightly.COPY, timestamp=0)

    assert run_jobs() == ["desk.back_up", nightly.COPY]


def test_a_full_disk_there_alarms_once_until_it_went_well_again(host, now):
    older(0.1, now)
    host.room = 0
    for night in (1, 2, 3):
        with pytest.raises((CopyRefused, NotArrivedWhole)):
            nightly.carry(now=now + night * DAY)
    assert len(alarms()) == 1

    host.mend()
    nightly.carry(now=now + 4 * DAY)
    older(-4, now)
    host.room, host.written = 0, 0
    with pytest.raises((CopyRefused, NotArrivedWhole)):
        nightly.carry(now=now + 5 * DAY)
    assert len(alarms()) == 2


def test_a_line_that_breaks_for_an_hour_wakes_nobody(host, now):
    older(0, now, size=2 * MEGABYTE)
    host.cut_after = 0

    with pytest.raises(LineBroken):
        nightly.carry(now=now + HOUR)
    assert alarms() == []
    with pytest.raises(LineBroken):
        nightly.carry(now=now + 4 * HOUR)
    assert alarms() == [LineBroken.message]


def test_the_mail_says_what_to_do_and_no_line_tells_a_secret(
    host, now, mailbox, run_jobs, settings, monkeypatch, caplog
):
    older(1, now)
    wrong = f"sftp://{USER}:ganz-geheim@127.0.0.1:{host.port}/backups"
    point_to(host, settings, monkeypatch, BACKUP_COPY_URL=wrong)

    with caplog.at_level(logging.DEBUG), pytest.raises(LoginRefused) as refused:
        nightly.carry(now=now)
    run_jobs()

    (message,) = mailbox.messages
    text = mail_server.text(message)
    assert LoginRefused.message in text
    assert "manage.py backup --copy" in text
    assert "Dort liegt noch keine einzige." in text
    for told in (text, caplog.text, str(refused.value), repr(settings.BACKUP_COPY)):
        assert "ganz-geheim" not in told


def test_a_copy_that_waits_stands_on_the_first_page(host, now, admin_user):
    file = older(1, now)

    (matter,) = attention.waiting_copies(admin_user, now=now)
    assert matter.until == "noch nie"

    copying.carry(now=now)
    assert list(attention.waiting_copies(admin_user, now=now)) == []
    older(0, now)
    assert list(attention.waiting_copies(admin_user, now=now + HOUR)) == []
    (matter,) = attention.waiting_copies(admin_user, now=now + DAY)
    assert matter.until.startswith("dort zuletzt die von So., 28.02.2027")
    assert file.name == folder.newest_carried()


def test_nights_without_a_backup_and_without_a_failure_are_told_once(now, settings):
    older(1.9, now)
    nightly.warn_when_late(now=now)
    assert not ProcrastinateJob.objects.filter(task_name=nightly.ALARM).exists()

    for night in (1, 2, 3):
        nightly.warn_when_late(now=now + night * DAY)
    (job,) = ProcrastinateJob.objects.filter(task_name=nightly.ALARM)
    assert job.args["reason"] == nightly.NONE_MADE


# --- what the operator is told before -----------------------------------------------------------


def test_a_key_that_cannot_be_read_is_found_before_the_night(host, settings, monkeypatch, tmp_path):
    def said() -> list[str | None]:
        found = run_checks(include_deployment_checks=True)
        return [each.id for each in found if each.id in ("desk.E001", "desk.W002")]

    def name_key(path: Path) -> None:
        url = f"sftp://{USER}@127.0.0.1/backups"
        point_to(host, settings, monkeypatch, BACKUP_COPY_URL=url, BACKUP_COPY_KEY=str(path))

    private_key(tmp_path / "good")
    name_key(tmp_path / "good")
    assert said() == []
    (tmp_path / "public").write_text("ssh-ed25519 AAAA")
    for bad in ("missing", "public"):
        name_key(tmp_path / bad)
        assert said() == ["desk.E001"]
        with pytest.raises(CopyKeyUnreadable):
            copying.copies()
    settings.BACKUP_RECIPIENTS = []
    assert said() == ["desk.W002", "desk.E001"]
