"""Where calendar and money meet: hold and pay, settle, give up.

The order is always the same. A row says what is about to happen and is committed; then Stripe is
asked; then, under the calendar's lock, what it answered is written down. So each step can be cut
off and repeated. A hold outlives its page at Stripe, and nobody frees a time earlier than that
page has been ended: no slot can be paid for that is free or somebody else's.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import connection, transaction
from django.urls import reverse

from booking import deposits, mail, notices, scheduling, stripe_gateway
from booking.errors import (
    BeingPaid,
    BookingError,
    PaymentsAway,
    PaymentsRefused,
    PaymentUnclear,
)
from booking.models import Alarm, Booking, CallType, Deposit, Notification, Refund, StripeEvent
from booking.scheduling import Guest
from booking.stripe_gateway import Event, Session, Wish
from coaching_site import german, links

logger = logging.getLogger(__name__)

# A session lives at least thirty minutes on Stripe's clock; the hold outlives it by some more
# (https://docs.stripe.com/payments/checkout/managing-limited-inventory).
SESSION_LIFE = timedelta(minutes=31)
PAYING_HOLD_LIFE = timedelta(minutes=35)
# How often a step starts over because something else came first.
ROUNDS = 4
# Stripe repeats an event whose answer is an error, so nobody waits for a lock for long.
LOCK_PATIENCE = "5s"
# An attempt whose answer never came is looked after as soon as nobody can be waiting for it.
ANSWER_LIFE = timedelta(minutes=2)
# How far back the job looks for events that never arrived, and farther if nothing came since;
# Stripe keeps them for thirty days (https://docs.stripe.com/api/events).
EVENTS_PAST = timedelta(days=1)
EVENTS_KEPT = timedelta(days=29)


def hold(
    call_type: CallType,
    *,
    start: datetime,
    guest: Guest,
    form_token: uuid.UUID,
    visitor_zone: str,
    network: str,
    now: datetime,
) -> Booking:
    """Hold a slot as `scheduling.hold` does; payments in the way are ended first.

    Who was faster with the money than with the new form has a booked call and gets that one.
    Raises what `scheduling.hold` raises, or PaymentsAway when Stripe could not be asked.
    """
    for _ in range(ROUNDS):
        try:
            return scheduling.hold(
                call_type,
                start=start,
                guest=guest,
                form_token=form_token,
                visitor_zone=visitor_zone,
                network=network,
                now=now,
            )
        except BeingPaid:
            for other in Booking.objects.in_the_way(form_token, guest.email):
                end_payment(other, now=now)
    raise BeingPaid


def begin(booking: Booking, *, now: datetime, again: bool = False) -> str:
    """The address at Stripe where the guest pays; "" if this is an appointment by now.

    A page that is open already is used again: a booking never has two. Raises what
    `scheduling.still_good` raises, PaymentUnclear, BeingPaid, PaymentsAway or PaymentsRefused.
    """
    for _ in range(ROUNDS):
        attempt, is_new = _attempt(booking, now=now, again=again)
        if attempt is None:
            return ""
        if attempt.can_be_paid(now):
            return attempt.session_url
        if attempt.status == Deposit.Status.OPEN:
            _end(attempt, now=now)
            continue
        try:
            session = stripe_gateway.open_session(attempt.request, key=str(attempt.key))
        except PaymentsAway as error:
            if error.spoiled:
                _close_unanswered(attempt, now=now)
            raise
        except PaymentsRefused as error:
            _close_unanswered(attempt, now=now)
            if is_new:
                deposits.alarm(attempt, Alarm.Kind.REFUSED, detail=error.code, now=now)
                raise
            continue  # it was made for an hour that has passed
        settle(session, now=now)
        attempt.refresh_from_db()
        if attempt.can_be_paid(now):
            return attempt.session_url
        if attempt.status == Deposit.Status.CLOSED:
            # Somebody gave the time back meanwhile; nobody may pay for it now.
            stripe_gateway.end_session(session.id)
    raise PaymentsAway


def settle(session: Session, *, now: datetime) -> Booking | None:
    """Write down how a session stands, and book or pay back what that means. Twice is the same as once.

    The session must come from asking Stripe. None if it is not ours.
    """
    known = Deposit.objects.of_session(session.id, session.key).with_its_booking().first()
    if known is None:
        return None
    with transaction.atomic():
        booking, deposit = _locked(known)
        if session.is_paid:
            if deposits.receive(deposit, session, now=now):
                _make_good(booking, deposit, now=now)
        elif session.is_over:
            deposits.close(deposit, now=now)
        elif session.can_be_paid:
            deposits.opened(deposit, session)
    booking.refresh_from_db()
    return booking


def look(booking: Booking, *, now: datetime) -> Booking:
    """Ask Stripe whether this booking is paid by now. Raises PaymentsAway or PaymentsRefused."""
    for deposit in booking.deposits.unfinished():
        if deposit.session_id:
            settle(stripe_gateway.read_session(deposit.session_id), now=now)
    booking.refresh_from_db()
    return booking


def give_up(booking: Booking, *, now: datetime) -> Booking:
    """Give a held time back; what could still be paid for it is ended first.

    Whoever paid a moment before has an appointment instead. Raises PaymentsAway or PaymentsRefused:
    then the time stays held until its end.
    """
    for _ in range(ROUNDS):
        end_payment(booking, now=now)
        with scheduling.alone_in(booking.calendar):
            if not booking.is_being_paid:
                return scheduling.release(booking, now=now)
    raise BeingPaid


def end_payment(booking: Booking, *, now: datetime) -> None:
    """Make sure nobody can pay for this booking any more. Raises PaymentsAway or PaymentsRefused."""
    for deposit in booking.deposits.unfinished():
        _end(deposit, now=now)


def hear(event: Event, *, now: datetime) -> bool:
    """Act on an event, once, and remember it in the same transaction; say whether it was ours and new.

    What it is about is asked anew: events come late, twice and out of order. Raises PaymentsAway,
    PaymentsRefused or OperationalError; Stripe will repeat it.
    """
    if event.livemode != settings.STRIPE_IS_LIVE:
        logger.warning("Stripe event %s is of the other mode.", event.id)
        return False
    if not _is_ours(event) or StripeEvent.objects.filter(event_id=event.id).exists():
        return False
    effect = _effect(event, now=now)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_PATIENCE])
        if not StripeEvent.objects.remember(event.id, event.kind, event.created_at, now):
            return False
        effect()
    return True


@dataclass
class Reconciled:
    """What the reconciling job did."""

    payments: int = 0
    refunds: int = 0
    events: int = 0
    is_away: bool = False

    def __str__(self) -> str:
        counts = f"payments={self.payments} refunds={self.refunds} events={self.events}"
        return f"{counts} stripe={'away' if self.is_away else 'well'}"


def reconcile(*, now: datetime) -> Reconciled:
    """Ask Stripe about everything that is not certain yet. Safe to run at any time, by several."""
    done = Reconciled()
    if not settings.STRIPE_SECRET_KEY:
        return done
    try:
        for deposit in Deposit.objects.unfinished().with_its_booking():
            done.payments += _asked(partial(_look_after, deposit, now=now))
        for refund in Refund.objects.unfinished().select_related("deposit"):
            done.refunds += _asked(partial(deposits.send, refund, now=now))
        for event in _missed_events(now):
            done.events += _asked(partial(hear, event, now=now))
    except PaymentsAway:
        done.is_away = True
    return done


def _asked(question: Callable[[], object]) -> bool:
    """Whether this one could be asked. That Stripe refuses one must not keep us from the others."""
    try:
        question()
    except PaymentsRefused as error:
        logger.warning("Stripe refused to say how a payment stands: %s.", error.code)
        return False
    return True


def _attempt(booking: Booking, *, now: datetime, again: bool) -> tuple[Deposit | None, bool]:
    """The attempt to pay that runs, or a new one, and which of both. None: nothing is to be paid."""
    with scheduling.alone_in(booking.calendar, address=booking.email):
        booking = Booking.objects.locked(booking)
        if booking.is_confirmed:
            return None, False
        if any(deposit.unsettled_cents for deposit in booking.deposits.paid()):
            raise PaymentUnclear
        running = booking.deposits.unfinished().first()
        if running is not None:
            return running, False
        scheduling.keep_holding(booking, until=now + PAYING_HOLD_LIFE, now=now, again=again)
        key, expires_at = uuid.uuid4(), now + SESSION_LIFE
        wish = _wish(booking, key, expires_at)
        attempt = deposits.prepare(
            booking, key=key, request=wish.params(), expires_at=expires_at, now=now
        )
        return attempt, True


def _wish(booking: Booking, key: uuid.UUID, expires_at: datetime) -> Wish:
    token = mail.token(booking)
    paid = links.absolute(reverse("booking:paid", args=[token]))
    return Wish(
        key=str(key),
        reference=booking.reference,
        amount_cents=booking.deposit_cents - booking.paid_cents,
        title=_title(booking),
        description=german.when(booking.start, booking.guest_zone),
        email=booking.email,
        expires_at=expires_at,
        # Stripe fills the braces in; they must not be escaped.
        success_url=f"{paid}?sitzung={{CHECKOUT_SESSION_ID}}",
        cancel_url=links.absolute(reverse("booking:review", args=[token])),
    )


def _title(booking: Booking) -> str:
    title = booking.call_type.title
    return f"Anzahlung: {title}" if booking.rest_cents else title


def _locked(known: Deposit) -> tuple[Booking, Deposit]:
    """The calendar first, then the booking, then its payment: everyone takes them in this order."""
    scheduling.lock(known.booking.calendar)
    booking = Booking.objects.locked(known.booking)
    deposit = Deposit.objects.locked(known.pk)
    deposit.booking = booking
    return booking, deposit


def _make_good(booking: Booking, deposit: Deposit, *, now: datetime) -> None:
    """Book what was paid for, if it still can be; else the money goes back, all of it, once."""
    if booking.is_confirmed:
        deposits.alarm(deposit, Alarm.Kind.TWICE, now=now)
    elif _book(booking, deposit, now=now):
        return
    else:
        deposits.alarm(deposit, Alarm.Kind.LATE, now=now)
        notices.announce(booking, Notification.Kind.PAID_TOO_LATE, now=now)
    deposits.give_back(deposit, deposit.refundable_cents, reason=Refund.Reason.LATE, now=now)


def _book(booking: Booking, deposit: Deposit, *, now: datetime) -> bool:
    try:
        with transaction.atomic():
            booking.paid_cents += deposit.paid_cents
            booking.save()
            scheduling.confirm(booking, now=now, again=True)
    except BookingError:
        booking.refresh_from_db()
        return False
    return True


def _end(deposit: Deposit, *, now: datetime) -> None:
    try:
        if not deposit.session_id:
            # Perhaps Stripe made one and the answer was lost; the same question tells.
            session = stripe_gateway.open_session(deposit.request, key=str(deposit.key))
            settle(session, now=now)
            deposit.session_id = session.id
        session = stripe_gateway.end_session(deposit.session_id)
    except PaymentsAway as error:
        if not error.spoiled or deposit.session_id:
            raise
        _close_unanswered(deposit, now=now)
    except PaymentsRefused as error:
        if not deposit.session_id:
            _close_unanswered(deposit, now=now)
        elif error.code == "resource_missing":
            _close(deposit, now=now)
        else:
            raise
    else:
        settle(session, now=now)


def _close(deposit: Deposit, *, now: datetime) -> None:
    with transaction.atomic():
        deposits.close(Deposit.objects.locked(deposit.pk), now=now)


def _close_unanswered(deposit: Deposit, *, now: datetime) -> None:
    """Close an attempt that got no session, unless somebody else got its answer meanwhile."""
    with transaction.atomic():
        row = Deposit.objects.locked(deposit.pk)
        if not row.session_id:
            deposits.close(row, now=now)


def _look_after(deposit: Deposit, *, now: datetime) -> None:
    """See how an unfinished attempt stands; end it when nobody can come back to it."""
    is_answered = bool(deposit.session_id)
    if not is_answered and now < deposit.created_at + ANSWER_LIFE:
        return  # the answer may just be coming
    if is_answered and now < deposit.expires_at and deposit.booking.is_held(now):
        settle(stripe_gateway.read_session(deposit.session_id), now=now)
    else:
        _end(deposit, now=now)


def _missed_events(now: datetime) -> list[Event]:
    """The events of the last day, or since the last one that came, that were not heard."""
    newest = StripeEvent.objects.order_by("-created_at").first()
    since = min(now - EVENTS_PAST, newest.created_at if newest else now)
    events = stripe_gateway.events_since(max(since, now - EVENTS_KEPT))
    ids = [event.id for event in events]
    heard = set(StripeEvent.objects.filter(event_id__in=ids).values_list("event_id", flat=True))
    return [event for event in events if event.id not in heard]


def _is_ours(event: Event) -> bool:
    """Whether one of our payments is meant: the account may sell other things too."""
    if event.kind in stripe_gateway.SESSION_EVENTS:
        return Deposit.objects.of_session(event.object_id, event.key).exists()
    if event.kind in stripe_gateway.REFUND_EVENTS + stripe_gateway.DISPUTE_EVENTS:
        known = Deposit.objects.filter(payment_intent=event.payment_intent)
        return bool(event.payment_intent) and known.exists()
    return False


def _effect(event: Event, *, now: datetime) -> Callable[[], object]:
    """Ask Stripe what the event is about; what comes back writes it down."""
    if event.kind in stripe_gateway.SESSION_EVENTS:
        return partial(settle, stripe_gateway.read_session(event.object_id), now=now)
    if event.kind in stripe_gateway.REFUND_EVENTS:
        found = stripe_gateway.refunds_of(event.payment_intent)
        return partial(deposits.note_refunds, event.payment_intent, found, now=now)
    return partial(deposits.note_dispute, stripe_gateway.read_dispute(event.object_id), now=now)
