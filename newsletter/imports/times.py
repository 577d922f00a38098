"""Moments as lists write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

_BERLIN = ZoneInfo("Europe/Berlin")
_GERMAN = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[,\s]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_ZONE_NAME = re.compile(r"\s*(UTC|GMT|Z)$", re.I)
_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def parse(text: str) -> datetime | None:
    """A moment in UTC, or None. Without a zone, tools mean UTC and German spelling means Berlin.

    „4/3/2024“ is nobody's proof: half the world reads it as another day.
    """
    moment = _german(text) or _iso(text)
    # Excel's and Unix' year nought are empty cells in disguise.
    return moment if moment is not None and moment > _OLDEST else None


def _iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_ZONE_NAME.sub("+00:00", text.strip()))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _german(text: str) -> datetime | None:
    found = _GERMAN.fullmatch(text.strip())
    if found is None:
        return None
    day, month, year, hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=_BERLIN)
    except ValueError:
        return None
    return local.astimezone(UTC)
