"""What is in days of a calendar, as the coach looks at them: open, free, taken, blocked.

Days are the calendar's own, from midnight to midnight in its zone; on the nights the clock changes
they last 23 or 25 hours. Moments are UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Exists, OuterRef

from booking import slots
from booking.models import Block, Booking, BusyTime, Calendar, DateOverride, Deposit
from booking.slots import Hours, Interval
from coaching_site import german

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
# What is left between two calls and shorter than this is not shown as free.
LEAST_FREE = timedelta(minutes=15)


class Kind(models.TextChoices):
    """What an entry is, in the coach's words."""

    FREE = "free", "frei"
    BOOKED = "booked", "gebucht"
    MISSED = "missed", "nicht erschienen"
    REQUESTED = "requested", "angefragt"
    HELD = "held", "gehalten"
    PAYING = "paying", "wird bezahlt"
    BUSY = "busy", "anderer Kalender"
    BLOCKED = "blocked", "gesperrt"


@dataclass(frozen=True)
class Entry:
    """Something with a beginning and an end. Its span may reach beyond the day it is shown on."""

    kind: Kind
    span: Interval
    title: str = ""
    booking: Booking | None = None
    block: Block | None = None


@dataclass(frozen=True)
class Day:
    """One date of the calendar, with what touches it in order.

    `opening` ends with the day. `closed` names what shuts the whole of it: an exception or a
    public holiday. `additions` are the times opened besides the day's hours.
    """

    date: date
    zone: ZoneInfo
    opening: Sequence[Interval] = ()
    entries: Sequence[Entry] = ()
    holiday: str = ""
    closed: str = ""
    additions: Sequence[DateOverride] = ()

    @property
    def whole(self) -> Interval:
        return slots.dates_span(self.date, self.date, self.zone)

    @property
    def calls(self) -> list[Entry]:
        """The calls that begin on this day, asked for and held ones included."""
        begin = (each for each in self.entries if each.span.start >= self.whole.start)
        return [each for each in begin if each.booking is not None]

    @property
    def is_blocked(self) -> bool:
        """Whether one block takes all of it."""
        return any(
            each.kind == Kind.BLOCKED
            and each.span.start <= self.whole.start
            and self.whole.end <= each.span.end
            for each in self.entries
        )

    def clock(self, span: Interval) -> str:
        """„09:00–09:30 Uhr“; of what reaches beyond the day „ab 22:00 Uhr“ or „ganztägig“.

        Times that the clock shows twice in autumn say which showing is meant.
        """
        whole = self.whole
        if span.start <= whole.start and whole.end <= span.end:
            return "ganztägig"
        if span.start < whole.start:
            return f"bis {self._moment(span.end)}"
        if span.end > whole.end:
            return f"ab {self._moment(span.start)}"
        if self._is_doubled(span.start) or self._is_doubled(span.end):
            return f"{self._moment(span.start)} bis {self._moment(span.end)}"
        return german.clock_range(span.start, span.end, self.zone)

    def short_clock(self, span: Interval) -> str:
        """„09:00“: its beginning alone, where an axis of hours says the rest."""
        whole = self.whole
        if span.start < whole.start or span.end > whole.end or span == whole:
            return self.clock(span)
        clock = german.cell_clock(span.start, self.zone)
        mark = german.zone_mark(self.zone, span.start)
        return f"{clock} {mark}" if self._is_doubled(span.start) else clock

    def _moment(self, moment: datetime) -> str:
        clock = german.clock(moment, self.zone)
        mark = german.zone_mark(self.zone, moment)
        return f"{clock} ({mark})" if self._is_doubled(moment) else clock

    def _is_doubled(self, moment: datetime) -> bool:
        wall = moment.astimezone(self.zone).replace(tzinfo=None)
        return len(slots.showings(wall, self.zone)) > 1


def days(calendar: Calendar, first: date, last: date, *, now: datetime) -> list[Day]:
    """The dates `first` to `last`, both included, each with what is in it at `now`.

    However many days and rows there are, it asks the database a few times.
    """
    zone = calendar.tz
    whole = slots.dates_span(first, last, zone)
    hours = calendar.hours(first - 2 * DAY, last + 2 * DAY)
    overrides = list(calendar.overrides.filter(first_day__lte=last, last_day__gte=first))
    holidays = calendar.public_holidays(first, last)
    taken = [*_calls(calendar, whole, now), *_busy(calendar, whole), *_blocks(calendar, whole)]
    dates = (first + DAY * n for n in range((last - first).days + 1))
    return [
        fill(
            Day(
                day,
                zone,
                holiday=holidays.get(day, ""),
                closed=_closed(calendar, day, overrides, holidays),
                additions=[each for each in overrides if each.adds and _is_on(each, day)],
            ),
            hours,
            taken,
            now=now,
        )
        for day in dates
    ]


