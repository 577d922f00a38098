"""Events: listed, signed, delivered, repeated, lost."""

from __future__ import annotations

import threading
import time

import pytest
import stripe

from tests.sandbox.conftest import ORDER, library
from tests.sandbox.receiver import receive
from tests.stripe_sandbox import Answer, Sandbox

SECRET = "whsec_sandbox"
COMPLETED = "checkout.session.completed"


@pytest.fixture
def completed(sandbox, receiver, paid):
    """The event of a paid session, not yet delivered."""
    paid()
    (event,) = sandbox.pending
    return event


def test_a_delivered_event_is_signed_and_complete(sandbox, receiver, completed):
    answer = sandbox.deliver(completed)

    event = receiver.event(SECRET)
    assert (answer.ok, sandbox.pending) == (True, [])
    assert (event.id, event.type, event.livemode) == (completed["id"], COMPLETED, False)
    assert event.api_version == stripe.api_version
    assert event.data.object.payment_status == "paid"
    assert event.pending_webhooks == 1


def test_only_what_was_subscribed_is_delivered(sandbox, completed):
    assert [event["type"] for event in sandbox.events if event["type"] != COMPLETED]
    assert [event["type"] for event in sandbox.pending] == [COMPLETED]


def test_an_endpoint_may_want_everything(sandbox, receiver, paid):
    sandbox.listen(receiver.url, events=["*"])
    paid()

    assert len(sandbox.deliver_pending()) == len(sandbox.events) == 4


@pytest.mark.parametrize("status", [301, 400, 500])
def test_what_is_not_answered_with_2xx_stays_pending(sandbox, receiver, completed, status):
    receiver.answers = [status]

    assert sandbox.deliver(completed).status == status
    assert sandbox.pending == [completed]
    assert len(receiver.got) == 1  # no redirect was followed


def test_an_endpoint_that_is_gone_is_no_answer(sandbox, paid):
    sandbox.listen("http://127.0.0.1:1/stripe/webhook/")
    paid()

    assert sandbox.deliver(sandbox.pending[0]).status == 0


def test_events_can_be_repeated_and_reordered(sandbox, receiver, order):
    sandbox.listen(receiver.url, events=["*"])
    sandbox.pay(order().id)
    last, *others = sandbox.pending[::-1]

    for event in (last, *others, last):
        sandbox.deliver(event)

    got = [receiver.event(SECRET, number).id for number in range(5)]
    assert got == [event["id"] for event in (last, *others, last)]


def test_an_event_can_be_delivered_many_times_at_once(sandbox, receiver, completed):
    answers = sandbox.deliver_together([completed] * 5)

    assert [answer.status for answer in answers] == [200] * 5
    assert len(receiver.got) == 5
    assert sandbox.events[-1]["pending_webhooks"] == 0


def test_a_dropped_event_is_only_in_the_list(sandbox, client, completed):
    sandbox.drop(completed)

    assert sandbox.pending == []
    assert completed["id"] in [event.id for event in client.v1.events.list().data]
    undelivered = client.v1.events.list({"delivery_success": False}).data
    assert [event.id for event in undelivered] == [completed["id"]]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"secrets": ["whsec_forged"]}, "No signatures found matching"),
        ({"age": 301}, "tolerance"),
        ({"header": "nonsense"}, "Unable to extract"),
        ({"header": ""}, "No Stripe-Signature"),
    ],
)
def test_a_forged_or_old_signature_is_noticed(sandbox, receiver, completed, how, why):
    sandbox.deliver(completed, **how)

    with pytest.raises(stripe.SignatureVerificationError, match=why):
        receiver.event(SECRET)


def test_while_a_secret_is_rolled_both_fit(sandbox, receiver, completed):
    sandbox.deliver(completed, secrets=["whsec_old", "whsec_new"])

    assert receiver.event("whsec_old").id == receiver.event("whsec_new").id


def test_a_moved_clock_does_not_spoil_the_signature(sandbox, receiver, completed):
    sandbox.advance(3600)
    sandbox.deliver(completed)

    assert receiver.event(SECRET).id == completed["id"]


def test_a_function_can_stand_for_the_network(sandbox, completed):
    sent = []

    def send(url, body, headers):
        sent.append(stripe.Webhook.construct_event(body, headers["Stripe-Signature"], SECRET))
        return Answer(204)

    sandbox.send_with(send)

    assert sandbox.deliver(completed).ok
    assert sent[0].id == completed["id"]


