"""What several places of the desk ask for: each named once."""

from __future__ import annotations

# Whoever may look at rows may not for that carry all of them out of the house.
EXPORT = "desk.export_data"
# A person is known from both sides of the house: who may see one of them alone gets no half pages.
PEOPLE = ("booking.view_booking", "newsletter.view_subscriber")
# All that is added up to what was earned.
TAKINGS = ("booking.view_deposit", "booking.view_refund", "booking.view_invoicepayment")
