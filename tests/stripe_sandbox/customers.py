"""Customers, as far as a Checkout Session may name one (https://docs.stripe.com/api/customers)."""

from __future__ import annotations

from tests.stripe_sandbox import spec
from tests.stripe_sandbox.account import Account, new_id
from tests.stripe_sandbox.errors import no_such
from tests.stripe_sandbox.spec import Json

COPIED = ("description", "email", "name", "phone", "preferred_locales")


def create(account: Account, params: Json) -> Json:
    customer = {
        **spec.blank("customer"),
        **{name: params[name] for name in COPIED if name in params},
        "id": new_id("cus", 14),
        "object": "customer",
        "balance": 0,
        "created": account.now,
        "livemode": False,
        "metadata": params.get("metadata") or {},
    }
    account.state.customers[customer["id"]] = customer
    account.emit("customer.created", customer)
    return customer


def find(account: Account, reference: str) -> Json:
    if reference not in account.state.customers:
        raise no_such("customer", reference)
    return account.state.customers[reference]
