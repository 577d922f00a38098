"""What the operator should know about the site as a whole."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, register


@register(deploy=True)
def backups_have_a_reader(**kwargs: Any) -> list[CheckMessage]:
    if settings.SITE_PROFILE != "production" or settings.BACKUP_RECIPIENTS:
        return []
    return [
        checks.Warning(
            "BACKUP_RECIPIENTS ist leer: Es gibt keine Sicherungen.",
            hint="`manage.py backup --new-key DATEI` macht einen Schlüssel und nennt, was einzutragen ist.",
            id="desk.W001",
        )
    ]
