"""What becomes due as time goes by: two reminders before a call, and a question after it.

Nothing is planned ahead. Every minute we ask which mails are due now and write them into the
ledger, so a call that was moved or called off needs no clearing up.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from booking import notices
from booking.models import Booking, Notification

REMINDERS = (Notification.Kind.FIRST_REMINDER, Notification.Kind.SECOND_REMINDER)


def owe_what_is_due(*, now: datetime) -> int:
    """Owe guests the mails that are due and not in the ledger yet; returns how many there are."""
    return sum(
        notices.owe(booking, kind, Booking.Side.GUEST, now=now)
        for kind, booking in _candidates(now)
        if booking.calls_for(kind, now)
    )


def _candidates(now: datetime) -> Iterator[tuple[Notification.Kind, Booking]]:
    """Bookings that may call for a mail. The booking itself has the last word."""
    for kind in REMINDERS:
        for booking in Booking.objects.with_its_type().to_remind(kind, now):
            yield kind, booking
    for booking in Booking.objects.with_its_type().to_follow_up(now):
        yield Notification.Kind.FOLLOW_UP, booking
