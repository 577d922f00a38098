"""Deployment check: a practice without a complete imprint must not go live (DDG § 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from pages.models import Practice


@register(Tags.database, deploy=True)
def imprint_is_complete(
    *, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Runs with `manage.py check --deploy --database default`."""
    if not databases:
        return []
    return [
        Error(
            f"Im Impressum fehlt: {label}.",
            hint="In der Verwaltung unter „Praxis“ eintragen.",
            id="pages.E001",
        )
        for label in Practice.current().missing()
    ]
