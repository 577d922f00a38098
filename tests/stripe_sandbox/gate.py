"""Lets an API request in: key, version, faults, idempotency; and writes down what came."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field

from tests.stripe_sandbox import api, contract, idempotency
from tests.stripe_sandbox.account import Account, new_id
from tests.stripe_sandbox.errors import StripeError, no_key, unknown_key
from tests.stripe_sandbox.faults import Fault
from tests.stripe_sandbox.spec import API_VERSION, Json

TEST_KEY = re.compile(r"(sk|rk)_test_\w+")


@dataclass
class Request:
    """One request as it came, and how it was answered (0: not at all)."""

    method: str
    path: str
    text: str
    headers: dict[str, str]
    at: float
    params: Json = field(default_factory=dict)
    status: int = 0
    answer: Json = field(default_factory=dict)

    @property
    def idempotency_key(self) -> str | None:
        """Stripe ignores the key on reading requests."""
        return self.headers.get("idempotency-key") if self.method == "POST" else None


@dataclass
class Reply:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Gate:
    def __init__(self, account: Account) -> None:
        self.account = account
        self.stopping = threading.Event()
        self.log: list[Request] = []
        self._claims = idempotency.Claims()

    def answer(self, request: Request, faults: list[Fault]) -> Reply:
        request_id = new_id("req", 14)
        headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION}
        if request.idempotency_key:
            headers["Idempotency-Key"] = request.idempotency_key
        try:
            reply = self._let_in(request, faults, request_id)
        except StripeError as error:
            reply = _refusal(error)
        request.status, request.answer = reply.status, json.loads(reply.body)
        reply.headers |= headers
        return reply

    def _let_in(self, request: Request, faults: list[Fault], request_id: str) -> Reply:
        _check_key(request.headers.get("authorization", ""))
        _check_version(request.headers.get("stripe-version", API_VERSION))
        key = request.idempotency_key
        with self._claims.claim(key):
            for fault in faults:
                if fault.kind == "delay" and not fault.after:
                    self.stopping.wait(fault.seconds)
            with self.account.at_work({"id": request_id, "idempotency_key": key}):
                return self._once(request, faults)

    def _once(self, request: Request, faults: list[Fault]) -> Reply:
        """Answer from memory, or work and remember."""
        state, now = self.account.state, self.account.exact_now
        key = request.idempotency_key
        asked = {"path": request.path, "params": contract.read(request.text)}
        kept = idempotency.recall(state, key, asked, now)
        if kept is not None:
            body = json.dumps(kept["body"]).encode()
            return Reply(kept["status"], body, {"Idempotent-Replayed": "true"})
        try:
            reply, keep = self._work(request, faults), True
        except StripeError as error:
            reply, keep = _refusal(error), error.kept
        if keep:
            answer = {"status": reply.status, "body": json.loads(reply.body)}
            idempotency.keep(state, key, asked, answer, now)
        return reply

    def _work(self, request: Request, faults: list[Fault]) -> Reply:
        instead = [fault.error for fault in faults if fault.error and not fault.after]
        afterwards = [fault.error for fault in faults if fault.error and fault.after]
        for error in instead:
            raise error
        body = api.perform(self.account, request.method, request.path, request.text)
        for error in afterwards:
            raise error
        return Reply(200, json.dumps(body).encode())

    def note(self, request: Request) -> None:
        request.params = _readable(request.text)
        self.log.append(request)


def _readable(text: str) -> Json:
    try:
        return contract.read(text)
    except StripeError:
        return {"unreadable": text}


def _refusal(error: StripeError) -> Reply:
    return Reply(error.status, json.dumps({"error": error.body}).encode())


def _check_key(authorization: str) -> None:
    """Test keys only: a live key sent here is a mistake someone should hear about."""
    scheme, _, key = authorization.partition(" ")
    if scheme != "Bearer" or not key:
        raise no_key()
    if not TEST_KEY.fullmatch(key):
        raise unknown_key(key)


def _check_version(version: str) -> None:
    """The sandbox speaks one version; another one would get other fields from Stripe."""
    if version != API_VERSION:
        raise StripeError(
            f"Invalid Stripe API version: {version}. The sandbox only speaks {API_VERSION}."
        )
