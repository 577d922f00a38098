"""The same key, the same answer (https://docs.stripe.com/api/idempotent_requests)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.stripe_sandbox.errors import StripeError
from tests.stripe_sandbox.spec import Json
from tests.stripe_sandbox.state import State

KEPT_SECONDS = 24 * 3600
LONGEST_KEY = 255
HINT = "Try using a key other than '{key}' if you meant to execute a different request."


class Claims:
    """Keys whose first request is still being worked on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[str] = set()

    @contextmanager
    def claim(self, key: str | None) -> Iterator[None]:
        """Only one request at a time may work under a key; another is told 409."""
        if key is None:
            yield
            return
        with self._lock:
            if key in self._keys:
                raise _in_use(key)
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(key)


def recall(state: State, key: str | None, request: Json, now: float) -> Json | None:
    """The answer kept under a key, if there is one; an error if it was another request."""
    if key is None:
        return None
    if len(key) > LONGEST_KEY:
        raise StripeError(f"Idempotency keys have up to {LONGEST_KEY} characters.")
    kept = state.answers.get(key)
    if kept is None:
        return None
    if now - kept["at"] > KEPT_SECONDS:
        del state.answers[key]
        return None
    if kept["request"] != request:
        raise _other_request(key, kept["request"], request)
    return kept


def keep(state: State, key: str | None, request: Json, reply: Json, now: float) -> None:
    if key is not None:
        state.answers[key] = {"request": request, "at": now, **reply}


def _other_request(key: str, first: Json, second: Json) -> StripeError:
    if first["path"] != second["path"]:
        text = (
            "Keys for idempotent requests can only be used for the same endpoint they were first "
            f"used for ('{second['path']}' vs '{first['path']}'). "
        )
    else:
        text = (
            "Keys for idempotent requests can only be used with the same parameters they were "
            "first used with. "
        )
    return StripeError(text + HINT.format(key=key), kind="idempotency_error")


def _in_use(key: str) -> StripeError:
    return StripeError(
        "There is currently another in-progress request using this Stripe-Idempotency-Key (that "
        "probably means you submitted twice, and the other request is still going through): "
        f"{key}.",
        status=409,
        code="idempotency_key_in_use",
    )
