"""Where the entries of a week stand beside an axis of hours, as classes of a CSS grid.

The axis shows the clock on the wall, in quarters of an hour. On the nights the clock changes the
skipped hour stays empty, and what happens in the doubled one stands side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from booking.agenda import Day, Entry, Kind
from booking.slots import Interval

QUARTER = 15  # minutes
A_DAY = 24 * 60
# What is shown of the day even if nothing is in it.
USUAL = (9, 17)
# More than so many beside each other are drawn over the last one.
MOST_LANES = 3


@dataclass(frozen=True)
class Placed:
    """An entry, and the classes that say which rows and which part of the column are its own.

    Beside the axis its beginning is enough: `short`, where `clock` says all.
    """

    entry: Entry
    clock: str
    short: str
    place: str


@dataclass(frozen=True)
class Column:
    """A day: its opening hours as what lies behind, and its entries."""

    day: Day
    opening: Sequence[str]
    placed: Sequence[Placed]


@dataclass(frozen=True)
class Grid:
    """The hours of the axis and the columns beside it."""

    hours: Sequence[int]
    columns: Sequence[Column]


def lay_out(days: Sequence[Day]) -> Grid:
    """The days beside an axis that is just long enough for all that is in them."""
    first, last = axis(days)
    return Grid(range(first, last), [_column(day, first, last) for day in days])


def axis(days: Iterable[Day]) -> tuple[int, int]:
    """The first hour and the hour that ends it.

    Of what begins or ends on another day an hour is enough; what lasts all day needs none.
    """
    needed = [minutes for day in days for minutes in _needed(day)]
    starts = [start // 60 for start, _ in needed] or [USUAL[0]]
    ends = [-(-end // 60) for _, end in needed] or [USUAL[1]]
    return min(starts), max(ends)


def minutes_on(span: Interval, day: Day) -> tuple[int, int]:
    """From and to on the clock of this day, in minutes since midnight, at least one apart."""
    whole = day.whole
    start = 0 if span.start <= whole.start else _minute(span.start, day)
    end = A_DAY if span.end >= whole.end else _minute(span.end, day)
    if end <= start:  # the clock was set back in between
        end = start + round((span.end - span.start) / timedelta(minutes=1))
    return start, min(max(end, start + 1), A_DAY)


def lanes(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """For spans in the order of their starts the lane of each, and of how many, both from 1.

    Spans that overlap, directly or through others, share the width.
    """
    found: list[tuple[int, int]] = []
    for cluster in _clusters(spans):
        ends: list[int] = []
        own = []
        for start, end in cluster:
            lane = next((n for n, reached in enumerate(ends) if reached <= start), len(ends))
            ends[lane : lane + 1] = [end]
            own.append(min(lane + 1, MOST_LANES))
        found += [(lane, min(len(ends), MOST_LANES)) for lane in own]
    return found


def monday_of(day: date) -> date:
    """The Monday of its ISO week."""
    return day - timedelta(days=day.weekday())


def _clusters(spans: Iterable[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    cluster: list[tuple[int, int]] = []
    for start, end in spans:
        if cluster and start >= max(reached for _, reached in cluster):
            yield cluster
            cluster = []
        cluster.append((start, end))
    if cluster:
        yield cluster


def _needed(day: Day) -> Iterator[tuple[int, int]]:
    for span in day.opening:
        yield minutes_on(span, day)
    for entry in day.entries:
        start, end = minutes_on(entry.span, day)
        if entry.booking is not None:
            yield start, end
        elif start > 0:
            yield start, min(end, start + 60)
        if entry.booking is None and end < A_DAY:
            yield max(start, end - 60), end


def _column(day: Day, first: int, last: int) -> Column:
    drawn = [
        (rows, entry)
        for entry in day.entries
        if (rows := _rows(entry, day, first, last)) is not None
    ]
    # Lanes are told in the order of the rows, which in the doubled hour is not that of time.
    drawn.sort(key=lambda each: each[0])
    shares = lanes([rows for rows, _ in drawn])
    placed = [
        Placed(
            entry,
            day.clock(entry.span),
            day.short_clock(entry.span),
            f"{_at(*rows)} lane-{lane}-{of}{_room(*rows)}",
        )
        for (rows, entry), (lane, of) in zip(drawn, shares, strict=True)
    ]
    placed.sort(key=lambda each: each.entry.span)
    opening = [_at(*_rounded(*minutes_on(span, day), first, last)) for span in day.opening]
    return Column(day, opening, placed)


def _rows(entry: Entry, day: Day, first: int, last: int) -> tuple[int, int] | None:
    start, end = minutes_on(entry.span, day)
    if entry.kind == Kind.FREE:  # never over what is taken
        start, end = -(-start // QUARTER) * QUARTER, end // QUARTER * QUARTER
    rows = _rounded(start, end, first, last)
    return rows if rows[0] < rows[1] else None


def _rounded(start: int, end: int, first: int, last: int) -> tuple[int, int]:
    """Whole quarters of an hour since the axis begins."""
    top, bottom = start // QUARTER, -(-end // QUARTER)
    return max(top, first * 4) - first * 4, min(bottom, last * 4) - first * 4


def _at(top: int, bottom: int) -> str:
    """„h3 q2 to-h5 to-q0“: the row as an hour and a quarter of the axis, twice."""
    return f"h{top // 4} q{top % 4} to-h{bottom // 4} to-q{bottom % 4}"


def _room(top: int, bottom: int) -> str:
    """Whether there is room for one line or two only."""
    return {1: " one-line", 2: " two-lines"}.get(bottom - top, "")


def _minute(moment: datetime, day: Day) -> int:
    local = moment.astimezone(day.zone)
    return local.hour * 60 + local.minute
