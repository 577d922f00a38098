"""The money's rules: what is asked for, what came, what goes back. They never see slots.

Everything that changes a payment happens under a lock of its row. Stripe is asked outside of any
transaction; what it answered is then written down, once, however often it is heard.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from booking import notices, stripe_gateway
from booking.errors import NothingToRefund, PaymentsAway, PaymentsRefused, RefundChanged
from booking.models import Alarm, Booking, Deposit, Notification, Refund
from booking.models.payments import CURRENCY
from booking.stripe_gateway import Dispute, MoneyBack, Session
from coaching_site import german, jobs

# Stripe's words for a refund, in ours (https://docs.stripe.com/api/refunds/object#refund_object-status).
STATES = {
    "pending": Refund.Status.PENDING,
    "requires_action": Refund.Status.PENDING,
    "succeeded": Refund.Status.SUCCEEDED,
    "failed": Refund.Status.FAILED,
    "canceled": Refund.Status.CANCELED,
}
# News only ever lead down this list, so that an old answer written late changes nothing.
ORDER = [
    Refund.Status.ASKED,
    Refund.Status.PENDING,
    Refund.Status.SUCCEEDED,
    Refund.Status.CANCELED,
    Refund.Status.FAILED,
]
# A dispute never leaves these (https://docs.stripe.com/api/disputes/object#dispute_object-status).
DECIDED = ("won", "lost", "warning_closed")


def prepare(
    booking: Booking,
    *,
    key: uuid.UUID,
    request: dict[str, Any],
    expires_at: datetime,
    now: datetime,
) -> Deposit:
    """Note that a guest is about to pay, before Stripe hears of it. The database allows one at a time."""
    return Deposit.objects.create(
        booking=booking,
        key=key,
        request=request,
        amount_cents=booking.deposit_cents - booking.paid_cents,
        livemode=settings.STRIPE_IS_LIVE,
        created_at=now,
        expires_at=expires_at,
    )


def opened(deposit: Deposit, session: Session) -> None:
    """Note the session Stripe made. The caller has the row's lock."""
    if deposit.status == Deposit.Status.PREPARED:
        deposit.status = Deposit.Status.OPEN
        deposit.session_id, deposit.session_url = session.id, session.url
        deposit.request = {}
        deposit.save()


def close(deposit: Deposit, *, now: datetime) -> None:
    """Note that nobody can pay with this attempt any more. The caller has the row's lock."""
    if deposit.is_unfinished:
        deposit.status = Deposit.Status.CLOSED
        deposit.closed_at = now
        deposit.session_url, deposit.request = "", {}
        deposit.save()


def receive(deposit: Deposit, session: Session, *, now: datetime) -> bool:
    """Note money that came, whatever it is; say whether it is new and just what was asked for.

    Money that does not fit is not forgotten: it stays with this payment and alarms the coach.
    The caller has the row's lock.
    """
    if deposit.is_paid:
        return False
    deposit.status = Deposit.Status.PAID
    deposit.paid_at = now
    deposit.paid_cents = session.amount_cents
    deposit.session_id, deposit.payment_intent = session.id, session.payment_intent
    deposit.session_url, deposit.request = "", {}
    deposit.save()
    differs = _differences(deposit, session)
    if differs:
        alarm(deposit, Alarm.Kind.MISMATCH, detail=", ".join(differs), now=now)
    return not differs


def give_back(
    deposit: Deposit,
    cents: int,
    *,
    reason: Refund.Reason,
    by: str = "",
    key: uuid.UUID | None = None,
    now: datetime,
) -> Refund:
    """Owe the guest this much; a job sends it. The caller has the row's lock.

    Raises NothingToRefund if there is not so much, or the payment is disputed.
    """
    if not 0 < cents <= deposit.refundable_cents or deposit.is_disputed:
        raise NothingToRefund
    refund = Refund.objects.create(
        deposit=deposit,
        key=key or uuid.uuid4(),
        amount_cents=cents,
        reason=reason,
        asked_by=by,
        created_at=now,
    )
    # Beyond what was free to go back, it is taken from what was kept.
    deposit.kept_cents = min(deposit.kept_cents, deposit.refundable_cents - cents)
    _recount(deposit)
    jobs.enqueue("booking.send_refund", refund_id=refund.pk)
    return refund


