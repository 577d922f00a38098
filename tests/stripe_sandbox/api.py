"""From an address to what Stripe does there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache

from tests.stripe_sandbox import (
    contract,
    customers,
    disputes,
    expand,
    listing,
    payments,
    refunds,
    sessions,
    spec,
)
from tests.stripe_sandbox.account import Account
from tests.stripe_sandbox.errors import no_such, unknown_path
from tests.stripe_sandbox.spec import API_VERSION, Json

Operation = Callable[[Account, Json, str], Json]

# Events can be read for 30 days (https://docs.stripe.com/api/events).
EVENTS_KEPT = 30 * 24 * 3600


def perform(account: Account, method: str, path: str, text: str) -> Json:
    """Check a request against its operation, do the work, expand the answer."""
    template, reference = route(method, path)
    params = contract.check(method, template, text)
    paths = params.get("expand", [])
    expand.check(paths, spec.answer(method, template) or {})
    answer = OPERATIONS[method, template](account, params, reference)
    return expand.expanded(account, answer, paths)


def route(method: str, path: str) -> tuple[str, str]:
    """The template of an address and the id in it."""
    for known, template in OPERATIONS:
        match = known == method and _pattern(template).fullmatch(path)
        if match:
            return template, "".join(match.groups())
    raise unknown_path(method, path)


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "([^/]+)", template))


def _listed(kind: str, url: str) -> Operation:
    def operation(account: Account, params: Json, reference: str) -> Json:
        return listing.page(getattr(account.state, kind).values(), params, url)

    return operation


def _line_items(account: Account, params: Json, reference: str) -> Json:
    sessions.find(account, reference)
    items = account.state.line_items[reference]["items"]
    # Line items come in their own order, unlike every other list.
    url = f"/v1/checkout/sessions/{reference}/line_items"
    return listing.page(items[::-1], params, url)


def _recent_events(account: Account) -> Iterable[Json]:
    oldest = account.now - EVENTS_KEPT
    return (event for event in account.state.events.values() if event["created"] >= oldest)


def _events(account: Account, params: Json, reference: str) -> Json:
    found = _recent_events(account)
    if "delivery_success" in params:
        wanted = params["delivery_success"]
        found = (event for event in found if (event["pending_webhooks"] == 0) == wanted)
    return listing.page(found, params, "/v1/events")


def _event(account: Account, params: Json, reference: str) -> Json:
    for event in _recent_events(account):
        if event["id"] == reference:
            return event
    raise no_such("event", reference)


def _webhook_endpoints(account: Account, params: Json, reference: str) -> Json:
    endpoints: list[Json] = [
        {
            "id": endpoint.id,
            "object": "webhook_endpoint",
            "api_version": API_VERSION,
            "application": None,
            "created": account.now,
            "description": None,
            "enabled_events": list(endpoint.enabled_events),
            "livemode": False,
            "metadata": {},
            "status": endpoint.status,
            "url": endpoint.url,
        }
        for endpoint in account.endpoints
    ]
    return listing.page(endpoints, params, "/v1/webhook_endpoints")


SESSIONS, INTENTS, REFUNDS = "/v1/checkout/sessions", "/v1/payment_intents", "/v1/refunds"
ONE_SESSION = SESSIONS + "/{session}"
ONE_INTENT = INTENTS + "/{intent}"
ONE_REFUND = REFUNDS + "/{refund}"

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", SESSIONS): lambda account, params, _: sessions.create(account, params),
    ("GET", SESSIONS): _listed("sessions", SESSIONS),
    ("GET", ONE_SESSION): lambda account, _, reference: sessions.find(account, reference),
    ("POST", ONE_SESSION): lambda account, params, ref: sessions.update(account, ref, params),
    ("POST", ONE_SESSION + "/expire"): lambda account, _, ref: sessions.expire(account, ref),
    ("GET", ONE_SESSION + "/line_items"): _line_items,
    ("GET", INTENTS): _listed("intents", INTENTS),
    ("GET", ONE_INTENT): lambda account, _, ref: payments.find_intent(account, ref),
    ("POST", ONE_INTENT + "/cancel"): lambda account, _, ref: payments.cancel_intent(account, ref),
    ("POST", ONE_INTENT + "/capture"): (
        lambda account, _, ref: payments.capture_intent(account, ref)
    ),
    ("GET", "/v1/charges"): _listed("charges", "/v1/charges"),
    ("GET", "/v1/charges/{charge}"): lambda account, _, ref: payments.find_charge(account, ref),
    ("POST", REFUNDS): lambda account, params, _: refunds.create(account, params),
    ("GET", REFUNDS): _listed("refunds", REFUNDS),
    ("GET", ONE_REFUND): lambda account, _, ref: refunds.find(account, ref),
    ("POST", ONE_REFUND): lambda account, params, ref: refunds.update(account, ref, params),
    ("POST", ONE_REFUND + "/cancel"): lambda account, _, ref: refunds.cancel(account, ref),
    ("GET", "/v1/disputes/{dispute}"): lambda account, _, ref: disputes.find(account, ref),
    ("POST", "/v1/customers"): lambda account, params, _: customers.create(account, params),
    ("GET", "/v1/customers/{customer}"): lambda account, _, ref: customers.find(account, ref),
    ("GET", "/v1/events"): _events,
    ("GET", "/v1/events/{id}"): _event,
    ("GET", "/v1/webhook_endpoints"): _webhook_endpoints,
}

# A typo in a template would otherwise only show as 404.
assert all(spec.operation(method, template) for method, template in OPERATIONS)
