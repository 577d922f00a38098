"""The calendar's rules: who gets a time that is free. Nothing here knows about money.

Everything that takes time from a calendar happens in one transaction that first locks the
calendar, so people who want the same slot are asked one after the other and get a clear answer.
The exclusion constraint is the last word, should anything ever come past the lock.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, OperationalError, transaction
from psycopg.errors import DeadlockDetected, ExclusionViolation, UniqueViolation

from booking import notices
from booking.availability import check
from booking.errors import (
    AlreadyCancelled,
    BeingPaid,
    HoldRanOut,
    LinkOver,
    NotBookable,
    NotMovable,
    RequestOver,
    SlotPast,
    SlotTaken,
    TooLateToMove,
    TooManyHolds,
)
from booking.models import (
    Answer,
    BillingAddress,
    Booking,
    Calendar,
    CallType,
    Notification,
    OneOffLink,
)
from booking.slots import Interval
from coaching_site import compiled, jobs
from coaching_site.compiled import blank

HOLD_LIFE = timedelta(minutes=15)
HOLDS_PER_NETWORK = 5

# Advisory locks are numbers; these say "a calendar" and "an e-mail address", a second number which.
CALENDAR_LOCK = 7_240_001
ADDRESS_LOCK = 7_240_002


@dataclass(frozen=True)
class Billing:
    """The rest of whom to bill, besides the guest's name and company."""

    street: str
    postal_code: str
    city: str
    country: str
    vat_id: str = ""


@dataclass(frozen=True)
class Guest:
    """Who wants the call, as typed into the form and checked."""

    name: str
    email: str
    company: str = ""
    phone: str = ""
    topic: str = ""
    answers: tuple[Answer, ...] = ()
    # The words they agreed to, if they did: that we may ask for feedback after the call.
    followup_consent_text: str = ""
    # The same for the newsletter, which another job than the booking's own mails looks after.
    newsletter_consent_text: str = ""
    # As a consumer or a company; "" if nobody asked.
    customer: str = ""
    billing: Billing | None = None

    def of_the_booking(self) -> dict[str, Any]:
        """What stands in the booking's own row."""
        own = (field.name for field in fields(self) if field.name != "billing")
        return {name: getattr(self, name) for name in own}


def lock(calendar: Calendar) -> None:
    """Wait for this calendar and keep it until the transaction ends."""
    with compiled.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [CALENDAR_LOCK, calendar.pk])


@contextmanager
def alone_in(calendar: Calendar, *, address: str = "") -> Iterator[None]:
    """A transaction that holds the calendar; what the database refuses becomes SlotTaken.

    An `address` is held too, and before the calendar: its other hold may be in another one.
    One that may be paid for right now does not give way: that becomes BeingPaid.
    """
    try:
        with transaction.atomic(), compiled.one_cursor():
            if address:
                _lock_address(address)
            lock(calendar)
            yield
    except (IntegrityError, OperationalError) as error:
        cause = error.__cause__
        if isinstance(cause, ExclusionViolation | DeadlockDetected):
            raise SlotTaken from error
        if (
            isinstance(cause, UniqueViolation)
            and cause.diag.constraint_name == "booking_one_hold_an_address"
        ):
            raise BeingPaid from error
        raise


def hold(
    call_type: CallType,
    *,
    start: datetime,
    guest: Guest,
    form_token: uuid.UUID,
    visitor_zone: str,
    now: datetime,
    network: str = "",
) -> Booking:
    """Keep a slot for a guest while they check what they typed.

    One form is one booking: sent twice it returns the same one, sent again with other details
    or another time it changes that one. One address holds one time: the newer form wins.
    `network` is a hash of where the guest comes from; "" counts with nobody.
    Raises NotBookable, SlotRefused or TooManyHolds; BeingPaid if a hold that would have to change
    or to give way is one that its guest may be paying for.
    """
    if not call_type.is_bookable:
        raise NotBookable
    with alone_in(call_type.calendar, address=guest.email):
        known = _from_form(form_token)
        if known is not None and not known.is_unfinished:
            return known
        if known is not None and known.is_being_paid:
            raise BeingPaid
        booking = known or Booking(form_token=form_token, created_at=now)
        _free_other_holds(guest.email, besides=known, now=now)
        if not (booking.is_held(now) and booking.start == start and booking.call_type == call_type):
            _free_expired_holds(call_type.calendar, now=now)
            _place(booking, call_type, check(call_type, start=start, now=now, besides=known))
            _agree(booking, call_type)
            _leave_room(network, besides=known, now=now)
            booking.status = Booking.Status.HELD
            booking.held_until = now + HOLD_LIFE
            booking.network = network
        for field, value in guest.of_the_booking().items():
            setattr(booking, field, value)
        booking.followup_consent_at = now if guest.followup_consent_text else None
        booking.visitor_zone = visitor_zone
        booking.one_off = call_type.one_off
        compiled.save(booking)
        _bill_to(booking, guest, is_new=known is None)
        return booking


