"""Calendar files for guests: an invitation, and its withdrawal (RFC 5545, RFC 5546).

The UID never changes and SEQUENCE only grows, so a calendar changes its entry instead of adding
one. Times are in UTC and need no zone table. The summary is neutral: employers share calendars.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from icalendar import Calendar, Event, vCalAddress, vText

from booking.models import Booking

PRODUCT = "-//VP Engineering Coaching//Termine//DE"


@dataclass(frozen=True)
class Paper:
    """What the file says besides the booking's own facts."""

    summary: str
    description: str
    url: str
    organizer_name: str
    organizer_email: str


def invitation(booking: Booking, paper: Paper, *, stamp: datetime) -> bytes:
    """METHOD:REQUEST, which calendars offer to accept."""
    return _file(booking, paper, method="REQUEST", status="CONFIRMED", stamp=stamp)


def withdrawal(booking: Booking, paper: Paper, *, stamp: datetime) -> bytes:
    """METHOD:CANCEL, which takes the entry out again."""
    return _file(booking, paper, method="CANCEL", status="CANCELLED", stamp=stamp)


def _file(booking: Booking, paper: Paper, *, method: str, status: str, stamp: datetime) -> bytes:
    event = Event()
    # Nothing but the mark itself: it must not change when the coach's address does.
    event.add("uid", str(booking.uid))
    event.add("sequence", booking.sequence)
    event.add("dtstamp", stamp.astimezone(UTC))
    event.add("dtstart", booking.start.astimezone(UTC))
    event.add("dtend", booking.end.astimezone(UTC))
    event.add("status", status)
    event.add("summary", paper.summary)
    event.add("description", paper.description)
    event.add("location", booking.call_type.place)
    event.add("url", paper.url)
    event.add("organizer", _person(paper.organizer_name, paper.organizer_email))
    guest = _person(booking.name, booking.email)
    guest.params["ROLE"] = vText("REQ-PARTICIPANT")
    guest.params["PARTSTAT"] = vText("NEEDS-ACTION")
    guest.params["RSVP"] = vText("TRUE")
    event.add("attendee", guest)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content


def _person(name: str, email: str) -> vCalAddress:
    person = vCalAddress(f"mailto:{email}")
    # A parameter has no way to write a double quote (RFC 5545 section 3.2).
    person.params["CN"] = vText(name.replace('"', "'"))
    return person
