"""Single times the coach takes out of the calendar, or opens beyond its hours.

All of it happens under the calendar's lock: a guest has a time before it is blocked, or sees that
it is. Calls that are in it already stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time

from django.db import transaction

from booking import scheduling, slots
from booking.errors import AlreadyOpen, NoSuchTime, SlotPast
from booking.models import Block, Booking, Calendar, DateOverride
from booking.slots import Hours, Interval, Window


def block(calendar: Calendar, *, span: Interval, note: str = "", now: datetime) -> Block:
    """Take this time out of the calendar. Twice is the same as once.

    Raises NoSuchTime for a span that spring's change of the clock empties, or SlotPast.
    """
    if span.start >= span.end:
        raise NoSuchTime
    if span.end <= now:
        raise SlotPast
    with _locked(calendar):
        found, _ = Block.objects.get_or_create(
            calendar=calendar, start=span.start, end=span.end, defaults={"note": note}
        )
        return found


def unblock(block: Block) -> None:
    """Give the time back: from now on it is as open as the hours say."""
    with _locked(block.calendar):
        Block.objects.filter(pk=block.pk).delete()


def calls_in(calendar: Calendar, span: Interval, *, now: datetime) -> list[Booking]:
    """What takes time in a span at `now` and stays there if it is blocked, the first one first."""
    taking = Booking.objects.in_calendar(calendar).taking_time(now).touching(span)
    return list(taking.select_related("call_type", "calendar").order_by("start"))


def open_too(
    calendar: Calendar, *, day: date, start: time, end: time, note: str = "", now: datetime
) -> DateOverride:
    """Open wall-clock times of a day besides its hours. Twice is the same as once.

    An `end` at or before `start` is on the next date, as in the weekly hours. Raises NoSuchTime,
    SlotPast, or AlreadyOpen if the hours hold all of it anyway.
    """
    opening = _opening(calendar, day, start, end)
    if opening.end <= now:
        raise SlotPast
    values = {"first_day": day, "last_day": day, "start": start, "end": end, "adds": True}
    with _locked(calendar):
        there = calendar.overrides.filter(**values).first()
        if there is not None:
            return there
        plan = slots.open_intervals(calendar.hours(day - slots.DAY, day + slots.DAY), day, day)
        if any(each.start <= opening.start and opening.end <= each.end for each in plan):
            raise AlreadyOpen
        return DateOverride.objects.create(calendar=calendar, note=note, **values)


def close_again(override: DateOverride) -> None:
    """Take back what was opened besides the hours."""
    with _locked(override.calendar):
        DateOverride.objects.filter(pk=override.pk, adds=True).delete()


def _opening(calendar: Calendar, day: date, start: time, end: time) -> Interval:
    window = Window(start.hour * 60 + start.minute, end.hour * 60 + end.minute)
    found = slots.open_intervals(Hours(calendar.tz, {}, {day: [window]}), day, day)
    if not found:
        raise NoSuchTime
    return found[0]


@contextmanager
def _locked(calendar: Calendar) -> Iterator[None]:
    with transaction.atomic():
        scheduling.lock(calendar)
        yield
