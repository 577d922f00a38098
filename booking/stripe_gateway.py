"""The one door to Stripe. Own small values go in and out; amounts are whole cents.

Nothing here writes to the database, and nothing here is called inside a transaction: Stripe may
take its time. No key, no answer's text and no address ever gets into a log or an error's words.

Stripe's pages: https://docs.stripe.com/payments/checkout/fulfill-orders (ask, then act once),
https://docs.stripe.com/api/idempotent_requests, https://docs.stripe.com/webhooks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings

from booking.errors import PaymentsAway, PaymentsRefused
from coaching_site import on_demand

if TYPE_CHECKING:
    import stripe
else:
    stripe = on_demand.Module("stripe")

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# Seconds to connect and to wait for each part of an answer. Two tries and the wait for a place
# stay below the fifteen seconds after which a visitor must have a page.
TIMEOUT = (2.0, 4.0)
TRIES = 2
# A double press asks the same twice at once; the second gets the first one's answer in a moment.
BUSY_TRIES = 5
BUSY_PAUSE = 0.4
# Of a process's four threads at most so many wait for Stripe; the others go on serving pages.
AT_ONCE = 2
PATIENCE = 2.0

# Methods whose money comes days later; without them the answer is final when the guest returns
# (https://docs.stripe.com/payments/payment-methods#payment-notification).
DELAYED_METHODS = ("customer_balance", "multibanco", "sepa_debit", "sofort")
# https://docs.stripe.com/payments/paymentintents/lifecycle
FAILED_INTENTS = ("requires_payment_method", "canceled")

# What the webhook endpoint subscribes to, and what the reconciling job looks for.
SESSION_EVENTS = (
    "checkout.session.completed",
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
)
REFUND_EVENTS = ("charge.refunded", "refund.created", "refund.updated", "refund.failed")
DISPUTE_EVENTS = ("charge.dispute.created", "charge.dispute.closed")
EVENTS = (*SESSION_EVENTS, *REFUND_EVENTS, *DISPUTE_EVENTS)

_places = threading.BoundedSemaphore(AT_ONCE)


class BadSignature(Exception):
    """Whoever sent this does not know the webhook's secret, or sent it long ago."""


class NoWebhookSecret(Exception):
    """Without a secret nobody can tell whether Stripe is speaking."""


@dataclass(frozen=True)
class Wish:
    """What a guest is asked to pay. Everything Stripe is told stands here."""

    key: str
    reference: str
    amount_cents: int
    title: str
    description: str
    email: str
    expires_at: datetime
    success_url: str
    cancel_url: str

    def params(self) -> dict[str, Any]:
        """The Checkout Session's parameters (https://docs.stripe.com/api/checkout/sessions/create)."""
        metadata = {"booking": self.reference, "deposit": self.key}
        product = {"name": self.title, "description": self.description}
        price = {"currency": "eur", "unit_amount": self.amount_cents, "product_data": product}
        return {
            "mode": "payment",
            "locale": "de",
            # Only collects the money; the order was placed with the button on our own page.
            "submit_type": "pay",
            "customer_email": self.email,
            "client_reference_id": self.reference,
            "line_items": [{"price_data": price, "quantity": 1}],
            "metadata": metadata,
            # A session's metadata is not copied to its payment.
            "payment_intent_data": {
                "description": f"{self.title}, {self.reference}",
                "metadata": metadata,
                "statement_descriptor_suffix": f"TERMIN {self.reference}",
            },
            "excluded_payment_method_types": list(DELAYED_METHODS),
            "adaptive_pricing": {"enabled": False},
            "expires_at": int(self.expires_at.timestamp()),
            "success_url": self.success_url,
            "cancel_url": self.cancel_url,
        }


@dataclass(frozen=True)
class Session:
    """A Checkout Session as Stripe knows it now."""

    id: str
    url: str
    status: str
    payment_status: str
    amount_cents: int
    currency: str
    reference: str
    key: str
    payment_intent: str
    livemode: bool
    # How the payment stands, where Stripe was asked for that too.
    intent_status: str = ""

    @property
    def is_paid(self) -> bool:
        return self.payment_status == "paid"

    @property
    def is_over(self) -> bool:
        """Whether no money can come any more: expired, or a debit that was sent and came back."""
        came_back = self.status == "complete" and self.intent_status in FAILED_INTENTS
        return not self.is_paid and (self.status == "expired" or came_back)

    @property
    def can_be_paid(self) -> bool:
        return self.status == "open"


