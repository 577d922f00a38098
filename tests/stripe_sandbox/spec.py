"""Stripe's own description of the part of its API that deposits need."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "data" / "stripe-spec-subset.json"
API_VERSION = "2026-10-28.endive"

Json = dict[str, Any]

# Not in the subset: the list a health check of the site reads
# (https://docs.stripe.com/api/webhook_endpoints/list).
WEBHOOK_ENDPOINTS: Json = {
    "get": {
        "x-query-schema": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "ending_before": {"type": "string"},
                "expand": {"type": "array", "items": {"type": "string"}},
                "limit": {"type": "integer"},
                "starting_after": {"type": "string"},
            },
        },
        "responses": {},
    }
}


@cache
def document() -> Json:
    spec: Json = json.loads(FILE.read_text())
    spec["paths"]["/v1/webhook_endpoints"] = WEBHOOK_ENDPOINTS
    return spec


def schema(name: str) -> Json:
    found: Json = document()["components"]["schemas"][name]
    return found


def resolve(part: Json) -> Json:
    """The schema a reference points to; any other schema is itself."""
    reference = part.get("$ref")
    return schema(reference.rpartition("/")[2]) if reference else part


def operation(method: str, template: str) -> Json:
    found: Json = document()["paths"][template][method.lower()]
    return found


def parameters(method: str, template: str) -> Json:
    """The schema of an operation's form body, or of its query."""
    asked = operation(method, template)
    if "x-query-schema" in asked:
        query: Json = asked["x-query-schema"]
        return query
    content = asked["requestBody"]["content"]["application/x-www-form-urlencoded"]
    form: Json = content["schema"]
    return form


def answer(method: str, template: str) -> Json | None:
    """The schema of what an operation answers with."""
    responses = operation(method, template)["responses"]
    if "200" not in responses:
        return None
    found: Json = responses["200"]["content"]["application/json"]["schema"]
    return found


def blank(name: str) -> Json:
    """An object of this kind with null in every field Stripe always sends and that may be null.

    Which fields are always sent is told by Stripe's own sample objects: the others are left out,
    as they are there, so that code reading one of them fails here as it would at Stripe.
    """
    properties = schema(name)["properties"]
    always = document()["x-fixtures"][name]
    return {field: None for field in always if properties.get(field, {}).get("nullable")}
