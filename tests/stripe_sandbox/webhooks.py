"""Sends events, signed, and again if the answer was not 2xx (https://docs.stripe.com/webhooks)."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.stripe_sandbox.account import Account, Endpoint
from tests.stripe_sandbox.spec import Json

HERE = ("localhost", "127.0.0.1", "::1")
ANSWER_SECONDS = 10
LOOK_AGAIN_SECONDS = 0.5


@dataclass(frozen=True)
class Answer:
    """What an endpoint said; status 0 is no answer at all."""

    status: int
    body: str = ""

    @property
    def ok(self) -> bool:
        """A redirect is a failure like any other."""
        return 200 <= self.status < 300


Send = Callable[[str, bytes, dict[str, str]], Answer]


def signature(body: bytes, secrets: Sequence[str], timestamp: int) -> str:
    """The Stripe-Signature header; while a secret is being rolled there are two signatures.

    https://docs.stripe.com/webhooks#verify-manually
    """
    signed = f"{timestamp}.".encode() + body
    marks = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={mark}" for mark in marks)])


def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """One plain POST: no redirect followed, no proxy asked, nobody but this machine reached."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=ANSWER_SECONDS
    )
    try:
        connection.request("POST", parts.path or "/", body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.read().decode(errors="replace"))
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, repr(error))
    finally:
        connection.close()


def refuse_far_away(url: str) -> None:
    """Made-up events must never reach a real site."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in HERE:
        raise ValueError(f"Webhooks only go to http:// on this machine, not to {url}")


class Postman:
    """The out-tray of an account, delivered by hand or by a thread."""

    def __init__(self, account: Account, retry_after: Sequence[float], send: Send = post) -> None:
        self.account = account
        self.retry_after = retry_after
        self.send = send
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def deliver(
        self,
        event: Json,
        endpoint: Endpoint,
        *,
        secrets: Sequence[str] | None = None,
        age: float = 0,
        header: str | None = None,
    ) -> Answer:
        """Send an event once more, whatever happened to it before, and note the answer.

        The time in the signature is real time even if the account's clock has been moved: it is
        the receiver's clock that judges it.
        """
        body = json.dumps(event, indent=2).encode()
        signed = signature(body, secrets or [endpoint.secret], int(time.time() - age))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": signed if header is None else header,
        }
        answer = self.send(endpoint.url, body, headers)
        with self.account.at_work():
            self._note(event["id"], endpoint, answer)
        return answer

    def deliver_together(self, events: Sequence[Json], endpoint: Endpoint) -> list[Answer]:
        """All at the same moment, each on a thread of its own."""
        start = threading.Barrier(len(events))

        def one(event: Json) -> Answer:
            start.wait()
            return self.deliver(event, endpoint)

        with ThreadPoolExecutor(len(events)) as pool:
            return list(pool.map(one, events))

    def _note(self, event_id: str, endpoint: Endpoint, answer: Answer) -> None:
        for delivery in self.account.state.deliveries:
            if delivery["event"] == event_id and delivery["endpoint"] == endpoint.url:
                delivery["answers"].append(answer.status)
                if answer.ok and delivery["state"] != "delivered":
                    delivery["state"] = "delivered"
                    self.account.state.events[event_id]["pending_webhooks"] -= 1

    def wait_for_answer(self, event_id: str, seconds: float) -> None:
        """Until every endpoint has said something about an event, or patience ends."""

        def answered() -> bool:
            about_it = (each for each in self.account.state.deliveries if each["event"] == event_id)
            return all(each["answers"] for each in about_it)

        with self.account.changed:
            self.account.changed.wait_for(answered, seconds)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="stripe-postman", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        with self.account.changed:
            self.account.changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            with self.account.changed:
                due = self._next()
                if due is None and not self._stop.is_set():
                    self.account.changed.wait(self._pause())
            if due is None:
                # The clock may have overtaken something although nobody asked.
                self.account.keep_up()
            else:
                delivery, event, endpoint = due
                self.deliver(event, endpoint)
                self._plan_next_try(delivery)

    def _next(self) -> tuple[Json, Json, Endpoint] | None:
        """The delivery that is due, with its event and where it goes."""
        endpoints = {endpoint.url: endpoint for endpoint in self.account.endpoints}
        for delivery in self.account.state.deliveries:
            is_time = delivery.get("not_before", 0) <= time.time()
            endpoint = endpoints.get(delivery["endpoint"])
            if delivery["state"] == "pending" and is_time and endpoint is not None:
                return delivery, dict(self.account.state.events[delivery["event"]]), endpoint
        return None

    def _pause(self) -> float:
        """Until the next try is due; not for long, as sessions expire meanwhile."""
        planned: list[float] = [
            delivery["not_before"] - time.time()
            for delivery in self.account.state.deliveries
            if delivery["state"] == "pending" and "not_before" in delivery
        ]
        return max(0.0, min([LOOK_AGAIN_SECONDS, *planned]))

    def _plan_next_try(self, delivery: Json) -> None:
        with self.account.at_work():
            if delivery["state"] != "pending":
                return
            tries = len(delivery["answers"])
            if tries > len(self.retry_after):
                delivery["state"] = "failed"
            else:
                delivery["not_before"] = time.time() + self.retry_after[tries - 1]
