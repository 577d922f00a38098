"""Replaces ids in an answer by what they stand for (https://docs.stripe.com/expand)."""

from __future__ import annotations

import copy

from tests.stripe_sandbox import spec
from tests.stripe_sandbox.account import Account
from tests.stripe_sandbox.errors import StripeError
from tests.stripe_sandbox.spec import Json

DEEPEST = 4
KEPT_IN = {
    "payment_intent": "intents",
    "latest_charge": "charges",
    "charge": "charges",
    "customer": "customers",
}


def expanded(account: Account, answer: Json, paths: list[str]) -> Json:
    answer = copy.deepcopy(answer)
    for path in paths:
        steps = path.split(".")
        if len(steps) > DEEPEST:
            raise StripeError(f"You can only expand {DEEPEST} levels: {path}", param="expand")
        _expand(account, answer, steps, path)
    return answer


def _expand(account: Account, found: Json, steps: list[str], path: str) -> None:
    name, *rest = steps
    if found["object"] == "list":
        if name != "data" or not rest:
            raise _cannot(path)
        for item in found["data"]:
            _expand(account, item, rest, path)
        return
    found[name] = _related(account, found, name, path)
    if rest and found[name] is not None:
        _expand(account, found[name], rest, path)


def _related(account: Account, found: Json, name: str, path: str) -> Json | None:
    if (found["object"], name) == ("checkout.session", "line_items"):
        items = account.state.line_items[found["id"]]["items"]
        return _list(items, f"/v1/checkout/sessions/{found['id']}/line_items")
    if (found["object"], name) == ("charge", "refunds"):
        refunds = [each for each in account.state.refunds.values() if each["charge"] == found["id"]]
        return _list(refunds[::-1], f"/v1/charges/{found['id']}/refunds")
    if not _is_reference(found["object"], name):
        raise _cannot(path)
    value = found.get(name)
    if value is None or isinstance(value, dict):
        return value
    if name not in KEPT_IN:
        raise StripeError(f"The sandbox keeps nothing to expand as {path}.", param="expand")
    related: Json = copy.deepcopy(getattr(account.state, KEPT_IN[name])[value])
    return related


def _is_reference(kind: str, name: str) -> bool:
    known = spec.document()["components"]["schemas"].get(kind, {}).get("properties", {})
    return {"type": "string"} in known.get(name, {}).get("anyOf", [])


def _list(items: list[Json], url: str) -> Json:
    return {"object": "list", "data": copy.deepcopy(items), "has_more": False, "url": url}


def _cannot(path: str) -> StripeError:
    return StripeError(f"This property cannot be expanded ({path}).", param="expand")
