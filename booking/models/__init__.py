"""What the database knows about appointments."""

from booking.models.bookings import Booking, Notification
from booking.models.calendar import Calendar, CallType, DateOverride, WeeklyHours
from booking.models.feeds import BusyFeed, BusyTime

__all__ = [
    "Booking",
    "BusyFeed",
    "BusyTime",
    "Calendar",
    "CallType",
    "DateOverride",
    "Notification",
    "WeeklyHours",
]
