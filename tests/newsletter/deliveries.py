"""Mails of the list that have been sent, for the tests of what comes back."""

from __future__ import annotations

from datetime import datetime

from newsletter.models import Delivery, Issue, Subscriber


def sent(subscriber: Subscriber, at: datetime, **values: object) -> Delivery:
    """An issue of its own that was sent to this person, accepted unless told otherwise."""
    number = Issue.objects.count() + 1
    issue = Issue.objects.create(
        subject=f"Ausgabe {number}",
        slug=f"ausgabe-{number}",
        status=Issue.Status.SENT,
        created_at=at,
        changed_at=at,
        started_at=at,
        finished_at=at,
        candidates=1,
    )
    known = {
        "subscriber": subscriber,
        "address_number": subscriber.address_number,
        "state": Delivery.State.SENT,
        "attempts": 1,
        "first_tried_at": at,
        "sent_at": at,
    }
    return Delivery.objects.create(issue=issue, **{**known, **values})
