"""What the database knows about appointments."""

from booking.models.bookings import Booking
from booking.models.calendar import (
    Block,
    Calendar,
    DateOverride,
    FederalState,
    WeeklyHours,
)
from booking.models.call_types import OFFERED, CallType, OneOffLink, payments_are_on
from booking.models.feeds import BusyFeed, BusyTime
from booking.models.notifications import (
    Notification,
    calls_for,
    to_follow_up,
    to_remind,
    unconfirmed,
)
from booking.models.orders import Order
from booking.models.papers import (
    BillingAddress,
    Invoice,
    InvoicePayment,
    InvoiceSequence,
    owing_papers,
)
from booking.models.payments import Alarm, Deposit, Refund, StripeEvent
from booking.models.questions import Answer, Question
from booking.models.taken import hours_and_taken
from booking.models.withdrawals import Withdrawal, WithdrawalMail

__all__ = [
    "OFFERED",
    "Alarm",
    "Answer",
    "BillingAddress",
    "Block",
    "Booking",
    "BusyFeed",
    "BusyTime",
    "Calendar",
    "CallType",
    "DateOverride",
    "Deposit",
    "FederalState",
    "Invoice",
    "InvoicePayment",
    "InvoiceSequence",
    "Notification",
    "OneOffLink",
    "Order",
    "Question",
    "Refund",
    "StripeEvent",
    "WeeklyHours",
    "Withdrawal",
    "WithdrawalMail",
    "calls_for",
    "hours_and_taken",
    "owing_papers",
    "payments_are_on",
    "to_follow_up",
    "to_remind",
    "unconfirmed",
]
