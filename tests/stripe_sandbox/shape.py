"""Compares an answer with Stripe's schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.stripe_sandbox import spec
from tests.stripe_sandbox.spec import Json

TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


def problems(value: Any, part: Json, path: str = "") -> list[str]:
    """Where a value does not fit a schema; empty if it does."""
    return list(_problems(value, part, path))


def _problems(value: Any, part: Json, path: str) -> Iterator[str]:
    if value is None:
        if not part.get("nullable"):
            yield f"{path}: null"
        return
    part = spec.resolve(part)
    if "anyOf" in part:
        choices = [spec.resolve(choice) for choice in part["anyOf"]]
        alike = [choice for choice in choices if _is_a(value, choice.get("type", "object"))]
        found = [problems(value, choice, path) for choice in alike or choices]
        if all(found):
            yield from min(found, key=len)
        return
    if not _is_a(value, part.get("type", "object")):
        yield f"{path}: {value!r} is no {part.get('type')}"
        return
    if "enum" in part and value not in part["enum"]:
        yield f"{path}: {value!r} is none of {part['enum']}"
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _problems(item, part["items"], f"{path}[{index}]")
    elif isinstance(value, dict):
        yield from _object_problems(value, part, path)


def _object_problems(value: Json, part: Json, path: str) -> Iterator[str]:
    if "x-list-of" in part:
        for index, item in enumerate(value["data"]):
            yield from _problems(item, part["x-list-of"], f"{path}.data[{index}]")
        return
    for name in part.get("required", ()):
        if name not in value:
            yield f"{path}.{name}: missing"
    known = part.get("properties")
    others = part.get("additionalProperties")
    for name, inner in value.items():
        if known is not None and name in known:
            yield from _problems(inner, known[name], f"{path}.{name}")
        elif isinstance(others, dict):
            yield from _problems(inner, others, f"{path}.{name}")
        elif known is not None and others is not True and not part.get("x-pruned-methods"):
            yield f"{path}.{name}: not in the schema"


def _is_a(value: Any, name: str) -> bool:
    # In Python a bool is an int; in JSON it is not.
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
