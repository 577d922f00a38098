"""Carrying backups to another host, and fetching them back."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from coaching_site import on_demand
from coaching_site.desk.backups import folder
from coaching_site.desk.backups.errors import (
    AlreadyCopying,
    CannotWrite,
    CopyDamaged,
    NoCopyHost,
    NoSuchCopy,
    NotArrivedWhole,
)

if TYPE_CHECKING:
    from coaching_site.desk.backups import sftp
    from coaching_site.desk.backups.sftp import Remote
else:
    sftp = on_demand.Module("coaching_site.desk.backups.sftp")

LOCK = ".copy.lock"
# What stands for the newest one's name.
NEWEST = "newest"
PIECE = 1024 * 1024

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Copy:
    """One backup on the other host. One without its checksum has not come to its end."""

    name: str
    size: int
    is_whole: bool


@dataclass(frozen=True)
class Carried:
    """What one walk did: how many were sent, how many stood there already, how many were deleted."""

    sent: int
    there: int
    gone: int


def carry(*, now: datetime) -> Carried:
    """Bring each good backup that the other host lacks there, and delete what is too old there.

    Each is read back before it gets its name, its checksum comes last. One older copy a night is
    read through, so that a disk that forgets is noticed. Raises BackupError; what had arrived until
    then stays, and the next walk carries the rest.
    """
    try:
        with folder.only_one(LOCK, AlreadyCopying), _remote() as remote:
            return _carry(remote, now=now)
    except OSError as error:
        raise CannotWrite from error


def _carry(remote: Remote, *, now: datetime) -> Carried:
    remote.make_folder()
    _clear_rests(remote)
    before = _copies(remote)
    sent = _send_missing(remote, before, now=now)
    gone = _forget_old(remote, now=now) if settings.BACKUP_COPY.deletes_old else 0
    after = _copies(remote)
    _note(after)
    _read_one_through(remote, [each for each in after if each.name not in sent], now=now)
    return Carried(sent=len(sent), there=len(before), gone=gone)


def copies() -> list[Copy]:
    """What the other host has, newest first. Raises BackupError."""
    with _remote() as remote:
        return _copies(remote)


@contextmanager
def fetched(name: str) -> Iterator[Path]:
    """A copy with its checksum beside it, in the folder of backups until this ends.

    Not where temporary files usually are: that may be memory. Raises BackupError and OSError.
    """
    with folder.locked() as place:
        try:
            yield _fetch(name, place)
        finally:
            folder.clear_rests()


def _fetch(name: str, place: Path) -> Path:
    try:
        with _remote() as remote:
            file = place / f"{folder.UNFINISHED}{_name_of(name, _copies(remote))}"
            for each in (folder.checksum_of(file), file):
                with each.open("xb") as target:
                    target.writelines(remote.read(_theirs(each)))
    except OSError as error:
        raise CannotWrite from error
    return file


def _theirs(file: Path) -> str:
    return file.name.removeprefix(folder.UNFINISHED)


def _name_of(wanted: str, found: list[Copy]) -> str:
    """Raises NoSuchCopy."""
    names = [copy.name for copy in found if copy.is_whole]
    if wanted == NEWEST and names:
        return names[0]
    if wanted not in names:
        raise NoSuchCopy
    return wanted


@contextmanager
def _remote() -> Iterator[Remote]:
    """Raises NoCopyHost and what `sftp.connected` raises."""
    if not settings.BACKUP_COPY.host:
        raise NoCopyHost
    with sftp.connected(settings.BACKUP_COPY) as remote:
        yield remote


def _copies(remote: Remote) -> list[Copy]:
    sizes = remote.sizes()
    names = sorted(filter(folder.NAME.fullmatch, sizes), reverse=True)
    return [Copy(name, sizes[name], f"{name}{folder.CHECKSUM}" in sizes) for name in names]


def _clear_rests(remote: Remote) -> None:
    for name in remote.sizes():
        if name.startswith(f"{folder.UNFINISHED}backup-"):
            remote.remove(name)


# --- there --------------------------------------------------------------------------------------


def _send_missing(remote: Remote, there: list[Copy], *, now: datetime) -> set[str]:
    """The newest first: it is worth most. Returns the names of those that were sent."""
    known = {copy.name: copy for copy in there}
    sent = set()
    for file in _wanted(now):
        # A long walk may come to one that has been let go meanwhile.
        if not file.is_file() or _is_there(remote, file, known.get(file.name)):
            continue
        if not folder.is_good(file):
            logger.warning("Backup %s is damaged here and was not carried.", file.name)
            continue
        _send(remote, file)
        sent.add(file.name)
    return sent


def _wanted(now: datetime) -> list[Path]:
    """Those that may be kept there, and the newest however old."""
    found = folder.backups()
    kept = [file for file in found if folder.taken_at(file) >= folder.first_kept(now)]
    return kept or found[:1]


def _is_there(remote: Remote, file: Path, copy: Copy | None) -> bool:
    """Whether it stands there, whole as far as its size and its checksum tell."""
    if copy is None or not copy.is_whole or copy.size != file.stat().st_size:
        return False
    kept = folder.checksum_of(file)
    return kept.is_file() and b"".join(remote.read(kept.name)) == kept.read_bytes()


def _send(remote: Remote, file: Path) -> None:
    """Raises NotArrivedWhole; then nothing there carries the name."""
    kept = folder.checksum_of(file)
    # What was there of it did not fit; until all of it is new, none of it counts.
    remote.remove(kept.name)
    for each in (file, kept):
        unfinished = f"{folder.UNFINISHED}{each.name}"
        remote.write(unfinished, _pieces(each))
        if _sha256(remote.read(unfinished)) != folder.sha256(each):
            remote.remove(unfinished)
            raise NotArrivedWhole
        remote.rename(unfinished, each.name)


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as content:
        while piece := content.read(PIECE):
            yield piece


def _sha256(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _note(there: list[Copy]) -> None:
    """Remember which is the newest there, for those who ask without a line to it."""
    newest = next((copy.name for copy in there if copy.is_whole), "")
    folder.note_carried(newest)


# --- what goes, and what is looked at again -------------------------------------------------------


def _forget_old(remote: Remote, *, now: datetime) -> int:
    """As `folder.forget_old`: the newest whole one stays however old. Returns how many went."""
    found = _copies(remote)
    newest = next((copy.name for copy in found if copy.is_whole), "")
    first_kept = folder.first_kept(now)
    old = [copy for copy in found if folder.taken_at(Path(copy.name)) < first_kept]
    gone = [copy.name for copy in old if copy.name != newest]
    for name in gone:
        # The checksum first: killed in between, what is left counts as unfinished.
        remote.remove(f"{name}{folder.CHECKSUM}")
        remote.remove(name)
    return len(gone)


def _read_one_through(remote: Remote, older: list[Copy], *, now: datetime) -> None:
    """One copy a day, in turn. A damaged one is sent anew; raises CopyDamaged when it cannot be."""
    whole = [copy for copy in older if copy.is_whole]
    if not whole:
        return
    name = whole[now.toordinal() % len(whole)].name
    told = b"".join(remote.read(f"{name}{folder.CHECKSUM}")).decode(errors="replace")
    if told.split()[:1] == [_sha256(remote.read(name))]:
        return
    here = folder.path() / name
    if not here.is_file() or not folder.is_good(here):
        raise CopyDamaged(name)
    logger.warning("The copy of %s was damaged and is sent anew.", name)
    _send(remote, here)
