"""Checkout Sessions: opened, expired, changed (https://docs.stripe.com/api/checkout/sessions)."""

from __future__ import annotations

from tests.stripe_sandbox import session_rules, spec
from tests.stripe_sandbox.account import Account, new_id
from tests.stripe_sandbox.errors import StripeError, no_such
from tests.stripe_sandbox.spec import Json

METHODS = ("card", "klarna", "link", "paypal", "sepa_debit")
CUSTOM_TEXTS = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")


def create(account: Account, params: Json) -> Json:
    session_rules.check(account, params)
    reference = new_id("cs_test", 58)
    items = [_line_item(item) for item in params["line_items"]]
    session = _session(account, params, reference, items)
    session |= account.tampering.amounts
    account.tampering.amounts = {}
    account.state.sessions[reference] = session
    account.state.line_items[reference] = {"items": items}
    account.state.plans[reference] = params.get("payment_intent_data", {})
    return session


def find(account: Account, reference: str, param: str = "id") -> Json:
    if reference not in account.state.sessions:
        raise no_such("checkout.session", reference, param)
    return account.state.sessions[reference]


def expire(account: Account, reference: str) -> Json:
    """Only what is open can be expired; the message is the one Stripe sends."""
    session = find(account, reference)
    if session["status"] != "open":
        raise StripeError(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of `{session['status']}`.",
            kept=True,
        )
    return _expire(account, session)


def expire_overdue(account: Account) -> None:
    """What the clock has overtaken is no longer open, asked for or not."""
    for session in account.state.sessions.values():
        if session["status"] == "open" and session["expires_at"] <= account.exact_now:
            _expire(account, session)


def update(account: Account, reference: str, params: Json) -> Json:
    session = find(account, reference)
    other = set(params) - {"metadata", "expand"}
    if other:
        raise StripeError(f"The sandbox only changes metadata, not {', '.join(sorted(other))}.")
    session["metadata"] = merged(session["metadata"], params.get("metadata", {}))
    return session


def merged(old: Json | None, new: Json | str) -> Json:
    """Keys not named stay, empty values go, an empty string clears all (docs.stripe.com/metadata)."""
    if isinstance(new, str):
        return {}
    return {key: value for key, value in {**(old or {}), **new}.items() if value != ""}


def _expire(account: Account, session: Json) -> Json:
    session |= {"status": "expired", "url": None}
    account.emit("checkout.session.expired", session)
    return session


def _session(account: Account, params: Json, reference: str, items: list[Json]) -> Json:
    total = sum(item["amount_total"] for item in items)
    email = params.get("customer_email")
    return {
        **spec.blank("checkout.session"),
        "ui_mode": "hosted_page",
        "customer_creation": "if_required",
        "phone_number_collection": {"enabled": False},
        "adaptive_pricing": {"enabled": True},
        **{name: params[name] for name in session_rules.COPIED if name in params},
        "id": reference,
        "object": "checkout.session",
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": _no_tax(),
        "created": account.now,
        "currency": items[0]["currency"],
        "custom_fields": [],
        "custom_text": dict.fromkeys(CUSTOM_TEXTS) | params.get("custom_text", {}),
        "customer_details": person(email) if email else None,
        "expires_at": params.get("expires_at", account.now + session_rules.LONGEST),
        "invoice_creation": _no_invoice(),
        "livemode": False,
        "metadata": params.get("metadata", {}),
        "mode": "payment",
        "payment_intent": None,
        "payment_method_collection": "if_required",
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": _methods(params),
        "payment_status": "unpaid",
        "shipping_options": [],
        "status": "open",
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "url": f"{account.base_url}/c/pay/{reference}",
    }


def person(email: str, name: str | None = None) -> Json:
    unknown = dict.fromkeys(("address", "business_name", "individual_name", "phone", "tax_ids"))
    return {**unknown, "email": email, "name": name, "tax_exempt": "none"}


def _no_tax() -> Json:
    return {"enabled": False, "liability": None, "provider": None, "status": None}


def _no_invoice() -> Json:
    texts = ("account_tax_ids", "custom_fields", "description", "footer", "issuer")
    data = dict.fromkeys((*texts, "rendering_options")) | {"metadata": {}}
    return {"enabled": False, "invoice_data": data}


def _methods(params: Json) -> list[str]:
    offered = params.get("allowed_payment_method_types", METHODS)
    return [name for name in offered if name not in params.get("excluded_payment_method_types", ())]


def _line_item(params: Json) -> Json:
    data = params["price_data"]
    amount, quantity = data["unit_amount"], params["quantity"]
    return {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount * quantity,
        "amount_tax": 0,
        "amount_total": amount * quantity,
        "currency": data["currency"],
        "description": data["product_data"]["name"],
        "metadata": params.get("metadata", {}),
        "price": {
            "id": new_id("price"),
            "object": "price",
            "active": False,
            "currency": data["currency"],
            "livemode": False,
            "metadata": {},
            "product": new_id("prod", 14),
            "type": "one_time",
            "unit_amount": amount,
        },
        "quantity": quantity,
    }
