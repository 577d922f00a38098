"""Where the coach finds what a page speaks of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse

from booking.diagnosis import Finding
from booking.models import Block, Booking, Calendar, CallType, Invoice, Withdrawal
from coaching_site import german


@dataclass(frozen=True)
class Link:
    address: str
    text: str


def to(what: Booking | CallType | Calendar | Block | Invoice | Withdrawal) -> Link:
    """The page of one thing in the admin, with a text that says what it is."""
    if isinstance(what, Block):
        return Link(reverse("admin:calendar_unblock", args=[what.pk]), "Sperre aufheben")
    name = what._meta.model_name
    text = f"{what._meta.verbose_name} „{what}“"
    if isinstance(what, Booking):
        text = f"{what.name}, {when(what)}"
    elif isinstance(what, Invoice | Withdrawal):
        text = str(what)
    return Link(reverse(f"admin:booking_{name}_change", args=[what.pk]), text)


def when(booking: Booking) -> str:
    """„Mi., 03.03.2027, 09:00–09:30 Uhr“ in the calendar's zone."""
    zone = booking.calendar.tz
    day = german.short_date(booking.start.astimezone(zone).date())
    return f"{day}, {german.clock_range(booking.start, booking.end, zone)}"


def with_links(findings: Iterable[Finding]) -> list[tuple[Finding, list[Link]]]:
    """Each finding with the pages of what it speaks of."""
    return [(finding, [to(what) for what in finding.about]) for finding in findings]
