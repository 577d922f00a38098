"""Chargebacks: the payer's bank takes the money back (https://docs.stripe.com/disputes)."""

from __future__ import annotations

from tests.stripe_sandbox import payments, spec
from tests.stripe_sandbox.account import NOBODY, Account, new_id
from tests.stripe_sandbox.errors import StripeError, no_such
from tests.stripe_sandbox.spec import Json

TIME_FOR_EVIDENCE = 9 * 24 * 3600
CLOSED = ("won", "lost")


def open_dispute(account: Account, intent: str, reason: str = "fraudulent") -> Json:
    account.cause = NOBODY
    charge = _charge(account, intent)
    dispute = {
        **spec.blank("dispute"),
        "id": new_id("dp"),
        "object": "dispute",
        "amount": charge["amount"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": account.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict(spec.document()["x-fixtures"]["dispute"]["evidence"]),
        "evidence_details": {
            "due_by": account.now + TIME_FOR_EVIDENCE,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": intent,
        "payment_method_details": {
            "type": "card",
            "card": {
                "brand": "visa",
                "case_type": "chargeback",
                "network": "visa",
                "network_reason_code": "10.4",
            },
        },
        "reason": reason,
        "status": "needs_response",
    }
    account.state.disputes[dispute["id"]] = dispute
    charge["disputed"] = True
    account.emit("charge.dispute.created", dispute)
    account.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def close_dispute(account: Account, reference: str, *, won: bool = False) -> Json:
    account.cause = NOBODY
    dispute = find(account, reference)
    if dispute["status"] in CLOSED:
        raise StripeError("This dispute is already closed.")
    dispute |= {"status": "won" if won else "lost", "is_charge_refundable": won}
    account.emit("charge.dispute.closed", dispute, status="needs_response")
    if won:
        account.emit("charge.dispute.funds_reinstated", dispute)
    return dispute


def find(account: Account, reference: str) -> Json:
    if reference not in account.state.disputes:
        raise no_such("dispute", reference)
    return account.state.disputes[reference]


def blocks_refunds(account: Account, charge: Json) -> bool:
    """`disputed` stays true for ever; the money is the merchant's again once the dispute is won."""
    about_it = (each for each in account.state.disputes.values() if each["charge"] == charge["id"])
    return any(not each["is_charge_refundable"] for each in about_it)


def _charge(account: Account, intent: str) -> Json:
    paid = payments.find_intent(account, intent)
    if paid["status"] != "succeeded":
        raise StripeError("Only what was paid can be disputed.")
    return account.state.charges[paid["latest_charge"]]
