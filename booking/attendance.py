"""Who did not come. A note for the coach; the slot stays what it was."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from booking.errors import NotBegun
from booking.models import Booking


def mark_no_show(booking: Booking, *, now: datetime) -> Booking:
    """Note that the guest did not come. The first note stays. Raises NotBegun."""
    with transaction.atomic():
        booking = Booking.objects.locked(booking)
        if not booking.can_be_missed(now):
            raise NotBegun
        if booking.no_show_at is None:
            booking.no_show_at = now
            booking.save(update_fields=["no_show_at"])
        return booking


def take_no_show_back(booking: Booking) -> Booking:
    """The guest did come after all."""
    with transaction.atomic():
        booking = Booking.objects.locked(booking)
        booking.no_show_at = None
        booking.save(update_fields=["no_show_at"])
        return booking
