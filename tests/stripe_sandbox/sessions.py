"""Checkout Sessions: opened, expired, changed (https://docs.stripe.com/api/checkout/sessions)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tests.stripe_sandbox import spec
from tests.stripe_sandbox.account import Account, new_id
from tests.stripe_sandbox.errors import StripeError, missing, no_such
from tests.stripe_sandbox.spec import Json

SHORTEST, LONGEST = 30 * 60, 24 * 3600
LEAST_AMOUNT = 50  # cents; https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
COPIED = (
    "adaptive_pricing",
    "allow_promotion_codes",
    "allowed_payment_method_types",
    "billing_address_collection",
    "branding_settings",
    "cancel_url",
    "client_reference_id",
    "customer",
    "customer_creation",
    "customer_email",
    "excluded_payment_method_types",
    "integration_identifier",
    "locale",
    "phone_number_collection",
    "submit_type",
    "success_url",
    "ui_mode",
)
# What else may be sent and means something here. Anything more is refused rather than ignored.
PLAYED = {
    *COPIED,
    "automatic_tax",
    "custom_text",
    "expand",
    "expires_at",
    "invoice_creation",
    "line_items",
    "metadata",
    "mode",
    "payment_intent_data",
    "payment_method_options",
}
PLAYED_OF_INTENT = {"description", "metadata", "receipt_email", "statement_descriptor_suffix"}
# May be said to be off.
NEVER_ON = ("automatic_tax", "invoice_creation", "phone_number_collection")
SUFFIX = re.compile(r"(?=.*[A-Za-z])[^<>\\'\"*]{1,22}")
METHODS = ("card", "klarna", "link", "paypal", "sepa_debit")
CUSTOM_TEXTS = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")


def create(account: Account, params: Json) -> Json:
    _check(account, params)
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
        **{name: params[name] for name in COPIED if name in params},
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
        "expires_at": params.get("expires_at", account.now + LONGEST),
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


def _check(account: Account, params: Json) -> None:
    """What the description cannot say: rules between parameters and about the clock."""
    for name in ("mode", "line_items", "success_url"):
        if name not in params:
            raise missing(name)
    if params["mode"] != "payment" or params.get("ui_mode", "hosted_page") != "hosted_page":
        raise StripeError("The sandbox only knows mode=payment on the hosted page.", param="mode")
    _check_life(account, params.get("expires_at"))
    for name in ("success_url", "cancel_url"):
        _check_url(params.get(name), name)
    _check_customer(account, params)
    _check_items(params["line_items"])
    _check_intent(params.get("payment_intent_data", {}))
    _check_played(params)


def _check_intent(plan: Json) -> None:
    if "statement_descriptor" in plan:
        raise StripeError(
            "The statement_descriptor parameter is not supported for card charges; use "
            "statement_descriptor_suffix.",
            param="payment_intent_data[statement_descriptor]",
        )
    # https://docs.stripe.com/get-started/account/statement-descriptors
    if not SUFFIX.fullmatch(plan.get("statement_descriptor_suffix", "X")):
        raise StripeError(
            "The statement descriptor suffix needs a letter, has up to 22 characters and none of "
            "< > \\ ' \" *",
            param="payment_intent_data[statement_descriptor_suffix]",
        )


def _check_played(params: Json) -> None:
    unplayed = set(params) - PLAYED
    unplayed |= set(params.get("payment_intent_data", {})) - PLAYED_OF_INTENT
    unplayed |= {name for name in NEVER_ON if params.get(name, {}).get("enabled")}
    if params.get("customer_creation") == "always":
        unplayed.add("customer_creation")
    if unplayed:
        raise StripeError(f"Stripe knows this, the sandbox does not: {', '.join(sorted(unplayed))}")


def _check_life(account: Account, expires_at: int | None) -> None:
    if expires_at is None:
        return
    life = expires_at - account.exact_now
    if life < SHORTEST:
        text = "must be at least 30 minutes from Checkout Session creation."
    elif life > LONGEST:
        text = "must be less than 24 hours from Checkout Session creation."
    else:
        return
    raise StripeError(f"The `expires_at` timestamp {text}", param="expires_at")


def _check_url(url: str | None, name: str) -> None:
    if url is None:
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise StripeError("Not a valid URL", code="url_invalid", param=name)


def _check_customer(account: Account, params: Json) -> None:
    email, customer = params.get("customer_email"), params.get("customer")
    if email and customer:
        raise StripeError("You may only specify one of these parameters: customer, customer_email.")
    if email and not re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", email):
        raise StripeError(
            f"Invalid email address: {email}", code="email_invalid", param="customer_email"
        )
    if customer and customer not in account.state.customers:
        raise no_such("customer", customer, "customer")


def _check_items(items: list[Json]) -> None:
    if not items:
        raise missing("line_items")
    for index, item in enumerate(items):
        _check_item(item, f"line_items[{index}]")
    if len({item["price_data"]["currency"] for item in items}) > 1:
        raise StripeError("All line items must have the same currency.", param="line_items")
    total = sum(item["price_data"]["unit_amount"] * item["quantity"] for item in items)
    if total < LEAST_AMOUNT:
        raise StripeError(
            "The Checkout Session's total amount must convert to at least 50 cents.",
            code="amount_too_small",
        )


def _check_item(item: Json, name: str) -> None:
    if "price" in item:
        raise no_such("price", item["price"], f"{name}[price]")
    for key in ("price_data", "quantity"):
        if key not in item:
            raise missing(f"{name}[{key}]")
    data = item["price_data"]
    for key in ("unit_amount", "product_data"):
        if key not in data:
            raise missing(f"{name}[price_data][{key}]")
    if not re.fullmatch("[a-z]{3}", data["currency"]):
        raise StripeError(
            f"Invalid currency: {data['currency']}", param=f"{name}[price_data][currency]"
        )
    for value, key in ((item["quantity"], "quantity"), (data["unit_amount"], "unit_amount")):
        if value < 1:
            raise StripeError(
                "This value must be greater than or equal to 1.",
                code="parameter_invalid_integer",
                param=f"{name}[{key}]",
            )