@dataclass(frozen=True)
class MoneyBack:
    """A refund as Stripe knows it now."""

    id: str
    status: str
    amount_cents: int
    payment_intent: str
    key: str
    failure: str


@dataclass(frozen=True)
class Dispute:
    """A payment the customer's bank fights over."""

    id: str
    status: str
    payment_intent: str
    due_by: datetime | None


@dataclass(frozen=True)
class Event:
    """That something happened; what it is now, Stripe is asked."""

    id: str
    kind: str
    created_at: datetime
    livemode: bool
    object_id: str
    payment_intent: str
    # Our own mark in the metadata, on sessions.
    key: str
    api_version: str


@dataclass(frozen=True)
class Endpoint:
    """Where Stripe sends its events."""

    url: str
    status: str
    api_version: str
    events: tuple[str, ...]


def open_session(params: dict[str, Any], *, key: str) -> Session:
    """Make a Checkout Session, or get the one that was made under this key.

    Raises PaymentsAway when nobody knows what became of it (the same key may be sent again, unless
    the error is `spoiled`), PaymentsRefused when Stripe made none.
    """
    options: Any = {"idempotency_key": f"checkout-{key}"}
    return _session(
        _ask(lambda client: client.v1.checkout.sessions.create(_params(params), options))
    )


def read_session(session_id: str) -> Session:
    """How the session and its payment stand. Raises PaymentsAway or PaymentsRefused."""
    params: Any = {"expand": ["payment_intent"]}
    return _session(_ask(lambda client: client.v1.checkout.sessions.retrieve(session_id, params)))


def end_session(session_id: str) -> Session:
    """Make sure that nobody can pay with this session any more, and say how it ended.

    Only an open one can be ended; a complete one means that the guest was faster
    (https://docs.stripe.com/api/checkout/sessions/expire). Raises PaymentsAway or PaymentsRefused.
    """
    try:
        return _session(_ask(lambda client: client.v1.checkout.sessions.expire(session_id)))
    except PaymentsRefused:
        return read_session(session_id)


def give_back(
    payment_intent: str, *, amount_cents: int, key: str, idempotency_key: str
) -> MoneyBack:
    """Send money back to where it came from.

    Raises PaymentsAway when nobody knows what became of it, PaymentsRefused when nothing was sent.
    """
    params: Any = {
        "payment_intent": payment_intent,
        "amount": amount_cents,
        "metadata": {"refund": key},
    }
    options: Any = {"idempotency_key": idempotency_key}
    return _money_back(_ask(lambda client: client.v1.refunds.create(params, options)))


def refunds_of(payment_intent: str) -> list[MoneyBack]:
    """Everything that went back of a payment, made here or in the dashboard. Raises as above."""
    params: Any = {"payment_intent": payment_intent, "limit": 100}
    found = _ask(lambda client: client.v1.refunds.list(params))
    return [_money_back(each) for each in found.data]


def read_dispute(dispute_id: str) -> Dispute:
    """How the dispute stands. Raises PaymentsAway or PaymentsRefused."""
    found: Any = _ask(lambda client: client.v1.disputes.retrieve(dispute_id))
    due_by = found.evidence_details.due_by
    return Dispute(
        id=found.id,
        status=found.status,
        payment_intent=_id(found.payment_intent),
        due_by=datetime.fromtimestamp(due_by, UTC) if due_by else None,
    )


def read_event(body: bytes, signature: str) -> Event:
    """The event in a webhook's raw body. Raises BadSignature or NoWebhookSecret.

    Any of the secrets may have signed it, so that a secret can be changed without losing events.
    """
    if not settings.STRIPE_WEBHOOK_SECRETS:
        raise NoWebhookSecret
    for secret in settings.STRIPE_WEBHOOK_SECRETS:
        try:
            return _event(stripe.Webhook.construct_event(body, signature, secret))
        except (stripe.SignatureVerificationError, ValueError):
            continue
    raise BadSignature


def events_since(moment: datetime, *, kinds: Sequence[str] = EVENTS) -> list[Event]:
    """What happened since then, the oldest first; Stripe keeps events for thirty days."""
    params: Any = {"types": list(kinds), "created": {"gte": int(moment.timestamp())}, "limit": 100}
    found: list[Any] = []
    has_more = True
    while has_more:
        after = {"starting_after": found[-1].id} if found else {}
        page = _page_of_events({**params, **after})
        found += page.data
        has_more = page.has_more
    return [_event(each) for each in reversed(found)]


