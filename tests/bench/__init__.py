"""How fast the site is, measured beside what bounds it, in one run: `make bench`.

`tests.bench.base` starts a Postgres of its own, with durable commits, and Django on top.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from coaching_site.local.postgres import Cluster

FOLDER = Path(__file__).resolve().parent.parent.parent / ".data" / "bench"


@cache
def cluster() -> Cluster:
    """The server everything is measured on."""
    return Cluster(FOLDER / "postgres", {"max_connections": "100"})
