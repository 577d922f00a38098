"""What a test can let go wrong, for which requests, and how often."""

from __future__ import annotations

import fnmatch
import threading
from dataclasses import dataclass
from typing import Any, Literal

from tests.stripe_sandbox.account import Account
from tests.stripe_sandbox.errors import StripeError, unexpected
from tests.stripe_sandbox.spec import Json

Kind = Literal["answer", "reset", "delay", "silence"]
ANY = "*"


@dataclass
class Fault:
    """`on` is a pattern of "METHOD path"; `left` counts down, None is for ever."""

    kind: Kind
    on: str
    left: int | None
    after: bool = False
    seconds: float = 0.0
    error: StripeError | None = None

    def meets(self, method: str, path: str) -> bool:
        return self.left != 0 and fnmatch.fnmatchcase(f"{method} {path}", self.on)


class Faults:
    """`on="POST /v1/refunds"`, `on="GET *"`, `times=1` (once), 3, or None (until cleared)."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def server_error(self, on: str = ANY, times: int | None = 1, *, after: bool = False) -> None:
        """500, kept under the idempotency key; `after` the work was done or instead of it."""
        self._add(Fault("answer", on, times, after=after, error=unexpected()))

    def rate_limit(self, on: str = ANY, times: int | None = 1) -> None:
        """429, before anything is done (https://docs.stripe.com/rate-limits)."""
        text = "Request rate limit exceeded. You can learn more about rate limits here "
        error = StripeError(
            text + "https://docs.stripe.com/rate-limits.", status=429, code="rate_limit"
        )
        self._add(Fault("answer", on, times, error=error))

    def refuse(
        self, status: int, message: str, on: str = ANY, times: int | None = 1, **error: Any
    ) -> None:
        """Any other error, for example 403 for a restricted key without the right."""
        self._add(Fault("answer", on, times, error=StripeError(message, status=status, **error)))

    def reset(self, on: str = ANY, times: int | None = 1) -> None:
        """Drop the connection before anything is done."""
        self._add(Fault("reset", on, times))

    def lose_answer(self, on: str = ANY, times: int | None = 1) -> None:
        """Do the work, then drop the connection."""
        self._add(Fault("reset", on, times, after=True))

    def delay(
        self, seconds: float, on: str = ANY, times: int | None = 1, *, after: bool = False
    ) -> None:
        """Wait before or after the work; before, the idempotency key is in use meanwhile."""
        self._add(Fault("delay", on, times, after=after, seconds=seconds))

    def silence(self, on: str = ANY, times: int | None = 1, *, after: bool = False) -> None:
        """Never answer; `after` the work was done or instead of it."""
        self._add(Fault("silence", on, times, after=after))

    def refuse_refunds(self, code: str = "charge_disputed", message: str | None = None) -> None:
        """No refund can be made, until `allow_refunds`."""
        said = message or f"This refund cannot be made ({code})."
        self._account.tampering.refund_error = {"message": said, "code": code}

    def hold_refunds(self, status: str = "pending") -> None:
        """New refunds stay in this status, until `allow_refunds`."""
        self._account.tampering.refund_status = status

    def allow_refunds(self) -> None:
        self._account.tampering.refund_error = None
        self._account.tampering.refund_status = "succeeded"

    def tamper(self, *, amount_total: int | None = None, currency: str | None = None) -> None:
        """The next session asks for another amount or currency than was ordered."""
        changed: Json = {"amount_total": amount_total, "currency": currency}
        self._account.tampering.amounts = {
            name: value for name, value in changed.items() if value is not None
        }

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()
        self.allow_refunds()
        self._account.tampering.amounts = {}

    def take(self, method: str, path: str) -> list[Fault]:
        """The faults that meet this request, each used up once more."""
        with self._lock:
            met = [fault for fault in self._faults if fault.meets(method, path)]
            for fault in met:
                if fault.left is not None:
                    fault.left -= 1
            return met

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)
