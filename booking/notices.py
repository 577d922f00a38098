"""Which mails a booking owes. Writing the ledger and starting the job is one step."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from booking.models import Booking, Notification
from coaching_site import jobs


def announce(
    booking: Booking,
    kind: Notification.Kind,
    *,
    now: datetime,
    to: Iterable[Booking.Side] = tuple(Booking.Side),
) -> None:
    """Owe these sides the mail, once. Call it in the transaction that gives the reason."""
    for audience in to:
        notification, is_new = Notification.objects.get_or_create(
            booking=booking,
            kind=kind,
            audience=audience,
            start=booking.start,
            sequence=booking.sequence,
            defaults={"created_at": now},
        )
        if is_new:
            jobs.enqueue("booking.send_notification", notification_id=notification.pk)
