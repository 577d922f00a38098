"""Checkout Sessions: opened, paid, declined, expired."""

from __future__ import annotations

import threading

import pytest
import stripe

from tests.sandbox.conftest import ORDER, library, unlike_stripe
from tests.stripe_sandbox import Sandbox
from tests.stripe_sandbox.errors import StripeError

MINUTE = 60
HOUR = 60 * MINUTE


def types(sandbox):
    return [event["type"] for event in sandbox.events]


def test_a_session_is_open_unpaid_and_has_a_page(sandbox, order):
    session = order(
        client_reference_id="B-1",
        customer_email="ada@example.com",
        metadata={"buchung": "B-1"},
        locale="de",
        submit_type="pay",
        adaptive_pricing={"enabled": False},
    )

    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert (session.amount_total, session.currency) == (15000, "eur")
    assert session.payment_intent is None
    assert session.livemode is False
    assert session.url == f"{sandbox.base_url}/c/pay/{session.id}"
    assert (session.client_reference_id, session.metadata.to_dict()) == ("B-1", {"buchung": "B-1"})
    assert session.customer_details.email == "ada@example.com"
    assert session.id.startswith("cs_test_")


def test_the_total_is_the_sum_of_the_items(client, order):
    (first,) = ORDER["line_items"]
    second = {**first, "quantity": 3}
    session = order(line_items=[first, second])

    items = client.v1.checkout.sessions.line_items.list(session.id)

    assert session.amount_total == 60000
    assert [item.amount_total for item in items.data] == [15000, 45000]


@pytest.mark.parametrize("items", [[], [{**ORDER["line_items"][0], "quantity": 0}]])
def test_nothing_cannot_be_sold(order, items):
    with pytest.raises(stripe.InvalidRequestError):
        order(line_items=items)


def test_less_than_50_cents_is_too_little(order):
    price = {"currency": "eur", "unit_amount": 49, "product_data": {"name": "Rest"}}

    with pytest.raises(stripe.InvalidRequestError) as caught:
        order(line_items=[{"price_data": price, "quantity": 1}])

    assert caught.value.code == "amount_too_small"


@pytest.mark.parametrize("life", [30 * MINUTE, 31 * MINUTE, 24 * HOUR])
def test_a_session_lives_30_minutes_to_24_hours(life):
    # To the second, so the clock must stand still: on a busy machine asking takes longer than one.
    with Sandbox(now=lambda: 2_000_000_000.0) as still:
        create = library(still).v1.checkout.sessions.create

        assert create({**ORDER, "expires_at": 2_000_000_000 + life}).status == "open"


@pytest.mark.parametrize("life", [29 * MINUTE, 24 * HOUR + 2])
def test_another_life_is_refused(sandbox, order, life):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        order(expires_at=int(sandbox.now) + life)

    assert caught.value.param == "expires_at"


def test_its_own_clock_counts():
    with Sandbox(now=lambda: 2_000_000_000.0) as sandbox:
        create = library(sandbox).v1.checkout.sessions.create
        session = create({**ORDER, "expires_at": 2_000_000_000 + 30 * MINUTE})
        sandbox.advance(10)

        assert session.created == 2_000_000_000
        with pytest.raises(stripe.InvalidRequestError):
            create({**ORDER, "expires_at": 2_000_000_000 + 30 * MINUTE})


def test_paying_makes_intent_and_charge(sandbox, client, order):
    session = order(payment_intent_data={"metadata": {"buchung": "B-1"}, "description": "Termin"})
    sandbox.pay(session.id)

    found = client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["payment_intent.latest_charge", "line_items"]}
    )

    assert (found.status, found.payment_status, found.url) == ("complete", "paid", None)
    intent = found.payment_intent
    assert (intent.status, intent.amount_received) == ("succeeded", 15000)
    assert (intent.metadata.to_dict(), intent.description) == ({"buchung": "B-1"}, "Termin")
    assert (intent.latest_charge.paid, intent.latest_charge.payment_intent) == (True, intent.id)
    assert found.line_items.data[0].description == "Anzahlung"
    assert types(sandbox) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


def test_a_declined_card_leaves_the_session_open(sandbox, client, order):
    session = order()
    sandbox.decline(session.id)

    found = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})

    assert (found.status, found.payment_status) == ("open", "unpaid")
    assert found.payment_intent.last_payment_error.code == "card_declined"


def test_after_a_declined_card_the_same_intent_is_paid(sandbox, order):
    session = order()
    declined = sandbox.decline(session.id)
    paid = sandbox.pay(session.id)

    assert paid["payment_intent"] == declined["payment_intent"]
    assert [charge["status"] for charge in sandbox.charges] == ["failed", "succeeded"]


