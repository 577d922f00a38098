"""The one door to Stripe, with the real library and a Stripe that keeps its own books behind it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from booking import stripe_gateway
from booking.errors import PaymentsAway, PaymentsRefused
from booking.stripe_gateway import BadSignature, NoWebhookSecret, Wish
from tests.booking.conftest import point_to
from tests.stripe_sandbox import Answer, Sandbox

SESSIONS = "POST /v1/checkout/sessions"
SESSION = "GET /v1/checkout/sessions/*"


@pytest.fixture
def stripe(settings, now) -> Iterator[Sandbox]:
    """A Stripe without bookings behind it: what is paid here belongs to no calendar."""
    with Sandbox(now=now.timestamp) as sandbox:
        point_to(sandbox, settings)
        yield sandbox


@pytest.fixture
def wish(now) -> Wish:
    return Wish(
        key="11111111-2222-4333-8444-555555555555",
        reference="ACDEF347",
        amount_cents=15000,
        title="Anzahlung: Sparring",
        description="Mittwoch, 3. März 2027, 09:00 Uhr",
        email="ada@example.org",
        expires_at=now + timedelta(minutes=31),
        success_url="https://praxis.example/bezahlt/?sitzung={CHECKOUT_SESSION_ID}",
        cancel_url="https://praxis.example/pruefen/",
    )


@pytest.fixture
def opened(stripe, wish):
    return stripe_gateway.open_session(wish.params(), key=wish.key)


@pytest.fixture
def paid(stripe, opened):
    stripe.pay(opened.id)
    return stripe_gateway.read_session(opened.id)


# --- what is asked ------------------------------------------------------------------------------


def test_the_button_at_stripe_only_pays(wish):
    """The order is placed on our page; Stripe's word for booking would be no order button."""
    assert wish.params()["submit_type"] == "pay"


def test_money_that_would_come_days_later_is_not_taken(stripe, wish, opened):
    [asked] = stripe.requests

    excluded = asked.params["excluded_payment_method_types"]
    assert sorted(excluded.values()) == sorted(stripe_gateway.DELAYED_METHODS)


def test_the_mark_of_the_attempt_stands_on_session_and_payment(stripe, wish, paid):
    marks = {"booking": wish.reference, "deposit": wish.key}

    assert stripe.sessions[0]["metadata"] == marks
    assert stripe.intents[0]["metadata"] == marks


def test_stripe_fills_the_session_into_the_way_back(stripe, opened, wish):
    assert stripe.sessions[0]["success_url"] == wish.success_url


def test_everybody_pays_euros(wish):
    params = wish.params()

    assert params["adaptive_pricing"] == {"enabled": False}
    assert params["line_items"][0]["price_data"]["currency"] == "eur"


def test_nothing_the_guest_wrote_goes_to_stripe_but_the_address(wish):
    assert set(wish.params()["metadata"]) == {"booking", "deposit"}
    assert wish.params()["customer_email"] == "ada@example.org"


# --- what comes back ----------------------------------------------------------------------------


def test_a_session_knows_amount_and_payment_only_once_it_is_paid(opened, paid, wish):
    assert (opened.is_paid, opened.payment_intent) == (False, "")
    assert paid.is_paid
    assert paid.payment_intent.startswith("pi_")
    assert (paid.amount_cents, paid.currency) == (15000, "eur")
    assert (paid.reference, paid.key, paid.livemode) == (wish.reference, wish.key, False)


def test_an_open_session_can_be_ended(opened):
    assert stripe_gateway.end_session(opened.id).status == "expired"


def test_ending_an_ended_one_is_no_error(opened):
    stripe_gateway.end_session(opened.id)

    assert stripe_gateway.end_session(opened.id).status == "expired"


def test_ending_one_that_was_paid_says_so(paid):
    assert stripe_gateway.end_session(paid.id).is_paid


def test_the_same_key_is_the_same_session(stripe, wish, opened):
    again = stripe_gateway.open_session(wish.params(), key=wish.key)

    assert again.id == opened.id
    assert len(stripe.sessions) == 1


def test_refunds_of_the_dashboard_are_seen_too(stripe, paid):
    stripe_gateway.give_back(
        paid.payment_intent, amount_cents=1000, key="ours", idempotency_key="refund-1"
    )
    stripe.dashboard_refund(paid.payment_intent, 2000)

    found = stripe_gateway.refunds_of(paid.payment_intent)

    assert sorted((each.amount_cents, each.key) for each in found) == [(1000, "ours"), (2000, "")]


def test_a_dispute_has_a_day_until_which_one_can_answer(stripe, paid):
    opened = stripe.open_dispute(paid.payment_intent)

    dispute = stripe_gateway.read_dispute(opened["id"])

    assert dispute.payment_intent == paid.payment_intent
    assert dispute.due_by is not None
    assert dispute.due_by.tzinfo is UTC


def test_events_come_oldest_first_however_many_pages_they_fill(stripe, wish, now):
    for number in range(60):
        session = stripe_gateway.open_session(wish.params(), key=f"{number}")
        stripe_gateway.end_session(session.id)
        stripe.advance(1)
        session = stripe_gateway.open_session(wish.params(), key=f"other-{number}")
        stripe_gateway.end_session(session.id)

    events = stripe_gateway.events_since(now)

    times = [event.created_at for event in events]
    assert len(events) == len({event.id for event in events}) == 120
    assert times == sorted(times)


# --- who is speaking ------------------------------------------------------------------------------


def signed(stripe, **how) -> tuple[bytes, str]:
    """An event as it would arrive: its body and its signature."""
    arrived: list[tuple[bytes, str]] = []

    def catch(url, body, headers):
        arrived.append((body, headers["Stripe-Signature"]))
        return Answer(200)

    stripe.send_with(catch)
    stripe.deliver(stripe.events[-1], **how)
    return arrived[0]


