"""The appointment's own page, behind the link in the mails: everything a guest may do with it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from booking import mail
from booking.models import Booking
from booking.views.visitor import LINK_LIFE
from tests.booking.desk import pay_and_bill, words
from tests.booking.papers import practice

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def paid(paid_type, stripe, now) -> Booking:
    practice()
    return pay_and_bill(paid_type, stripe, now)


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


def test_links_end_long_after_the_call_and_tell_nobody_who_came(client, paid, clock):
    token = mail.token(paid)
    addresses = [
        reverse("booking:booked", args=[token]),
        reverse("booking:calendar_file", args=[token]),
        reverse("booking:cancel", args=[token]),
        reverse("booking:invoice", args=[token, paid.invoices.get().number]),
        mail.withdraw_url(paid),
    ]

    # A withdrawal may come as late as a year and two weeks after the order.
    clock(paid.end + timedelta(days=12 * 31 + 14))
    assert [client.get(each).status_code for each in addresses] == [200] * 5

    clock(paid.end + LINK_LIFE)
    answers = [client.get(each) for each in addresses]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 404, 200]
    assert not [answer for answer in answers if paid.name in answer.content.decode()]
