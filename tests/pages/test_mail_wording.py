"""The coach's own words in mails: plain, short, true to the law, and never in the way of the facts."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from booking import mail as booking_mail
from booking.models import Booking
from coaching_site import mail
from pages import mail_wording, own_words
from pages.mail_wording import OPEN, Words
from pages.models import MailWording, Practice
from tests.booking.conftest import booked as booked
from tests.booking.conftest import calendar as calendar
from tests.booking.conftest import call_type as call_type
from tests.booking.conftest import clock as clock
from tests.booking.conftest import confirmed as confirmed
from tests.booking.conftest import held as held
from tests.mail_server import html, text

pytestmark = pytest.mark.django_db

MOVED = "booking.moved_guest"
REMINDER = "booking.reminder_guest"
CALL = {"name": "Ada", "tag": "Mittwoch, 3. März", "uhrzeit": "09:00 Uhr", "art": "Sparring"}


def word(**words: str) -> None:
    MailWording.objects.create(key=REMINDER, **words)


def test_every_open_mail_has_a_greeting_and_knows_its_placeholders():
    for opened in OPEN.values():
        assert opened.house.greeting
        for part in vars(opened.house).values():
            assert mail_wording.refusal(part, opened.placeholders) is None


@pytest.mark.parametrize(
    "broken",
    [
        {"subject": "Zeile\nBcc: jemand@example.org"},
        {"greeting": "Hallo,\n"},
        {"closing": "x" * 601},
        {},
    ],
)
def test_the_database_refuses_what_no_mail_may_say(broken):
    with pytest.raises(IntegrityError), transaction.atomic():
        word(**broken)


def test_a_mail_has_one_wording(db):
    word(greeting="Moin {name},")

    with pytest.raises(IntegrityError, match="once_a_mail"), transaction.atomic():
        word(greeting="Servus {name},")


def test_own_words_stand_in_text_and_html_and_the_facts_stay(mailbox, confirmed):
    word(
        subject="Bis {tag} um {uhrzeit}, {name}",
        greeting="Moin {name},",
        closing="Bis bald zum {art}.\n\nHerzlich\n{absender}",
    )

    booking_mail.first_reminder_to_guest(confirmed)

    [message] = mailbox.messages
    assert message["Subject"].startswith("Bis Mittwoch, 3. März um 09:00 Uhr, ")
    for part in (text(message), html(message)):
        assert f"Moin {confirmed.first_name}," in part
        assert "Hallo" not in part
        assert f"Bis bald zum {confirmed.call_type.title}." in part
        assert "Du hast eine Frage?" not in part
        assert confirmed.reference in part
        assert "/termin/absagen/" in part
        assert "/impressum/" in part


def test_own_words_are_text_and_never_markup_or_code(mailbox, confirmed):
    word(greeting="<b>Hallo</b> & {name},", closing="<script>alert(1)</script>")

    booking_mail.first_reminder_to_guest(confirmed)

    [message] = mailbox.messages
    assert "&lt;b&gt;Hallo&lt;/b&gt; &amp; " in html(message)
    assert "<script" not in html(message)
    assert "<b>Hallo</b> & " in text(message)


def test_what_a_guest_is_called_is_filled_in_once():
    """Somebody may call themselves „{absender}“."""
    own = Words(greeting="Hallo {name},")

    filled = mail_wording.filled(OPEN[MOVED], own, CALL | {"name": "{absender}", "absender": "X"})

    assert filled.greeting == "Hallo {absender},"


@pytest.mark.parametrize(
    ("own", "greeting"),
    [("", "Hallo,"), ("Liebe {name},", "Hallo,"), ("Guten Tag,", "Guten Tag,")],
)
def test_without_a_name_the_greeting_stays_whole(own, greeting):
    filled = mail_wording.filled(OPEN[MOVED], Words(greeting=own), CALL | {"name": ""})

    assert filled.greeting == greeting


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("Hallo {vorname},", "„{vorname}“"),
        ("Hallo {{ name }},", "„{{ name }}“"),
        ("{% include 'x' %}", "„{% include 'x' %}“"),
        ("Hallo {name", "„{“"),
        ("{art}", "„{art}“"),
    ],
)
def test_a_refusal_names_what_is_meant_and_what_could_stand_there(written, named):
    refusal = mail_wording.refusal(written, OPEN[MOVED].in_subject)

    assert refusal is not None
    assert named in refusal
    assert "{name}, {tag}, {uhrzeit}, {absender}." in refusal


def test_a_mail_asks_for_its_words_once_and_fixed_mails_never(confirmed):
    def questions(send) -> int:
        with (
            CaptureQueriesContext(
                connection,
            ) as asked,
            mail.holding_back(),
        ):
            send(confirmed)
        return sum("pages_mailwording" in each["sql"] for each in asked)

    assert questions(booking_mail.first_reminder_to_guest) == 1
    assert questions(booking_mail.confirmation_to_coach) == 0


@pytest.mark.parametrize(
    ("closing", "doubt"),
    [
        ("Abonnier auch meinen Newsletter!", "Newsletter"),
        ("Empfiehl mich gern weiter.", "Empfiehl"),
        ("Mehr auf https://example.org/kurs", "https://example.org/kurs"),
        ("Nur noch 2 Plätze!", "Nur noch 2"),
    ],
)
def test_advertising_in_a_mail_about_a_call_is_doubted(closing, doubt):
    word(closing=closing)

    assert any(
        f"„{doubt}“" in each for each in mail_wording.doubts(REMINDER, Words(closing=closing))
    )
    assert any("Deine Worte in Mails" in each for each in own_words.doubtful(Practice()))


def test_our_own_words_are_never_doubted():
    doubts = [mail_wording.doubts(key, opened.house) for key, opened in OPEN.items()]

    assert not any(doubts)


def test_a_guest_elsewhere_reads_their_own_clock_and_which_it_is(confirmed):
    Booking.objects.update(visitor_zone="America/New_York")
    confirmed.refresh_from_db()
    word(closing="Bis {tag}, {uhrzeit}.")

    with mail.holding_back() as messages:
        booking_mail.first_reminder_to_guest(confirmed)

    body = messages[0].body.replace("\u00a0", " ")
    assert "Bis Mittwoch, 3. März, 03:00 Uhr, Ortszeit New York" in body
