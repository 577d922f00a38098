"""One merchant's account at the sandbox: its objects, its clock, its events."""

from __future__ import annotations

import copy
import hashlib
import secrets
import string
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.stripe_sandbox import spec
from tests.stripe_sandbox.spec import API_VERSION, Json
from tests.stripe_sandbox.state import State

# What a site that takes deposits subscribes to.
SUBSCRIBED = (
    "checkout.session.completed",
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.closed",
)
NOBODY: Json = {"id": None, "idempotency_key": None}
LETTERS = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    return f"{prefix}_{''.join(secrets.choice(LETTERS) for _ in range(length))}"


@dataclass(frozen=True)
class Endpoint:
    """Where events are sent to (https://docs.stripe.com/api/webhook_endpoints/object)."""

    url: str
    secret: str
    enabled_events: tuple[str, ...] = SUBSCRIBED
    status: str = "enabled"

    @property
    def id(self) -> str:
        """The same for the same address, also after a restart."""
        return f"we_{hashlib.sha256(self.url.encode()).hexdigest()[:24]}"

    def wants(self, event_type: str) -> bool:
        asked = "*" in self.enabled_events or event_type in self.enabled_events
        return asked and self.status == "enabled"


@dataclass
class Tampering:
    """Ways the account itself misbehaves, for tests."""

    refund_error: Json | None = None
    refund_status: str = "succeeded"
    amounts: Json = field(default_factory=dict)


class Account:
    """Objects change only inside `at_work`, one piece of work at a time."""

    def __init__(self, file: Path | None, now: Callable[[], float] = time.time) -> None:
        self.file = file
        self.state = State.load(file)
        self.endpoints: list[Endpoint] = []
        self.tampering = Tampering()
        self.base_url = ""
        self.changed = threading.Condition(threading.RLock())
        self.cause = NOBODY
        self.before_work: Callable[[Account], None] = lambda account: None
        self._real_now = now

    @contextmanager
    def at_work(self, cause: Json = NOBODY) -> Iterator[None]:
        """Hold the account; keep what was done and wake whoever waits for events.

        Nested work belongs to the outer one. It is written to the file in one go, so an object
        and the answer kept under its idempotency key live or die together.
        """
        with self.changed:
            before, self.cause = self.cause, cause
            try:
                self.before_work(self)
                yield
            finally:
                self.cause = before
                self.state.save(self.file)
                self.changed.notify_all()

    def keep_up(self) -> None:
        """Let happen what time has brought."""
        with self.at_work():
            pass

    @property
    def now(self) -> int:
        return int(self.exact_now)

    @property
    def exact_now(self) -> float:
        return self._real_now() + self.state.clock_ahead

    def emit(self, event_type: str, about: Json, **previous: object) -> Json:
        """Write an event and put it into the out-tray of every endpoint that wants it."""
        carries = spec.document()["x-events"][event_type]
        assert about["object"] == carries, f"{event_type} is not about a {about['object']}"
        takers = [endpoint for endpoint in self.endpoints if endpoint.wants(event_type)]
        data: Json = {"object": copy.deepcopy(about)}
        if previous:
            data["previous_attributes"] = previous
        event = {
            **spec.blank("event"),
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now,
            "data": data,
            "livemode": False,
            "pending_webhooks": len(takers),
            "request": dict(self.cause),
            "type": event_type,
        }
        self.state.events[event["id"]] = event
        for endpoint in takers:
            self.state.deliveries.append(
                {"event": event["id"], "endpoint": endpoint.url, "state": "pending", "answers": []}
            )
        return event
