"""What becomes due as time goes by: two reminders before a call, and a question after it.

And a word to the coach where a call is about to begin and its guest has no confirmation.

Nothing is planned ahead. Every minute we ask which mails are due now and write them into the
ledger, so a call that was moved or called off needs no clearing up.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from booking import notices
from booking.models import Booking, Notification, calls_for, to_follow_up, to_remind, unconfirmed

REMINDERS = (Notification.Kind.FIRST_REMINDER, Notification.Kind.SECOND_REMINDER)


# How far back it is looked for what a broken mail server has kept from its guest.
ALERT_LIFE = timedelta(days=1)


def owe_what_is_due(*, now: datetime) -> int:
    """Owe the mails that are due and not in the ledger yet; returns how many there are."""
    return _warn_of_unconfirmed(now) + sum(
        notices.owe(booking, kind, Booking.Side.GUEST, now=now)
        for kind, booking in _candidates(now)
        if calls_for(booking, kind, now)
    )


def _warn_of_unconfirmed(now: datetime) -> int:
    """A contract is confirmed before the service begins, or the coach must see to it (BGB § 312f (2))."""
    found = unconfirmed(now).filter(start__gt=now - ALERT_LIFE)
    kind, coach = Notification.Kind.UNCONFIRMED, Booking.Side.COACH
    return sum(notices.owe(booking, kind, coach, now=now) for booking in found)


def _candidates(now: datetime) -> Iterator[tuple[Notification.Kind, Booking]]:
    """Bookings that may call for a mail. The booking itself has the last word."""
    for kind in REMINDERS:
        for booking in to_remind(kind, now):
            yield kind, booking
    for booking in to_follow_up(now):
        yield Notification.Kind.FOLLOW_UP, booking
