"""Calling an appointment off, by either side. Both are told, and the money is settled with it."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from booking import deposits, notices, scheduling
from booking.errors import NotBooked, NothingToRefund, TooLateToCancel
from booking.models import Booking, Deposit, Notification, Refund


def cancel_by_guest(booking: Booking, *, now: datetime, note: str = "") -> Booking:
    """Call it off for the guest, who can do so until its time for that is over. Twice is the same as once.

    What they paid goes back by the terms they agreed to. Raises TooLateToCancel, or NotBooked when
    there is nothing to call off.
    """
    return _cancel(booking, by=Booking.Side.GUEST, note=note, now=now)


def cancel_by_coach(booking: Booking, *, now: datetime, note: str = "", who: str = "") -> Booking:
    """Call it off for the coach, at any time; everything that was paid goes back.

    Raises NotBooked when there is nothing to call off.
    """
    return _cancel(booking, by=Booking.Side.COACH, note=note, who=who, now=now)


def cancel_for_guest(
    booking: Booking, *, refund_cents: int, now: datetime, note: str = "", who: str = ""
) -> Booking:
    """Note at the desk that the guest called it off; the coach says how much goes back.

    Raises NotBooked, or NothingToRefund if so much was not paid.
    """
    return _cancel(
        booking, by=Booking.Side.GUEST, note=note, who=who, refund_cents=refund_cents, now=now
    )


def cancel_for_withdrawal(
    booking: Booking, *, refund_cents: int, now: datetime, who: str = ""
) -> Refund | None:
    """End an appointment whose contract was withdrawn from, and send so much back, whatever the terms say.

    One that was called off before stays so, and what was kept of it can go back as well. Nobody is
    told: that is the caller's. Raises NotBooked, or NothingToRefund if so much was not paid.
    """
    with transaction.atomic():
        scheduling.lock(booking.calendar)
        booking = Booking.objects.locked(booking)
        if not (booking.is_cancelled or booking.can_be_called_off):
            raise NotBooked
        if not booking.is_cancelled:
            _call_off(booking, by=Booking.Side.GUEST, note="", now=now)
        deposit = _deposit_to_settle(booking)
        if deposit is None:
            if refund_cents:
                raise NothingToRefund
            return None
        return _send_back(deposit, refund_cents, reason=Refund.Reason.WITHDRAWAL, who=who, now=now)


def too_late(booking: Booking, *, now: datetime) -> TooLateToCancel:
    """Why the guest cannot call it off any more."""
    if booking.start <= now:
        return TooLateToCancel()
    return TooLateToCancel(booking.cancel_until, booking.guest_zone)


def refund_if_cancelled(booking: Booking, *, now: datetime) -> int:
    """How many cents go back if the guest calls it off at `now`."""
    return sum(
        _owed_to_guest(booking, deposit, now=now) for deposit in booking.deposits.that_booked()
    )


def _cancel(
    booking: Booking,
    *,
    by: Booking.Side,
    note: str,
    now: datetime,
    who: str = "",
    refund_cents: int | None = None,
) -> Booking:
    """`refund_cents` is the coach's word at the desk, for whom no time is too late; `who` their name."""
    with transaction.atomic():
        scheduling.lock(booking.calendar)
        booking = Booking.objects.locked(booking)
        if booking.is_cancelled:
            return booking
        if not booking.can_be_called_off:
            raise NotBooked
        at_the_desk = by == Booking.Side.COACH or refund_cents is not None
        if not at_the_desk and not booking.guest_may_cancel(now):
            raise too_late(booking, now=now)
        _call_off(booking, by=by, note=note, now=now)
        _settle(booking, by=by, who=who, refund_cents=refund_cents, now=now)
        notices.announce(booking, Notification.Kind.CANCELLATION, now=now)
        return booking


def _call_off(booking: Booking, *, by: Booking.Side, note: str, now: datetime) -> None:
    booking.status = Booking.Status.CANCELLED
    booking.cancelled_at = now
    booking.cancelled_by = by
    booking.cancellation_note = note
    booking.sequence += 1
    booking.save()


def _settle(
    booking: Booking, *, by: Booking.Side, who: str, refund_cents: int | None, now: datetime
) -> None:
    """Send back what is owed, and keep the rest by the terms."""
    deposit = _deposit_to_settle(booking)
    if deposit is None:
        if refund_cents:
            raise NothingToRefund
        return
    if refund_cents is not None:
        cents = refund_cents
    elif by == Booking.Side.COACH:
        cents = deposit.refundable_cents
    else:
        cents = _owed_to_guest(booking, deposit, now=now)
    reason = Refund.Reason.COACH if by == Booking.Side.COACH else Refund.Reason.GUEST
    _send_back(deposit, cents, reason=reason, who=who, now=now)


def _deposit_to_settle(booking: Booking) -> Deposit | None:
    deposit = booking.deposits.that_booked().select_for_update().first()
    if deposit is not None:
        deposit.booking = booking
    return deposit


def _send_back(
    deposit: Deposit, cents: int, *, reason: Refund.Reason, who: str, now: datetime
) -> Refund | None:
    """So much goes back, the rest is kept. Raises NothingToRefund."""
    refund = None
    if cents > deposit.refundable_cents:
        raise NothingToRefund
    if cents and deposit.is_disputed:
        deposits.owe_after_dispute(deposit, cents, now=now)
    elif cents:
        refund = deposits.give_back(deposit, cents, reason=reason, by=who, now=now)
    # While the bank fights over it nothing can be sent; what is owed stays open then.
    deposits.keep(deposit, deposit.refundable_cents - (cents if deposit.is_disputed else 0))
    return refund


def _owed_to_guest(booking: Booking, deposit: Deposit, *, now: datetime) -> int:
    kept = booking.kept_if_cancelled(now, deposit.paid_cents)
    return max(0, deposit.refundable_cents - kept)
