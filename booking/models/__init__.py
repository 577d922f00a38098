"""What the database knows about appointments."""

from booking.models.bookings import Booking, Notification
from booking.models.calendar import Calendar, CallType, DateOverride, FederalState, WeeklyHours
from booking.models.questions import Answer, Question

__all__ = [
    "Answer",
    "Booking",
    "Calendar",
    "CallType",
    "DateOverride",
    "FederalState",
    "Notification",
    "Question",
    "WeeklyHours",
]