@pytest.mark.parametrize(
    "url", ["http://praxis.example/", "https://localhost/", "http://127.0.0.1.praxis.example/"]
)
def test_made_up_events_stay_on_this_machine(sandbox, url):
    with pytest.raises(ValueError, match="on this machine"):
        sandbox.listen(url)


def test_events_are_listed_by_type_and_time(sandbox, client, paid, order):
    paid()
    sandbox.expire(order().id)

    def types(**params):
        return [event.type for event in client.v1.events.list(params).data]

    assert types()[:2] == ["checkout.session.expired", COMPLETED]
    assert types(type=COMPLETED) == [COMPLETED]
    assert types(types=[COMPLETED, "charge.succeeded"]) == [COMPLETED, "charge.succeeded"]
    assert types(type="checkout.*") == ["checkout.session.expired", COMPLETED]
    assert types(created={"gte": int(sandbox.now) + 60}) == []
    with pytest.raises(stripe.InvalidRequestError):
        types(type="checkout.session.payed")
    with pytest.raises(stripe.InvalidRequestError):
        types(type=COMPLETED, types=[COMPLETED])


def test_an_event_shows_the_object_as_it_was(sandbox, client, order):
    session = order()
    sandbox.pay(session.id)
    client.v1.checkout.sessions.update(session.id, {"metadata": {"a": "1"}})

    event = client.v1.events.retrieve(sandbox.event(COMPLETED)["id"])

    assert event.data.object.metadata.to_dict() == {}


def test_events_are_forgotten_after_30_days(sandbox, client, paid):
    paid()
    event = sandbox.event(COMPLETED)
    sandbox.advance(31 * 24 * 3600)

    assert client.v1.events.list().data == []
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.events.retrieve(event["id"])


def test_an_event_names_the_request_behind_it(sandbox, client, order):
    session = client.v1.checkout.sessions.expire(order().id, {}, {"idempotency_key": "k-1"})

    event = sandbox.event("checkout.session.expired")

    assert event["request"]["id"] == session.last_response.request_id
    assert event["request"]["idempotency_key"] == "k-1"


def test_the_endpoints_are_listed(client, receiver):
    (endpoint,) = client.v1.webhook_endpoints.list().data

    assert (endpoint.url, endpoint.status) == (receiver.url, "enabled")
    assert endpoint.api_version == stripe.api_version
    assert COMPLETED in endpoint.enabled_events


def test_the_thread_delivers_and_tries_again():
    with (
        receive() as receiver,
        Sandbox(mode="automatic", webhook_url=receiver.url, retry_after=(0.05, 0.05)) as sandbox,
    ):
        receiver.answers = [500, 301]
        session = library(sandbox).v1.checkout.sessions.create(ORDER)
        sandbox.pay(session.id)
        receiver.wait_for(3)

        assert {receiver.event(SECRET, number).type for number in range(3)} == {COMPLETED}
        until(lambda: sandbox.pending == [])
        assert sandbox.deliveries[0]["answers"] == [500, 301, 200]


def test_the_thread_gives_up_some_time():
    with (
        receive() as receiver,
        Sandbox(mode="automatic", webhook_url=receiver.url, retry_after=(0.01,)) as sandbox,
    ):
        receiver.answers = [500] * 9
        sandbox.pay(library(sandbox).v1.checkout.sessions.create(ORDER).id)
        until(lambda: sandbox.deliveries[0]["state"] == "failed")

        assert len(receiver.got) == 2
        receiver.answers = []
        assert sandbox.deliver(sandbox.pending[0]).ok


def test_the_thread_sees_sessions_expire():
    with receive() as receiver, Sandbox(mode="automatic", webhook_url=receiver.url) as sandbox:
        library(sandbox).v1.checkout.sessions.create(ORDER)
        # Behind the sandbox's back: only the clock moves, nobody asks.
        sandbox.account.state.clock_ahead += 25 * 3600
        receiver.wait_for(1)

        assert receiver.event(SECRET).type == "checkout.session.expired"


def test_the_payer_waits_for_the_answer_but_not_for_ever():
    with (
        receive() as receiver,
        Sandbox(mode="automatic", webhook_url=receiver.url, patience=0.3) as sandbox,
    ):
        create = library(sandbox).v1.checkout.sessions.create
        sandbox.pay_and_wait(create(ORDER).id)
        assert len(receiver.got) == 1

        receiver.hold = threading.Event()
        begun = time.monotonic()
        sandbox.pay_and_wait(create(ORDER).id)
        waited = time.monotonic() - begun
        receiver.hold.set()

        assert 0.3 <= waited < 2


def until(true, seconds=5):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