def keep(deposit: Deposit, cents: int) -> None:
    """So much of what is not on its way back stays with the coach. The caller has the row's lock."""
    deposit.kept_cents = cents
    deposit.save()


def owe_after_dispute(deposit: Deposit, cents: int, *, now: datetime) -> None:
    """Remind the coach of a refund that has to wait until the bank has decided.

    If it decides for the guest, the bank has given the money back.
    """
    if deposit.dispute_status != "lost":
        detail = f"{german.euros(cents)} sind zu erstatten, sobald der Streitfall gewonnen ist."
        about = f"nach {deposit.dispute_id}"
        alarm(deposit, Alarm.Kind.REFUND_FAILED, about=about, detail=detail, now=now)


def refund_by_hand(
    deposit: Deposit,
    cents: int,
    *,
    by: str,
    key: uuid.UUID | None = None,
    left_cents: int | None = None,
    now: datetime,
) -> Refund:
    """Send this much back for the coach.

    `key` is the form's own mark: one form is one refund, however often it is sent. `left_cents` is
    what could go back when the coach looked; if that changed, they have to look again. Raises
    NothingToRefund or RefundChanged.
    """
    with transaction.atomic():
        deposit = Deposit.objects.locked(deposit.pk)
        known = Refund.objects.filter(key=key).first() if key else None
        if known is not None:
            if known.deposit_id != deposit.pk:
                raise NothingToRefund
            return known
        if left_cents not in (None, deposit.refundable_cents):
            raise RefundChanged
        return give_back(deposit, cents, reason=Refund.Reason.BY_HAND, by=by, key=key, now=now)


def send(refund: Refund, *, now: datetime) -> None:
    """Bring a refund to Stripe, or see how it stands there. Any number of times is the same as once.

    What the payment's refunds are is asked first: so one that arrived although its answer was
    lost is recognised, even when its idempotency key is long forgotten. Raises PaymentsAway.
    """
    if not refund.is_unfinished:
        return
    payment = refund.deposit.payment_intent
    note_refunds(payment, stripe_gateway.refunds_of(payment), now=now)
    refund.refresh_from_db()
    if refund.status != Refund.Status.ASKED:
        return
    try:
        found = stripe_gateway.give_back(
            payment,
            amount_cents=refund.amount_cents,
            key=str(refund.key),
            idempotency_key=refund.idempotency_key,
        )
    except PaymentsAway as error:
        if error.spoiled:
            # Only this key's answer is spoiled; had the money left, the list above would show it.
            Refund.objects.filter(pk=refund.pk, tries=refund.tries).update(tries=refund.tries + 1)
        raise
    except PaymentsRefused as error:
        _refused(refund, error.code, now=now)
    else:
        note_refunds(payment, [found], now=now)


def note_refunds(payment_intent: str, found: Iterable[MoneyBack], *, now: datetime) -> None:
    """Write down how a payment's refunds stand at Stripe, also those made in the dashboard."""
    with transaction.atomic():
        known = Deposit.objects.filter(payment_intent=payment_intent).with_its_booking().first()
        if known is None:
            return
        # The mail it owes belongs to the booking; who calls off takes both in this order too.
        booking = Booking.objects.locked(known.booking)
        deposit = Deposit.objects.locked(known.pk)
        deposit.booking = booking
        for money in found:
            _note(deposit, money, now=now)
        _recount(deposit)


def note_dispute(dispute: Dispute, *, now: datetime) -> None:
    """Write down that a payment is fought over, and tell the coach once."""
    with transaction.atomic():
        known = Deposit.objects.filter(payment_intent=dispute.payment_intent).first()
        if known is None:
            return
        deposit = Deposit.objects.locked(known.pk)
        is_old_news = deposit.dispute_id == dispute.id and deposit.dispute_status in DECIDED
        if not is_old_news:
            deposit.dispute_id, deposit.dispute_status = dispute.id, dispute.status
            deposit.dispute_due_by = dispute.due_by
            deposit.save()
        alarm(deposit, Alarm.Kind.DISPUTE, about=dispute.id, now=now)


