"""How fast the site is, as ratios measured side by side: `make bench`.

Importing this package starts a Postgres of its own, with durable commits, and Django on top.
"""

from __future__ import annotations

import atexit
import importlib
import os
from pathlib import Path

import django

from coaching_site.local.postgres import Cluster

FOLDER = Path(__file__).resolve().parent.parent.parent / ".data" / "bench"

cluster = Cluster(FOLDER / "postgres", {"max_connections": "100"})


def prepare() -> None:
    cluster.start()
    atexit.register(cluster.stop)
    os.environ["DATABASE_URL"] = cluster.create_database("base")
    os.environ["DJANGO_SETTINGS_MODULE"] = "coaching_site.settings"
    importlib.import_module("tests.environment")
    django.setup()


prepare()
