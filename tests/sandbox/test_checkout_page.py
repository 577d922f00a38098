"""The hosted page: what a guest sees and presses."""

from __future__ import annotations

import http.client
from urllib.parse import urlencode, urlsplit

import pytest

from tests.sandbox.conftest import ORDER, library
from tests.sandbox.receiver import receive
from tests.stripe_sandbox import Sandbox

ITEM = ORDER["line_items"][0]


def visit(url, **pressed):
    """Status, where it leads, and the page."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    try:
        connection.request("POST" if pressed else "GET", parts.path, urlencode(pressed))
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location"), answer.read().decode()
    finally:
        connection.close()


def press(url, button):
    return visit(url, ende=button)


def test_the_page_says_what_is_paid_and_that_it_is_not_real(order):
    status, _, page = visit(order(customer_email="ada@example.com").url)

    assert status == 200
    assert '<html lang="de">' in page
    for words in ("Testzahlung – kein echtes Geld", "Anzahlung", "150,00\u00a0€"):
        assert words in page
    assert "ada@example.com" in page
    assert "<script" not in page
    assert f'href="{ORDER["cancel_url"]}"' in page


def test_what_the_site_wrote_is_escaped(order):
    price = {**ITEM["price_data"], "product_data": {"name": "<b>Termin</b> & mehr"}}
    page = visit(order(line_items=[{"price_data": price, "quantity": 10}]).url)[2]

    assert "&lt;b&gt;Termin&lt;/b&gt; &amp; mehr" in page
    assert "1.500,00\u00a0€" in page


def test_paying_leads_to_the_success_page(sandbox, order):
    session = order()

    status, target, _ = press(session.url, "bezahlen")

    assert status == 303
    assert target == f"https://praxis.example/danke/?sitzung={session.id}"
    assert sandbox.session(session.id)["payment_status"] == "paid"


def test_only_the_literal_placeholder_is_replaced(order):
    url = "https://praxis.example/?a=%7BCHECKOUT_SESSION_ID%7D"

    assert press(order(success_url=url).url, "bezahlen")[1] == url


def test_a_declined_card_stays_on_the_page(sandbox, order):
    session = order()

    status, target, _ = press(session.url, "ablehnen")

    assert (status, session.url.endswith(target)) == (303, True)
    assert "Deine Karte wurde abgelehnt" in visit(session.url)[2]
    assert sandbox.session(session.id)["status"] == "open"
    assert press(session.url, "bezahlen")[0] == 303


def test_a_second_click_pays_nothing(sandbox, order):
    session = order()
    press(session.url, "bezahlen")

    status, _, page = press(session.url, "bezahlen")

    assert (status, "Schon bezahlt" in page) == (200, True)
    assert len(sandbox.charges) == 1


@pytest.mark.parametrize("button", ["bezahlen", "ablehnen"])
def test_an_expired_session_says_so(sandbox, order, button):
    session = order()
    sandbox.advance(25 * 3600)

    status, _, page = press(session.url, button)

    assert (status, "Die Zeit ist abgelaufen" in page) == (200, True)
    assert "Bezahlen</button>" not in page
    assert sandbox.charges == []


def test_a_delayed_payment_is_on_its_way(sandbox, order):
    session = order()
    sandbox.pay(session.id, delayed=True)

    assert "Zahlung unterwegs" in visit(session.url)[2]


@pytest.mark.parametrize("button", ["bezahlen", "ablehnen", "nonsense"])
def test_an_unknown_session_has_no_page(sandbox, button):
    status, _, page = press(f"{sandbox.base_url}/c/pay/cs_test_unknown", button)

    assert (status, "gibt es nicht" in page) == (404, True)


def test_the_payer_comes_back_after_the_webhook_was_answered():
    with receive() as receiver, Sandbox(mode="automatic", webhook_url=receiver.url) as sandbox:
        session = library(sandbox).v1.checkout.sessions.create(ORDER)

        press(session.url, "bezahlen")

        assert receiver.event(sandbox.webhook_secret).data.object.id == session.id
