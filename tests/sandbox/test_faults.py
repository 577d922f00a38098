"""What can be made to go wrong, and what the library makes of it."""

from __future__ import annotations

import time

import pytest
import stripe

from tests.sandbox.conftest import ORDER, library
from tests.stripe_sandbox import Sandbox, server

SESSIONS = "POST /v1/checkout/sessions"


def test_a_reset_connection_made_nothing(sandbox, order):
    sandbox.faults.reset(SESSIONS)

    with pytest.raises(stripe.APIConnectionError):
        order()

    assert sandbox.sessions == []
    assert order().status == "open"


def test_a_lost_answer_made_a_session(sandbox, order):
    sandbox.faults.lose_answer(SESSIONS)

    with pytest.raises(stripe.APIConnectionError):
        order()

    assert len(sandbox.sessions) == 1
    assert sandbox.requests[0].status == 200  # answered, never heard


@pytest.mark.parametrize(("after", "made"), [(False, 0), (True, 1)])
def test_silence_ends_when_the_client_gives_up(sandbox, after, made):
    sandbox.faults.silence(SESSIONS, after=after)

    with pytest.raises(stripe.APIConnectionError):
        library(sandbox, patience=0.3).v1.checkout.sessions.create(ORDER)

    assert len(sandbox.sessions) == made


def test_the_sandbox_stops_although_somebody_waits():
    with Sandbox() as sandbox:
        sandbox.faults.silence(times=None)
        with pytest.raises(stripe.APIConnectionError):
            library(sandbox, patience=0.1).v1.checkout.sessions.create(ORDER)


@pytest.mark.parametrize("after", [False, True])
def test_a_slow_answer_is_still_an_answer(sandbox, order, after):
    sandbox.faults.delay(0.2, SESSIONS, after=after)
    begun = time.monotonic()

    assert order().status == "open"
    assert time.monotonic() - begun >= 0.2


@pytest.mark.parametrize(("after", "made"), [(False, 0), (True, 1)])
def test_a_500_comes_instead_of_the_work_or_after_it(sandbox, order, after, made):
    sandbox.faults.server_error(SESSIONS, after=after)

    with pytest.raises(stripe.APIError):
        order()

    assert len(sandbox.sessions) == made


def test_a_restricted_key_may_lack_a_right(sandbox, client):
    sandbox.faults.refuse(403, "The provided key does not have the required permissions.")

    with pytest.raises(stripe.PermissionError):
        client.v1.refunds.list()


def test_a_fault_meets_what_it_names_as_often_as_it_says(sandbox, client, order):
    sandbox.faults.rate_limit("GET /v1/checkout/sessions/*", times=2)
    session = order()

    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            client.v1.checkout.sessions.retrieve(session.id)
    assert client.v1.checkout.sessions.retrieve(session.id).id == session.id


def test_a_fault_can_last_until_it_is_cleared(sandbox, client):
    sandbox.faults.server_error(times=None)
    for _ in range(3):
        with pytest.raises(stripe.APIError):
            client.v1.refunds.list()

    sandbox.faults.clear()

    assert client.v1.refunds.list().data == []


def test_the_library_tries_again_with_the_same_key(sandbox):
    sandbox.faults.reset(SESSIONS)

    library(sandbox, retries=1).v1.checkout.sessions.create(ORDER)

    first, second = sandbox.requests
    assert first.idempotency_key == second.idempotency_key
    assert (first.status, second.status) == (0, 200)


def test_the_log_tells_what_was_asked(sandbox, client, order):
    session = order({"idempotency_key": "k-1"}, customer_email="ada@example.com")
    client.v1.checkout.sessions.retrieve(session.id)

    created, read = sandbox.requests
    assert (created.method, created.path) == ("POST", "/v1/checkout/sessions")
    assert (created.idempotency_key, created.params["customer_email"]) == ("k-1", "ada@example.com")
    assert (read.method, read.idempotency_key) == ("GET", None)
    assert created.at <= read.at <= sandbox.now


def test_reset_forgets_all_but_the_endpoints(sandbox, client, receiver, paid):
    paid()
    sandbox.faults.server_error(times=None)
    sandbox.advance(100)
    sandbox.reset()

    assert (sandbox.sessions, sandbox.events, sandbox.requests, sandbox.pending) == ([], [], [], [])
    assert client.v1.webhook_endpoints.list().data[0].url == receiver.url


def test_it_listens_on_the_loopback_address_only(monkeypatch):
    monkeypatch.setattr(server, "HOME", "0.0.0.0")

    with pytest.raises(ValueError, match="loopback"):
        Sandbox().start()
