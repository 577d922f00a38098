"""Calendar files that calendars understand."""

from datetime import UTC, datetime, timedelta

import pytest
from icalendar import Calendar

from booking import cancellation, ics, mail
from booking.models import Booking, CallType

PAPER = ics.Paper(
    summary="Erstgespräch; Ziele, Fragen\nZeile 2",
    description="Buchungsnummer: K7QF3M2P",
    url="https://praxis.example/termin/gebucht/x/",
    organizer_name='Kim "Coach" Muster',
    organizer_email="coach@praxis.example",
)
START = datetime(2027, 3, 30, 7, 0, tzinfo=UTC)


@pytest.fixture
def booking() -> Booking:
    return Booking(
        call_type=CallType(title="Kennenlernen", place_detail="https://video.example/raum"),
        start=START,
        end=START + timedelta(minutes=30),
        name="Ada Müller, „die“ Erste; mit einem langen Namen " + "ä" * 100,
        email="ada@example.org",
        sequence=0,
        created_at=START,
    )


def lines(content: bytes) -> list[str]:
    """The file's lines as a calendar reads them: unfolded."""
    return content.decode().replace("\r\n ", "").split("\r\n")


def test_an_invitation_has_all_that_calendars_ask_for(booking):
    file = lines(ics.invitation(booking, PAPER, stamp=START))

    for line in (
        "METHOD:REQUEST",
        f"UID:{booking.uid}",
        "SEQUENCE:0",
        "STATUS:CONFIRMED",
        "DTSTAMP:20270330T070000Z",
        "DTSTART:20270330T070000Z",
        "DTEND:20270330T073000Z",
        "LOCATION:Videogespräch: https://video.example/raum",
    ):
        assert line in file
    assert any(
        line.startswith("ORGANIZER;CN=\"Kim 'Coach' Muster\":mailto:coach@") for line in file
    )
    assert any("RSVP=TRUE" in line and "mailto:ada@example.org" in line for line in file)


def test_text_is_escaped(booking):
    assert "SUMMARY:Erstgespräch\\; Ziele\\, Fragen\\nZeile 2" in lines(
        ics.invitation(booking, PAPER, stamp=START)
    )


def test_lines_are_folded_between_characters_and_end_in_crlf(booking):
    content = ics.invitation(booking, PAPER, stamp=START)

    assert content.endswith(b"END:VCALENDAR\r\n")
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert max(map(len, content.split(b"\r\n"))) <= 75
    for line in content.split(b"\r\n"):
        line.decode()


def test_a_file_can_be_read_back(booking):
    (event,) = Calendar.from_ical(ics.invitation(booking, PAPER, stamp=START)).walk("VEVENT")

    assert event["summary"] == PAPER.summary
    assert event.decoded("dtstart") == START
    assert event.decoded("dtend") == booking.end


def test_a_withdrawal_has_the_same_uid_and_a_higher_sequence(confirmed, now):
    invited = lines(mail.calendar_file(confirmed))
    cancelled = cancellation.cancel_by_guest(confirmed, now=now)

    withdrawn = lines(mail.calendar_file(cancelled))

    uid = next(line for line in invited if line.startswith("UID:"))
    assert {"METHOD:REQUEST", "SEQUENCE:0", uid} <= set(invited)
    assert {"METHOD:CANCEL", "STATUS:CANCELLED", "SEQUENCE:1", uid} <= set(withdrawn)


def test_a_shared_calendar_shows_neither_topic_nor_type(confirmed):
    file = mail.calendar_file(confirmed).decode()

    assert confirmed.topic not in file
    assert confirmed.call_type.title not in file
