"""Lists, newest first, a page at a time (https://docs.stripe.com/api/pagination)."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable

from tests.stripe_sandbox import spec
from tests.stripe_sandbox.errors import StripeError
from tests.stripe_sandbox.spec import Json

Fits = Callable[[Json], bool]

USUAL, MOST = 10, 100
MOST_TYPES = 20
# Parameters that compare with a field of the same name.
PLAIN = ("charge", "customer", "payment_intent", "status", "subscription", "payment_link")
COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "gt": lambda value, limit: value > limit,
    "gte": lambda value, limit: value >= limit,
    "lt": lambda value, limit: value < limit,
    "lte": lambda value, limit: value <= limit,
}


def page(objects: Iterable[Json], params: Json, url: str) -> Json:
    """One page of these objects, given oldest first."""
    newest_first = list(objects)[::-1]
    limit = _limit(params)
    fits = filter_for(params)
    if "ending_before" in params:
        before = newest_first[: _position(newest_first, params, "ending_before")]
        found = [each for each in before if fits(each)]
        shown, has_more = found[-limit:], len(found) > limit
    else:
        start = 0
        if "starting_after" in params:
            start = _position(newest_first, params, "starting_after") + 1
        found = [each for each in newest_first[start:] if fits(each)]
        shown, has_more = found[:limit], len(found) > limit
    return {"object": "list", "data": shown, "has_more": has_more, "url": url}


def filter_for(params: Json) -> Fits:
    tests = [*_plain(params), *_created(params), *_customer_email(params), *_types(params)]
    return lambda each: all(fits(each) for fits in tests)


def _limit(params: Json) -> int:
    limit: int = params.get("limit", USUAL)
    if not 1 <= limit <= MOST:
        raise StripeError(
            f"Invalid limit: must be between 1 and {MOST}.",
            code="parameter_invalid_integer",
            param="limit",
        )
    if "starting_after" in params and "ending_before" in params:
        raise StripeError("You may only specify one of: ending_before, starting_after.")
    return limit


def _position(objects: list[Json], params: Json, name: str) -> int:
    for position, each in enumerate(objects):
        if each["id"] == params[name]:
            return position
    raise StripeError(f"No such object: '{params[name]}'", code="resource_missing", param=name)


def _plain(params: Json) -> Iterable[Fits]:
    return [_equals(name, params[name]) for name in PLAIN if name in params]


def _equals(name: str, wanted: object) -> Fits:
    return lambda each: bool(each.get(name) == wanted)


def _created(params: Json) -> Iterable[Fits]:
    asked = params.get("created", {})
    if isinstance(asked, int):
        return [_equals("created", asked)]
    return [_compares(COMPARISONS[name], limit) for name, limit in asked.items()]


def _compares(compare: Callable[[int, int], bool], limit: int) -> Fits:
    return lambda each: compare(each["created"], limit)


def _customer_email(params: Json) -> Iterable[Fits]:
    if "customer_details" in params:
        wanted = params["customer_details"]["email"]
        yield lambda each: (each["customer_details"] or {}).get("email") == wanted


def _types(params: Json) -> Iterable[Fits]:
    if "type" in params and "types" in params:
        raise StripeError("You may only specify one of these parameters: type, types.")
    wanted = params.get("types") or ([params["type"]] if "type" in params else [])
    if len(wanted) > MOST_TYPES:
        raise StripeError(f"You can list up to {MOST_TYPES} types.", param="types")
    for name in wanted:
        if not fnmatch.filter(spec.document()["x-all-event-types"], name):
            raise StripeError(f"Invalid event type: {name}", param="types")
    if wanted:
        yield lambda each: any(fnmatch.fnmatchcase(each["type"], name) for name in wanted)
