"""The local profile: generated keys, a database, and an environment that serves this machine only."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from coaching_site.local.postgres import Cluster

ROOT = Path(__file__).resolve().parent.parent.parent
DATABASE = "coaching"
DEFAULT_PORT = 8000
# What the stand-in for Stripe lets in.
STAND_IN_KEY = "sk_test_sandbox"


@dataclass(frozen=True)
class StandIn:
    """A Stripe on this machine that knows no money, for who has no key of the real one.

    Its port and its books stay in the folder, so that a payment survives a restart.
    """

    port: int
    webhook_secret: str
    store: Path

    @classmethod
    def of(cls, folder: Path, *, may_join: bool) -> StandIn:
        """With `may_join` it may be running; else another program must have taken its port."""
        kept = folder / "stripe_port"
        if not may_join and kept.exists() and not _is_free(int(kept.read_text())):
            kept.unlink()
        port = _kept(kept, lambda: str(_free_port()))
        secret = _kept(folder / "stripe_webhook_secret", lambda: f"whsec_{secrets.token_hex(24)}")
        return cls(int(port), secret, folder / "stripe.json")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "STRIPE_SECRET_KEY": STAND_IN_KEY,
            "STRIPE_WEBHOOK_SECRET": self.webhook_secret,
            "STRIPE_API_BASE": f"http://127.0.0.1:{self.port}",
        }

    def arguments(self, site_url: str, port: int) -> list[str]:
        """How it is started; it tells the site about payments at the site's own port."""
        webhook = f"http://{urlsplit(site_url).hostname}:{port}/stripe/webhook/"
        return [
            *("--port", str(self.port), "--store", str(self.store)),
            *("--webhook", webhook, "--secret", self.webhook_secret),
        ]


@dataclass(frozen=True)
class Profile:
    """What the local processes run with. `cluster` is None when DATABASE_URL named a server."""

    environment: dict[str, str]
    folder: Path
    port: int
    cluster: Cluster | None
    stand_in: StandIn | None

    @classmethod
    @contextmanager
    def open(cls, *, may_join: bool = False) -> Iterator[Profile]:
        """Prepare folder, keys and database, and stop the database at the end.

        With `may_join` a database that another local process serves is used as it is. Raises
        PostgresError when there is none to be had.
        """
        folder = ROOT / os.environ.get("DATA_FOLDER", ".data")
        folder.mkdir(parents=True, exist_ok=True)
        cluster = None
        url = os.environ.get("DATABASE_URL")
        if not url:
            cluster = Cluster(folder / "postgres")
            if may_join and cluster.is_served():
                url = cluster.url(DATABASE)
            else:
                cluster.start()
                url = cluster.create_database(DATABASE)
        port = int(os.environ.get("PORT") or DEFAULT_PORT)
        stand_in = (
            None if os.environ.get("STRIPE_SECRET_KEY") else StandIn.of(folder, may_join=may_join)
        )
        try:
            environment = _environment(folder, port, url, stand_in)
            yield cls(environment, folder, port, cluster, stand_in)
        finally:
            if cluster is not None:
                cluster.stop()


def _environment(
    folder: Path, port: int, database_url: str, stand_in: StandIn | None
) -> dict[str, str]:
    defaults = {
        "SITE_URL": f"http://localhost:{port}",
        "SECRET_KEY": _kept_secret(folder / "secret_key"),
        "LINK_KEY": _kept_secret(folder / "link_key"),
        "MAIL_FROM": "VP Engineering Coaching <post@praxis.example>",
        "COACH_EMAIL": "coach@praxis.example",
        "DATA_FOLDER": str(folder),
    }
    return {
        **defaults,
        **os.environ,
        **(stand_in.environment if stand_in else {}),
        "SITE_PROFILE": "local",
        "DATABASE_URL": database_url,
        "PORT": str(port),
        "PYTHONUNBUFFERED": "1",
    }


def _kept_secret(path: Path) -> str:
    """A random key that is made once and then stays."""
    return _kept(path, lambda: secrets.token_urlsafe(48))


def _kept(path: Path, make: Callable[[], str]) -> str:
    """What was made once and written down there; nobody else may read it."""
    if not path.exists():
        unfinished = path.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(make())
        unfinished.rename(path)
    return path.read_text()


def _free_port() -> int:
    """A port nobody listens on, below the range the system gives to outgoing connections."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        if _is_free(port):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose last connections are only just closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
