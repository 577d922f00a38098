"""Ordering a paid call (BGB §§ 312d–312j): what the page says, what is declared, and the proof of both.

The page is made once, shown, and kept word for word. The button brings back the hash of what it
stood under, so nobody orders by words they have not seen.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from booking import checkout, withdrawals
from booking.errors import EarlyStartMissing, OrderChanged
from booking.models import Booking, Order
from booking.models.orders import Declaration, PaperVersion, contract_texts
from pages import legal
from pages.legal_models import LegalText

# The three elements the law wants: the express request, that it is known when the right ends, and
# that what was rendered is paid for (BGB §§ 356, 357a; EGBGB Art. 246a § 1 (2) 3).
EARLY_START = (
    "Ich verlange ausdrücklich, dass die Leistung vor Ablauf der Widerrufsfrist beginnt. Mir ist "
    "bekannt, dass mein Widerrufsrecht mit vollständiger Vertragserfüllung erlischt und dass ich "
    "bei einem Widerruf davor die bis dahin erbrachte Leistung anteilig bezahle."
)
AS_A_COMPANY = (
    "Ich bestelle als Unternehmerin, Unternehmer oder im Namen des genannten Unternehmens."
)


@dataclass(frozen=True)
class OrderPage:
    """What stands above the button, as it is shown and as it is kept."""

    button: str
    summary: str
    papers: tuple[PaperVersion, ...]

    @property
    def sha256(self) -> str:
        words = json.dumps([self.button, self.summary, self.papers], ensure_ascii=False)
        return hashlib.sha256(words.encode()).hexdigest()


def papers_for(booking: Booking) -> tuple[PaperVersion, ...]:
    """The texts this order refers to, as they hold now: those of the contract, and the privacy notice."""
    terms, *more = contract_texts(booking)
    held = (legal.current(kind) for kind in (terms, LegalText.Kind.PRIVACY, *more))
    return tuple({"kind": str(v.kind), "number": v.number, "sha256": v.sha256} for v in held)


def must_ask_for_early_start(booking: Booking, *, start: datetime, now: datetime) -> bool:
    """Whether a call at `start` would begin before its guest's withdrawal period is over."""
    if not booking.is_contract_of_a_consumer:
        return False
    return start < withdrawals.end_of(last_day(booking, now=now))


def last_day(booking: Booking, *, now: datetime) -> date:
    """The period's last day. Before a call is paid for, the period begins as late as money can come."""
    concluded_at = booking.confirmed_at or now + checkout.PAYING_HOLD_LIFE
    return withdrawals.last_day_from(concluded_at, booking.calendar)


def place(
    booking: Booking,
    page: OrderPage,
    *,
    seen: str,
    early_start: bool,
    network: str = "",
    now: datetime,
) -> Order:
    """Keep what was ordered and declared. The same order given again is the same row.

    `seen` is the hash of the page the button stood on. Raises OrderChanged if it was another one,
    EarlyStartMissing if the call would begin too early without the guest's asking for it.
    """
    if seen != page.sha256:
        raise OrderChanged
    with transaction.atomic():
        shown, booking = booking, Booking.objects.locked(booking)
        if _terms(shown) != _terms(booking):
            raise OrderChanged
        is_early = must_ask_for_early_start(booking, start=booking.start, now=now)
        if is_early and not early_start:
            raise EarlyStartMissing
        declarations = _declarations(booking, is_early=is_early)
        known = Order.objects.newest(booking)
        if known and (known.sha256, known.declarations) == (page.sha256, declarations):
            return known
        _note_early_start(booking, is_early=is_early, now=now)
        return Order.objects.create(
            booking=booking,
            ordered_at=now,
            customer=booking.customer,
            button=page.button,
            summary=page.summary,
            declarations=declarations,
            papers=list(page.papers),
            sha256=page.sha256,
            network=network,
        )


def ask_for_early_start(booking: Booking, *, now: datetime) -> None:
    """Note that the guest wants an appointment they have to be before the period ends; the first stays."""
    with transaction.atomic():
        row = Booking.objects.locked(booking)
        if row.early_start_at is None:
            _note_early_start(row, is_early=True, now=now)


def _terms(booking: Booking) -> tuple[object, ...]:
    return (booking.start, booking.price_cents, booking.deposit_cents, booking.customer)


def _note_early_start(booking: Booking, *, is_early: bool, now: datetime) -> None:
    booking.early_start_text = EARLY_START if is_early else ""
    booking.early_start_at = now if is_early else None
    booking.save(update_fields=["early_start_text", "early_start_at"])


def _declarations(booking: Booking, *, is_early: bool) -> list[Declaration]:
    declared: list[Declaration] = []
    if booking.customer == Booking.Customer.COMPANY:
        declared.append({"text": AS_A_COMPANY, "is_ticked": True})
    if is_early:
        declared.append({"text": EARLY_START, "is_ticked": True})
    return declared