def fill(day: Day, hours: Hours, taken: Iterable[Entry], *, now: datetime) -> Day:
    """The same day with its hours, with what touches it, and with what is left from `now` on."""
    whole = day.whole
    opening = [
        Interval(max(each.start, whole.start), min(each.end, whole.end))
        for each in slots.open_intervals(hours, day.date, day.date)
    ]
    around = Interval(whole.start - DAY, whole.end + DAY)  # neighbours' pauses reach in
    near = [each for each in taken if _touch(each.span, around)]
    left = slots.without(
        (Interval(max(each.start, now), each.end) for each in opening if now < each.end),
        map(_with_pauses, near),
    )
    free = (
        Entry(Kind.FREE, piece)
        for each in left
        for piece in by_the_hour(each, day.zone)
        if piece.end - piece.start >= LEAST_FREE
    )
    entries = sorted(
        [*(each for each in near if _touch(each.span, whole)), *free],
        key=lambda each: (each.span.start, each.span.end),
    )
    return replace(day, opening=opening, entries=entries)


def by_the_hour(span: Interval, zone: ZoneInfo) -> Iterator[Interval]:
    """The span in pieces that begin with it and at every full hour of a clock in `zone`."""
    start = span.start
    while start < span.end:
        local = start.astimezone(zone)
        passed = timedelta(
            minutes=local.minute, seconds=local.second, microseconds=local.microsecond
        )
        end = min(start + HOUR - passed, span.end)
        yield Interval(start, end)
        start = end


def _calls(calendar: Calendar, whole: Interval, now: datetime) -> Iterator[Entry]:
    around = Interval(whole.start - DAY, whole.end + DAY)
    taking = Booking.objects.in_calendar(calendar).taking_time(now).touching(around)
    paying = Exists(Deposit.objects.unfinished().filter(booking=OuterRef("pk")))
    for booking in taking.select_related("call_type").annotate(paying=paying):
        span = Interval(booking.start, booking.end)
        kind = _kind(booking, is_being_paid=vars(booking)["paying"])
        yield Entry(kind, span, booking.name, booking=booking)


def _busy(calendar: Calendar, whole: Interval) -> Iterator[Entry]:
    for busy in BusyTime.objects.counting_in(calendar).touching(whole).select_related("feed"):
        yield Entry(Kind.BUSY, Interval(busy.start, busy.end), busy.feed.name)


def _blocks(calendar: Calendar, whole: Interval) -> Iterator[Entry]:
    for block in Block.objects.in_calendar(calendar).touching(whole):
        yield Entry(Kind.BLOCKED, block.span, block.note, block=block)


def _kind(booking: Booking, *, is_being_paid: bool) -> Kind:
    match booking.status:
        case Booking.Status.REQUESTED:
            return Kind.REQUESTED
        case Booking.Status.HELD:
            return Kind.PAYING if is_being_paid else Kind.HELD
        case _:
            return Kind.MISSED if booking.no_show_at else Kind.BOOKED


def _with_pauses(entry: Entry) -> Interval:
    if entry.booking is None:
        return entry.span
    taken = entry.booking.taken()
    return Interval(taken.start - taken.buffer_before, taken.end + taken.buffer_after)


def _closed(
    calendar: Calendar, day: date, overrides: Iterable[DateOverride], holidays: dict[date, str]
) -> str:
    """As `Calendar.closed_because`, of what was fetched along."""
    there = [each for each in overrides if _is_on(each, day)]
    if any(each.start is not None for each in there):
        return ""
    if there:
        return there[0].note or "Ausnahme"
    return "" if day in calendar.opened_holidays else holidays.get(day, "")


def _is_on(override: DateOverride, day: date) -> bool:
    return override.first_day <= day <= override.last_day


def _touch(one: Interval, other: Interval) -> bool:
    return one.start < other.end and other.start < one.end
