"""Every calendar file we send, read by a reader of our own (ics_rules) and checked by the rules.

RFC 5545 says how a file is written, 5546 what each METHOD asks for, 6047 how it travels by mail.
"""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage

import pytest
from icalendar import Calendar as OtherReader

from booking import cancellation, mail, scheduling
from booking.models import Booking
from pages.models import Practice
from tests.booking.conftest import ADA, NINE
from tests.booking.ics_rules import Broken, File, read

NASTY = [
    "Ada Müller, Rechenwerk",
    "Ada; Müller",
    "Back\\slash \\n \\, \\; Ada",
    "Zwei\nZeilen",
    "Drei\r\nZeilen\rhier",
    'Ada "die Erste" Müller',
    "Ada:Müller;CN=Bob,RSVP=TRUE",
    "👩🏽‍💻 Ada 🇩🇪",
    "ä" * 200,
    "👩🏽‍💻" * 50,
    "a" * 74 + "ü",
    "BEGIN:VEVENT",
    "Ada^nMüller^'^",
]
SENDERS = {
    "booked": mail.confirmation_to_guest,
    "moved": mail.moved_to_guest,
    "called off": mail.cancellation_to_guest,
}
METHODS = {"booked": "REQUEST", "moved": "REQUEST", "called off": "CANCEL"}
LATER = NINE + timedelta(hours=1)


@pytest.fixture(autouse=True)
def practice(db) -> Practice:
    return Practice.objects.create(pk=1, first_name="Kim", last_name="Muster")


def in_state(state: str, booking: Booking, now) -> Booking:
    if state == "moved":
        return scheduling.move(booking, start=LATER, by=Booking.Side.GUEST, now=now)
    return booking if state == "booked" else cancellation.cancel_by_guest(booking, now=now)


def calendar_parts(message: EmailMessage) -> list[EmailMessage]:
    return [part for part in message.walk() if part.get_content_type() == "text/calendar"]


def octets(part: EmailMessage) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def sent(mailbox, state: str, booking: Booking) -> EmailMessage:
    SENDERS[state](booking)
    message: EmailMessage = mailbox.to(ADA.email)[-1]
    return message


@pytest.mark.parametrize("state", SENDERS)
def test_every_mail_carries_a_file_that_keeps_the_rules(confirmed, now, mailbox, state):
    booking = in_state(state, confirmed, now)
    message = sent(mailbox, state, booking)

    for part in calendar_parts(message):
        file = read(octets(part))
        assert file.method == METHODS[state]
        assert file.event["ATTENDEE"].value == f"mailto:{ADA.email}"
        assert file.event["ORGANIZER"].value == "mailto:coach@praxis.example"
        assert file.event["DTSTART"].instant == booking.start
        assert file.event["DTEND"].instant == booking.end


@pytest.mark.parametrize("state", SENDERS)
def test_the_file_travels_as_calendars_expect_it(confirmed, now, mailbox, state):
    message = sent(mailbox, state, in_state(state, confirmed, now))

    alternative, attachment = calendar_parts(message)
    for part in (alternative, attachment):
        assert part.get_param("method") == METHODS[state]
        assert str(part.get_param("charset")).lower() == "utf-8"
    assert alternative.get_content_disposition() != "attachment"
    assert alternative.get_filename() is None
    assert (attachment.get_content_disposition(), attachment.get_filename()) == (
        "attachment",
        "termin.ics",
    )
    assert octets(alternative).replace(b"\r\n", b"\n") == octets(attachment).replace(b"\r\n", b"\n")


def test_the_calendar_is_the_last_and_so_the_best_form_of_the_message(confirmed, mailbox):
    message = sent(mailbox, "booked", confirmed)

    forms = next(
        part for part in message.walk() if part.get_content_type() == "multipart/alternative"
    )
    assert [part.get_content_type() for part in forms.iter_parts()] == [
        "text/plain",
        "text/html",
        "text/calendar",
    ]


@pytest.mark.parametrize("state", SENDERS)
@pytest.mark.parametrize("name", NASTY)
def test_no_name_breaks_a_file(confirmed, now, state, name):
    booking = in_state(state, confirmed, now)
    booking.name = name

    file = read(mail.calendar_file(booking))

    assert file.event["ATTENDEE"].value == f"mailto:{ADA.email}"
    # In one line and without double quotes: what a parameter can say.
    assert file.event["ATTENDEE"].params["CN"] == " ".join(name.replace('"', "'").split())


