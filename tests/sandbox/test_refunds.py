"""Money going back, and money taken back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from tests.stripe_sandbox.errors import StripeError


@pytest.fixture
def refund(client):
    def create(**params):
        return client.v1.refunds.create(params)

    return create


def latest_types(sandbox, count):
    return [event["type"] for event in sandbox.events[-count:]]


def test_a_whole_payment_goes_back(sandbox, client, refund, paid):
    intent = paid()

    made = refund(payment_intent=intent, reason="requested_by_customer", metadata={"b": "1"})

    assert (made.status, made.amount, made.reason) == ("succeeded", 15000, "requested_by_customer")
    charge = client.v1.charges.retrieve(made.charge)
    assert (charge.refunded, charge.amount_refunded) == (True, 15000)
    assert latest_types(sandbox, 2) == ["charge.refunded", "refund.created"]


def test_a_session_stays_paid_after_its_refund(sandbox, client, refund, order):
    session = order()
    refund(payment_intent=sandbox.pay(session.id)["payment_intent"])

    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_a_charge_can_be_named_instead(sandbox, refund, paid):
    paid()

    assert refund(charge=sandbox.charges[0]["id"]).amount == 15000


def test_parts_go_back_until_nothing_is_left(client, refund, paid):
    intent = paid()
    part = refund(payment_intent=intent, amount=5000)
    assert client.v1.charges.retrieve(part.charge).refunded is False
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        refund(payment_intent=intent, amount=10001)

    refund(payment_intent=intent)

    with pytest.raises(stripe.InvalidRequestError) as caught:
        refund(payment_intent=intent)
    assert caught.value.code == "charge_already_refunded"


def test_two_at_the_same_moment_give_back_once(sandbox, refund, paid):
    intent = paid()

    def attempt(_):
        try:
            return refund(payment_intent=intent).status
        except stripe.InvalidRequestError as error:
            return error.code

    with ThreadPoolExecutor(4) as pool:
        ends = sorted(pool.map(attempt, range(4)))

    assert ends == ["charge_already_refunded"] * 3 + ["succeeded"]
    assert sandbox.charges[0]["amount_refunded"] == 15000


def test_nothing_cannot_go_back(refund, paid):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        refund(payment_intent=paid(), amount=0)

    assert caught.value.param == "amount"


def test_a_refund_names_a_payment(refund):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        refund(amount=100)

    assert caught.value.code == "parameter_missing"


def test_an_unknown_payment_is_a_wrong_parameter(refund):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        refund(payment_intent="pi_unknown")

    assert (caught.value.http_status, caught.value.code) == (400, "resource_missing")


def test_what_was_never_paid_does_not_go_back(sandbox, refund, order):
    intent = sandbox.decline(order().id)["payment_intent"]

    with pytest.raises(stripe.InvalidRequestError, match="successful charge"):
        refund(payment_intent=intent)


def test_refunds_are_listed_by_payment(client, refund, paid):
    first, second = paid(), paid()
    made = [refund(payment_intent=first, amount=100).id for _ in range(2)]
    refund(payment_intent=second)

    listed = client.v1.refunds.list({"payment_intent": first})

    assert [each.id for each in listed.data] == made[::-1]


def test_a_held_refund_arrives_later(sandbox, client, refund, paid):
    sandbox.faults.hold_refunds()
    held = refund(payment_intent=paid())
    sandbox.refund_succeeds(held.id)

    assert (held.status, held.pending_reason) == ("pending", "insufficient_funds")
    assert client.v1.refunds.retrieve(held.id).status == "succeeded"
    assert latest_types(sandbox, 2) == ["refund.updated", "charge.refund.updated"]


@pytest.mark.parametrize("before", ["pending", "succeeded"])
def test_a_refund_can_fail_and_the_money_is_back(sandbox, client, refund, paid, before):
    intent = paid()
    sandbox.faults.hold_refunds(before)
    made = refund(payment_intent=intent)
    sandbox.refund_fails(made.id)

    found = client.v1.refunds.retrieve(made.id, {"expand": ["charge"]})
    assert (found.status, found.failure_reason) == ("failed", "expired_or_canceled_card")
    assert (found.charge.refunded, found.charge.amount_refunded) == (False, 0)
    assert sandbox.event("refund.failed")["data"]["object"]["id"] == made.id
    with pytest.raises(StripeError, match="already failed"):
        sandbox.refund_fails(made.id)


def test_only_a_refund_that_waits_for_the_customer_is_cancelled(sandbox, client, refund, paid):
    done = refund(payment_intent=paid())
    sandbox.faults.hold_refunds("requires_action")
    waiting = refund(payment_intent=paid())

    assert client.v1.refunds.cancel(waiting.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.cancel(done.id)


@pytest.mark.parametrize("code", ["insufficient_funds", "charge_disputed"])
def test_refunds_can_be_refused(sandbox, refund, paid, code):
    intent = paid()
    sandbox.faults.refuse_refunds(code)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        refund(payment_intent=intent)
    sandbox.faults.allow_refunds()

    assert caught.value.code == code
    assert refund(payment_intent=intent).status == "succeeded"


def test_a_refund_in_the_dashboard_arrives_as_events(sandbox, client, paid):
    intent = paid()
    sandbox.dashboard_refund(intent, 5000)

    event = client.v1.events.list({"type": "charge.refunded"}).data[0]

    assert event.data.object.amount_refunded == 5000
    assert event.data.previous_attributes.amount_refunded == 0
    assert event.request.id is None


def test_a_dispute_blocks_refunds(sandbox, client, refund, paid):
    intent = paid()
    dispute = sandbox.open_dispute(intent)

    with pytest.raises(stripe.InvalidRequestError) as caught:
        refund(payment_intent=intent)

    assert caught.value.code == "charge_disputed"
    found = client.v1.disputes.retrieve(dispute["id"], {"expand": ["charge"]})
    assert (found.status, found.charge.disputed) == ("needs_response", True)
    assert found.evidence_details.due_by > sandbox.now
    assert "charge.dispute.created" in latest_types(sandbox, 2)


@pytest.mark.parametrize(("won", "status"), [(True, "won"), (False, "lost")])
def test_a_dispute_is_won_or_lost(sandbox, client, paid, won, status):
    dispute = sandbox.open_dispute(paid())
    sandbox.close_dispute(dispute["id"], won=won)

    assert client.v1.disputes.retrieve(dispute["id"]).status == status
    assert sandbox.event("charge.dispute.closed")["data"]["object"]["status"] == status
    with pytest.raises(StripeError, match="already closed"):
        sandbox.close_dispute(dispute["id"])


def test_a_refund_may_have_new_metadata(client, refund, paid):
    made = refund(payment_intent=paid(), metadata={"a": "1"})
    changed = client.v1.refunds.update(made.id, {"metadata": {"b": "2"}})

    assert changed.metadata.to_dict() == {"a": "1", "b": "2"}
