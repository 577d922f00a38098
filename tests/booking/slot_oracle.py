"""The booking rules once more, slowly: walk UTC minute by minute and watch the coach's clock.

Only the plain data types are shared with the engine. Where the engine turns a window's edges
into instants, the oracle asks at every minute what the clock has shown so far: a window has
opened once the clock has shown its start or later, and has closed once it has shown its end or
later. On an ordinary day that is simply the time on the clock. In the spring gap the clock leaps
over times, which are thereby shown. In the hour that autumn repeats the clock falls back, but
what it has shown stays shown. The zone must have offsets of whole minutes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from booking.slots import Hours, Interval, Taken, Terms

MINUTE = timedelta(minutes=1)


@dataclass
class Minute:
    """One minute of UTC: is the coach open, and since when does the grid run?"""

    instant: datetime
    is_open: bool
    anchor: datetime | None


def expected_starts(
    hours: Hours, terms: Terms, taken: Sequence[Taken], *, within: Interval, now: datetime
) -> list[datetime]:
    """The starts, in UTC, of every slot in `within` that can be booked at `now`."""
    minutes = list(watch(hours, within.start, within.end + terms.length))
    open_minutes = {minute.instant for minute in minutes if minute.is_open}
    return [
        minute.instant
        for minute in minutes
        if within.start <= minute.instant < within.end
        and on_grid(minute, terms)
        and all(later in open_minutes for later in call_minutes(minute.instant, terms))
        and in_reach(hours, terms, minute.instant, now)
        and below_limits(hours, terms, taken, minute.instant)
        and all(leaves_room(terms, block, minute.instant) for block in taken)
    ]


def watch(hours: Hours, start: datetime, end: datetime) -> Iterator[Minute]:
    """Walk from a few days before `start`, so that the past is known, to `end`."""
    instant = start - timedelta(days=3)
    shown = wall_clock(hours, instant - timedelta(days=1))
    today, today_began = shown.date(), instant
    open_since: datetime | None = None
    anchor: datetime | None = None
    while instant < end:
        shown = max(shown, wall_clock(hours, instant))
        is_open = any(shows_open(hours, day, shown) for day in (shown.date(), day_before(shown)))
        if shown.date() != today:
            if open_since is not None and open_since <= today_began:
                # Round-the-clock hours start their grid afresh after each whole open date.
                anchor = instant
            today, today_began = shown.date(), instant
        if not is_open:
            open_since = anchor = None
        elif open_since is None:
            open_since = anchor = instant
        yield Minute(instant, is_open, anchor)
        instant += MINUTE


def wall_clock(hours: Hours, instant: datetime) -> datetime:
    return instant.astimezone(hours.zone).replace(tzinfo=None)


def day_before(shown: datetime) -> date:
    return shown.date() - timedelta(days=1)


def shows_open(hours: Hours, day: date, shown: datetime) -> bool:
    """Has a window of this date opened, and not yet closed, on a clock that has come this far?"""
    windows = hours.overrides[day] if day in hours.overrides else hours.weekly.get(day.isoweekday())
    midnight = datetime.combine(day, time())
    for window in windows or []:
        opens = midnight + timedelta(minutes=window.start)
        closes = midnight + timedelta(minutes=window.end)
        if closes <= opens:
            closes += timedelta(days=1)
        if opens <= shown < closes:
            return True
    return False


def on_grid(minute: Minute, terms: Terms) -> bool:
    if minute.anchor is None:
        return False
    return (minute.instant - minute.anchor) % terms.step == timedelta(0)


def call_minutes(start: datetime, terms: Terms) -> Iterator[datetime]:
    return (start + n * MINUTE for n in range(terms.length // MINUTE))


def in_reach(hours: Hours, terms: Terms, start: datetime, now: datetime) -> bool:
    if start - now < terms.notice:
        return False
    days_ahead = wall_clock(hours, start).date() - wall_clock(hours, now).date()
    return terms.horizon_days is None or days_ahead.days <= terms.horizon_days


def below_limits(hours: Hours, terms: Terms, taken: Sequence[Taken], start: datetime) -> bool:
    day = wall_clock(hours, start).date()
    booked = [wall_clock(hours, block.start).date() for block in taken if block.counts]
    same_day = [other for other in booked if other == day]
    same_week = [other for other in booked if other.isocalendar()[:2] == day.isocalendar()[:2]]
    return (terms.max_per_day is None or len(same_day) < terms.max_per_day) and (
        terms.max_per_week is None or len(same_week) < terms.max_per_week
    )


def leaves_room(terms: Terms, block: Taken, start: datetime) -> bool:
    """Do the call and the block stay apart by the longer of the two buffers between them?"""
    end = start + terms.length
    if block.start == block.end:
        return True
    if block.end <= start:
        return start - block.end >= max(block.buffer_after, terms.buffer_before)
    if end <= block.start:
        return block.start - end >= max(terms.buffer_after, block.buffer_before)
    return False
