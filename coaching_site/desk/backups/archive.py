"""A backup's bytes: a tar archive inside an age file, written and read as a stream.

Nothing of it touches the disk unencrypted, and memory holds one piece at a time.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import pyrage

from coaching_site.desk.backups.errors import Damaged, MediaChanged, WrongKey

DATABASE = "database/"
MEDIA = "media/"
MANIFEST = "manifest.json"
# A tar archive needs to know how long a file is before it comes; pg_dump does not tell.
PIECE = 4 * 1024 * 1024
# Room for 32 terabytes.
DIGITS = 7


@dataclass(frozen=True)
class Manifest:
    """What a whole backup holds. It stands last: an archive without it is none."""

    # Of the pg_dump that wrote it: no older server takes it back.
    postgres_major: int
    # „app.name“ of each that was applied.
    migrations: list[str]
    # How many each table has, at the moment of the dump.
    rows: dict[str, int]
    media: int


# --- writing ----------------------------------------------------------------------------------


def database_members(dump: IO[bytes]) -> Iterator[bytes]:
    number = 0
    while piece := dump.read(PIECE):
        yield from _member(f"{DATABASE}{number:0{DIGITS}}", len(piece), [piece])
        number += 1


def media_member(name: str, file: IO[bytes]) -> Iterator[bytes]:
    """Raises MediaChanged when the file ends before it should."""
    size = os.fstat(file.fileno()).st_size
    yield from _member(f"{MEDIA}{name}", size, _exactly(file, size))


def closing_members(manifest: Manifest) -> Iterator[bytes]:
    text = json.dumps(asdict(manifest), indent=1).encode()
    yield from _member(MANIFEST, len(text), [text])
    yield b"\0" * tarfile.BLOCKSIZE * 2


def encrypt(
    plain: Iterable[bytes], target: IO[bytes], recipients: Iterable[pyrage.x25519.Recipient]
) -> str:
    """Write what comes for these recipients alone; returns the SHA-256 of what was written.

    Raises whatever `plain` or the target's disk raised.
    """
    reader, writer = _Reader(iter(plain)), _Writer(target)
    try:
        pyrage.encrypt_io(reader, writer, list(recipients))
    except (pyrage.EncryptError, OSError) as error:
        # The library passes on the words alone of what went wrong in our hands.
        raise reader.failure or writer.failure or error from None
    return writer.sha256.hexdigest()


def _member(name: str, size: int, content: Iterable[bytes]) -> Iterator[bytes]:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o600
    yield header.tobuf(tarfile.PAX_FORMAT)
    yield from content
    yield b"\0" * (-size % tarfile.BLOCKSIZE)


def _exactly(file: IO[bytes], size: int) -> Iterator[bytes]:
    while size:
        piece = file.read(min(size, PIECE))
        if not piece:
            raise MediaChanged
        size -= len(piece)
        yield piece


class _Reader:
    """Pieces, read like a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.failure: BaseException | None = None
        self._pieces = pieces
        self._rest = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, or the rest of a piece; nothing at the end."""
        while not self._rest:
            try:
                self._rest = memoryview(next(self._pieces))
            except StopIteration:
                return b""
            except BaseException as failure:
                self.failure = failure
                raise
        end = size if size >= 0 else len(self._rest)
        taken, self._rest = self._rest[:end], self._rest[end:]
        return bytes(taken)


class _Writer:
    """A file whose bytes are counted into a hash as they go by."""

    def __init__(self, target: IO[bytes]) -> None:
        self.failure: OSError | None = None
        self.sha256 = hashlib.sha256()
        self._target = target

    def write(self, data: bytes) -> int:
        try:
            self._target.write(data)
        except OSError as failure:
            self.failure = failure
            raise
        self.sha256.update(data)
        return len(data)

    def flush(self) -> None:
        self._target.flush()


# --- reading ----------------------------------------------------------------------------------


@contextmanager
def opened(path: Path, identity: pyrage.x25519.Identity) -> Iterator[tarfile.TarFile]:
    """The archive, to be gone through once from its beginning to its end.

    Raises WrongKey, and Damaged when a byte was changed or the end is missing. Only who came to the
    end knows that all of it was whole.
    """
    read_end, write_end = os.pipe()

    def decrypt() -> None:
        # The pipe first: it must be closed whatever happens, or its reader waits for ever.
        with os.fdopen(write_end, "wb") as target, path.open("rb") as source:
            pyrage.decrypt_io(source, target, [identity])

    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(decrypt)
        try:
            with os.fdopen(read_end, "rb") as plain:
                with tarfile.open(fileobj=plain, mode="r|") as tar:
                    yield tar
                while plain.read(PIECE):
                    pass
            work.result()
        except (tarfile.TarError, pyrage.DecryptError, OSError) as error:
            raise _reason(error, work.exception()) from None


def _reason(error: Exception, of_decrypting: BaseException | None) -> Exception:
    """What to tell of two failures that came together."""
    if isinstance(of_decrypting, pyrage.DecryptError):
        return WrongKey()
    if isinstance(error, tarfile.TarError) or error is of_decrypting:
        return Damaged()
    # Ours; decrypting failed only because nobody read on.
    return error


def check(path: Path, identity: pyrage.x25519.Identity) -> Manifest:
    """Go through all of it and return what it says of itself. Raises WrongKey and Damaged."""
    found = b""
    with opened(path, identity) as tar:
        for member in tar:
            if member.name == MANIFEST:
                found = _content(tar, member).read()
    try:
        return Manifest(**json.loads(found))
    except (TypeError, ValueError):
        raise Damaged from None


def database(tar: tarfile.TarFile) -> Iterator[bytes]:
    """What pg_dump wrote."""
    for member in tar:
        if member.name.startswith(DATABASE):
            yield _content(tar, member).read()


def media(tar: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    """Each file's name below the media folder, and its content."""
    for member in tar:
        if member.name.startswith(MEDIA):
            yield member.name.removeprefix(MEDIA), _content(tar, member)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    """Raises Damaged for anything but a plain file: who has the public key can write an archive."""
    content = tar.extractfile(member) if member.isreg() else None
    if content is None:
        raise Damaged
    return content
