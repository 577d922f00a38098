"""Deployment checks: what the law needs before the site goes live (DDG § 5, BGB § 312d, DSGVO)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.utils import timezone

from pages import compliance

HINT = "In der Verwaltung unter „Praxis“ oder „Rechtstexte“ ändern; `manage.py legalcheck` nennt alles."


@register(Tags.database, deploy=True)
def law_is_kept(*, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Runs with `manage.py check --deploy --database default`.

    What waits for a person, like a lawyer's look, is a warning: a first start must be possible.
    """
    if not databases:
        return []
    return [_message(finding) for finding in compliance.findings(now=timezone.now())]


def _message(finding: compliance.Finding) -> CheckMessage:
    if finding.is_duty and not finding.is_unfinished:
        return Error(finding.sentence, hint=HINT, id="pages.E001")
    return checks.Warning(finding.sentence, hint=HINT, id="pages.W001")