def proposed(call_type: CallType, *, start: datetime, now: datetime) -> Booking:
    """What a booking of this time would be agreed on. Saved nowhere, and it holds nothing."""
    booking = Booking(created_at=now)
    _place(booking, call_type, Interval(start, start + call_type.duration))
    _agree(booking, call_type)
    return booking


def still_good(booking: Booking, *, now: datetime) -> None:
    """Return if this booking could be confirmed right away, else raise what stands against it.

    HoldRanOut says that only the guest's yes is missing; SlotRefused that the time is gone;
    AlreadyCancelled and RequestOver that this booking is over.
    """
    if booking.is_cancelled:
        raise AlreadyCancelled
    if booking.is_lapsed:
        raise RequestOver
    if booking.start <= now:
        raise SlotPast
    if not booking.is_held(now):
        check(booking.call_type, start=booking.start, now=now, besides=booking)
        raise HoldRanOut


def confirm(booking: Booking, *, now: datetime, again: bool = False) -> Booking:
    """Book what is held, or ask for it, and owe both sides a mail. Twice is the same as once.

    Raises what `still_good` raises, or LinkOver; `again` is the guest's yes after the hold ran out.
    """
    with alone_in(booking.calendar):
        booking = Booking.objects.locked(booking)
        if booking.is_confirmed or booking.is_request:
            return booking
        try:
            still_good(booking, now=now)
        except HoldRanOut:
            if not again:
                raise
            _free_expired_holds(booking.calendar, now=now)
        _use_link(booking, now=now)
        booking.held_until = None
        booking.network = ""
        if booking.newsletter_consent_text:
            jobs.enqueue("desk.sign_up_from_booking", booking=booking.pk, asked_at=now.isoformat())
        if booking.call_type.needs_approval:
            patience = timedelta(hours=booking.call_type.approval_hours)
            booking.status = Booking.Status.REQUESTED
            booking.requested_until = min(now + patience, booking.start)
            booking.save()
            notices.announce(booking, Notification.Kind.REQUEST, now=now)
        else:
            _book(booking, now=now)
        return booking


def accept(booking: Booking, *, now: datetime) -> Booking:
    """Say yes to a request. Twice is the same as once. Raises RequestOver."""
    with alone_in(booking.calendar):
        booking = Booking.objects.locked(booking)
        if booking.is_confirmed:
            return booking
        if not booking.can_be_accepted(now):
            raise RequestOver
        _book(booking, now=now)
        return booking


def keep_holding(booking: Booking, *, until: datetime, now: datetime, again: bool = False) -> None:
    """Hold a time for longer than a look at it takes. The caller is alone in the calendar.

    Raises what `still_good` raises, or LinkOver; `again` is the guest's yes after the hold ran out.
    """
    try:
        still_good(booking, now=now)
    except HoldRanOut:
        if not again:
            raise
        _free_expired_holds(booking.calendar, now=now)
        _free_other_holds(booking.email, besides=booking, now=now)
    _link_is_good(booking, now=now)  # who could not be booked must not be asked for money
    booking.status = Booking.Status.HELD
    booking.held_until = until
    booking.save()


def still_movable(booking: Booking, *, by: Booking.Side, now: datetime) -> None:
    """Return if this side may choose another time, else raise NotMovable or TooLateToMove."""
    if not booking.is_confirmed:
        raise NotMovable
    if by == Booking.Side.COACH:
        return
    if not (booking.call_type.is_active and booking.call_type.is_bookable):
        raise NotMovable
    if booking.start <= now:
        raise TooLateToMove
    if not booking.guest_may_move(now):
        raise TooLateToMove(booking.move_until, booking.guest_zone)


