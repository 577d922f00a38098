"""What an invoice says, as one frozen value: the PDF is drawn from it, and it is kept beside it.

All that an electronic invoice after EN 16931 would repeat is in here, so that its XML and the PDF
can never say different things. Amounts are whole cents of EUR, dates are those of the coach's zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from coaching_site import vat

# Up to this sum an invoice may be short (UStDV § 33).
SMALL_CENTS = 250_00


class Tax(StrEnum):
    """How the amounts are taxed."""

    REGULAR = "regular"
    SMALL_BUSINESS = "small_business"
    # Damages are no price for anything, so no tax is in them (UStG § 1 (1) 1).
    NOT_TAXABLE = "not_taxable"

    @property
    def percent(self) -> int:
        return vat.REGULAR_PERCENT if self is Tax.REGULAR else 0


@dataclass(frozen=True)
class Amount:
    """A sum of money with the tax in it; net and VAT always make the gross."""

    net: int
    vat: int

    @property
    def gross(self) -> int:
        return self.net + self.vat

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.net + other.net, self.vat + other.vat)

    def __neg__(self) -> Amount:
        return Amount(-self.net, -self.vat)

    def __sub__(self, other: Amount) -> Amount:
        return self + -other


def split(gross: int, percent: int) -> Amount:
    """A gross sum as net and VAT, the VAT rounded to the nearest cent, halves up."""
    parts = 100 + percent
    vat = (2 * abs(gross) * percent + parts) // (2 * parts)
    amount = Amount(abs(gross) - vat, vat)
    return amount if gross >= 0 else -amount


def total(amounts: Iterable[Amount]) -> Amount:
    return sum(amounts, Amount(0, 0))


@dataclass(frozen=True)
class Issuer:
    """The practice as it was when the invoice was written."""

    name: str
    brand: str
    street: str
    postal_code: str
    city: str
    country: str
    email: str
    phone: str
    tax_number: str
    vat_id: str
    iban: str


@dataclass(frozen=True)
class Recipient:
    """The guest as they were then. Without a known address only a short invoice can be written."""

    name: str
    company: str = ""
    street: str = ""
    postal_code: str = ""
    city: str = ""
    country: str = ""
    vat_id: str = ""
    email: str = ""

    @property
    def has_address(self) -> bool:
        return bool(self.street and self.postal_code and self.city)


@dataclass(frozen=True)
class Line:
    """One row of the table. One that is taken off names the invoice it comes from."""

    text: str
    percent: int
    amount: Amount
    details: tuple[str, ...] = ()
    deducts: str = ""


@dataclass(frozen=True)
class Reference:
    """Another invoice that this one speaks of."""

    title: str
    number: str
    issued_on: date


@dataclass(frozen=True)
class InvoiceData:
    """All of one invoice. `number` is empty in a draft."""

    title: str
    number: str
    issued_on: date
    tax: Tax
    issuer: Issuer
    recipient: Recipient
    lines: tuple[Line, ...]
    # What was or will be done for it, and when.
    service: str
    service_on: date
    service_when: str
    booking_reference: str
    # Money that came before: when, and by which payment.
    received_on: date | None = None
    payment_reference: str = ""
    # Money that is to come.
    due_on: date | None = None
    # The price in all, on an invoice for a part of it.
    price_cents: int | None = None
    cancels: Reference | None = None
    reason: str = ""
    # Short after UStDV § 33: one sum with the tax in it.
    is_short: bool = False
    # Written for a payment in Stripe's test mode: no money, no invoice.
    is_test: bool = False
    currency: str = "EUR"

    @property
    def total(self) -> Amount:
        return total(line.amount for line in self.lines)

    def numbered(self, number: str) -> InvoiceData:
        return replace(self, number=number)

    def as_json(self) -> dict[str, Any]:
        """Plain values, as the database keeps them."""
        plain: dict[str, Any] = _plain(asdict(self))
        for line, values in zip(self.lines, plain["lines"], strict=True):
            values["amount"]["gross"] = line.amount.gross
        return plain


def read(kept: Mapping[str, Any]) -> InvoiceData:
    """The invoice that the database kept."""
    cancels = kept["cancels"]
    return InvoiceData(
        **{
            **kept,
            **{name: _date(kept[name]) for name in ("issued_on", "service_on")},
            **{name: kept[name] and _date(kept[name]) for name in ("received_on", "due_on")},
            "tax": Tax(kept["tax"]),
            "issuer": Issuer(**kept["issuer"]),
            "recipient": Recipient(**kept["recipient"]),
            "lines": tuple(_line(line) for line in kept["lines"]),
            "cancels": cancels
            and Reference(**{**cancels, "issued_on": _date(cancels["issued_on"])}),
        }
    )


def _line(kept: Mapping[str, Any]) -> Line:
    amount = Amount(kept["amount"]["net"], kept["amount"]["vat"])
    return Line(**{**kept, "amount": amount, "details": tuple(kept["details"])})


def _date(text: str) -> date:
    return date.fromisoformat(text)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value
