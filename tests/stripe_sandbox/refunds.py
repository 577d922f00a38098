"""Money going back, by the API or in the Dashboard (https://docs.stripe.com/refunds)."""

from __future__ import annotations

from tests.stripe_sandbox import payments, spec
from tests.stripe_sandbox.account import NOBODY, Account, new_id
from tests.stripe_sandbox.disputes import blocks_refunds
from tests.stripe_sandbox.errors import StripeError, no_such
from tests.stripe_sandbox.sessions import merged
from tests.stripe_sandbox.spec import Json

ENDED = ("failed", "canceled")


def create(account: Account, params: Json) -> Json:
    charge = _charge(account, params)
    if account.tampering.refund_error is not None:
        raise StripeError(kept=True, **account.tampering.refund_error)
    amount = _amount(account, charge, params)
    return _refund(account, charge, amount, params, account.tampering.refund_status)


def by_dashboard(account: Account, intent: str, amount: int | None = None) -> Json:
    """A person presses "refund" at Stripe: the site hears of it by events only."""
    params = {"payment_intent": intent} | ({} if amount is None else {"amount": amount})
    charge = _charge(account, params)
    amount = _amount(account, charge, params)
    account.cause = NOBODY
    return _refund(account, charge, amount, {}, "succeeded")


def find(account: Account, reference: str) -> Json:
    if reference not in account.state.refunds:
        raise no_such("refund", reference)
    return account.state.refunds[reference]


def update(account: Account, reference: str, params: Json) -> Json:
    refund = find(account, reference)
    before = refund["metadata"]
    refund["metadata"] = merged(before, params.get("metadata", {}))
    _updated(account, refund, metadata=before)
    return refund


def cancel(account: Account, reference: str) -> Json:
    """Only a refund that waits for the customer can be cancelled."""
    refund = find(account, reference)
    if refund["status"] != "requires_action":
        raise StripeError(
            f"Refund {reference} has a status of {refund['status']} and cannot be canceled.",
            kept=True,
        )
    return _end(account, refund, "canceled")


def succeed(account: Account, reference: str) -> Json:
    """The money of a pending refund has arrived."""
    refund = _not_ended(account, reference)
    before = refund["status"]
    refund |= {"status": "succeeded", "pending_reason": None}
    _updated(account, refund, status=before)
    return refund


def fail(account: Account, reference: str, reason: str = "expired_or_canceled_card") -> Json:
    """It came back, even after `succeeded` (https://docs.stripe.com/refunds#failed-refunds)."""
    refund = _not_ended(account, reference)
    refund |= {"failure_reason": reason, "failure_balance_transaction": new_id("txn")}
    _end(account, refund, "failed")
    account.emit("refund.failed", refund)
    return refund


def _not_ended(account: Account, reference: str) -> Json:
    refund = find(account, reference)
    if refund["status"] in ENDED:
        raise StripeError(f"Refund {reference} has already {refund['status']}.")
    return refund


def _end(account: Account, refund: Json, status: str) -> Json:
    """The amount is the charge's again."""
    before = refund["status"]
    refund |= {"status": status, "pending_reason": None}
    charge = account.state.charges[refund["charge"]]
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    _updated(account, refund, status=before)
    return refund


def _updated(account: Account, refund: Json, **before: object) -> None:
    account.emit("refund.updated", refund, **before)
    account.emit("charge.refund.updated", refund, **before)


def _charge(account: Account, params: Json) -> Json:
    if "charge" in params:
        return payments.find_charge(account, params["charge"], "charge")
    if "payment_intent" not in params:
        raise StripeError(
            "One of the following params should be provided for this request: payment_intent or "
            "charge.",
            code="parameter_missing",
        )
    intent = payments.find_intent(account, params["payment_intent"], "payment_intent")
    if intent["status"] != "succeeded":
        raise StripeError(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
            param="payment_intent",
            kept=True,
        )
    return account.state.charges[intent["latest_charge"]]


def _amount(account: Account, charge: Json, params: Json) -> int:
    """How much goes back, or why nothing can."""
    reference = charge["id"]
    if not charge["paid"]:
        raise StripeError(f"Charge {reference} did not succeed.", kept=True)
    if blocks_refunds(account, charge):
        raise StripeError(
            f"Charge {reference} has been charged back; cannot issue a refund.",
            code="charge_disputed",
            kept=True,
        )
    rest: int = charge["amount"] - charge["amount_refunded"]
    if rest == 0:
        raise StripeError(
            f"Charge {reference} has already been refunded.",
            code="charge_already_refunded",
            kept=True,
        )
    amount: int = params.get("amount", rest)
    if amount < 1:
        raise StripeError(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount",
        )
    if amount > rest:
        raise StripeError(
            f"Refund amount ({_money(amount)}) is greater than unrefunded amount on charge "
            f"({_money(rest)})",
            param="amount",
            kept=True,
        )
    return amount


def _money(cents: int) -> str:
    return f"€{cents / 100:.2f}"


def _refund(account: Account, charge: Json, amount: int, params: Json, status: str) -> Json:
    refund = {
        **spec.blank("refund"),
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": new_id("txn"),
        "charge": charge["id"],
        "created": account.now,
        "currency": charge["currency"],
        "destination_details": {
            "type": "card",
            "card": {"type": "refund", "reference_status": "pending"},
        },
        "metadata": params.get("metadata") or {},
        "payment_intent": charge["payment_intent"],
        "reason": params.get("reason"),
        "status": status,
    }
    if status == "pending":
        refund["pending_reason"] = "insufficient_funds"
    account.state.refunds[refund["id"]] = refund
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    account.emit("charge.refunded", charge, amount_refunded=charge["amount_refunded"] - amount)
    account.emit("refund.created", refund)
    return refund
