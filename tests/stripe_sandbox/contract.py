"""Reads a request's form or query, and refuses what Stripe would refuse.

The library checks nothing on its own side: a misspelt parameter reaches Stripe and comes back as
400 (https://docs.stripe.com/error-codes). Here it does too, judged by Stripe's own description.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from tests.stripe_sandbox import spec
from tests.stripe_sandbox.errors import StripeError, missing
from tests.stripe_sandbox.spec import Json

# https://docs.stripe.com/metadata
METADATA_KEYS, METADATA_KEY_LENGTH, METADATA_VALUE_LENGTH = 50, 40, 500

METHOD_TYPES_GONE = "payment_method_types_no_longer_supported"


def read(text: str) -> Json:
    """Nest `a[b][0][c]=d` and `a[]=b`; lists are still objects with numbers for keys."""
    tree: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, *rest = re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name) or [name]
        branch = tree
        for step in rest:
            deeper = branch.setdefault(first, {})
            if not isinstance(deeper, dict):
                raise StripeError(f"Invalid object: {first}", param=first)
            branch, first = deeper, step or str(len(deeper))
        branch[first] = value
    return tree


def check(method: str, template: str, text: str) -> Json:
    """The parameters of a request in their real types, or the error Stripe answers with."""
    tree = read(text)
    if "payment_method_types" in tree:
        # Gone since 2026-09-30.endive; that Checkout answers with the code documented for
        # PaymentIntents is an assumption.
        raise StripeError(
            "The payment_method_types parameter is no longer supported. Manage payment methods "
            "in the Dashboard, or use allowed_payment_method_types or "
            "excluded_payment_method_types.",
            code=METHOD_TYPES_GONE,
            param="payment_method_types",
        )
    checked: Json = _convert(tree, spec.parameters(method, template), "")
    return checked


def _convert(value: Any, part: Json, name: str) -> Any:
    part = spec.resolve(part)
    if "anyOf" in part:
        return _any_of(value, part["anyOf"], name)
    if value == "" and "" not in part.get("enum", ()):
        raise _empty(name)
    return CONVERTERS[part["type"]](value, part, name)


def _any_of(value: Any, choices: list[Json], name: str) -> Any:
    """The first choice that fits; if none does, the error of the one that looks most alike."""
    errors = []
    for choice in choices:
        try:
            return _convert(value, choice, name)
        except StripeError as error:
            errors.append((_looks_like(value, choice), error))
    raise max(errors, key=lambda pair: pair[0])[1]


def _looks_like(value: Any, part: Json) -> bool:
    return isinstance(value, dict) == (part["type"] in ("object", "array"))


def _object(value: Any, part: Json, name: str) -> Json:
    if not isinstance(value, dict):
        raise StripeError("Invalid object", param=name)
    known = part.get("properties")
    if known is None:
        return _free_object(value, part, name)
    for key in value:
        if key not in known:
            raise _unknown(_inside(name, key))
    for key in part.get("required", ()):
        if key not in value:
            raise missing(_inside(name, key))
    return {key: _convert(value[key], known[key], _inside(name, key)) for key in value}


def _free_object(value: Json, part: Json, name: str) -> Json:
    """An object with keys of the merchant's own: metadata."""
    if not isinstance(part.get("additionalProperties"), dict):
        raise _unknown(name)
    if len(value) > METADATA_KEYS:
        raise StripeError(f"You can have up to {METADATA_KEYS} metadata keys.", param=name)
    for key, text in value.items():
        if not isinstance(text, str):
            raise StripeError(f"Metadata values must be strings: {key}", param=name)
        if len(key) > METADATA_KEY_LENGTH or len(text) > METADATA_VALUE_LENGTH:
            raise StripeError(
                f"Metadata keys have up to {METADATA_KEY_LENGTH} characters, values up to "
                f"{METADATA_VALUE_LENGTH}: '{key}' is too long.",
                param=_inside(name, key),
            )
    return dict(value)


def _array(value: Any, part: Json, name: str) -> list[Any]:
    if not isinstance(value, dict) or not all(key.isdigit() for key in value):
        raise StripeError("Invalid array", param=name)
    indexes = sorted(value, key=int)
    return [_convert(value[index], part["items"], f"{name}[{index}]") for index in indexes]


def _string(value: Any, part: Json, name: str) -> str:
    if not isinstance(value, str):
        raise StripeError("Invalid string", param=name)
    choices = part.get("enum")
    if choices and value not in choices:
        listed = ", ".join(choice for choice in choices if choice)
        raise StripeError(f"Invalid {name}: must be one of {listed}", param=name)
    length = part.get("maxLength")
    if length and len(value) > length:
        raise StripeError(
            f"Invalid string: {value[:10]}...; must be at most {length} characters", param=name
        )
    return value


def _integer(value: Any, part: Json, name: str) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,18}", value, re.ASCII):
        raise StripeError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    return int(value)


def _number(value: Any, part: Json, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise StripeError(f"Invalid decimal: {value}", param=name) from None


def _boolean(value: Any, part: Json, name: str) -> bool:
    if value not in ("true", "false"):
        raise StripeError(f"Invalid boolean: {value}", param=name)
    return bool(value == "true")


CONVERTERS = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}


def _inside(name: str, key: str) -> str:
    return f"{name}[{key}]" if name else key


def _unknown(name: str) -> StripeError:
    return StripeError(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)


def _empty(name: str) -> StripeError:
    return StripeError(
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset "
        f"a parameter; however '{name}' cannot be unset. You should remove '{name}' from your "
        "request or supply a non-empty value.",
        code="parameter_invalid_empty",
        param=name,
    )
