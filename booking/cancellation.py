"""Calling an appointment off, by either side. Both are told."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from booking import notices, scheduling
from booking.errors import NotBooked, TooLateToCancel
from booking.models import Booking, Notification


def cancel_by_guest(booking: Booking, *, now: datetime, note: str = "") -> Booking:
    """Call it off for the guest, who can do so until its time for that is over. Twice is the same as once.

    Raises TooLateToCancel, or NotBooked when there is nothing to call off.
    """
    return _cancel(booking, by=Booking.Side.GUEST, note=note, now=now)


def cancel_by_coach(booking: Booking, *, now: datetime, note: str = "") -> Booking:
    """Call it off for the coach, at any time. Raises NotBooked when there is nothing to call off."""
    return _cancel(booking, by=Booking.Side.COACH, note=note, now=now)


def too_late(booking: Booking, *, now: datetime) -> TooLateToCancel:
    """Why the guest cannot call it off any more."""
    if booking.start <= now:
        return TooLateToCancel()
    return TooLateToCancel(booking.cancel_until, booking.guest_zone)


def _cancel(booking: Booking, *, by: Booking.Side, note: str, now: datetime) -> Booking:
    with transaction.atomic():
        scheduling.lock(booking.calendar)
        booking = Booking.objects.locked(booking)
        if booking.is_cancelled:
            return booking
        if not booking.can_be_called_off:
            raise NotBooked
        if by == Booking.Side.GUEST and not booking.guest_may_cancel(now):
            raise too_late(booking, now=now)
        booking.status = Booking.Status.CANCELLED
        booking.cancelled_at = now
        booking.cancelled_by = by
        booking.cancellation_note = note
        booking.sequence += 1
        booking.save()
        notices.announce(booking, Notification.Kind.CANCELLATION, now=now)
        return booking