@pytest.mark.parametrize("text", NASTY)
def test_no_text_breaks_a_file_and_both_readers_read_the_same(confirmed, text):
    confirmed.call_type.preparation = confirmed.call_type.place_detail = text
    Practice.objects.update(first_name=text[:100], last_name="")

    content = mail.calendar_file(confirmed)

    event = read(content).event
    (other,) = OtherReader.from_ical(content).walk("VEVENT")
    for name in ("SUMMARY", "DESCRIPTION", "LOCATION"):
        assert event[name].text == str(other[name])
    assert " ".join(text.split()) in " ".join(event["LOCATION"].text.split())


def test_the_entry_stays_the_same_one_and_only_grows(confirmed, now):
    """Booked, moved, moved again, called off."""
    files = [read(mail.calendar_file(confirmed)).event]
    for start in (LATER, NINE):
        moved = scheduling.move(confirmed, start=start, by=Booking.Side.GUEST, now=now)
        files.append(read(mail.calendar_file(moved)).event)
    cancelled = cancellation.cancel_by_coach(confirmed, now=now)
    files.append(read(mail.calendar_file(cancelled)).event)

    assert [event["SEQUENCE"].value for event in files] == ["0", "1", "2", "3"]
    for name in ("UID", "ORGANIZER", "ATTENDEE"):
        assert len({event[name].value for event in files}) == 1


def test_the_link_on_the_booked_page_gives_the_same_file(client, confirmed):
    page = client.get(f"/termin/gebucht/{mail.token(confirmed)}/").content.decode()
    address = f"/termin/kalender/{mail.token(confirmed)}.ics"

    response = client.get(address)

    assert address in page
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    assert read(response.content) == read(mail.calendar_file(confirmed))


def test_a_guests_calendar_tells_colleagues_nothing(confirmed):
    Booking.objects.update(topic="Ich will kündigen", phone="+49 170 1234567")
    confirmed.refresh_from_db()

    content = mail.calendar_file(confirmed).decode()

    assert "kündigen" not in content
    assert "1234567" not in content


# --- the reader bites -------------------------------------------------------------------------


def mangled(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content
    return content.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (b"\r\nVERSION", b"\nVERSION", "without CR LF"),
        (b"BEGIN:VCALENDAR", b" BEGIN:VCALENDAR", "begins with a fold"),
        (b"VERSION:2.0", b"VERSION:1.0", "VERSION"),
        (b"METHOD:REQUEST\r\n", b"", "head is not complete"),
        (b"METHOD:REQUEST", b"METHOD:CANCEL", "STATUS does not fit METHOD"),
        (b"METHOD:REQUEST", b"METHOD:PUBLISH", "no ATTENDEE"),
        (b"STATUS:CONFIRMED", b"STATUS:TENTATIVE", "STATUS"),
        (b"SEQUENCE:0\r\n", b"", "asks for SEQUENCE"),
        (b"SEQUENCE:0\r\n", b"SEQUENCE:0\r\nSEQUENCE:1\r\n", "twice"),
        (b"DTSTAMP:20270301T080000Z", b"DTSTAMP:20270301T080000", "not in UTC"),
        (b"DTEND:20270303T083000Z", b"DTEND:20270303T073000Z", "ends before"),
        (b"SUMMARY:Gespr\xc3\xa4ch", b"SUMMARY:Gespr\xc3\r\n \xa4ch", "cut in two"),
        (b"SUMMARY:Gespr", b"SUMMARY:Ziele, Gespr", "not escaped"),
        (b"SUMMARY:", b"SUMMARY:" + b"x" * 70, "octets"),
        (b"END:VEVENT\r\n", b"", "closes something else"),
        (b"mailto:coach", b"coach", "no address"),
    ],
)
def test_the_reader_refuses_what_is_wrong(confirmed, old, new, rule):
    content = mail.calendar_file(confirmed)
    read(content)

    with pytest.raises(Broken, match=rule):
        read(mangled(content, old, new))


def test_the_reader_reads_what_the_standard_shows():
    """The case of a text with every special character, as RFC 5545 section 3.3.11 writes it."""
    file: File = read(
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nMETHOD:REQUEST\r\n"
        b"BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20270301T080000Z\r\nDTSTART:20270330T070000Z\r\n"
        b"DTEND:20270330T073000Z\r\nSEQUENCE:0\r\nSTATUS:CONFIRMED\r\n"
        b"SUMMARY:Erstgespr\xc3\xa4ch\\; Ziele\\,\r\n  Fragen\\nZeile 2\r\n"
        b'ORGANIZER;CN="Muster, Kim":mailto:kim@example.org\r\n'
        b"ATTENDEE;RSVP=TRUE:mailto:ada@example.org\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )

    assert file.event["SUMMARY"].text == "Erstgespräch; Ziele, Fragen\nZeile 2"
    assert file.event["ORGANIZER"].params == {"CN": "Muster, Kim"}
