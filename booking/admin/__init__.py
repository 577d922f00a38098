"""The coach's desk: appointments and their money, hours and types of call to set."""

from booking.admin.alarms import AlarmAdmin
from booking.admin.bookings import BookingAdmin
from booking.admin.calendar import CalendarAdmin, CallTypeAdmin, OneOffLinkAdmin
from booking.admin.feeds import BusyFeedAdmin
from booking.admin.invoices import InvoiceAdmin
from booking.admin.payments import DepositAdmin
from booking.admin.withdrawals import WithdrawalAdmin

__all__ = [
    "AlarmAdmin",
    "BookingAdmin",
    "BusyFeedAdmin",
    "CalendarAdmin",
    "CallTypeAdmin",
    "DepositAdmin",
    "InvoiceAdmin",
    "OneOffLinkAdmin",
    "WithdrawalAdmin",
]
