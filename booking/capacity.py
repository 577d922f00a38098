"""How much of the coach's time is open, booked and still free, day by day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from booking import slots
from booking.models import Calendar, hours_and_taken
from booking.slots import Interval, Taken

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Day:
    """One date of the calendar's zone; its intervals are merged, in order, in UTC and end with it.

    `free` is what is open and neither over, nor taken by a booking and its pauses, nor by another
    calendar. `booked` may lie outside what is open.
    """

    day: date
    whole: Interval
    opening: tuple[Interval, ...]
    booked: tuple[Interval, ...]
    free: tuple[Interval, ...]


def days(calendar: Calendar, first: date, *, count: int, now: datetime) -> list[Day]:
    """`count` dates from `first` on, in one query."""
    dates = [first + number * DAY for number in range(count)]
    span = slots.dates_span(dates[0], dates[-1], calendar.tz)
    # Calls and their pauses last less than a day.
    around = Interval(span.start - DAY, span.end + DAY)
    hours, taken = hours_and_taken(calendar, around, now=now)
    calls = [Interval(each.start, each.end) for each in taken if each.counts]
    gone = [Interval(around.start, max(now, around.start)), *map(_with_pauses, taken)]
    found = []
    for day in dates:
        whole = slots.dates_span(day, day, calendar.tz)
        opening = _within(whole, slots.open_intervals(hours, day, day))
        booked = _within(whole, calls)
        found.append(Day(day, whole, opening, booked, tuple(slots.without(opening, gone))))
    return found


def length(intervals: Iterable[Interval]) -> timedelta:
    """How long they are together; they must not overlap."""
    return sum((each.end - each.start for each in intervals), timedelta())


def _with_pauses(taken: Taken) -> Interval:
    return Interval(taken.start - taken.buffer_before, taken.end + taken.buffer_after)


def _within(whole: Interval, intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    clipped = (
        Interval(max(each.start, whole.start), min(each.end, whole.end))
        for each in sorted(intervals, key=lambda each: each.start)
        if each.start < whole.end and whole.start < each.end
    )
    return tuple(clipped)
