"""The coach's desk: appointments to look at and call off, hours and types of call to set."""

from booking.admin.bookings import BookingAdmin
from booking.admin.calendar import CalendarAdmin, CallTypeAdmin, OneOffLinkAdmin
from booking.admin.feeds import BusyFeedAdmin

__all__ = ["BookingAdmin", "BusyFeedAdmin", "CalendarAdmin", "CallTypeAdmin", "OneOffLinkAdmin"]
