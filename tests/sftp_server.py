"""A real SFTP server for the tests, with a folder as its root, and with its faults."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import paramiko
from paramiko import SFTPAttributes, SFTPHandle, SFTPServer
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.sftp import (
    SFTP_FAILURE,
    SFTP_NO_SUCH_FILE,
    SFTP_OK,
    SFTP_OP_UNSUPPORTED,
    SFTP_PERMISSION_DENIED,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

USER, PASSWORD = "u1", "ge:heim/1"


@dataclass
class Host:
    """One host, its account, and how it behaves."""

    root: Path
    key: paramiko.PKey = field(default_factory=paramiko.ECDSAKey.generate)
    # A server may have keys of several kinds.
    other_keys: list[paramiko.PKey] = field(default_factory=list)
    # The key that opens it, in base64; without one the password does.
    known_key: str = ""
    port: int = 0
    commands: list[str] = field(default_factory=list)
    # Faults: room for so many bytes; the line ends, or nothing is answered, after so many were written.
    room: int | None = None
    cut_after: int | None = None
    silent_after: int | None = None
    # It takes files and lets none go.
    only_grows: bool = False
    # What does not belong to every server: OpenSSH's way to replace a file.
    knows_posix_rename: bool = True
    # Turns the bytes of what arrives, as a bad disk does.
    spoils: bool = False
    written: int = 0
    woken: threading.Event = field(default_factory=threading.Event)
    handles: list[SFTPHandle] = field(default_factory=list)

    @property
    def scanned(self) -> str:
        """As `ssh-keyscan` prints it."""
        return f"[127.0.0.1]:{self.port} {self.key.get_name()} {self.key.get_base64()}"

    def mend(self) -> None:
        self.room = self.cut_after = self.silent_after = None
        self.spoils = False

    def done(self, command: str) -> list[str]:
        return [
            name
            for done, _, name in (each.partition(" ") for each in self.commands)
            if done == command
        ]


class Door(paramiko.ServerInterface):
    def __init__(self, host: Host) -> None:
        self.host = host

    def get_allowed_auths(self, username: str) -> str:
        return "publickey" if self.host.known_key else "password"

    def check_auth_password(self, username: str, password: str) -> int:
        good = not self.host.known_key and (username, password) == (USER, PASSWORD)
        return AUTH_SUCCESSFUL if good else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        good = username == USER and self.host.known_key == key.get_base64()
        return AUTH_SUCCESSFUL if good else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED


class Handle(SFTPHandle):
    """An open file. The library reads and writes what is called so."""

    filename: str
    readfile: BinaryIO
    writefile: BinaryIO

    def __init__(self, host: Host, line: paramiko.Transport, flags: int) -> None:
        super().__init__(flags)
        self.host, self.line = host, line

    def write(self, offset: int, data: Buffer) -> int:
        host, size = self.host, len(bytes(data))
        if host.silent_after is not None and host.written >= host.silent_after:
            host.woken.wait(30)
            return SFTP_FAILURE
        if host.cut_after is not None and host.written >= host.cut_after:
            self.line.close()
            return SFTP_FAILURE
        if host.room is not None and host.written + size > host.room:
            return SFTP_FAILURE
        host.written += size
        return super().write(offset, bytes(size) if host.spoils else data)

    def stat(self) -> SFTPAttributes:
        return SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class Files(paramiko.SFTPServerInterface):
    """A user's folder; `/` is where the user comes in."""

    def __init__(self, door: Door, line: paramiko.Transport) -> None:
        super().__init__(door)
        self.host, self.line = door.host, line

    def _real(self, path: str) -> Path:
        return self.host.root / path.lstrip("/")

    def _did(self, command: str, path: str) -> None:
        self.host.commands.append(f"{command} {Path(path).name}")

    def list_folder(self, path: str) -> list[SFTPAttributes] | int:
        try:
            return [
                SFTPAttributes.from_stat(each.stat(), each.name)
                for each in self._real(path).iterdir()
            ]
        except OSError as error:
            return SFTPServer.convert_errno(error.errno or 0)

    def stat(self, path: str) -> SFTPAttributes | int:
        try:
            return SFTPAttributes.from_stat(self._real(path).stat())
        except OSError as error:
            return SFTPServer.convert_errno(error.errno or 0)

    lstat = stat

    def open(self, path: str, flags: int, attr: SFTPAttributes) -> SFTPHandle | int:
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
        self._did("write" if writes else "read", path)
        try:
            number = os.open(self._real(path), flags, 0o600)
        except OSError as error:
            return SFTPServer.convert_errno(error.errno or 0)
        handle = Handle(self.host, self.line, flags)
        self.host.handles.append(handle)
        handle.filename = path
        handle.readfile = handle.writefile = os.fdopen(number, "wb" if writes else "rb")
        return handle

    def remove(self, path: str) -> int:
        if not self._real(path).exists():
            return SFTP_NO_SUCH_FILE
        if self.host.only_grows:
            return SFTP_PERMISSION_DENIED
        self._did("remove", path)
        self._real(path).unlink()
        return SFTP_OK

    def rename(self, oldpath: str, newpath: str) -> int:
        if self._real(newpath).exists():
            return SFTP_FAILURE
        return self._rename(oldpath, newpath)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        if not self.host.knows_posix_rename:
            return SFTP_OP_UNSUPPORTED
        return self._rename(oldpath, newpath)

    def _rename(self, oldpath: str, newpath: str) -> int:
        self._did("rename", newpath)
        self._real(oldpath).rename(self._real(newpath))
        return SFTP_OK

    def mkdir(self, path: str, attr: SFTPAttributes) -> int:
        try:
            self._real(path).mkdir()
        except OSError as error:
            return SFTPServer.convert_errno(error.errno or 0)
        return SFTP_OK


@contextmanager
def serve(root: Path) -> Iterator[Host]:
    """A host that answers until this ends, each line in threads of its own."""
    host = Host(root)
    lines: list[paramiko.Transport] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host.port = listening.getsockname()[1]

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                line = paramiko.Transport(connection)
                lines.append(line)
                for key in (host.key, *host.other_keys):
                    line.add_server_key(key)
                line.set_subsystem_handler("sftp", SFTPServer, Files, line)
                with suppress(paramiko.SSHException, EOFError, OSError):
                    line.start_server(server=Door(host), event=threading.Event())

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield host
        host.woken.set()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    for line in lines:
        line.close()
        line.join(5)
    # Of a line that was cut or fell silent nobody closed them.
    for handle in host.handles:
        handle.close()