def test_nobody_pays_twice(sandbox, order):
    session = order()
    sandbox.pay(session.id)

    with pytest.raises(StripeError, match="complete"):
        sandbox.pay(session.id)


def test_nobody_pays_twice_at_the_same_moment(sandbox, order):
    session = order()
    refused = []

    def pay():
        try:
            sandbox.pay(session.id)
        except StripeError as error:
            refused.append(error)

    threads = [threading.Thread(target=pay) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(refused), len(sandbox.charges)) == (7, 1)


def test_an_open_session_can_be_expired(sandbox, client, order):
    session = client.v1.checkout.sessions.expire(order().id)

    assert (session.status, session.url) == ("expired", None)
    assert types(sandbox) == ["checkout.session.expired"]
    with pytest.raises(StripeError, match="expired"):
        sandbox.pay(session.id)


@pytest.mark.parametrize("end", ["pay", "expire"])
def test_what_has_ended_cannot_be_expired(sandbox, client, order, end):
    session = order()
    ended = getattr(sandbox, end)(session.id)

    with pytest.raises(stripe.InvalidRequestError, match=f"status of `{ended['status']}`"):
        client.v1.checkout.sessions.expire(session.id)


def test_a_session_expires_by_the_clock(sandbox, client, order):
    session = order(expires_at=int(sandbox.now) + 31 * MINUTE)
    sandbox.advance(30 * MINUTE)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"

    sandbox.advance(MINUTE)

    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert types(sandbox) == ["checkout.session.expired"]


def test_a_delayed_payment_succeeds_days_later(sandbox, client, order):
    session = order()
    sandbox.pay(session.id, delayed=True)
    waiting = client.v1.checkout.sessions.retrieve(session.id)
    sandbox.settle(session.id)

    assert (waiting.status, waiting.payment_status) == ("complete", "unpaid")
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert types(sandbox)[-1] == "checkout.session.async_payment_succeeded"


def test_a_delayed_payment_fails_days_later(sandbox, client, order):
    session = order()
    sandbox.pay(session.id, delayed=True)
    sandbox.settle(session.id, succeeds=False)

    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "unpaid"
    assert types(sandbox)[-1] == "checkout.session.async_payment_failed"


def test_the_list_is_newest_first_and_filtered(sandbox, client, order):
    first, second, third = order(), order(customer_email="ada@example.com"), order()
    intent = sandbox.pay(first.id)["payment_intent"]
    sandbox.expire(third.id)

    def ids(**params):
        return [session.id for session in client.v1.checkout.sessions.list(params).data]

    assert ids() == [third.id, second.id, first.id]
    assert ids(status="open") == [second.id]
    assert ids(payment_intent=intent) == [first.id]
    assert ids(customer_details={"email": "ada@example.com"}) == [second.id]
    assert ids(created={"gt": int(sandbox.now) + 60}) == []
    assert ids(created={"lte": int(sandbox.now) + 60}) == ids()


def test_lists_come_in_pages(client, order):
    made = [order().id for _ in range(5)]
    sessions = client.v1.checkout.sessions

    first = sessions.list({"limit": 2})
    second = sessions.list({"limit": 2, "starting_after": first.data[-1].id})
    back = sessions.list({"limit": 2, "ending_before": second.data[0].id})

    assert [each.id for each in second.data] == made[::-1][2:4]
    assert (first.has_more, second.has_more, back.has_more) == (True, True, False)
    assert [each.id for each in back.data] == [each.id for each in first.data]
    assert [each.id for each in first.auto_paging_iter()] == made[::-1]


@pytest.mark.parametrize("limit", [0, 101])
def test_a_page_has_1_to_100_entries(client, limit):
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.list({"limit": limit})


def test_metadata_can_be_changed(client, order):
    session = order(metadata={"a": "1", "b": "2"})
    changed = client.v1.checkout.sessions.update(session.id, {"metadata": {"a": "", "c": "3"}})

    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}


def test_lists_expand_too(sandbox, client, order):
    sandbox.pay(order().id)
    found = client.v1.checkout.sessions.list({"expand": ["data.payment_intent.latest_charge"]})

    assert found.data[0].payment_intent.latest_charge.paid


def test_what_checkout_made_is_not_cancelled_by_hand(client, paid):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.cancel(paid())

    assert caught.value.code == "payment_intent_unexpected_state"


def test_a_session_may_ask_for_another_amount_than_was_ordered(sandbox, client, order):
    sandbox.faults.tamper(amount_total=14900, currency="usd")
    session = order()
    intent = sandbox.pay(session.id)["payment_intent"]

    assert (session.amount_total, session.currency) == (14900, "usd")
    assert client.v1.payment_intents.retrieve(intent).amount_received == 14900
    assert order().amount_total == 15000
    assert unlike_stripe(sandbox) == []
