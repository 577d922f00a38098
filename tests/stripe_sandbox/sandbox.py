"""The handle for tests: a running sandbox, what it knows, and what can be done to it."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

from tests.stripe_sandbox import disputes, payments, refunds, sessions, webhooks
from tests.stripe_sandbox.account import SUBSCRIBED, Account, Endpoint
from tests.stripe_sandbox.faults import Faults
from tests.stripe_sandbox.gate import Gate, Request
from tests.stripe_sandbox.server import HOME, Server
from tests.stripe_sandbox.spec import Json
from tests.stripe_sandbox.state import Objects, State
from tests.stripe_sandbox.webhooks import Answer, Postman, Send

Mode = Literal["manual", "automatic"]

API_KEY = "sk_test_sandbox"
SECRET = "whsec_sandbox"


class Sandbox:
    """`with Sandbox() as stripe:` is a Stripe at `stripe.base_url`.

    Events wait in `pending` to be delivered by the test, or are sent by a thread in the
    automatic mode. What is read from here is a copy: changing it changes nothing.
    """

    api_key = API_KEY

    def __init__(
        self,
        *,
        port: int = 0,
        webhook_url: str | None = None,
        webhook_secret: str = SECRET,
        enabled_events: Sequence[str] = SUBSCRIBED,
        mode: Mode = "manual",
        store: Path | None = None,
        now: Callable[[], float] = time.time,
        retry_after: Sequence[float] = (0.2, 1.0, 3.0),
        patience: float = 10.0,
    ) -> None:
        """`patience`: seconds a payer waits for the webhook's answer before being sent back."""
        self.webhook_secret = webhook_secret
        self.mode = mode
        self.patience = patience
        self.account = Account(store, now)
        self.account.before_work = sessions.expire_overdue
        self.faults = Faults(self.account)
        self.gate = Gate(self.account)
        self.postman = Postman(self.account, retry_after)
        self._port = port
        self._thread: threading.Thread | None = None
        self._server: Server | None = None
        if webhook_url is not None:
            self.listen(webhook_url, events=enabled_events)

    # Running

    def start(self) -> Sandbox:
        self._server = Server(self._port, self)
        self.account.base_url = f"http://{HOME}:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="stripe-sandbox", daemon=True
        )
        self._thread.start()
        if self.mode == "automatic":
            self.postman.start()
        return self

    def stop(self) -> None:
        self.gate.stopping.set()
        self.postman.stop()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def reset(self) -> None:
        """Forget everything but the endpoints."""
        with self.account.at_work():
            self.account.state = State()
            self.gate.log.clear()
            self.faults.clear()

    # What it knows

    @property
    def base_url(self) -> str:
        return self.account.base_url

    @property
    def now(self) -> float:
        return self.account.exact_now

    @property
    def requests(self) -> list[Request]:
        """Every request to the API, in the order they came."""
        return list(self.gate.log)

    @property
    def sessions(self) -> list[Json]:
        return self._copies(lambda state: state.sessions)

    @property
    def intents(self) -> list[Json]:
        return self._copies(lambda state: state.intents)

    @property
    def charges(self) -> list[Json]:
        return self._copies(lambda state: state.charges)

    @property
    def refunds(self) -> list[Json]:
        return self._copies(lambda state: state.refunds)

    @property
    def disputes(self) -> list[Json]:
        return self._copies(lambda state: state.disputes)

    @property
    def events(self) -> list[Json]:
        return self._copies(lambda state: state.events)

    @property
    def deliveries(self) -> list[Json]:
        """Which event goes to which endpoint, how it stands, and what was answered."""
        with self.account.at_work():
            return copy.deepcopy(self.account.state.deliveries)

    @property
    def pending(self) -> list[Json]:
        """Events an endpoint wants, has not answered with 2xx, and that were not dropped."""
        waiting = {
            delivery["event"]: None
            for delivery in self.deliveries
            if delivery["state"] in ("pending", "failed")
        }
        return [event for event in self.events if event["id"] in waiting]

    def session(self, reference: str) -> Json:
        return next(each for each in self.sessions if each["id"] == reference)

    def event(self, event_type: str) -> Json:
        """The latest event of this type."""
        return next(each for each in self.events[::-1] if each["type"] == event_type)

    def _copies(self, kind: Callable[[State], Objects]) -> list[Json]:
        with self.account.at_work():
            return copy.deepcopy(list(kind(self.account.state).values()))

    # What the payer does

    def pay(self, session_id: str, *, delayed: bool = False) -> Json:
        """Pay; `delayed` with a debit that `settle` decides later."""
        with self.account.at_work():
            return copy.deepcopy(payments.pay(self.account, session_id, delayed=delayed))

    def decline(self, session_id: str) -> Json:
        with self.account.at_work():
            return copy.deepcopy(payments.decline(self.account, session_id))

    def settle(self, session_id: str, *, succeeds: bool = True) -> Json:
        """The end of a delayed payment."""
        with self.account.at_work():
            return copy.deepcopy(payments.settle(self.account, session_id, succeeds=succeeds))

    def pay_and_wait(self, session_id: str) -> Json:
        """As the hosted page does: the payer is sent back once the webhook has answered."""
        session = self.pay(session_id)
        if self.mode == "automatic":
            done = next(
                event
                for event in self.events[::-1]
                if event["type"] == "checkout.session.completed"
                and event["data"]["object"]["id"] == session_id
            )
            self.postman.wait_for_answer(done["id"], self.patience)
        return session

    # What happens at Stripe, in its Dashboard, or at a bank

    def expire(self, session_id: str) -> Json:
        with self.account.at_work():
            return copy.deepcopy(sessions.expire(self.account, session_id))

    def dashboard_refund(self, intent: str, amount: int | None = None) -> Json:
        with self.account.at_work():
            return copy.deepcopy(refunds.by_dashboard(self.account, intent, amount))

    def refund_succeeds(self, refund: str) -> Json:
        """A pending refund arrives."""
        with self.account.at_work():
            return copy.deepcopy(refunds.succeed(self.account, refund))

    def refund_fails(self, refund: str, reason: str = "expired_or_canceled_card") -> Json:
        """A refund comes back, pending or not."""
        with self.account.at_work():
            return copy.deepcopy(refunds.fail(self.account, refund, reason))

    def open_dispute(self, intent: str, reason: str = "fraudulent") -> Json:
        with self.account.at_work():
            return copy.deepcopy(disputes.open_dispute(self.account, intent, reason))

    def close_dispute(self, dispute: str, *, won: bool = False) -> Json:
        with self.account.at_work():
            return copy.deepcopy(disputes.close_dispute(self.account, dispute, won=won))

    def advance(self, seconds: float) -> None:
        """Move the clock; what it overtakes happens at once."""
        with self.account.at_work():
            self.account.state.clock_ahead += seconds
        self.account.keep_up()

    # Webhooks

    def listen(
        self, url: str, *, secret: str | None = None, events: Sequence[str] = SUBSCRIBED
    ) -> None:
        """Send events to this address; a second call for it changes the endpoint."""
        webhooks.refuse_far_away(url)
        endpoint = Endpoint(url, secret or self.webhook_secret, tuple(events))
        with self.account.at_work():
            others = [each for each in self.account.endpoints if each.url != url]
            self.account.endpoints = [*others, endpoint]

    def send_with(self, send: Send) -> None:
        """Deliver by this function (url, body, headers) instead of HTTP, as a test client does."""
        self.postman.send = send

    def deliver(
        self,
        event: Json,
        *,
        to: str | None = None,
        secrets: Sequence[str] | None = None,
        age: float = 0,
        header: str | None = None,
    ) -> Answer:
        """Send an event, also again or before others.

        `secrets` signs with others (a forged one, or two while one is rolled), `age` makes the
        signature that many seconds old, `header` is sent instead of a signature.
        """
        return self.postman.deliver(
            event, self._endpoint(to), secrets=secrets, age=age, header=header
        )

    def deliver_pending(self) -> list[Answer]:
        """Everything that waits, in the order it happened."""
        return [self.deliver(event) for event in self.pending]

    def deliver_together(self, events: Sequence[Json], *, to: str | None = None) -> list[Answer]:
        """At the same moment: `[event] * 3` for three times the same."""
        return self.postman.deliver_together(events, self._endpoint(to))

    def drop(self, event: Json) -> None:
        """Lose an event: it is no longer pending, yet the list of events has it."""
        with self.account.at_work():
            for delivery in self.account.state.deliveries:
                if delivery["event"] == event["id"] and delivery["state"] != "delivered":
                    delivery["state"] = "dropped"

    def _endpoint(self, url: str | None) -> Endpoint:
        for endpoint in self.account.endpoints:
            if url in (None, endpoint.url):
                return endpoint
        raise LookupError("No webhook endpoint: call listen(url) first.")
