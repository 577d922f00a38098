"""How long a list takes to come in, and how much memory: each size in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from tests import import_load
from tests.bench import measure, scenes
from tests.bench.measure import Cost, Pair, Part

SIZES = (10_000, 100_000)
LONG_SIZES = (*SIZES, 1_000_000)
COMPARED = 100_000
ABOUT = """
Lists of that many lines come into an empty database: names, states, tags, one line in a hundred
broken, a consent with its words for everyone. What the process grows by is the growth of its peak
while it uploads, checks and takes over. The raw import in the table above neither checks nor reports.
"""
RAW_TABLE = "CREATE TEMP TABLE list (email text, first text, last text, status text, tags text)"
RAW_COPY = "COPY list FROM STDIN WITH (FORMAT csv, DELIMITER ';', HEADER true)"
# One statement: a consent with its words for everyone, and who agreed.
RAW_INSERT = """
    WITH agreed AS (
        INSERT INTO newsletter_consent
            (address, kind, text, text_version, text_sha256, page, requested_at, confirmed_at, evidence)
        SELECT lower(email), 'newsletter', words, '1', encode(sha256(convert_to(words, 'UTF8')), 'hex'),
            'Import', '2026-05-04 08:00+00', '2026-05-04 08:00+00', '{}'
        FROM list, (VALUES (%s)) said(words) WHERE email LIKE '%%@%%'
        RETURNING id, address
    )
    INSERT INTO newsletter_subscriber
        (public_id, address, address_key, name, status, consent_id, created_at, confirmed_at)
    SELECT gen_random_uuid(), address, address, '', 'confirmed', id, now(), '2026-05-04 08:00+00'
    FROM agreed
"""


def imports(sizes: tuple[int, ...] = SIZES) -> Part:
    """Upload, check and take over lists of these sizes into an empty database."""
    rows = []
    pairs = []
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
        if size == COMPARED:
            ours = Cost(told["cpu_ms"] / size, seconds * 1000 / size)
            limit = "`COPY` and one `INSERT … SELECT`"
            pairs.append(Pair(f"import, a line of {size:,}", ours, limit, _raw(size)))
    heads = [
        "lines of a list",
        "MB",
        "upload s",
        "check s",
        "take over s",
        "together s",
        "lines a second",
        "grows by MB",
    ]
    return Part(measure.table(heads, rows) + ABOUT, pairs)


def _measured(size: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.import_load", str(size)],
        env={**os.environ, "DATABASE_URL": scenes.copy("imports")},
        check=True,
        stdout=subprocess.PIPE,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _raw(size: int) -> Cost:
    """The same list into the same tables, by Postgres alone."""
    url = scenes.copy("imports")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        with path.open("w+b") as file:
            import_load.write_list(size, file)
        with psycopg.connect(url) as connection:
            return measure.cost(lambda: _copy(path, connection), 1).shared_by(size)


def _copy(path: Path, connection: psycopg.Connection[Any]) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(RAW_TABLE)
        with path.open("rb") as file, cursor.copy(RAW_COPY) as copy:
            while piece := file.read(1 << 16):
                copy.write(piece)
        cursor.execute(RAW_INSERT, [import_load.WORDS])
