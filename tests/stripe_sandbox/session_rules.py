"""What a new Checkout Session must fulfil beyond the types of its parameters.

https://docs.stripe.com/api/checkout/sessions/create
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tests.stripe_sandbox.account import Account
from tests.stripe_sandbox.errors import StripeError, missing, no_such
from tests.stripe_sandbox.spec import Json

SHORTEST, LONGEST = 30 * 60, 24 * 3600
LEAST_AMOUNT = 50  # cents; https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
# The session shows these as they were sent.
COPIED = (
    "adaptive_pricing",
    "allow_promotion_codes",
    "allowed_payment_method_types",
    "billing_address_collection",
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


def check(account: Account, params: Json) -> None:
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
