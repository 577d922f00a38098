"""What happens when somebody presses "pay" on the hosted page.

Card numbers do not exist here: the payer says how it ends. Fulfilment as Stripe tells it:
https://docs.stripe.com/checkout/fulfillment
"""

from __future__ import annotations

from tests.stripe_sandbox import sessions, spec
from tests.stripe_sandbox.account import Account, new_id
from tests.stripe_sandbox.errors import StripeError, no_such
from tests.stripe_sandbox.spec import Json

GUEST = "gast@example.com"
DECLINED = {
    "type": "card_error",
    "code": "card_declined",
    "decline_code": "generic_decline",
    "message": "Your card was declined.",
}


def pay(account: Account, reference: str, *, delayed: bool = False) -> Json:
    """Confirm a session; `delayed` is a debit whose money comes or fails days later."""
    session = _open_session(account, reference)
    intent = _intent(account, session)
    session |= {"status": "complete", "url": None}
    session["customer_details"] = sessions.person(_email(session), "Test Gast")
    if delayed:
        intent["status"] = "processing"
        account.emit("payment_intent.processing", intent)
    else:
        _succeed(account, session, intent)
    account.emit("checkout.session.completed", session)
    return session


def decline(account: Account, reference: str) -> Json:
    """The bank says no: the session stays open and can still be paid."""
    session = _open_session(account, reference)
    intent = _intent(account, session)
    charge = _charge(account, session, intent, paid=False)
    intent |= {"status": "requires_payment_method", "latest_charge": charge["id"]}
    intent["last_payment_error"] = {**DECLINED, "charge": charge["id"]}
    account.emit("charge.failed", charge)
    account.emit("payment_intent.payment_failed", intent)
    return session


def settle(account: Account, reference: str, *, succeeds: bool = True) -> Json:
    """The end of a delayed payment, days later."""
    session = sessions.find(account, reference)
    intent = account.state.intents.get(session["payment_intent"] or "")
    if intent is None or intent["status"] != "processing":
        raise StripeError("This session does not wait for a delayed payment.")
    if succeeds:
        _succeed(account, session, intent)
        account.emit("checkout.session.async_payment_succeeded", session)
    else:
        intent |= {"status": "requires_payment_method", "last_payment_error": dict(DECLINED)}
        account.emit("payment_intent.payment_failed", intent)
        account.emit("checkout.session.async_payment_failed", session)
    return session


def find_intent(account: Account, reference: str, param: str = "id") -> Json:
    if reference not in account.state.intents:
        raise no_such("payment_intent", reference, param)
    return account.state.intents[reference]


def find_charge(account: Account, reference: str, param: str = "id") -> Json:
    if reference not in account.state.charges:
        raise no_such("charge", reference, param)
    return account.state.charges[reference]


def cancel_intent(account: Account, reference: str) -> Json:
    """What Checkout made cannot be cancelled by hand: expire the session instead."""
    intent = find_intent(account, reference)
    raise StripeError(
        f"You cannot cancel this PaymentIntent because it has a status of {intent['status']} or "
        "belongs to a Checkout Session. Expire the Checkout Session instead.",
        code="payment_intent_unexpected_state",
        kept=True,
    )


def capture_intent(account: Account, reference: str) -> Json:
    intent = find_intent(account, reference)
    raise StripeError(
        "This PaymentIntent could not be captured because it has a status of "
        f"{intent['status']}. Only a PaymentIntent with one of the following statuses may be "
        "captured: requires_capture.",
        code="payment_intent_unexpected_state",
        kept=True,
    )


def _open_session(account: Account, reference: str) -> Json:
    session = sessions.find(account, reference)
    if session["status"] != "open":
        raise StripeError(
            f"This Checkout Session is {session['status']} and can no longer be paid."
        )
    return session


def _email(session: Json) -> str:
    return session["customer_email"] or GUEST


def _intent(account: Account, session: Json) -> Json:
    """The session's PaymentIntent: made at the first attempt to pay, then used again."""
    if session["payment_intent"]:
        return account.state.intents[session["payment_intent"]]
    plan = account.state.plans[session["id"]]
    reference = new_id("pi")
    kept = ("description", "receipt_email", "statement_descriptor_suffix")
    intent = {
        **spec.blank("payment_intent"),
        **{name: plan[name] for name in kept if name in plan},
        "id": reference,
        "object": "payment_intent",
        "amount": session["amount_total"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": "automatic_async",
        "client_secret": new_id(f"{reference}_secret"),
        "confirmation_method": "automatic",
        "created": account.now,
        "currency": session["currency"],
        "customer": session["customer"],
        "livemode": False,
        "metadata": plan.get("metadata", {}),
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": session["payment_method_types"],
        "status": "requires_payment_method",
    }
    account.state.intents[reference] = intent
    session["payment_intent"] = reference
    account.emit("payment_intent.created", intent)
    return intent


def _succeed(account: Account, session: Json, intent: Json) -> None:
    charge = _charge(account, session, intent, paid=True)
    intent |= {
        "amount_received": intent["amount"],
        "last_payment_error": None,
        "latest_charge": charge["id"],
        "payment_method": charge["payment_method"],
        "status": "succeeded",
    }
    session["payment_status"] = "paid"
    account.emit("charge.succeeded", charge)
    account.emit("payment_intent.succeeded", intent)


def _charge(account: Account, session: Json, intent: Json, *, paid: bool) -> Json:
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    reference = new_id("ch")
    charge = {
        **spec.blank("charge"),
        "id": reference,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if paid else 0,
        "amount_refunded": 0,
        "balance_transaction": new_id("txn") if paid else None,
        "billing_details": {
            "address": address,
            "email": _email(session),
            "name": "Test Gast",
            "phone": None,
            "tax_id": None,
        },
        "captured": paid,
        "created": account.now,
        "currency": intent["currency"],
        "customer": session["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_code": None if paid else DECLINED["code"],
        "failure_message": None if paid else DECLINED["message"],
        "fraud_details": {},
        "livemode": False,
        # A charge has its PaymentIntent's metadata as it was when it was made.
        "metadata": dict(intent["metadata"]),
        "outcome": _outcome(paid),
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": new_id("pm"),
        "payment_method_details": _test_card(),
        "receipt_email": intent["receipt_email"],
        "refunded": False,
        "status": "succeeded" if paid else "failed",
    }
    del charge["refunds"]  # only sent when expanded
    account.state.charges[reference] = charge
    return charge


def _outcome(paid: bool) -> Json:
    return {
        "advice_code": None if paid else "try_again_later",
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network" if paid else "declined_by_network",
        "reason": None if paid else DECLINED["decline_code"],
        "risk_level": "normal",
        "seller_message": "Payment complete." if paid else "The bank declined the payment.",
        "type": "authorized" if paid else "issuer_declined",
    }


def _test_card() -> Json:
    """https://docs.stripe.com/testing#cards"""
    checks = {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}
    card = {
        "brand": "visa",
        "checks": checks,
        "country": "DE",
        "exp_month": 12,
        "exp_year": 2040,
        "funding": "credit",
        "last4": "4242",
        "network": "visa",
        "three_d_secure": None,
        "wallet": None,
    }
    return {"type": "card", "card": card}
