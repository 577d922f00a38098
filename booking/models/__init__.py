"""What the database knows about appointments."""

from booking.models.bookings import Booking, Notification, taken_time
from booking.models.calendar import Calendar, CallType, DateOverride, WeeklyHours

__all__ = [
    "Booking",
    "Calendar",
    "CallType",
    "DateOverride",
    "Notification",
    "WeeklyHours",
    "taken_time",
]
