"""Every page below the desk, found by its address, and a house with a row for each to be about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.urls import URLPattern, URLResolver, get_resolver

from booking import invoicing
from booking.models import Alarm, Booking, Deposit, OneOffLink, Refund
from booking.withdrawals import Declaration, receive
from coaching_site.desk import audit, notes, roles
from coaching_site.desk.models import PersonRequest
from newsletter import addresses
from newsletter.models import Tag
from pages import models as pages
from tests.booking import papers
from tests.desk.signing_in import DESK
from tests.desk.test_retention import paid_by_hand
from tests.desk.test_two_factor import filled
from tests.newsletter.conftest import sign_up
from tests.newsletter.issues import draft

# Whoever presses these leaves the desk.
OUT = {"logout", "password_change", "password_change_done"}
# What the guest's call costs, what was paid of it, what is left, what went back.
PRICE, PAID, REST, BACK = 31907, 17453, 14454, 10321


def every_page() -> list[tuple[str, str]]:
    """Name and address of each page; a page about a row is about one that is there."""
    rows = _rows_there()
    resolver = next(
        each
        for each in get_resolver().url_patterns
        if isinstance(each, URLResolver) and each.app_name == "admin"
    )
    return [(name, path) for name, path in _below(resolver, DESK, rows) if name not in OUT]


def _rows_there() -> dict[str, int]:
    found = {}
    for model in apps.get_models():
        first = model._default_manager.order_by("pk").values_list("pk", flat=True).first()
        if isinstance(first, int):
            found[f"{model._meta.app_label}_{model._meta.model_name}"] = first
    return found


def _below(
    resolver: URLResolver, prefix: str, rows: dict[str, int], model: str = ""
) -> Iterator[tuple[str, str]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            part = str(pattern.pattern)
            yield from _below(pattern, prefix + filled(pattern), rows, part.replace("/", "_"))
        else:
            yield str(pattern.name), prefix + _filled(pattern, rows, model)


def _filled(pattern: URLPattern, rows: dict[str, int], model: str) -> str:
    path = str(pattern.pattern)
    number = str(rows.get(model.strip("_"), 1))
    parts = {
        "<path:object_id>": number,
        "<int:pk>": number if model else str(rows["booking_booking"]),
        "<int:deposit_pk>": str(rows["booking_deposit"]),
        "<int:note>": str(rows["desk_personnote"]),
        "<str:kind>": "terms" if model else "termin",
        "<id>": number,
    }
    for written, value in parts.items():
        path = path.replace(written, value)
    return path if "<" not in path else filled(pattern)


# --- a row for every page ----------------------------------------------------------------------


@pytest.fixture
def kept(db) -> dict[str, int]:
    return roles.keep()


@pytest.fixture
def money(confirmed: Booking, now) -> Booking:
    """A call with a payment, a refund, an invoice, an alarm and a withdrawal."""
    papers.practice()
    papers.address_of(confirmed, name="Ada Müller")
    deposit = paid_by_hand(confirmed, now)
    Deposit.objects.update(amount_cents=PAID, paid_cents=PAID, refunded_cents=BACK)
    Booking.objects.update(
        price_cents=PRICE, deposit_cents=PAID, paid_cents=PAID, cancel_keep_percent=10,
        cancel_free_hours=999,
    )  # fmt: skip
    Refund.objects.create(
        deposit=deposit, amount_cents=BACK, status="succeeded", reason="coach", created_at=now,
        settled_at=now, stripe_id="re_1",
    )  # fmt: skip
    confirmed.refresh_from_db()
    invoicing.write_owed(confirmed, now=now)
    Alarm.objects.create(deposit=deposit, kind="no_invoice", created_at=now)
    receive(Declaration("Ada Müller", confirmed.reference, confirmed.email), now=now)
    with audit.by("coach"):
        Booking.objects.update(cancel_keep_cents=REST)
        Booking.objects.update(cancel_keep_cents=0)
    return confirmed


@pytest.fixture
def house(money: Booking, now, kept) -> Booking:
    """A row for every page to be about."""
    sign_up("ada@example.org", now)
    Tag.objects.create(name="Alle")
    draft()
    OneOffLink.objects.create(call_type=money.call_type)
    notes.add(addresses.parse("ada@example.org"), text="Mag Tee.", by="coach", now=now)
    pages.Testimonial.objects.create(
        text="Gut.", shown_as="A.", person="A", email="ada@example.org"
    )
    PersonRequest.objects.create(
        kind="erase", by="coach", address="ada@example.org", address_hash="x", asked_at=now,
        due_on=now.date(),
    )  # fmt: skip
    return money
