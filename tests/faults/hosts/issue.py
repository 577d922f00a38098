"""An issue that begins to be sent."""

from __future__ import annotations

from django.utils import timezone

from newsletter.models import Issue
from newsletter.sending import running
from tests.newsletter import issues

UNSENT = """
    SELECT count(*) FROM newsletter_delivery
    WHERE state IN ('pending', 'claimed', 'in_flight', 'deferred')
"""


def begin_issue() -> Issue:
    """Freeze who gets it; the workers do the rest."""
    now = timezone.now()
    issue = running.schedule(issues.draft().pk, at=None, now=now - 2 * running.UNDO)
    assert running.start(issue.pk, now=now)
    return issue