def move(
    booking: Booking, *, start: datetime, by: Booking.Side, now: datetime, overridden: str = ""
) -> Booking:
    """Give a booked call another time and owe both sides a mail. Twice is the same as once.

    For the guest the rules are those of a new booking, as if this one were not there. The coach
    is above them; asking first is up to the caller, who already has the lock, and what was put
    aside is `overridden`. Raises NotMovable, TooLateToMove or SlotRefused.
    """
    with alone_in(booking.call_type.calendar):
        booking = Booking.objects.locked(booking)
        if booking.is_confirmed and booking.start == start:
            return booking
        still_movable(booking, by=by, now=now)
        _free_expired_holds(booking.call_type.calendar, now=now)
        slot = Interval(start, start + booking.call_type.duration)
        if by == Booking.Side.GUEST:
            slot = check(booking.call_type, start=start, now=now, besides=booking)
        booking.moved_at, booking.moved_by, booking.moved_from = now, by, booking.start
        _place(booking, booking.call_type, slot)
        booking.no_show_at = None  # nobody has missed the new time
        booking.overridden = overridden
        booking.sequence += 1
        booking.save()
        if booking.start > now:  # nobody is invited to what is over
            notices.announce(booking, Notification.Kind.MOVED, now=now)
        return booking


def release(booking: Booking, *, now: datetime) -> Booking:
    """Give a hold back before it runs out. Anything but a hold stays as it is."""
    with alone_in(booking.calendar):
        booking = Booking.objects.locked(booking)
        if booking.status == Booking.Status.HELD:
            booking.status = Booking.Status.EXPIRED
            booking.held_until = now
            booking.network = ""
            booking.save()
        return booking


def free_expired_holds(*, now: datetime) -> int:
    """Tidy up after guests who did not come back, and tell both sides of unanswered requests.

    Nobody waits for it: holds and requests end by their time. A calendar where nothing ran out is
    not even locked.
    """
    freed = 0
    ran_out = Booking.objects.hold_ran_out(now) | Booking.objects.requests_ran_out(now)
    for calendar in Calendar.objects.filter(pk__in=ran_out.values("calendar")):
        with alone_in(calendar):
            freed += _free_expired_holds(calendar, now=now)
    return freed


def open_holiday(calendar: Calendar, day: date) -> None:
    """Let the weekly plan count on a public holiday."""
    with transaction.atomic():
        opened = _opened_holidays(calendar)
        Calendar.objects.filter(pk=calendar.pk).update(opened_holidays=sorted({*opened, day}))


def close_holiday(calendar: Calendar, day: date) -> None:
    """Back to what holidays are: closed."""
    with transaction.atomic():
        opened = _opened_holidays(calendar)
        Calendar.objects.filter(pk=calendar.pk).update(opened_holidays=sorted({*opened} - {day}))


def book_by_hand(
    call_type: CallType,
    *,
    start: datetime,
    guest: Guest,
    form_token: uuid.UUID,
    overridden: str = "",
    now: datetime,
) -> Booking:
    """Book for the coach, whose word is above every rule but one: two never at the same time.

    Asking the rules first is up to the caller, who already has the lock. Raises SlotTaken.
    """
    with alone_in(call_type.calendar):
        _free_expired_holds(call_type.calendar, now=now)
        booking = Booking(
            **guest.of_the_booking(),
            form_token=form_token,
            made_by=Booking.Side.COACH,
            overridden=overridden,
            visitor_zone=call_type.calendar.zone,
            status=Booking.Status.CONFIRMED,
            created_at=now,
            confirmed_at=now,
        )
        _place(booking, call_type, Interval(start, start + call_type.duration))
        _agree(booking, call_type)
        booking.deposit_waived = booking.deposit_cents > 0  # they agree on the money themselves
        booking.save()
        return booking


def _lock_address(address: str) -> None:
    with compiled.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(lower(%s)))", [ADDRESS_LOCK, address]
        )


def _use_link(booking: Booking, *, now: datetime) -> None:
    """Count the one-off link the guest came by. A hold outlives the link's last day."""
    _link_is_good(booking, now=now)
    if booking.one_off is not None and not OneOffLink.objects.use(booking.one_off.pk):
        raise LinkOver


def _link_is_good(booking: Booking, *, now: datetime) -> None:
    link = booking.one_off
    if link is None:
        return
    if link.uses >= link.max_uses or (link.is_expired(now) and not booking.is_held(now)):
        raise LinkOver


