"""A test mail: what a reader would get, sent to one typed address and counted nowhere."""

from __future__ import annotations

from datetime import datetime

from newsletter.models import Issue


def send_test(issue: Issue, *, to: str, now: datetime) -> None:
    """Send the issue as it stands to this mailbox now."""
