"""Where and when it was measured."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import psycopg
from django.utils import timezone

from tests.bench import cluster


def facts() -> str:
    """One line: day, cores, processor, Python and PostgreSQL."""
    with psycopg.connect(cluster().dsn("postgres")) as connection:
        version = connection.execute("SHOW server_version").fetchone()
    assert version is not None
    day = timezone.localdate().isoformat()
    return (
        f"{day}: {os.cpu_count()} cores ({_processor()}), Python {platform.python_version()}, "
        f"PostgreSQL {version[0].split()[0]} with durable commits"
    )


def _processor() -> str:
    """The processor's name, as Linux tells it."""
    path = Path("/proc/cpuinfo")
    told = path.read_text() if path.exists() else ""
    found = re.search(r"^model name\s*: (.+)$", told, re.MULTILINE)
    return found[1].strip() if found else platform.machine()
