"""The test's handle over HTTP, for a sandbox in a process of its own.

POST /sandbox/<action> with a JSON object of arguments, GET /sandbox/<what> to look. Both need the
API key, so that no web page open in a browser can press these buttons.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tests.stripe_sandbox.errors import StripeError

if TYPE_CHECKING:
    from tests.stripe_sandbox.sandbox import Sandbox

PREFIX = "/sandbox/"

ACTIONS = (
    "advance",
    "close_dispute",
    "dashboard_refund",
    "decline",
    "deliver",
    "deliver_pending",
    "deliver_together",
    "drop",
    "expire",
    "listen",
    "open_dispute",
    "pay",
    "refund_fails",
    "refund_succeeds",
    "reset",
    "settle",
)
FAULTS = (
    "allow_refunds",
    "clear",
    "delay",
    "hold_refunds",
    "lose_answer",
    "rate_limit",
    "refuse",
    "refuse_refunds",
    "reset",
    "server_error",
    "silence",
    "tamper",
)
SIGHTS = (
    "sessions",
    "intents",
    "charges",
    "refunds",
    "disputes",
    "events",
    "pending",
    "deliveries",
)


def answer(
    sandbox: Sandbox, method: str, path: str, body: str, authorization: str
) -> tuple[int, Any]:
    if authorization != f"Bearer {sandbox.api_key}":
        return 401, {"error": "The sandbox's API key is needed."}
    name = path.removeprefix(PREFIX)
    if method == "GET":
        return _look(sandbox, name)
    action = _action(sandbox, name)
    if action is None:
        return 404, {"error": f"No such action: {name}"}
    try:
        return 200, action(**json.loads(body or "{}"))
    except (StripeError, TypeError, ValueError) as error:
        return 400, {"error": str(error)}


def _look(sandbox: Sandbox, name: str) -> tuple[int, Any]:
    if name == "requests":
        return 200, [asdict(request) for request in sandbox.requests]
    if name in SIGHTS:
        return 200, getattr(sandbox, name)
    return 404, {"error": f"Nothing to see: {name}"}


def _action(sandbox: Sandbox, name: str) -> Callable[..., Any] | None:
    """`pay`, or `faults/reset`."""
    family, _, fault = name.partition("/")
    known = family == "faults" and fault in FAULTS
    if not known and name not in ACTIONS:
        return None
    action: Callable[..., Any] = getattr(sandbox.faults if known else sandbox, fault or name)
    return action