def _book(booking: Booking, *, now: datetime) -> None:
    booking.status = Booking.Status.CONFIRMED
    booking.confirmed_at = now
    booking.save()
    notices.announce(booking, Notification.Kind.CONFIRMATION, now=now)


# What follows is said in every hold, under the lock everybody waits for: its SQL is built once.
FROM_FORM = compiled.Select(
    lambda: Booking.objects.from_form(blank("token")).select_for_update().values_list("pk")
)
REQUESTS_RAN_OUT = compiled.Select(
    lambda: (
        Booking.objects.in_calendar(blank("calendar"))
        .requests_ran_out(blank("now"))
        .select_for_update()
        .values_list("pk")
    )
)
END_HOLDS_RAN_OUT = compiled.Update(
    lambda: Booking.objects.in_calendar(blank("calendar")).hold_ran_out(blank("now")),
    status=Booking.Status.EXPIRED,
    network="",
)
END_HOLDS_OF_ADDRESS = compiled.Update(
    lambda: (
        Booking.objects.holds()
        .of_address(blank("address"))
        .not_being_paid(blank("now"))
        .exclude(pk=blank("besides"))
    ),
    status=Booking.Status.EXPIRED,
    held_until=blank("now"),
    network="",
)
NO_ROW = 0  # Postgres counts rows from 1


def _from_form(token: uuid.UUID) -> Booking | None:
    """What this form has become so far, kept from others until the transaction ends."""
    for (pk,) in FROM_FORM.rows(token=token):
        return Booking.objects.get(pk=pk)
    return None


def _free_expired_holds(calendar: Calendar, *, now: datetime) -> int:
    """Mark what ran out, holds and requests; to the constraint they would still be in the way."""
    for (pk,) in REQUESTS_RAN_OUT.rows(calendar=calendar.pk, now=now):
        request = Booking.objects.get(pk=pk)
        request.status = Booking.Status.EXPIRED
        request.save()
        notices.announce(request, Notification.Kind.LAPSE, now=now)
    return END_HOLDS_RAN_OUT.run(calendar=calendar.pk, now=now)


def _free_other_holds(address: str, *, besides: Booking | None, now: datetime) -> None:
    """The newer hold wins; the page of the older one will offer to confirm again.

    Not over one that may be paid for: it stays, and the database refuses the newer one.
    """
    END_HOLDS_OF_ADDRESS.run(address=address, besides=besides.pk if besides else NO_ROW, now=now)


def _leave_room(network: str, *, besides: Booking | None, now: datetime) -> None:
    """Raise TooManyHolds if this network holds as many times as one may at once."""
    if not network:
        return
    holds = Booking.objects.holds().filter(network=network, held_until__gt=now)
    if besides is not None:
        holds = holds.exclude(pk=besides.pk)
    ends = list(holds.order_by("held_until").values_list("held_until", flat=True))
    if len(ends) >= HOLDS_PER_NETWORK:
        first = ends[-HOLDS_PER_NETWORK]
        assert first is not None, "booking_held_until_a_time"
        raise TooManyHolds(first - now)


def _bill_to(booking: Booking, guest: Guest, *, is_new: bool) -> None:
    """Whom the invoice will go to. A new booking without an address asks the database nothing."""
    if guest.billing is not None:
        address = {"name": guest.name, "company": guest.company, **asdict(guest.billing)}
        BillingAddress.objects.update_or_create(booking=booking, defaults=address)
    elif not is_new:
        BillingAddress.objects.filter(booking=booking).delete()


def _opened_holidays(calendar: Calendar) -> list[date]:
    return Calendar.objects.select_for_update().get(pk=calendar.pk).opened_holidays


def _place(booking: Booking, call_type: CallType, slot: Interval) -> None:
    booking.calendar = call_type.calendar
    booking.call_type = call_type
    booking.start, booking.end = slot.start, slot.end
    booking.buffer_before = call_type.buffer_before
    booking.buffer_after = call_type.buffer_after
    booking.move_until_hours = call_type.move_until_hours
    booking.cancel_until_hours = call_type.cancel_until_hours


def _agree(booking: Booking, call_type: CallType) -> None:
    """What the guest is told about money; the type may change its mind later."""
    booking.price_cents = call_type.price_cents
    booking.deposit_cents = call_type.due_cents
    booking.cancel_free_hours = call_type.cancel_free_hours
    booking.cancel_keep_cents = call_type.cancel_keep_cents
    booking.cancel_keep_percent = call_type.cancel_keep_percent
