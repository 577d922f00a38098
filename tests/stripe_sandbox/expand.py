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


def check(paths: list[str], answer: Json) -> None:
    """Refuse what this answer's schema cannot expand, before any work is done."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > DEEPEST:
            raise StripeError(f"You can only expand {DEEPEST} levels: {path}", param="expand")
        part = spec.resolve(answer)
        for step in steps:
            inner = _inside(part, step)
            if inner is None or (step == "data" and step is steps[-1]):
                raise StripeError(f"This property cannot be expanded ({path}).", param="expand")
            part = spec.resolve(inner)


def _inside(part: Json, name: str) -> Json | None:
    """The schema behind an id, of a list that is left out at first, or of a list's items."""
    if "x-list-of" in part:
        listed: Json = part["x-list-of"]
        return listed if name == "data" else None
    found: Json = part.get("properties", {}).get(name, {})
    if name == "data" and found.get("type") == "array":
        items: Json = found["items"]
        return items
    if "x-list-of" in found:
        return found
    choices: list[Json] = found.get("anyOf", [])
    behind = [choice for choice in choices if choice.get("type") != "string"]
    return behind[0] if len(behind) < len(choices) else None


def expanded(account: Account, answer: Json, paths: list[str]) -> Json:
    answer = copy.deepcopy(answer)
    for path in paths:
        _expand(account, answer, path.split("."))
    return answer


def _expand(account: Account, found: Json, steps: list[str]) -> None:
    name, *rest = steps
    if found["object"] == "list":
        for item in found["data"]:
            _expand(account, item, rest)
        return
    found[name] = _related(account, found, name)
    if rest and found[name] is not None:
        _expand(account, found[name], rest)


def _related(account: Account, found: Json, name: str) -> Json | None:
    if (found["object"], name) == ("checkout.session", "line_items"):
        items = account.state.line_items[found["id"]]["items"]
        return _list(items, f"/v1/checkout/sessions/{found['id']}/line_items")
    if (found["object"], name) == ("charge", "refunds"):
        refunds = [each for each in account.state.refunds.values() if each["charge"] == found["id"]]
        return _list(refunds[::-1], f"/v1/charges/{found['id']}/refunds")
    value = found.get(name)
    if value is None or isinstance(value, dict):
        return value
    if name not in KEPT_IN:
        raise StripeError(f"The sandbox keeps nothing to expand as {name}.", param="expand")
    related: Json = copy.deepcopy(getattr(account.state, KEPT_IN[name])[value])
    return related


def _list(items: list[Json], url: str) -> Json:
    return {"object": "list", "data": copy.deepcopy(items), "has_more": False, "url": url}
