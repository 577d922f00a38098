"""Prices as the public reads them: the total with its note on VAT, in both modes, everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client

from booking import checkout, mail, scheduling
from booking.models import Booking
from coaching_site import vat
from pages import filling
from pages.models import Practice
from pages.templatetags.practice_data import price
from tests.booking.conftest import ADA, NINE, hold, new_type, order_form
from tests.booking.test_mails_about_money import COACH, sent
from tests.conftest import OPERATOR

pytestmark = pytest.mark.usefixtures("clock")

NOTES = {
    "regular": "inkl. 19 % MwSt.",
    "small_business": "(umsatzsteuerfrei nach § 19 UStG)",
}
BEFORE = ("/", "/angebot/", "/termin/", "/termin/sparring/", "/termin/sparring/2027-03-03/")
DETAILS = "/termin/sparring/zeit/20270303T080000Z/"
DAY = timedelta(days=1)
# The total of `paid_type`; no part of it is as much.
TOTAL = "300,00 €"


@pytest.fixture(params=NOTES)
def note(request, db) -> str:
    """The note on VAT of the practice as it is taxed."""
    Practice.objects.create(
        pk=1, **OPERATOR, vat_mode=request.param, vat_id="DE123456789", tax_number="12/345/67890"
    )
    return NOTES[request.param]


def words(response) -> str:
    """What stands on the page, without its tags and what only machines read."""
    html = response.content.decode()
    shown = re.sub(r"(?s)<(script|style|head)\b.*?</\1>|<[^>]+>", " ", html)
    return re.sub(r"\s+([.,)])", r"\1", " ".join(shown.split()))


def pages_of_the_order(client: Client, booking: Booking) -> Iterator[tuple[str, str]]:
    token = mail.token(booking)
    yield "review", words(client.get(f"/termin/pruefen/{token}/"))
    assert client.post(f"/termin/pruefen/{token}/", order_form(booking)).status_code == 303
    yield "being paid", words(client.get(f"/termin/pruefen/{token}/"))
    yield "not paid yet", words(client.get(f"/termin/bezahlt/{token}/"))


def pages_afterwards(client: Client, booking: Booking) -> Iterator[tuple[str, str]]:
    token = mail.token(booking)
    for path in (
        f"/termin/gebucht/{token}/",
        f"/termin/absagen/{token}/",
        f"/termin/verschieben/{token}/",
        f"/termin/verschieben/{token}/2027-03-04/",
        f"/termin/verschieben/{token}/zeit/20270304T080000Z/",
    ):
        response = client.get(path)
        assert response.status_code == 200, path
        yield path.replace(token, "…"), words(response)


def slips(text: str, note: str) -> list[str]:
    """What a reader of prices and times must never meet."""
    unlike = [other for other in NOTES.values() if other != note]
    patterns = {
        "a total without its note": rf"{TOTAL}(?! {re.escape(note)})",
        "the other mode's note": "|".join(map(re.escape, unlike)),
        "tax on top": r"zzgl|netto|\b0 % ",
        "a sign before the amount": r"€ ?\d",
        "a point for the comma": r"\d\.\d\d €",
        "a clock of twelve hours": r"\b\d{1,2}(?::\d\d)? ?[AP]M\b",
        "a date of other countries": r"\b20\d\d-\d\d-\d\d\b",
        "a time without its zone": r"\A(?=.*\d\d:\d\d Uhr)(?!.*(?:Berliner Zeit|MEZ))",
    }
    return [name for name, pattern in patterns.items() if re.search(pattern, text)]


def test_every_page_notes_the_vat_beside_every_total(client, note, paid_type, stripe, now):
    read = {path: words(client.get(path)) for path in (*BEFORE, DETAILS)}
    booking = hold(paid_type, now=now)
    read |= dict(pages_of_the_order(client, booking))
    stripe.pay(stripe.sessions[0]["id"])
    checkout.look(booking, now=now)
    read |= dict(pages_afterwards(client, booking))

    assert {path: found for path, text in read.items() if (found := slips(text, note))} == {}
    silent = {path for path, text in read.items() if f"{TOTAL} {note}" not in text}
    # On these no price is asked for: the time of a call that is paid already, and calling off.
    assert silent <= {"/termin/verschieben/…/2027-03-04/", "/termin/absagen/…/"}


def test_every_mail_notes_the_vat_beside_every_total(note, paid_type, stripe, mailbox, now):
    booking = hold(paid_type, now=now)
    checkout.begin(booking, now=now)
    stripe.pay(stripe.sessions[0]["id"])
    booking = checkout.look(booking, now=now)

    mail.confirmation_to_guest(booking)
    mail.confirmation_to_coach(booking)

    for text in (*sent(mailbox, ADA.email), *sent(mailbox, COACH)):
        assert f"Preis: {TOTAL} {note}" in text
        assert slips(text, note) == []


def test_a_moved_and_a_cancelled_call_keep_the_note(note, paid_type, stripe, mailbox, now):
    booking = hold(paid_type, now=now)
    checkout.begin(booking, now=now)
    stripe.pay(stripe.sessions[0]["id"])
    booking = checkout.look(booking, now=now)
    moved = scheduling.move(booking, start=NINE + DAY, by=Booking.Side.GUEST, now=now)

    mail.moved_to_guest(moved)
    mail.moved_to_coach(moved)

    for text in (*sent(mailbox, ADA.email), *sent(mailbox, COACH)):
        assert f"Preis: {TOTAL} {note}" in text
        assert slips(text, note) == []


def test_the_terms_say_the_same_of_vat(note):
    said = filling.BLOCKS["umsatzsteuer"](Practice.current())

    assert ("19 % Umsatzsteuer" in said) == ("MwSt" in note)
    assert ("keine Umsatzsteuer" in said) == ("MwSt" not in note)


def test_a_price_is_the_total_with_what_is_in_it(note):
    assert price(4900).replace("\u00a0", " ") == f"49,00 € {note}"
    assert price(123450).replace("\u00a0", " ") == f"1.234,50 € {note}"


def test_what_is_free_needs_no_note(note):
    assert price(0) == "kostenlos"


def test_amount_sign_and_percent_never_part_at_the_end_of_a_line():
    assert f"inkl. {vat.REGULAR_PERCENT}\u00a0% MwSt." == vat.INCLUDED


# --- what is due now, what it buys, and what becomes of it ------------------------------------


@pytest.mark.parametrize("page", ["/", "/angebot/", *BEFORE[3:]])
def test_the_terms_of_a_deposit_stand_on_every_page_before_the_order(client, paid_type, page):
    text = words(client.get(page))

    for sentence in (
        "Beim Buchen zahlst du 150,00 € an. Damit ist der Termin für dich gebucht; "
        "die Anzahlung wird auf den Preis angerechnet.",
        "Den Rest von 150,00 € zahlst du nach dem Gespräch auf Rechnung.",
        "Weitere Kosten gibt es nicht.",
        "Sagst du bis 48 Stunden vorher ab, bekommst du die 150,00 € ganz zurück.",
        "Danach behalte ich 47,50 €, und 102,50 € gehen zurück.",
        "Den Rest zahlst du bei einer Absage nicht.",
        "Sage ich ab, bekommst du immer alles zurück.",
    ):
        assert sentence in text


def test_the_order_names_the_terms_of_the_deposit_with_day_and_hour(client, booking):
    text = words(client.get(f"/termin/pruefen/{mail.token(booking)}/"))

    for part in (
        "300,00 € inkl. 19 % MwSt., keine weiteren Kosten",
        "150,00 €, wird auf den Preis angerechnet",
        "150,00 €, nach dem Gespräch auf Rechnung",
        "Ist die Zahlung da, ist der Termin gebucht.",
        "Sagst du bis Montag, 1. März 2027, 09:00 Uhr, Berliner Zeit (MEZ), ab, "
        "bekommst du die 150,00 € ganz zurück.",
        "Sage ich ab, bekommst du immer alles zurück.",
    ):
        assert part in text


def test_a_price_paid_in_full_names_its_terms_too(client, calendar, stripe):
    new_type(calendar, slug="ganz", price_cents=9900, cancel_keep_percent=100)

    for page in ("/", "/angebot/", "/termin/ganz/"):
        text = words(client.get(page))
        assert (
            "Den Preis zahlst du ganz beim Buchen, damit ist der Termin für dich gebucht." in text
        )
        assert "Weitere Kosten gibt es nicht." in text
        assert "Danach behalte ich sie." in text
