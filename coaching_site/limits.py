"""How often something may be tried. Counted in Postgres, so it holds over many processes and hosts."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from coaching_site import german, links
from coaching_site.desk.models import Hits

# One statement: two processes that count at once count two. A row whose time is over begins anew.
COUNT = """
    INSERT INTO desk_hits AS known (scope, key, count, ends_at) VALUES (%(scope)s, %(key)s, 1, %(end)s)
    ON CONFLICT (scope, key) DO UPDATE SET
        count = CASE WHEN known.ends_at <= %(now)s THEN 1 ELSE known.count + 1 END,
        ends_at = CASE WHEN known.ends_at <= %(now)s THEN %(end)s ELSE known.ends_at END
    RETURNING count, ends_at
"""


class TooMany(Exception):
    """Somebody tried too often. `message` is for their eyes."""

    def __init__(self, retry_after: timedelta) -> None:
        self.retry_after = retry_after
        self.message = (
            "Das waren zu viele Versuche in kurzer Zeit. "
            f"Bitte versuch es in {german.wait(retry_after)} noch einmal."
        )
        super().__init__(self.message)


def hit(scope: str, key: str, *, limit: int, per: timedelta, now: datetime) -> None:
    """Count one try of `scope` by `key`, an address or a network. Raises TooMany above the limit.

    The count begins with the first try and starts anew after `per`. Call it before the
    transaction of what is tried, never inside: a try that is refused counts as well.
    """
    values: dict[str, Any] = {
        "scope": scope,
        "key": links.fingerprint(f"hits.{scope}", key),
        "now": now,
        "end": now + per,
    }
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(COUNT, values)
        count, ends_at = cursor.fetchone()
    if count > limit:
        raise TooMany(ends_at - now)


def seconds(retry_after: timedelta) -> str:
    """The value of a Retry-After header."""
    return str(max(1, math.ceil(retry_after.total_seconds())))


def forget(*, now: datetime) -> int:
    """Drop the counts whose time is over."""
    deleted, _ = Hits.objects.filter(ends_at__lte=now).delete()
    return deleted
