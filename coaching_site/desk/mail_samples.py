"""What the previews of mails speak of: nobody, an appointment that is none, money that never was.

Most of it are instances that are never saved. What a mail looks up in the database is written for
it in a transaction that is rolled back (`mail_register.shown`); foreign keys are checked only when
a transaction ends well, so such a row needs none of the rows it points to.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Model
from django.utils import timezone

from booking import invoice_data, invoice_drafts
from booking.invoice_data import InvoiceData, Line, Recipient, Tax
from booking.models import (
    Alarm,
    Booking,
    BusyFeed,
    Calendar,
    CallType,
    Deposit,
    Invoice,
    Refund,
    Withdrawal,
    WithdrawalMail,
)
from coaching_site import german, on_demand
from coaching_site.desk.models import PersonLink, PersonRequest
from newsletter.models import Consent, Inbox, Issue, Subscriber
from pages.models import Practice

if TYPE_CHECKING:
    from booking import invoice_pdf
else:
    invoice_pdf = on_demand.Module("booking.invoice_pdf")

# No row has these numbers, and no sequence comes by them.
NONE, NONE_EITHER = -1, -2
NAME, FIRST_NAME = "Vorname Nachname", "Vorname"
GUEST, READER, STRANGER = "gast@example.org", "abo@example.org", "jemand@example.org"
REFERENCE = "BEISPIEL"
LINK = "beispiel"
TROUBLE = "Hier steht, woran es liegt."
FULL_DISK = "Datenbank, Sicherungen: noch 512 MB frei"
PRICE, PAID = 300_00, 150_00
IN_TWO_WEEKS, HOUR = timedelta(days=14), timedelta(hours=1)


def written(row: Model) -> None:
    """Put a row where the mail looks for it, without taking a number from any sequence."""
    row.save(force_insert=True)


def booking(now: datetime, **changes: Any) -> Booking:
    """A paid call in two weeks at ten, confirmed unless something else is said."""
    calendar = Calendar(pk=NONE, name="Beispiel")
    call_type = CallType(
        pk=NONE,
        calendar=calendar,
        title="Beispielgespräch",
        slug="beispiel",
        length=60,
        price_cents=PRICE,
        deposit_cents=PAID,
        place_detail="Hier steht, was du bei der Gesprächsart zum Ort einträgst.",
        preparation="Hier steht, was du bei der Gesprächsart zur Vorbereitung einträgst.",
    )
    start = _at_ten(now + IN_TWO_WEEKS, calendar)
    usual: dict[str, Any] = {
        "pk": NONE,
        "calendar": calendar,
        "call_type": call_type,
        "reference": REFERENCE,
        "status": Booking.Status.CONFIRMED,
        "start": start,
        "end": start + HOUR,
        "name": NAME,
        "email": GUEST,
        "customer": Booking.Customer.PRIVATE,
        "topic": "Hier steht, worum es deinem Gast geht.",
        "price_cents": PRICE,
        "deposit_cents": PAID,
        "paid_cents": PAID,
        "cancel_free_hours": 48,
        "cancel_keep_percent": 50,
        "created_at": now,
        "confirmed_at": now,
    }
    return Booking(**{**usual, **changes})


def over(now: datetime) -> Booking:
    """A call that took place the day before."""
    start = _at_ten(now - timedelta(days=1), Calendar())
    return booking(now, start=start, end=start + HOUR)


def request(now: datetime, **changes: Any) -> Booking:
    """A call that is asked for and costs nothing."""
    free = {"price_cents": 0, "deposit_cents": 0, "paid_cents": 0}
    until = now + timedelta(days=2)
    asked = {"status": Booking.Status.REQUESTED, "requested_until": until, "confirmed_at": None}
    return booking(now, **{**free, **asked, **changes})


def moved(now: datetime) -> Booking:
    whole = booking(now, moved_at=now, moved_by=Booking.Side.GUEST)
    whole.moved_from = whole.start - timedelta(days=1)
    return whole


def cancelled(now: datetime) -> Booking:
    """Called off by its guest in time: all of the money goes back."""
    over = {"status": Booking.Status.CANCELLED, "cancelled_at": now}
    whole = booking(now, **over, cancelled_by=Booking.Side.GUEST)
    written(deposit(whole, now))
    written(refund(whole, now, Refund.Reason.GUEST))
    return whole


def declined(now: datetime) -> Booking:
    over = {"status": Booking.Status.CANCELLED, "cancelled_at": now}
    return request(now, **over, cancelled_by=Booking.Side.COACH)


def paid_too_late(now: datetime) -> Booking:
    whole = booking(now, status=Booking.Status.EXPIRED, confirmed_at=None)
    written(deposit(whole, now))
    written(refund(whole, now, Refund.Reason.LATE))
    return whole


def deposit(whole: Booking, now: datetime) -> Deposit:
    return Deposit(
        pk=NONE,
        booking=whole,
        status=Deposit.Status.PAID,
        amount_cents=PAID,
        paid_cents=PAID,
        paid_at=now,
        payment_intent="pi_beispiel",
        created_at=now,
        expires_at=now + HOUR,
    )


def refund(whole: Booking, now: datetime, reason: Refund.Reason) -> Refund:
    return Refund(
        pk=NONE,
        deposit=deposit(whole, now),
        status=Refund.Status.SUCCEEDED,
        reason=reason,
        amount_cents=PAID,
        created_at=now,
        settled_at=now,
    )


def alarm(now: datetime) -> Alarm:
    paid = deposit(booking(now), now)
    return Alarm(pk=NONE, deposit=paid, kind=Alarm.Kind.REFUND_FAILED, created_at=now)


def invoice(
    whole: Booking, now: datetime, kind: Invoice.Kind, *, position: int = 1, **changes: Any
) -> Invoice:
    """A paper that says of itself that it is none; no number is taken for it."""
    data = _invoice_data(whole, now, kind).numbered(f"MUSTER-{position:04}")
    pdf = invoice_pdf.draw(data)
    usual: dict[str, Any] = {
        "pk": NONE,
        "kind": kind,
        "series": "MUSTER",
        "year": 1,
        "position": position,
        "number": data.number,
        "issued_on": data.issued_on,
        "created_at": now,
        "booking": whole,
        "deposit_id": NONE,
        "recipient": NAME,
        "vat": data.tax,
        "net_cents": data.total.net,
        "vat_cents": data.total.vat,
        "gross_cents": data.total.gross,
        "data": data.as_json(),
        "pdf": pdf,
        "sha256": hashlib.sha256(pdf).hexdigest(),
    }
    return Invoice(**{**usual, **changes})


def billed(now: datetime) -> Booking:
    """A confirmed call whose payment has its invoice."""
    whole = booking(now)
    written(invoice(whole, now, Invoice.Kind.DEPOSIT))
    return whole


def refunded(now: datetime) -> tuple[Booking, Refund]:
    """A call that was called off, and its money, back with its Stornorechnung."""
    whole = cancelled(now)
    written(invoice(whole, now, Invoice.Kind.DEPOSIT))
    paper = invoice(
        whole,
        now,
        Invoice.Kind.STORNO,
        pk=NONE_EITHER,
        position=2,
        cancels_id=NONE,
        refund_id=NONE,
    )
    written(paper)
    return whole, refund(whole, now, Refund.Reason.GUEST)


def final_invoice(now: datetime) -> tuple[Booking, Invoice]:
    whole = over(now)
    due_on = timezone.localdate(now) + IN_TWO_WEEKS
    return whole, invoice(whole, now, Invoice.Kind.INVOICE, deposit_id=None, due_on=due_on)


def withdrawal(now: datetime, whole: Booking | None = None, **changes: Any) -> Withdrawal:
    usual: dict[str, Any] = {
        "pk": NONE,
        "name": NAME,
        "contract": f"Buchungsnummer {REFERENCE}",
        "email": GUEST,
        "received_at": now,
        "booking": whole or booking(now),
        "matched": Withdrawal.Match.REFERENCE,
    }
    return Withdrawal(**{**usual, **changes})


def withdrawal_of_a_stranger(now: datetime) -> Withdrawal:
    return withdrawal(now, email=STRANGER)


def accepted_withdrawal(now: datetime) -> Withdrawal:
    over = {"status": Booking.Status.CANCELLED, "cancelled_at": now, "cancelled_by": "coach"}
    whole = booking(now, **over)
    back = refund(whole, now, Refund.Reason.WITHDRAWAL)
    decided = {"status": Withdrawal.Status.REFUNDED, "decided_at": now, "refund": back}
    return withdrawal(now, whole, **decided)


def withdrawal_without_effect(now: datetime) -> Withdrawal:
    note = "Hier steht der Grund, den du bei der Entscheidung nennst."
    return withdrawal(now, status=Withdrawal.Status.WITHOUT_EFFECT, decided_at=now, note=note)


def withdrawal_with_lost_mail(now: datetime) -> Withdrawal:
    whole = withdrawal(now)
    written(
        WithdrawalMail(
            pk=NONE,
            withdrawal=whole,
            kind=WithdrawalMail.Kind.RECEIPT,
            created_at=now,
            failed_at=now,
        )
    )
    return whole


def feed(now: datetime) -> BusyFeed:
    return BusyFeed(
        pk=NONE,
        calendar=Calendar(pk=NONE, name="Beispiel"),
        name="Beispielkalender",
        created_at=now,
        fetched_at=now - timedelta(days=1),
        failing_since=now - HOUR,
        last_error=TROUBLE,
    )


def subscriber(now: datetime) -> Subscriber:
    return Subscriber(
        pk=NONE,
        public_id=uuid.UUID(int=0),
        address=READER,
        address_key=READER,
        created_at=now,
        mail_requested_at=now,
    )


def wish_to_move(now: datetime) -> Consent:
    return Consent(pk=NONE, address=READER, requested_at=now)


def issue(now: datetime) -> Issue:
    return Issue(pk=NONE, subject="Betreff der Ausgabe", created_at=now, changed_at=now)


def inbox(now: datetime) -> Inbox:
    return Inbox(
        pk=NONE,
        name="ruecklauf@example.org",
        read_at=now,
        failing_since=now - HOUR,
        trouble=TROUBLE,
    )


def person_link(now: datetime) -> PersonLink:
    return PersonLink(pk=NONE, address=STRANGER, expires_at=now + timedelta(days=1))


def person_request(now: datetime) -> PersonRequest:
    return PersonRequest(
        pk=NONE,
        kind=PersonRequest.Kind.EXPORT,
        by=PersonRequest.By.PERSON,
        address=STRANGER,
        asked_at=now - timedelta(days=25),
        due_on=timezone.localdate(now) + timedelta(days=5),
    )


def _at_ten(moment: datetime, calendar: Calendar) -> datetime:
    local = moment.astimezone(calendar.tz)
    return local.replace(hour=10, minute=0, second=0, microsecond=0)


def _invoice_data(whole: Booking, now: datetime, kind: Invoice.Kind) -> InvoiceData:
    practice = Practice.current()
    tax = Tax(practice.vat_mode)
    cents = -PAID if kind == Invoice.Kind.STORNO else PAID
    day = timezone.localdate(whole.start, whole.calendar.tz)
    return InvoiceData(
        title=str(kind.label),
        number="",
        issued_on=timezone.localdate(now),
        tax=tax,
        issuer=replace(invoice_drafts.issuer(practice), name=practice.display_name),
        recipient=Recipient(name=NAME),
        lines=(
            Line("Muster, keine Rechnung", tax.percent, invoice_data.split(cents, tax.percent)),
        ),
        service=whole.call_type.title,
        service_on=day,
        service_when=german.short_date(day),
        booking_reference=whole.reference,
        is_short=True,
        is_test=True,
    )
