"""What is free: the slots a guest can book, and why another time is none. Nothing here holds any.

It is asked by every page one chooses on, and once more by `scheduling` under the calendar's lock.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter

from booking import slots
from booking.errors import SlotPast, SlotRefused, SlotTaken, SlotTooFar, SlotTooSoon
from booking.models import Booking, CallType, hours_and_taken
from booking.slots import Hours, Interval, Reason, Refusal, Taken, Terms

# More than any zone's offset and any change of the clock.
DAY = timedelta(days=1)


def offered_slots(
    call_type: CallType,
    *,
    now: datetime,
    within: Interval | None = None,
    besides: Booking | None = None,
) -> list[Interval]:
    """The slots a guest can book at `now`, in one query: all of them, or those within a span.

    `besides` is the guest's own booking, which must not stand in its own way. An appointment is
    not offered the time it has.
    """
    terms = call_type.terms()
    zone = call_type.calendar.tz
    today = now.astimezone(zone).date()
    span = within or slots.dates_span(today, today + (call_type.horizon_days + 2) * DAY, zone)
    hours, taken = _hours_and_taken(call_type, terms, span, now=now, besides=besides)
    if within is not None:
        offers = slots.offered_slots(hours, terms, taken, within=within, now=now)
    else:
        free = _free(hours, terms, tuple(taken), span)
        offers = list(free[bisect_left(free, now + terms.notice, key=attrgetter("start")) :])
    if besides is not None and besides.is_confirmed:
        offers = [offer for offer in offers if offer.start != besides.start]
    return offers


def next_offers(
    call_type: CallType,
    *,
    now: datetime,
    after: datetime | None = None,
    count: int = 3,
    besides: Booking | None = None,
) -> list[Interval]:
    """The free slots that follow `after`; if those are too few, the last ones before it too."""
    offers = offered_slots(call_type, now=now, besides=besides)
    later = [offer for offer in offers if after is None or offer.start >= after]
    return later[:count] if len(later) >= count else offers[-count:]


def check(
    call_type: CallType, *, start: datetime, now: datetime, besides: Booking | None = None
) -> Interval:
    """The slot that starts there. Raises SlotRefused with the reason if it cannot be booked."""
    span = Interval(start, start + call_type.duration)
    terms = call_type.terms()
    hours, taken = _hours_and_taken(call_type, terms, span, now=now, besides=besides)
    slot = slots.find_slot(hours, terms, taken, start=start, now=now)
    if slot is None:
        refusals = slots.reasons(hours, terms, taken, start=start, now=now)
        raise _refusal({refusal.reason for refusal in refusals})
    return slot


def refusals(
    call_type: CallType, *, start: datetime, now: datetime, besides: Booking | None = None
) -> list[Refusal]:
    """Every rule that speaks against this time, also for times gone by or still too far ahead."""
    span = Interval(start, start + call_type.duration)
    terms = call_type.terms()
    hours, taken = _hours_and_taken(call_type, terms, span, now=now, besides=besides)
    found = slots.reasons(hours, terms, taken, start=start, now=now)
    if {refusal.reason for refusal in found} & {Reason.PAST, Reason.BEYOND_HORIZON}:
        # These two end the search. What else is in the way is what the time's own day would say.
        at_any_time = replace(terms, notice=timedelta(0), horizon_days=None)
        found += slots.reasons(hours, at_any_time, taken, start=start, now=start)
    return found


@lru_cache(maxsize=64)
def _free(
    hours: Hours, terms: Terms, taken: tuple[Taken, ...], span: Interval
) -> tuple[Interval, ...]:
    """All free slots from the start of a day on, notice aside. The same facts give the same slots."""
    plain = replace(terms, notice=timedelta(0))
    return tuple(slots.offered_slots(hours, plain, taken, within=span, now=span.start))


def _hours_and_taken(
    call_type: CallType,
    terms: Terms,
    span: Interval,
    *,
    now: datetime,
    besides: Booking | None,
) -> tuple[Hours, list[Taken]]:
    """All that decides about slots in the span: the coach's hours, and what is taken around it."""
    around = slots.taken_span(call_type.calendar.tz, terms, span)
    return hours_and_taken(call_type.calendar, around, now=now, besides=besides)


def _refusal(reasons: set[Reason]) -> SlotRefused:
    """What to tell the guest. That a time lies outside the plan outranks that someone has it."""
    if Reason.PAST in reasons:
        return SlotPast()
    if Reason.BEYOND_HORIZON in reasons:
        return SlotTooFar()
    if reasons & {Reason.OUTSIDE_HOURS, Reason.CLOSED_BY_OVERRIDE, Reason.OFF_GRID}:
        return SlotRefused()
    if Reason.INSIDE_NOTICE in reasons:
        return SlotTooSoon()
    return SlotTaken()
