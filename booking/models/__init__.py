"""What the database knows about appointments."""

from booking.models.bookings import Booking, Notification
from booking.models.calendar import (
    OFFERED,
    Calendar,
    CallType,
    DateOverride,
    FederalState,
    OneOffLink,
    WeeklyHours,
)
from booking.models.feeds import BusyFeed, BusyTime
from booking.models.questions import Answer, Question
from booking.models.taken import hours_and_taken

__all__ = [
    "OFFERED",
    "Answer",
    "Booking",
    "BusyFeed",
    "BusyTime",
    "Calendar",
    "CallType",
    "DateOverride",
    "FederalState",
    "Notification",
    "OneOffLink",
    "Question",
    "WeeklyHours",
    "hours_and_taken",
]