def endpoints() -> list[Endpoint]:
    """The webhook endpoints of the account. Raises PaymentsAway or PaymentsRefused."""
    found: Any = _ask(lambda client: client.v1.webhook_endpoints.list({"limit": 100}))
    return [
        Endpoint(each.url, each.status, each.api_version or "", tuple(each.enabled_events))
        for each in found.data
    ]


def api_version() -> str:
    """The version of Stripe's API that this code and its library speak."""
    return str(stripe.api_version)


def _page_of_events(params: Any) -> Any:
    return _ask(lambda client: client.v1.events.list(params))


def _ask(question: Callable[[stripe.StripeClient], Answer]) -> Answer:
    """Put one question to Stripe, twice if the line breaks; say what went wrong in our words."""
    if not settings.STRIPE_SECRET_KEY:
        raise PaymentsRefused
    if not _places.acquire(timeout=PATIENCE):
        raise PaymentsAway
    try:
        return _answered(question)
    finally:
        _places.release()


def _answered(question: Callable[[stripe.StripeClient], Answer]) -> Answer:
    client = _client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE)
    broken = busy = 0
    while True:
        try:
            return question(client)
        except stripe.APIConnectionError:
            broken += 1
            if broken == TRIES:
                logger.warning("Stripe could not be reached.")
                raise PaymentsAway from None
        except stripe.StripeError as error:
            busy += error.http_status == HTTPStatus.CONFLICT
            if error.http_status != HTTPStatus.CONFLICT or busy == BUSY_TRIES:
                raise _in_our_words(error) from None
            time.sleep(BUSY_PAUSE)


def _in_our_words(error: stripe.StripeError) -> Exception:
    """Stripe's own text may contain addresses and keys, so only its codes go on."""
    status, code = error.http_status or 0, error.code or type(error).__name__
    logger.warning("Stripe answered %s (%s), request %s.", status, code, error.request_id)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # Kept under its idempotency key for a day: the same question gets the same answer.
        return PaymentsAway(spoiled=True)
    if status in (HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS):
        return PaymentsAway()
    return PaymentsRefused(code=code, status=status)


@lru_cache(maxsize=4)
def _client(key: str, base: str) -> stripe.StripeClient:
    return stripe.StripeClient(
        key,
        base_addresses={"api": base},
        # Tries are counted here: the library waits as long between them as a server likes.
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=TIMEOUT),
    )


def _params(params: dict[str, Any]) -> Any:
    """The library knows its parameters by typed dicts; ours come from a row."""
    return params


def _session(found: Any) -> Session:
    return Session(
        id=found.id,
        url=found.url or "",
        status=found.status or "",
        payment_status=found.payment_status,
        amount_cents=found.amount_total or 0,
        currency=found.currency or "",
        reference=found.client_reference_id or "",
        key=_field(found.metadata, "deposit"),
        payment_intent=_id(found.payment_intent),
        livemode=found.livemode,
        intent_status=_status_of(found.payment_intent),
    )


def _money_back(found: Any) -> MoneyBack:
    return MoneyBack(
        id=found.id,
        status=found.status or "",
        amount_cents=found.amount,
        payment_intent=_id(found.payment_intent),
        key=_field(found.metadata, "refund"),
        failure=_field(found, "failure_reason"),
    )


def _event(found: Any) -> Event:
    thing = found.data.object
    return Event(
        id=found.id,
        kind=found.type,
        created_at=datetime.fromtimestamp(found.created, UTC),
        livemode=found.livemode,
        object_id=_field(thing, "id"),
        payment_intent=_id(_field(thing, "payment_intent")),
        key=_field(_field(thing, "metadata"), "deposit"),
        api_version=found.api_version or "",
    )


def _field(thing: Any, name: str) -> Any:
    """A field that may be missing or null, as the library's objects are no dicts; "" then."""
    return (thing[name] or "") if thing and name in thing else ""


def _status_of(thing: Any) -> str:
    """The status of what was expanded; "" if there is none, or only its id."""
    return "" if isinstance(thing, str) else str(_field(thing, "status"))


def _id(thing: Any) -> str:
    """An id, whether Stripe sent it alone or with everything behind it."""
    if not thing:
        return ""
    return thing if isinstance(thing, str) else str(thing.id)
