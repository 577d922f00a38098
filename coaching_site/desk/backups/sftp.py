"""The folder on another host, by SFTP. The one door to the library that speaks it.

Nothing is read from or written to this machine's own keys and known hosts: what counts is what the
settings name. No error repeats what the other host says; it may name folders and people.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType

from coaching_site.desk.backups.errors import (
    CopyKeyUnreadable,
    CopyRefused,
    HostKeyWrong,
    LineBroken,
    LoginRefused,
)
from coaching_site.environment import Copying

CONNECT_SECONDS = 20
# A host that says nothing for so long is gone. Closing a large file takes a slow disk its time.
SILENCE_SECONDS = 120
# So much is asked for or sent at once; more than a packet's worth a server need not take.
PIECE = 32 * 1024
# So many pieces are under way while a file is read: a line's length must not decide its speed.
AHEAD = 64
# How the library says what a server answered.
ANSWERED = (None, errno.ENOENT, errno.EACCES)
# A key of RSA signs in one of these ways (RFC 8332); the older one, with SHA-1, is not taken.
SIGNED_BY = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


class Remote:
    """The folder over there. Every method raises LineBroken and CopyRefused."""

    def __init__(self, client: paramiko.SFTPClient, folder: str) -> None:
        self._client = client
        self._folder = folder

    def sizes(self) -> dict[str, int]:
        """The bytes of each file, by its name."""
        return {
            each.filename: each.st_size or 0 for each in self._client.listdir_attr(self._folder)
        }

    def make_folder(self) -> None:
        """Unless it is there. The one above it must be."""
        try:
            self._client.stat(self._folder)
        except FileNotFoundError:
            self._client.mkdir(self._folder, 0o700)

    def write(self, name: str, pieces: Iterable[bytes]) -> None:
        """Whether all of it arrived is not known before it was read again."""
        with self._client.open(self._path(name), "wb") as file:
            file.set_pipelined(True)
            for piece in pieces:
                file.write(piece)

    def read(self, name: str) -> Iterator[bytes]:
        with self._client.open(self._path(name), "rb") as file:
            size = file.stat().st_size or 0
            for first in range(0, size, PIECE * AHEAD):
                until = min(first + PIECE * AHEAD, size)
                starts = range(first, until, PIECE)
                yield from file.readv([(start, min(PIECE, until - start)) for start in starts])

    def rename(self, name: str, new: str) -> None:
        """Give a file another name. Whatever had that name is gone."""
        try:
            self._client.posix_rename(self._path(name), self._path(new))
        except OSError:
            # Only OpenSSH's extension replaces a file at once; not every server has it.
            with suppress(FileNotFoundError):
                self._client.remove(self._path(new))
            self._client.rename(self._path(name), self._path(new))

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        with suppress(FileNotFoundError):
            self._client.remove(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"


@contextmanager
def connected(to: Copying) -> Iterator[Remote]:
    """The folder, for as long as the line holds.

    Raises CopyKeyUnreadable, HostKeyWrong, LoginRefused, CopyRefused and LineBroken.
    """
    key = _private_key(to.key_file) if to.key_file else None
    with ExitStack() as held:
        with _told():
            line = held.enter_context(_line(to))
            _sign_in(line, to, key)
            client = _files(line)
        with _told(line):
            yield Remote(client, to.folder)


def check_key(path: str) -> None:
    """Raises CopyKeyUnreadable."""
    _private_key(path)


@contextmanager
def _line(to: Copying) -> Iterator[paramiko.Transport]:
    """An encrypted line to the host that has the expected key, and to no other."""
    with socket.create_connection((to.host, to.port), CONNECT_SECONDS) as connection:
        # A host that has vanished acknowledges nothing; without this it would be waited for.
        if sys.platform == "linux":
            milliseconds = SILENCE_SECONDS * 1000
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        line = paramiko.Transport(connection)
        try:
            line.channel_timeout = SILENCE_SECONDS
            # Only of the kind that is known: a server may have keys of several kinds.
            kinds = SIGNED_BY.get(to.host_key_type, (to.host_key_type,))
            line.get_security_options().key_types = kinds
            with _no_common_kind():
                line.start_client(timeout=CONNECT_SECONDS)
            if line.get_remote_server_key().asbytes() != to.host_key:
                raise HostKeyWrong
            yield line
        finally:
            line.close()


def _sign_in(line: paramiko.Transport, to: Copying, key: paramiko.PKey | None) -> None:
    try:
        if key is not None:
            line.auth_publickey(to.user, key)
        else:
            line.auth_password(to.user, to.password)
    except paramiko.AuthenticationException:
        raise LoginRefused from None
    if not line.is_authenticated():
        raise LoginRefused


def _files(line: paramiko.Transport) -> paramiko.SFTPClient:
    client = paramiko.SFTPClient.from_transport(line)
    channel = client.get_channel() if client is not None else None
    if client is None or channel is None:
        raise CopyRefused
    channel.settimeout(SILENCE_SECONDS)
    return client


def _private_key(path: str) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(Path(path))
    except (OSError, ValueError, TypeError, paramiko.SSHException, UnknownKeyType):
        raise CopyKeyUnreadable from None


@contextmanager
def _no_common_kind() -> Iterator[None]:
    """A server that has no key of the known kind is not the known one."""
    try:
        yield
    except paramiko.ssh_exception.IncompatiblePeer:
        raise HostKeyWrong from None


@contextmanager
def _told(line: paramiko.Transport | None = None) -> Iterator[None]:
    """What the network and the library raise, as ours and without their words.

    With a line, what its server answered is told from the line's own end, and both from what this
    machine's disk says, which goes on as it is.
    """
    try:
        yield
    except (EOFError, TimeoutError, ConnectionError, paramiko.SSHException):
        raise LineBroken from None
    except OSError as error:
        if line is None or not line.is_active():
            raise LineBroken from None
        if error.filename is not None or error.errno not in ANSWERED:
            raise
        raise CopyRefused from None
