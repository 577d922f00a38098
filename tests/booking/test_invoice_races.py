"""Everybody wants an invoice at once: real threads, one number each, none twice and none left out."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError

from booking import availability, invoicing, scheduling
from booking.models import Booking, Invoice, InvoiceSequence
from booking.models.bookings import BookingQuerySet
from booking.models.papers import InvoiceSequenceQuerySet
from tests.booking.conftest import hold, new_type, somebody
from tests.booking.desk import pay
from tests.booking.papers import practice
from tests.booking.test_races import CROWD, a_connection_each, at_once, kinds

__all__ = ["a_connection_each"]

# The same group as the other crowds: two at once would be too many connections.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("races")]

EIGHT = 8
AFTER = timedelta(days=10)


@pytest.fixture(autouse=True)
def _practice(transactional_db) -> None:
    practice()


def calls_to_bill(calendar: Any, now: datetime, number: int) -> list[Booking]:
    """Calls that were agreed on at the desk, and have taken place."""
    call_type = new_type(calendar)
    starts = [slot.start for slot in availability.offered_slots(call_type, now=now)[:number]]
    rows = [hold(call_type, now=now, start=start, guest=somebody()) for start in starts]
    for row in rows:
        scheduling.confirm(row, now=now)
    Booking.objects.update(price_cents=12000, deposit_waived=True)
    return list(Booking.objects.with_its_type())


def number_without_a_lock(patch: pytest.MonkeyPatch) -> None:
    """All read the last number before anybody has written the next one."""
    meeting = Barrier(CROWD)

    def take(rows: Any, series: str, year: int) -> int:
        row, _ = InvoiceSequence.objects.get_or_create(
            series=series, year=year, defaults={"last": 0}
        )
        meeting.wait(timeout=30)
        InvoiceSequence.objects.filter(pk=row.pk).update(last=row.last + 1)
        return row.last + 1

    patch.setattr(InvoiceSequenceQuerySet, "take", take)


def test_fifty_at_once_get_fifty_numbers_in_a_row(calendar, now, a_connection_each):
    bookings = calls_to_bill(calendar, now, CROWD)
    later = max(booking.end for booking in bookings) + AFTER

    results = at_once([partial(invoicing.issue_final, each, now=later) for each in bookings])

    assert kinds(results) == {"Invoice": CROWD}
    positions = Invoice.objects.order_by("position").values_list("position", flat=True)
    assert list(positions) == list(range(1, CROWD + 1))


def test_control_without_the_lock_fifty_get_the_same_number(
    calendar, now, monkeypatch, a_connection_each
):
    InvoiceSequence.objects.create(series="RE", year=2027, last=0)
    bookings = calls_to_bill(calendar, now, CROWD)
    later = max(booking.end for booking in bookings) + AFTER

    with monkeypatch.context() as patch:
        number_without_a_lock(patch)
        results = at_once([partial(invoicing.issue_final, each, now=later) for each in bookings])

    assert kinds(results) == {"Invoice": 1, "IntegrityError": CROWD - 1}


def test_eight_presses_of_the_button_write_one_invoice(calendar, now):
    [booking] = calls_to_bill(calendar, now, 1)

    results = at_once([partial(invoicing.issue_final, booking, now=now + AFTER)] * EIGHT)

    assert len(set(results)) == Invoice.objects.count() == 1


def test_mail_and_job_at_once_write_one_invoice_for_a_payment(paid_type, stripe, now):
    booking = pay(paid_type, stripe, now)

    results = at_once([partial(invoicing.write_owed, booking, now=now)] * EIGHT)

    assert sorted(len(written) for written in results) == [0] * 7 + [1]  # type: ignore[arg-type]


def test_control_without_the_bookings_lock_the_constraint_has_to_refuse(
    paid_type, stripe, now, monkeypatch
):
    booking = pay(paid_type, stripe, now)
    for_payment, meeting = invoicing._for_payment, Barrier(2)

    def meet(*args: Any, **options: Any) -> Invoice:
        meeting.wait(timeout=30)
        return for_payment(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(
            BookingQuerySet, "locked", lambda rows, row: rows.with_its_type().get(pk=row.pk)
        )
        patch.setattr(invoicing, "_for_payment", meet)
        results = at_once([partial(invoicing.write_owed, booking, now=now)] * 2)

    [refused] = [each for each in results if isinstance(each, IntegrityError)]
    assert "invoice_one_a_payment" in str(refused)
    assert Invoice.objects.get().position == 1
