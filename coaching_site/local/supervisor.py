"""Starts web, worker and the stand-in for Stripe, starts them again when they die, and stops all of it in order."""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from coaching_site.local import static_files
from coaching_site.local.profile import ROOT, Profile

STOP_SECONDS = 35
LOOK_EVERY_SECONDS = 0.5
PR_SET_PDEATHSIG = 1

MANAGE = [sys.executable, "manage.py"]
WEB = [sys.executable, "-m", "gunicorn", "-c", "coaching_site/gunicorn.py"]
WORKER = [*MANAGE, "procrastinate", "worker"]
PAYMENTS = [sys.executable, "-m", "tests.stripe_sandbox"]
PREPARE_DATABASE = ["prepare_database", "-v0"]
DEMO_DATA = ["demo_data"]


class CannotServe(Exception):
    """The site cannot start; the message says why and what to do."""


@dataclass
class Child:
    """One process that is kept running."""

    name: str
    command: list[str]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            # A session of its own: Ctrl-C reaches only the supervisor, which stops in order.
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, deadline: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Supervisor:
    """Keeps all of them and the embedded Postgres alive until it is told to stop."""

    profile: Profile
    children: list[Child] = field(default_factory=list)
    stopping: bool = False

    def start(self) -> None:
        environment = self.profile.environment
        self.children = [Child("web", WEB, environment), Child("worker", WORKER, environment)]
        if self.profile.stand_in is not None:
            arguments = self.profile.stand_in.arguments(environment["SITE_URL"], self.profile.port)
            self.children.append(Child("payments", [*PAYMENTS, *arguments], environment))
        for child in self.children:
            child.start()

    def watch(self) -> None:
        """Start again what died, until `stopping` is set."""
        while not self.stopping:
            time.sleep(LOOK_EVERY_SECONDS)
            self._revive_database()
            for child in self.children:
                if not child.is_running() and not self.stopping:
                    say(f"{child.name} ended and starts again.")
                    _pause_if_it_ends_at_once(child)
                    child.start()

    def stop(self) -> None:
        for child in self.children:
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            child.wait(deadline)

    def _revive_database(self) -> None:
        cluster = self.profile.cluster
        if cluster is not None and not cluster.is_running() and not self.stopping:
            say("The database ended and starts again.")
            cluster.launch()


def serve(profile: Profile) -> int:
    """Prepare the site, run it and wait for Ctrl-C. Raises CannotServe."""
    _check_port(profile.port)
    _prepare(profile)
    supervisor = Supervisor(profile)

    def stop(number: int, frame: FrameType | None) -> None:
        supervisor.stopping = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    supervisor.start()
    _announce(profile)
    try:
        supervisor.watch()
    finally:
        say("\nStopping …")
        supervisor.stop()
    return 0


def say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def _announce(profile: Profile) -> None:
    address = profile.environment["SITE_URL"]
    say(f"\nThe site:   {address}/")
    say(f"The admin:  {address}/verwaltung/   (user: coach)")
    if not profile.environment.get("EMAIL_HOST"):
        say(f"Mails:      {profile.folder / 'mail'}")
    if profile.stand_in is not None:
        say("Payments:   a test page on this machine, no real money")
    else:
        say("Payments:   Stripe's test mode, by STRIPE_SECRET_KEY")
    say("Ctrl-C stops it.\n")


def _prepare(profile: Profile) -> None:
    _manage(profile, PREPARE_DATABASE)
    if static_files.collect(profile.environment, profile.folder / "static_collected"):
        raise _cannot_serve("collectstatic")
    _manage(profile, DEMO_DATA)


def _manage(profile: Profile, command: list[str]) -> None:
    done = subprocess.run([*MANAGE, *command], cwd=ROOT, env=profile.environment, check=False)
    if done.returncode:
        raise _cannot_serve(command[0])


def _cannot_serve(command: str) -> CannotServe:
    return CannotServe(f"manage.py {command} failed; the reason stands above.")


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise CannotServe(
                f"Port {port} is taken by another program. Choose one: PORT={port + 1} make run"
            ) from None


def _pause_if_it_ends_at_once(child: Child) -> None:
    if time.monotonic() - child.started < 2:
        time.sleep(2)


def _die_with_parent() -> None:
    """Ask Linux to stop this child should the supervisor be killed."""
    libc: Callable[..., int] = ctypes.CDLL(None).prctl
    libc(PR_SET_PDEATHSIG, signal.SIGTERM)
