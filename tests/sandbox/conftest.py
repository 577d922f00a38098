"""A running sandbox, the real library talking to it, and a look at everything it said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe

from tests.sandbox.receiver import Receiver, receive
from tests.stripe_sandbox import Sandbox, api, shape, spec
from tests.stripe_sandbox.errors import StripeError

ORDER: dict[str, Any] = {
    "mode": "payment",
    "success_url": "https://praxis.example/danke/?sitzung={CHECKOUT_SESSION_ID}",
    "cancel_url": "https://praxis.example/zurueck/",
    "line_items": [
        {
            "price_data": {
                "currency": "eur",
                "unit_amount": 15000,
                "product_data": {"name": "Anzahlung"},
            },
            "quantity": 1,
        }
    ],
}


def library(sandbox: Sandbox, *, key: str = "", retries: int = 0, patience: float = 4) -> Any:
    """The real library, as the site sets it up."""
    return stripe.StripeClient(
        key or sandbox.api_key,
        base_addresses={"api": sandbox.base_url},
        max_network_retries=retries,
        http_client=stripe.RequestsClient(timeout=(2, patience)),
    )


def unlike_stripe(sandbox: Sandbox) -> list[str]:
    """Where answers and objects do not fit Stripe's own schemas."""
    found = []
    for request in sandbox.requests:
        if request.status:
            found += shape.problems(request.answer, answer_schema(request), request.path)
    kinds = {
        "checkout.session": sandbox.sessions,
        "payment_intent": sandbox.intents,
        "charge": sandbox.charges,
        "refund": sandbox.refunds,
        "dispute": sandbox.disputes,
        "event": sandbox.events,
    }
    for kind, objects in kinds.items():
        for each in objects:
            found += shape.problems(each, spec.schema(kind), kind)
    for event in sandbox.events:
        about = spec.schema(spec.document()["x-events"][event["type"]])
        found += shape.problems(event["data"]["object"], about, event["type"])
    return found


def answer_schema(request) -> Any:
    if request.status != 200:
        return spec.schema("error")
    try:
        template, _ = api.route(request.method, request.path)
    except StripeError:
        return {}
    return spec.answer(request.method, template) or {"type": "object"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running
        assert unlike_stripe(running) == []


@pytest.fixture
def client(sandbox: Sandbox) -> Any:
    return library(sandbox)


@pytest.fixture
def order(client) -> Callable[..., Any]:
    """Opens a session of 150 euros."""

    def make(options: Any = None, **params: Any) -> Any:
        return client.v1.checkout.sessions.create({**ORDER, **params}, options or {})

    return make


@pytest.fixture
def paid(sandbox, order) -> Callable[[], str]:
    """Pays 150 euros; returns the PaymentIntent's id."""

    def make() -> str:
        reference: str = sandbox.pay(order().id)["payment_intent"]
        return reference

    return make


@pytest.fixture
def receiver(sandbox: Sandbox) -> Iterator[Receiver]:
    with receive() as listening:
        sandbox.listen(listening.url)
        yield listening
