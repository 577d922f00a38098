"""The confirmation of a paid call: the whole contract, with its papers as files (BGB §§ 312f, 312i)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from booking import mail, orders
from booking.models import Booking
from booking.views.ordering import ordering
from coaching_site.german import NBSP
from pages import legal, offering
from pages.legal_models import LegalText
from tests.booking.conftest import ADA, hold
from tests.booking.desk import pay
from tests.booking.papers import address_of, words_in
from tests.booking.test_orders import COMPANY
from tests.mail_server import attachments, html, text
from tests.pages.test_legal import publish

pytestmark = pytest.mark.usefixtures("clock", "whole")

DAY = timedelta(days=1)
PARTS = ("Anzahlungsrechnung-TEST-2027-0001.pdf", "AGB.pdf", "Widerrufsbelehrung.pdf", "termin.ics")


def ordered(booking: Booking, now) -> Booking:
    page = ordering(booking, now=now).page
    orders.place(booking, page, seen=page.sha256, early_start=True, now=now)
    return booking


def paid(call_type, stripe, now, **changes) -> Booking:
    held = ordered(hold(call_type, now=now, **changes), now)
    address_of(held, company=held.company)
    return pay(call_type, stripe, now, form_token=held.form_token, **changes)


def plain(message) -> str:
    return " ".join(text(message).replace(NBSP, " ").split())


def test_a_consumer_gets_every_paper_as_a_file(paid_type, stripe, mailbox, run_jobs, now):
    paid(paid_type, stripe, now)
    run_jobs()

    [message] = mailbox.to(ADA.email)
    attached = attachments(message)

    assert tuple(attached) == PARTS
    assert "Muster-Widerrufsformular" in words_in(attached["Widerrufsbelehrung.pdf"])
    assert offering.KIND in words_in(attached["AGB.pdf"])


@pytest.mark.parametrize(
    "part",
    [
        "Sparring, 30 Minuten",
        "Mittwoch, 3. März 2027, 09:00 Uhr, Berliner Zeit (MEZ)",
        "Preis: 300,00 € inkl. 19 % MwSt.",
        "Bezahlt: 150,00 €, auf den Preis angerechnet",
        "Noch offen: 150,00 €, nach dem Gespräch auf Rechnung",
        "Danach behalte ich 47,50 €, und 102,50 € gehen zurück.",
        f"{offering.KIND}, ein einzelnes Gespräch.",
        offering.NOT_RECORDED,
        "Weitere Kosten gibt es nicht; der Vertrag endet mit dem Gespräch",
        "Im Anhang sind die AGB und die Widerrufsbelehrung mit dem Muster-Widerrufsformular.",
        f"Beim Buchen hast du erklärt: „{orders.EARLY_START}“",
        "Bist du mit etwas unzufrieden, schreib mir an hallo@praxis.example.",
        "Vertrag widerrufen: http",
        "Vorname Nachname",
        "Teststraße 1",
        "+49 30 1234",
    ],
)
def test_the_mail_itself_says_what_the_law_asks_for(part, confirmation):
    assert part in plain(confirmation)


@pytest.fixture
def confirmation(paid_type, stripe, mailbox, run_jobs, now):
    paid(paid_type, stripe, now)
    run_jobs()
    [message] = mailbox.to(ADA.email)
    return message


def test_the_html_says_the_same(confirmation):
    shown = " ".join(html(confirmation).replace(NBSP, " ").split())

    assert orders.EARLY_START in shown
    assert "Widerrufsbelehrung mit dem Muster-Widerrufsformular" in shown
    assert "schreib mir an hallo@praxis.example" in shown


def test_a_company_gets_the_terms_and_no_right_it_has_not(
    paid_type, stripe, mailbox, run_jobs, now
):
    paid(paid_type, stripe, now, guest=COMPANY)
    run_jobs()

    [message] = mailbox.to(COMPANY.email)
    assert tuple(attachments(message)) == (PARTS[0], "AGB.pdf", "termin.ics")
    assert "Gebucht für ein Unternehmen: Rechenwerk." in plain(message)
    assert "Vertrag widerrufen" not in plain(message)
    assert "Rechenwerk" in words_in(attachments(message)[PARTS[0]])


def test_the_papers_are_those_it_was_ordered_by(paid_type, stripe, mailbox, run_jobs, whole, now):
    publish(now=now)
    by = legal.current(LegalText.Kind.TERMS)
    held = ordered(hold(paid_type, now=now), now)
    whole.phone = "+49 40 99"
    whole.street = "Neue Straße 9"
    whole.save()
    publish(now=now)

    pay(paid_type, stripe, now, form_token=held.form_token)
    run_jobs()

    [message] = mailbox.to(ADA.email)
    assert legal.current(LegalText.Kind.TERMS).number == 2
    assert attachments(message)["AGB.pdf"] == legal.pdf_of(by)


def test_a_free_call_carries_its_calendar_file_alone(confirmed, mailbox, run_jobs):
    run_jobs()

    [message] = mailbox.to(ADA.email)
    assert tuple(attachments(message)) == ("termin.ics",)
    assert "Dein Vertrag" not in plain(message)


def test_what_the_coach_entered_by_hand_comes_with_its_papers(paid_type, mailbox, now):
    entered = hold(paid_type, now=now)
    Booking.objects.filter(pk=entered.pk).update(
        status="confirmed", confirmed_at=now, deposit_waived=True, held_until=None
    )
    entered.refresh_from_db()

    mail.confirmation_to_guest(entered)

    [message] = mailbox.to(ADA.email)
    assert tuple(attachments(message)) == PARTS[1:]


def test_without_an_address_of_the_practice_the_sentence_is_still_whole(
    paid_type, whole, mailbox, now
):
    whole.email = ""
    whole.save()

    mail.confirmation_to_guest(hold(paid_type, now=now))

    [message] = mailbox.to(ADA.email)
    assert "Bist du mit etwas unzufrieden, schreib mir." in plain(message)


def test_a_free_calls_confirmation_says_that_nothing_is_recorded(confirmed, mailbox, run_jobs):
    run_jobs()

    [message] = mailbox.to(ADA.email)

    assert offering.NOT_RECORDED in text(message)
    assert offering.NOT_RECORDED in html(message)
