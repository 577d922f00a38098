"""However many hosts start at once, the database is prepared once."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.running_site import ROOT

SOAK = os.environ.get("SOAK") is not None


@pytest.fixture
def at_once(tmp_path: Path) -> Iterator[Callable[[str], list[str]]]:
    """Start a command twice on an empty database; returns what failed ones and waiting ones said."""
    name = f"empty_{secrets.token_hex(6)}"
    maintenance = os.environ["DATABASE_URL"]
    url = re.sub(r"/[^/]*$", f"/{name}", maintenance)
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")

    def run(command: str) -> list[str]:
        both = [
            subprocess.Popen(
                [sys.executable, "manage.py", command, "-v0"],
                cwd=ROOT,
                env={**os.environ, "DATABASE_URL": url, "DATA_FOLDER": str(tmp_path)},
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        said = [process.communicate(timeout=120)[1] for process in both]
        return [
            "failed" if process.returncode else words
            for process, words in zip(both, said, strict=True)
        ]

    yield run
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_of_two_at_once_one_waits_and_both_end_well(at_once):
    said = at_once("prepare_database")

    assert sorted(said) == ["", "Another process prepares the database; waiting for it.\n"]


@pytest.mark.skipif(not SOAK, reason="shows that the other test can fail; part of make soak")
def test_without_the_lock_one_of_two_fails(at_once):
    assert "failed" in at_once("migrate")
