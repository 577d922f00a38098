"""The appointment's own page, behind the link in the mails: everything a guest may do with it."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from booking import invoicing, mail
from booking.models import Booking
from tests.booking.desk import pay, words
from tests.booking.papers import practice

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def paid(paid_type, stripe, now) -> Booking:
    practice()
    booking = pay(paid_type, stripe, now)
    invoicing.write_all_owed(now=now)
    return booking


def test_the_link_of_the_mails_opens_everything_without_a_sign_in(client, paid):
    token = mail.token(paid)
    page = words(client.get(reverse("booking:booked", args=[token])))
    number = paid.invoices.get().number

    wanted = {
        "In den Kalender übernehmen": reverse("booking:calendar_file", args=[token]),
        "Termin verschieben": reverse("booking:move", args=[token]),
        "Termin absagen": reverse("booking:cancel", args=[token]),
        "Vertrag widerrufen": mail.withdraw_url(paid),
        number: reverse("booking:invoice", args=[token, number]),
        "ansehen oder löschen": reverse("people:ask"),
    }
    for label, address in wanted.items():
        assert re.search(rf'<a [^>]*href="{re.escape(address)}"[^>]*>[^<]*{label}', page), label
        assert client.get(address).status_code == 200


def test_calling_off_and_withdrawing_are_two_things_with_words_of_their_own(client, paid):
    token = mail.token(paid)
    cancelling = words(client.get(reverse("booking:cancel", args=[token])))
    withdrawing = words(client.get(mail.withdraw_url(paid)))

    assert "Dir bleibt der Nachweis gestattet" in words(
        client.get(reverse("booking:booked", args=[token]))
    )
    assert "Widerruf bestätigen" not in cancelling
    assert "behalte ich" not in withdrawing
