"""How long a list takes to come in, and how much memory: each size in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import psycopg

from tests.bench import cluster, measure

SIZES = (10_000, 100_000, 1_000_000)


def imports(sizes: tuple[int, ...] = SIZES) -> str:
    """Upload, check and take over lists of these sizes into an empty database."""
    rows = []
    for size in sizes:
        told = _measured(size)
        seconds = told["upload"] + told["check"] + told["take_over"]
        rows.append(
            [
                f"{size:,}",
                f"{told['megabytes']:.1f}",
                told["upload"],
                told["check"],
                told["take_over"],
                seconds,
                f"{size / seconds:,.0f}",
                f"{told['growth']:.0f}",
            ]
        )
    heads = [
        "rows",
        "MB",
        "upload s",
        "check s",
        "take over s",
        "together s",
        "rows a second",
        "memory grew by MB",
    ]
    return measure.table("Import", heads, rows)


def _measured(size: int) -> dict[str, Any]:
    url = _fresh_database()
    done = subprocess.run(
        [sys.executable, "-m", "tests.import_load", str(size)],
        env={**os.environ, "DATABASE_URL": url},
        check=True,
        stdout=subprocess.PIPE,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _fresh_database() -> str:
    with psycopg.connect(cluster.dsn("postgres"), autocommit=True) as maintenance:
        maintenance.execute("DROP DATABASE IF EXISTS imports")
    url = cluster.create_database("imports")
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"],
        env={**os.environ, "DATABASE_URL": url},
        check=True,
    )
    return url
