"""The local profile: generated keys, a database, and an environment that serves this machine only."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coaching_site.local.postgres import Cluster

ROOT = Path(__file__).resolve().parent.parent.parent
DATABASE = "coaching"
DEFAULT_PORT = 8000


@dataclass(frozen=True)
class Profile:
    """What the local processes run with. `cluster` is None when DATABASE_URL named a server."""

    environment: dict[str, str]
    folder: Path
    port: int
    cluster: Cluster | None

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
        try:
            yield cls(_environment(folder, port, url), folder, port, cluster)
        finally:
            if cluster is not None:
                cluster.stop()


def _environment(folder: Path, port: int, database_url: str) -> dict[str, str]:
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
        "SITE_PROFILE": "local",
        "DATABASE_URL": database_url,
        "PORT": str(port),
        "PYTHONUNBUFFERED": "1",
    }


def _kept_secret(path: Path) -> str:
    """A random key that is made once and then stays."""
    if not path.exists():
        unfinished = path.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(secrets.token_urlsafe(48))
        unfinished.rename(path)
    return path.read_text()
