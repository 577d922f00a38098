"""Calendar files: for guests an invitation and its withdrawal, for the coach a feed of all calls.

RFC 5545, RFC 5546.

The UID never changes and SEQUENCE only grows, so a calendar changes its entry instead of adding
one. Times are in UTC and need no zone table. The summary is neutral: employers share calendars.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event, vCalAddress, vDuration, vText

from booking.models import Booking

PRODUCT = "-//VP Engineering Coaching//Termine//DE"
# How often calendar programs are asked to look for changes.
REFRESH = timedelta(minutes=15)


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


def feed(entries: Iterable[tuple[Booking, Paper]], *, name: str) -> bytes:
    """METHOD:PUBLISH, which calendars show and nobody answers: no attendees, so no addresses.

    The same calls give the same bytes.
    """
    calendar = _calendar("PUBLISH")
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(REFRESH))
    for booking, paper in entries:
        stamp = booking.moved_at or booking.confirmed_at or booking.created_at
        calendar.add_component(_event(booking, paper, status="CONFIRMED", stamp=stamp))
    content: bytes = calendar.to_ical()
    return content


def _file(booking: Booking, paper: Paper, *, method: str, status: str, stamp: datetime) -> bytes:
    event = _event(booking, paper, status=status, stamp=stamp)
    guest = _person(booking.name, booking.email)
    guest.params["ROLE"] = vText("REQ-PARTICIPANT")
    guest.params["PARTSTAT"] = vText("NEEDS-ACTION")
    guest.params["RSVP"] = vText("TRUE")
    event.add("attendee", guest)
    calendar = _calendar(method)
    calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content


def _calendar(method: str) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    return calendar


def _event(booking: Booking, paper: Paper, *, status: str, stamp: datetime) -> Event:
    """What is the same for guest and coach: one UID, so that both speak of one entry."""
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
    return event


def _person(name: str, email: str) -> vCalAddress:
    person = vCalAddress(f"mailto:{email}")
    # A parameter has no way to write a double quote or a line break (RFC 5545 section 3.2), and
    # not every calendar knows the later one (RFC 6868).
    person.params["CN"] = vText(" ".join(name.replace('"', "'").split()))
    return person