def test_an_event_says_what_it_is_about(stripe, opened, wish):
    stripe_gateway.end_session(opened.id)

    event = stripe_gateway.read_event(*signed(stripe))

    assert (event.kind, event.object_id) == ("checkout.session.expired", opened.id)
    assert (event.key, event.livemode) == (wish.key, False)
    assert event.api_version == stripe_gateway.api_version()


@pytest.mark.parametrize("how", [{"secrets": ["whsec_forged"]}, {"age": 301}, {"header": "x"}])
def test_a_stranger_is_not_listened_to(stripe, opened, how):
    stripe_gateway.end_session(opened.id)

    with pytest.raises(BadSignature):
        stripe_gateway.read_event(*signed(stripe, **how))


@pytest.mark.parametrize("mine", [["whsec_new", "whsec_sandbox"], ["whsec_sandbox", "whsec_old"]])
def test_while_a_secret_changes_either_counts(stripe, opened, settings, mine):
    stripe_gateway.end_session(opened.id)
    settings.STRIPE_WEBHOOK_SECRETS = mine

    assert stripe_gateway.read_event(*signed(stripe)).object_id == opened.id


def test_without_a_secret_nobody_can_be_believed(settings):
    settings.STRIPE_WEBHOOK_SECRETS = []

    with pytest.raises(NoWebhookSecret):
        stripe_gateway.read_event(b"{}", "t=1,v1=x")


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[]"])
def test_a_body_that_is_no_event_is_a_stranger_too(stripe, body):
    with pytest.raises(BadSignature):
        stripe_gateway.read_event(body, "t=1,v1=x")


# --- when Stripe is away --------------------------------------------------------------------------


def test_a_broken_line_is_tried_once_more(stripe, wish):
    stripe.faults.reset(SESSIONS, times=1)

    assert stripe_gateway.open_session(wish.params(), key=wish.key).can_be_paid


@pytest.mark.parametrize("fault", ["rate_limit", "reset", "lose_answer"])
def test_what_nobody_knows_may_be_asked_again_with_the_same_key(stripe, wish, fault):
    getattr(stripe.faults, fault)(SESSIONS, times=2)

    with pytest.raises(PaymentsAway) as away:
        stripe_gateway.open_session(wish.params(), key=wish.key)
        stripe_gateway.open_session(wish.params(), key=wish.key)

    assert not away.value.spoiled


def test_a_server_error_is_kept_under_its_key(stripe, wish):
    stripe.faults.server_error(SESSIONS)

    for _ in range(2):
        with pytest.raises(PaymentsAway) as away:
            stripe_gateway.open_session(wish.params(), key=wish.key)
        assert away.value.spoiled


def test_a_session_nobody_knows_is_a_refusal_with_its_code(stripe):
    with pytest.raises(PaymentsRefused) as refused:
        stripe_gateway.read_session("cs_test_nobody")

    assert refused.value.code == "resource_missing"


def test_without_a_key_nobody_is_asked(stripe, settings):
    settings.STRIPE_SECRET_KEY = ""

    with pytest.raises(PaymentsRefused):
        stripe_gateway.read_session("cs_test_1")
    assert stripe.requests == []


def test_a_double_press_gets_the_first_ones_answer(stripe, wish):
    stripe.faults.delay(0.8, SESSIONS)
    found = []

    def press() -> None:
        found.append(stripe_gateway.open_session(wish.params(), key=wish.key).id)

    presses = [threading.Thread(target=press) for _ in range(2)]
    for each in presses:
        each.start()
    for each in presses:
        each.join()

    assert found == [stripe.sessions[0]["id"]] * 2


def test_a_silent_stripe_holds_only_some_threads_up(stripe, monkeypatch):
    """Whoever finds all places taken is told so soon, instead of waiting as well."""
    monkeypatch.setattr(stripe_gateway, "PATIENCE", 0.05)
    stripe.faults.delay(1.5, SESSION, times=None)
    waiting = [
        threading.Thread(target=ask, args=("cs_test_1",)) for _ in range(stripe_gateway.AT_ONCE)
    ]
    for each in waiting:
        each.start()
    while len(stripe.requests) < len(waiting):
        time.sleep(0.01)

    with pytest.raises(PaymentsAway):
        stripe_gateway.read_session("cs_test_1")

    assert len(stripe.requests) == len(waiting)
    for each in waiting:
        each.join()


def ask(session_id: str) -> None:
    with pytest.raises(PaymentsRefused):
        stripe_gateway.read_session(session_id)


def test_the_longest_wait_leaves_time_for_a_page():
    connect, read = stripe_gateway.TIMEOUT
    broken = stripe_gateway.TRIES * (connect + read)

    assert stripe_gateway.PATIENCE + broken < 15


# --- what is never written down -------------------------------------------------------------------


def test_neither_keys_nor_addresses_nor_stripes_words_reach_the_logs(stripe, wish, caplog):
    caplog.set_level(logging.INFO)
    stripe.faults.refuse(402, "Your card ada@example.org sk_test_sandbox", SESSIONS, code="odd")

    with pytest.raises(PaymentsRefused) as refused:
        stripe_gateway.open_session(wish.params(), key=wish.key)

    written = caplog.text + repr(refused.value) + str(refused.value.__cause__)
    assert "odd" in caplog.text
    for secret in ("ada@example.org", stripe.api_key, "Your card"):
        assert secret not in written


def test_moments_are_in_utc(stripe, opened):
    stripe_gateway.end_session(opened.id)

    [event] = stripe_gateway.events_since(datetime(2027, 1, 1, tzinfo=UTC))

    assert event.created_at.tzinfo is UTC
