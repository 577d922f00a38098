"""The same key, the same answer (https://docs.stripe.com/api/idempotent_requests)."""

from __future__ import annotations

import threading
import time

import pytest
import stripe

from tests.sandbox.conftest import ORDER, library
from tests.stripe_sandbox import Sandbox

KEY = {"idempotency_key": "checkout-1"}
DAY = 24 * 3600
SESSIONS = "POST /v1/checkout/sessions"


def test_the_same_request_makes_one_session(sandbox, order):
    first, again = order(KEY), order(KEY)

    assert first.id == again.id
    assert len(sandbox.sessions) == 1
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"


def test_the_kept_answer_is_the_old_one(sandbox, order):
    order(KEY)
    sandbox.expire(sandbox.sessions[0]["id"])

    assert order(KEY).status == "open"


def test_other_parameters_are_refused(sandbox, order):
    order(KEY, customer_email="ada@example.com")

    with pytest.raises(stripe.IdempotencyError, match="same parameters") as caught:
        order(KEY, customer_email="bob@example.com")

    assert caught.value.http_status == 400
    assert len(sandbox.sessions) == 1


def test_another_endpoint_is_refused(client, order):
    session = order(KEY)

    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        client.v1.checkout.sessions.expire(session.id, {}, KEY)


def test_a_validation_error_is_not_kept(order):
    with pytest.raises(stripe.InvalidRequestError):
        order(KEY, nonsense=1)

    assert order(KEY).status == "open"


def test_a_refusal_of_the_work_is_kept(sandbox, client, paid):
    intent = paid()
    dispute = sandbox.open_dispute(intent)

    def refund():
        client.v1.refunds.create({"payment_intent": intent}, KEY)

    with pytest.raises(stripe.InvalidRequestError):
        refund()
    sandbox.close_dispute(dispute["id"], won=True)

    with pytest.raises(stripe.InvalidRequestError) as caught:
        refund()
    assert dict(caught.value.headers or {})["Idempotent-Replayed"] == "true"


def test_even_a_500_is_kept(sandbox, order):
    sandbox.faults.server_error(SESSIONS)

    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            order(KEY)
        assert caught.value.http_status == 500
    assert sandbox.sessions == []
    assert order({"idempotency_key": "checkout-2"}).status == "open"


def test_a_429_is_not_kept(sandbox, order):
    sandbox.faults.rate_limit(SESSIONS)

    with pytest.raises(stripe.RateLimitError):
        order(KEY)

    assert order(KEY).status == "open"


def test_the_same_key_at_the_same_moment_is_a_conflict(sandbox, order):
    sandbox.faults.delay(0.4, SESSIONS)
    first = threading.Thread(target=order, args=(KEY,))
    first.start()
    while not sandbox.requests:
        time.sleep(0.01)

    with pytest.raises(stripe.APIError) as caught:
        order(KEY)
    first.join()

    assert caught.value.http_status == 409
    assert "idempotency_key_in_use" in str(caught.value.http_body)
    assert len(sandbox.sessions) == 1


def test_a_retry_after_a_lost_answer_finds_the_first_session(sandbox):
    sandbox.faults.lose_answer(SESSIONS)

    session = library(sandbox, retries=1).v1.checkout.sessions.create(ORDER)

    assert [each["id"] for each in sandbox.sessions] == [session.id]
    first, second = sandbox.requests
    assert first.idempotency_key == second.idempotency_key


def test_a_key_is_kept_for_a_day():
    with Sandbox() as sandbox:
        create = library(sandbox).v1.checkout.sessions.create
        first = create(ORDER, KEY)
        sandbox.advance(DAY - 60)
        assert create(ORDER, KEY).id == first.id

        sandbox.advance(120)

        assert create(ORDER, KEY).id != first.id


def test_a_key_has_up_to_255_characters(order):
    with pytest.raises(stripe.InvalidRequestError, match="255"):
        order({"idempotency_key": "x" * 256})


def test_reading_ignores_the_key(client, order):
    session = order()
    client.v1.checkout.sessions.retrieve(session.id, {}, KEY)
    client.v1.checkout.sessions.expire(session.id)

    assert client.v1.checkout.sessions.retrieve(session.id, {}, KEY).status == "expired"
