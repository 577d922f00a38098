"""What waits for a person, as a page tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from django.utils import timezone

from coaching_site import german


class Urgency(IntEnum):
    """The lower, the sooner."""

    NOW = 0
    SOON = 1
    WHEN_YOU_CAN = 2

    @property
    def label(self) -> str:
        return ("jetzt", "bald", "bei Gelegenheit")[self]


@dataclass(frozen=True)
class Way:
    """Where it is solved."""

    address: str
    text: str


@dataclass(frozen=True)
class Matter:
    """One thing that waits. `until` says by when or since when, or nothing."""

    sentence: str
    urgency: Urgency
    ways: tuple[Way, ...]
    until: str = ""


def when(moment: datetime) -> str:
    """„Mi., 03.03.2027, 09:00 Uhr“, by the practice's clock."""
    return german.short_when(moment, timezone.get_default_timezone())
