"""The mails as their readers get them."""

import pytest

from booking import cancellation, mail
from booking.models import Booking, CallType
from pages.models import Practice
from tests.booking.conftest import ADA
from tests.mail_server import attachments, html, text

COACH = "coach@praxis.example"


@pytest.fixture(autouse=True)
def practice(db) -> Practice:
    return Practice.objects.create(pk=1, first_name="Kim", last_name="Muster")


def plain(message) -> str:
    return text(message).replace("\u00a0", " ")


def calendar_parts(message) -> list[tuple[str | None, str | None]]:
    return [
        (part.get_param("method"), part.get_filename())
        for part in message.walk()
        if part.get_content_type() == "text/calendar"
    ]


def test_the_guest_gets_all_there_is_to_know(confirmed, mailbox):
    mail.confirmation_to_guest(confirmed)

    (message,) = mailbox.to(ADA.email)
    assert message["Subject"] == "Gespräch mit Kim Muster"
    for words in (
        "Hallo Ada,",
        "Mittwoch, 3. März 2027, 09:00 Uhr, Berliner Zeit (MEZ)",
        "Videogespräch: https://video.example/raum",
        "Bring eine Frage mit.",
        f"Buchungsnummer: {confirmed.reference}",
        f"http://localhost:8000/termin/gebucht/{mail.token(confirmed)}/",
        f"http://localhost:8000/termin/absagen/{mail.token(confirmed)}/",
        "Kim Muster",
    ):
        assert words in plain(message)
    assert confirmed.reference in html(message)
    assert '<html lang="de">' in html(message)


def test_the_invitation_travels_as_a_part_and_as_a_file(confirmed, mailbox):
    mail.confirmation_to_guest(confirmed)

    (message,) = mailbox.messages
    assert calendar_parts(message) == [("REQUEST", None), ("REQUEST", "termin.ics")]
    assert "METHOD:REQUEST" in str(attachments(message)["termin.ics"])


@pytest.mark.parametrize("preparation", ["", "Bring eine Frage mit."])
def test_the_plain_text_has_no_holes(confirmed, now, mailbox, preparation):
    confirmed.call_type.preparation = preparation
    mail.confirmation_to_guest(confirmed)
    mail.confirmation_to_coach(confirmed)
    cancelled = cancellation.cancel_by_guest(confirmed, now=now)
    mail.cancellation_to_guest(cancelled)
    mail.cancellation_to_coach(cancelled)

    assert len(mailbox.messages) == 4
    assert not any("\n\n\n" in plain(message) for message in mailbox.messages)


def test_a_guest_abroad_reads_both_clocks(confirmed, mailbox):
    confirmed.visitor_zone = "America/New_York"

    mail.confirmation_to_guest(confirmed)
    mail.confirmation_to_coach(confirmed)

    (message,) = mailbox.to(ADA.email)
    assert "03:00 Uhr, Ortszeit New York (UTC−5)" in plain(message)
    assert "09:00 Uhr, Berliner Zeit (MEZ)" in plain(message)
    assert "New York" not in plain(mailbox.to(COACH)[0])


def test_the_coach_reads_who_comes_and_answers_them_directly(confirmed, mailbox):
    mail.confirmation_to_coach(confirmed)

    (message,) = mailbox.to(COACH)
    assert message["Reply-To"] == ADA.email
    assert message["Subject"] == "Gespräch mit Ada Müller, Mi., 03.03.2027"
    for words in (
        "Ada Müller, Rechenwerk",
        "Mein Team",
        "09:00 Uhr",
        "/verwaltung/booking/booking/",
    ):
        assert words in plain(message)


def test_a_cancellation_takes_the_entry_out_and_offers_another_time(confirmed, now, mailbox):
    cancelled = cancellation.cancel_by_coach(confirmed, now=now, note="Ich bin krank.")

    mail.cancellation_to_guest(cancelled)

    (message,) = mailbox.to(ADA.email)
    assert message["Subject"] == "Abgesagt: Gespräch mit Kim Muster"
    assert "ich muss unseren Termin leider absagen." in plain(message)
    assert "Ich bin krank." in plain(message)
    assert "http://localhost:8000/termin/" in plain(message)
    assert calendar_parts(message) == [("CANCEL", None), ("CANCEL", "termin.ics")]


def test_the_coach_reads_who_called_off(confirmed, now, mailbox):
    mail.cancellation_to_coach(cancellation.cancel_by_guest(confirmed, now=now))

    assert "Ada Müller hat den Termin abgesagt." in plain(mailbox.to(COACH)[0])


def test_a_phone_call_names_the_number(confirmed, mailbox):
    confirmed.phone = "+49 170 1234567"
    confirmed.call_type.place_kind = CallType.Place.PHONE
    confirmed.call_type.place_detail = "Ich rufe dich an."

    mail.confirmation_to_guest(confirmed)

    assert "Telefon: Ich rufe dich an." in plain(mailbox.messages[0])
    assert "Deine Nummer: +49 170 1234567" in plain(mailbox.messages[0])


def test_names_are_escaped_where_they_must_be_and_only_there(confirmed, mailbox):
    confirmed.name = "<b>Ada</b> & O'Neil"

    mail.confirmation_to_coach(confirmed)

    (message,) = mailbox.messages
    assert "<b>Ada</b> & O'Neil" in plain(message)
    assert "<b>Ada" not in html(message)
    assert "Gespräch mit <b>Ada</b> & O'Neil, " in message["Subject"]


def test_the_same_mail_sent_again_has_the_same_id(confirmed, mailbox):
    mail.confirmation_to_guest(confirmed)
    mail.confirmation_to_guest(confirmed)

    assert len({message["Message-ID"] for message in mailbox.messages}) == 1


@pytest.mark.parametrize(
    ("name", "greeting"),
    [
        ("Ada Müller", "Ada"),
        ("Dr. Ada Müller", "Ada"),
        ("Prof. Dr.-Ing. Ada Müller", "Ada"),
        ("Ada", "Ada"),
        ("Dr.", "Dr."),
        ("", ""),
    ],
)
def test_people_are_greeted_by_their_first_name(name, greeting):
    assert Booking(name=name).first_name == greeting
