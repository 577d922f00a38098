"""The one door in the database's append-only tables.

Triggers refuse to change or delete what those tables hold. Functions that must (erase, retention)
do it inside `erasing()`, so the word stands wherever the promise is set aside.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def erasing() -> Iterator[None]:
    """Let this block, and nothing after it, change and delete append-only rows."""
    with transaction.atomic():
        before = _setting()
        _set("on")
        yield
        # If the block fails, rolling back puts the setting back as well.
        _set(before)


def _setting() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('app.erasing', true), '')")
        row = cursor.fetchone()
    return str(row[0]) if row else ""


def _set(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.erasing', %s, true)", [value])