def alarm(
    deposit: Deposit, kind: Alarm.Kind, *, about: str = "", detail: str = "", now: datetime
) -> None:
    """Ask for the coach's attention, in the desk's list and by mail, once for the same thing."""
    with transaction.atomic():
        row, is_new = Alarm.objects.get_or_create(
            deposit=deposit, kind=kind, about=about, defaults={"detail": detail, "created_at": now}
        )
        # Of late money the coach reads in the mail that goes to both sides.
        if is_new and kind != Alarm.Kind.LATE:
            jobs.enqueue("booking.tell_about_alarm", alarm_id=row.pk)


def _differences(deposit: Deposit, session: Session) -> list[str]:
    """What about this money is not as it was asked for, in the coach's words."""
    pairs = (
        ("Betrag", session.amount_cents, deposit.amount_cents),
        ("Währung", session.currency, CURRENCY),
        ("Buchungsnummer", session.reference, deposit.booking.reference),
        ("Schlüssel", session.key, str(deposit.key)),
        ("echtes Geld", session.livemode, deposit.livemode),
    )
    return [f"{name} {came!s} statt {asked!s}" for name, came, asked in pairs if came != asked]


def _note(deposit: Deposit, money: MoneyBack, *, now: datetime) -> None:
    refund = _row_of(deposit, money, now=now)
    status = STATES.get(money.status, Refund.Status.PENDING)
    # That we gave one up counts for nothing if Stripe has it.
    is_first_news = not refund.stripe_id
    refund.stripe_id, refund.amount_cents = money.id, money.amount_cents
    if is_first_news or ORDER.index(status) > ORDER.index(Refund.Status(refund.status)):
        refund.status, refund.failure = status, ""
        if status == Refund.Status.SUCCEEDED:
            refund.settled_at = now
        if status in Refund.GONE_WRONG:
            refund.failure = money.failure or status.label
    refund.save()
    if refund.status == Refund.Status.SUCCEEDED:
        notices.owe(
            deposit.booking, Notification.Kind.REFUND, Booking.Side.GUEST, refund=refund, now=now
        )
    elif refund.status in Refund.GONE_WRONG:
        alarm(deposit, Alarm.Kind.REFUND_FAILED, about=money.id, detail=refund.failure, now=now)


def _row_of(deposit: Deposit, money: MoneyBack, *, now: datetime) -> Refund:
    """Our row for a refund at Stripe; one that nobody here asked for was made in the dashboard."""
    for refund in deposit.refunds.all():
        if money.id == refund.stripe_id or (not refund.stripe_id and money.key == str(refund.key)):
            return refund
    return Refund(
        deposit=deposit,
        amount_cents=money.amount_cents,
        reason=Refund.Reason.DASHBOARD,
        created_at=now,
    )


def _recount(deposit: Deposit) -> None:
    """Add up what went back. What was still to be sent gives way to what Stripe has sent already."""
    counting = Refund.objects.filter(deposit=deposit).counting()
    for waiting in counting.filter(status=Refund.Status.ASKED).order_by("-pk"):
        too_much = _sum(counting) - (deposit.paid_cents - deposit.kept_cents)
        if too_much <= 0:
            break
        _give_way(waiting, too_much)
    deposit.refunded_cents = _sum(counting)
    deposit.kept_cents = min(deposit.kept_cents, deposit.refundable_cents)
    deposit.save()


def _give_way(waiting: Refund, cents: int) -> None:
    """Send so much less, with a key of its own: Stripe may know the old one with the old amount."""
    if cents < waiting.amount_cents:
        waiting.amount_cents -= cents
        waiting.tries += 1
    else:
        waiting.status = Refund.Status.CANCELED
        waiting.failure = "Bei Stripe ging schon genug zurück."
    waiting.save()


def _sum(refunds: Any) -> int:
    total: int | None = refunds.aggregate(total=Sum("amount_cents"))["total"]
    return total or 0


def _refused(refund: Refund, code: str, *, now: datetime) -> None:
    with transaction.atomic():
        deposit = Deposit.objects.locked(refund.deposit_id)
        row = Refund.objects.select_for_update().get(pk=refund.pk)
        if row.status != Refund.Status.ASKED or row.tries != refund.tries:
            return
        row.status, row.failure = Refund.Status.FAILED, f"Stripe: {code}"[:200]
        row.save()
        _recount(deposit)
        alarm(deposit, Alarm.Kind.REFUND_FAILED, about=str(row.key), detail=row.failure, now=now)
