"""Which times a guest can book: the coach's hours, less what is taken, cut into slots.

Hours are wall-clock times in the coach's zone. They become UTC instants once, at the edges of
each window; merging, buffers and the grid are then plain UTC arithmetic on half-open intervals.

An edge is the first instant at which the coach's clock shows that time or a later one:

- A time the clock skips in spring means the end of the gap. In Berlin 02:30-03:30 then lasts
  half an hour and 02:00-03:00 does not open at all.
- A time the clock shows twice in autumn means the first showing, for opening and for closing.
  In Berlin 00:00-06:00 then lasts seven hours and 01:00-02:30 an hour and a half.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

MINUTES_A_DAY = 24 * 60
DAY = timedelta(days=1)

# Python's calendar ends with 9999. Nothing is offered in its last year, so that looking a few
# days ahead of a forged date cannot overflow.
CALENDAR_END = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Time from `start` up to but not including `end`, both aware and in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """Opening time on one date, in wall-clock minutes since local midnight.

    `end` may be 1440, the midnight that ends the date. An `end` at or before `start` is on the
    next date, so 540-540 is open for a whole day. The window belongs to the date it starts on.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if not (0 <= self.start < MINUTES_A_DAY and 0 <= self.end <= MINUTES_A_DAY):
            raise ValueError(f"{self.start}-{self.end} is not a window of minutes in a day.")

    @classmethod
    def parse(cls, start: str, end: str) -> "Window":
        """Read a window from wall-clock times "HH:MM"; `end` may be "24:00"."""
        return cls(_minutes(start), _minutes(end))

    @property
    def close(self) -> int:
        """The end in minutes since midnight of the starting date, above 1440 if past midnight."""
        return self.end if self.end > self.start else self.end + MINUTES_A_DAY


@dataclass(frozen=True, slots=True)
class Hours:
    """When the coach is open: windows in the coach's `zone` for each ISO weekday (1 = Monday).

    An override replaces the whole weekly plan of its coach-local date; an empty one closes it.
    A window that began the evening before still runs to its own end.
    """

    zone: ZoneInfo
    weekly: Mapping[int, Sequence[Window]]
    overrides: Mapping[date, Sequence[Window]]

    def __hash__(self) -> int:
        """By content, so that the same hours can be recognised; they do not change once made."""
        plans = (self.weekly.items(), self.overrides.items())
        return hash(
            (
                self.zone.key,
                *(frozenset((day, *windows) for day, windows in plan) for plan in plans),
            )
        )

    def windows_on(self, day: date) -> Sequence[Window]:
        """The windows that start on this coach-local date."""
        return self.overrides.get(day, self.weekly.get(day.isoweekday(), ()))


@dataclass(frozen=True, slots=True)
class Terms:
    """What one type of call asks for.

    Durations are elapsed time. A slot may start exactly `notice` after now. `horizon_days`
    counts coach-local dates after today, the last one included. The limits are the most
    bookings on one coach-local date and in one ISO week. None means unlimited.
    """

    length: timedelta
    step: timedelta
    buffer_before: timedelta = timedelta(0)
    buffer_after: timedelta = timedelta(0)
    notice: timedelta = timedelta(0)
    horizon_days: int | None = None
    max_per_day: int | None = None
    max_per_week: int | None = None

    def __post_init__(self) -> None:
        if min(self.length, self.step) <= timedelta(0):
            raise ValueError("A call needs a length and a step above zero.")
        if min(self.buffer_before, self.buffer_after, self.notice) < timedelta(0):
            raise ValueError("Buffers and notice cannot be negative.")


@dataclass(frozen=True, slots=True)
class Taken:
    """Time that is gone, from `start` up to but not including `end`, both aware and kept in UTC.

    A booking or a hold brings the buffers of its own type and counts toward the limits. A busy
    time from another calendar has no buffers and does not count. Without any length (start =
    end) it blocks nothing.
    """

    start: datetime
    end: datetime
    buffer_before: timedelta = timedelta(0)
    buffer_after: timedelta = timedelta(0)
    counts: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", _utc(self.start))
        object.__setattr__(self, "end", _utc(self.end))


class Reason(Enum):
    """Why a time cannot be booked."""

    PAST = "past"
    BEYOND_HORIZON = "beyond horizon"
    INSIDE_NOTICE = "inside notice"
    OUTSIDE_HOURS = "outside hours"
    CLOSED_BY_OVERRIDE = "closed by override"
    OFF_GRID = "off grid"
    DAY_LIMIT = "day limit"
    WEEK_LIMIT = "week limit"
    OVERLAP = "overlap"
    INSIDE_BUFFER = "inside buffer"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason, with what is in the way if it is an overlap or a buffer."""

    reason: Reason
    taken: Taken | None = None


def dates_span(first: date, last: date, zone: ZoneInfo) -> Interval:
    """The time in UTC that the dates `first` to `last`, both included, fill in `zone`."""
    return Interval(_instant(first, 0, zone), _instant(last, MINUTES_A_DAY, zone))


def showings(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """The instants in UTC at which a clock in `zone` shows this date and time.

    Usually one; none for a time that spring skips, two for one that autumn shows twice.
    """
    instants = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(i for i in instants if i.astimezone(zone).replace(tzinfo=None) == wall)


def wall_span(start: datetime, end: datetime, zone: ZoneInfo) -> Interval:
    """The time in UTC from the first showing of one wall-clock time to the last of another.

    A time that spring skips means the end of the gap, so that such a span can be empty.
    """
    first, *_ = showings(start, zone) or [_gap_end(start, zone)]
    *_, last = showings(end, zone) or [_gap_end(end, zone)]
    return Interval(first, last)


def taken_span(zone: ZoneInfo, terms: Terms, within: Interval) -> Interval:
    """The time in UTC whose bookings and busy times decide about slots that start in `within`.

    Load everything that overlaps it. It covers whole ISO weeks in `zone`, the coach's, for the
    weekly limit, and beyond them the call itself and neighbours' buffers of up to a day.
    """
    monday = _monday(_local_date(within.start, zone))
    sunday = _monday(_local_date(within.end, zone)) + 6 * DAY
    weeks = dates_span(monday, sunday, zone)
    reach = terms.length + max(terms.buffer_before, terms.buffer_after, DAY)
    return Interval(weeks.start - reach, weeks.end + reach)


def open_intervals(hours: Hours, first: date, last: date) -> list[Interval]:
    """The merged windows that touch the coach-local dates `first` to `last`, ordered, in UTC.

    Windows are not clipped to the dates: one that reaches in from the evening before, or out
    into the next date, is there in full.
    """
    span = dates_span(first, last, hours.zone)
    windows = (
        Interval(_instant(day, window.start, hours.zone), _instant(day, window.close, hours.zone))
        for day in _days(first - DAY, last + DAY)
        for window in hours.windows_on(day)
    )
    return [
        opening
        for opening in _merged(windows)
        if opening.start < span.end and span.start < opening.end
    ]


def without(spans: Iterable[Interval], taken: Iterable[Interval]) -> list[Interval]:
    """What is left of some spans, in order, once all that is taken is cut out of them."""
    left = sorted(spans)
    for gone in taken:
        if gone.start < gone.end:
            left = [piece for span in left for piece in _around(span, gone)]
    return left


def offered_slots(
    hours: Hours, terms: Terms, taken: Sequence[Taken], *, within: Interval, now: datetime
) -> list[Interval]:
    """The slots that start in `within` and can be booked at `now`, ordered, in UTC.

    `within` is a range of instants because a guest's day is not the coach's: pass
    `dates_span(first, last, guest_zone)` for a month as the guest's calendar shows it, and
    nothing needs to be widened before or thrown away after.

    The grid starts with each merged window and advances in elapsed time; taken time removes
    starts but never moves the grid. `taken`, in any order, must cover `taken_span`: a weekly
    limit cannot count bookings it is not shown.
    """
    now = _utc(now)
    span = Interval(
        max(_utc(within.start), now + terms.notice),
        min(_utc(within.end), _horizon_end(hours, terms, now)),
    )
    starts = _free(_grid_starts(hours, terms, span), _blocked_starts(terms, taken))
    limits = _Limits.of(hours, terms, taken)
    if limits.can_be_reached:
        starts = (start for start in starts if not limits.reached(start))
    return [Interval(start, start + terms.length) for start in starts]


def find_slot(
    hours: Hours, terms: Terms, taken: Sequence[Taken], *, start: datetime, now: datetime
) -> Interval | None:
    """The slot in UTC that starts at this aware instant, or None if it cannot be booked at `now`.

    `taken` must cover `taken_span` of that instant.
    """
    if reasons(hours, terms, taken, start=start, now=now):
        return None
    return Interval(_utc(start), _utc(start) + terms.length)


def reasons(
    hours: Hours, terms: Terms, taken: Sequence[Taken], *, start: datetime, now: datetime
) -> list[Refusal]:
    """Everything that keeps this aware instant from being booked at `now`; empty if nothing does.

    A time in the past or beyond the horizon is not looked into any further. `taken` must cover
    `taken_span` of that instant.
    """
    start, now = _utc(start), _utc(now)
    if start < now:
        return [Refusal(Reason.PAST)]
    if start >= _horizon_end(hours, terms, now):
        return [Refusal(Reason.BEYOND_HORIZON)]
    plain = [
        *([Reason.INSIDE_NOTICE] if start < now + terms.notice else []),
        *_misfits(hours, terms, start),
        *_Limits.of(hours, terms, taken).reached(start),
    ]
    return [*map(Refusal, plain), *_collisions(terms, taken, start)]


def by_day(slots: Iterable[Interval], zone: ZoneInfo) -> dict[date, list[Interval]]:
    """Group slots by the local date in `zone` on which they start, dates and slots in order."""
    days: dict[date, list[Interval]] = {}
    for slot in sorted(slots):
        days.setdefault(_local_date(slot.start, zone), []).append(slot)
    return days


def _minutes(text: str) -> int:
    if text == "24:00":
        return MINUTES_A_DAY
    clock = datetime.strptime(text, "%H:%M").replace(tzinfo=UTC)
    return clock.hour * 60 + clock.minute


def _utc(moment: datetime) -> datetime:
    # Two datetimes in the same zone compare and subtract by their wall clocks, and astimezone()
    # takes a naive one for the server's time. Neither may slip in.
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone.")
    return moment.astimezone(UTC)


def _local_date(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


@lru_cache(maxsize=4096)
def _instant(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """The first instant at which a clock in `zone` shows this minute of `day`, or a later one."""
    wall = datetime.combine(day, time.min) + timedelta(minutes=minute)
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != wall:
        return _gap_end(wall, zone)
    return instant


def _gap_end(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which the clock in `zone` jumps over the time `wall`."""
    # For a skipped time zoneinfo answers with an instant on either side of the jump.
    after, before = (
        int(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC).timestamp()) for fold in (0, 1)
    )
    seconds = range(before, after + 1)

    def jumped(second: int) -> bool:
        return datetime.fromtimestamp(second, zone).replace(tzinfo=None) >= wall

    return datetime.fromtimestamp(seconds[bisect_left(seconds, True, key=jumped)], UTC)


def _merged(windows: Iterable[Interval]) -> list[Interval]:
    """Windows that overlap or touch become one; those a gap has emptied disappear."""
    merged: list[Interval] = []
    for window in sorted(window for window in windows if window.start < window.end):
        if merged and window.start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(merged[-1].end, window.end))
        else:
            merged.append(window)
    return merged


def _around(span: Interval, gone: Interval) -> Iterator[Interval]:
    """What of a span is before and after another one."""
    before = Interval(span.start, min(span.end, gone.start))
    after = Interval(max(span.start, gone.end), span.end)
    return (piece for piece in (before, after) if piece.start < piece.end)


def _open_around(hours: Hours, terms: Terms, span: Interval) -> list[Interval]:
    """The merged windows that matter to calls starting in `span`."""
    # One date back is enough to find the grid: see _anchors. Windows reach in from the date
    # before that, which open_intervals sees to.
    first = _local_date(span.start, hours.zone) - DAY
    last = _local_date(span.end + terms.length, hours.zone)
    return open_intervals(hours, first, last)


def _anchors(opening: Interval, zone: ZoneInfo) -> Iterator[datetime]:
    """Where the grid begins: the start of the window, and midnight after each whole open date.

    Hours round the clock have no start. Without the midnights the same instant would be on or
    off the grid depending on how far back one looks.
    """
    yield opening.start
    whole = _local_date(opening.start, zone)
    if _instant(whole, 0, zone) < opening.start:
        whole += DAY
    while (midnight := _instant(whole, MINUTES_A_DAY, zone)) < opening.end:
        yield midnight
        whole += DAY


def _grid_starts(hours: Hours, terms: Terms, span: Interval) -> Iterator[datetime]:
    """Every start in `span` that is on the grid and leaves room for the call, ordered."""
    if span.start >= span.end:
        return
    for opening in _open_around(hours, terms, span):
        for anchor, following in pairwise([*_anchors(opening, hours.zone), opening.end]):
            start = _first_on_grid(anchor, terms.step, span.start)
            while start < min(following, span.end) and start + terms.length <= opening.end:
                yield start
                start += terms.step


def _first_on_grid(anchor: datetime, step: timedelta, earliest: datetime) -> datetime:
    steps = -((anchor - earliest) // step)  # rounded up
    return anchor + max(steps, 0) * step


def _blocked_starts(terms: Terms, taken: Sequence[Taken]) -> list[tuple[datetime, datetime]]:
    """For all that is taken the times strictly between which no call can start, ordered."""
    return sorted(_blocked(terms, block) for block in taken if block.start < block.end)


def _blocked(terms: Terms, block: Taken) -> tuple[datetime, datetime]:
    # Buffers overlap: between two calls lies the longer of the two that meet there.
    gap_before = max(terms.buffer_after, block.buffer_before)
    gap_after = max(block.buffer_after, terms.buffer_before)
    return block.start - gap_before - terms.length, block.end + gap_after


def _free(
    starts: Iterable[datetime], blocked: Sequence[tuple[datetime, datetime]]
) -> Iterator[datetime]:
    """Sweep two ordered sequences once; keep the starts no block lies across."""
    free_from = datetime.min.replace(tzinfo=UTC)
    reached = 0
    for start in starts:
        while reached < len(blocked) and blocked[reached][0] < start:
            free_from = max(free_from, blocked[reached][1])
            reached += 1
        if start >= free_from:
            yield start


def _horizon_end(hours: Hours, terms: Terms, now: datetime) -> datetime:
    if terms.horizon_days is None:
        return CALENDAR_END
    last = _local_date(now, hours.zone) + timedelta(days=terms.horizon_days)
    return _instant(last, MINUTES_A_DAY, hours.zone)


@dataclass(frozen=True, slots=True)
class _Limits:
    """The bookings that each coach-local date and each ISO week, by its Monday, already has."""

    zone: ZoneInfo
    terms: Terms
    days: Counter[date]
    weeks: Counter[date]

    @classmethod
    def of(cls, hours: Hours, terms: Terms, taken: Sequence[Taken]) -> "_Limits":
        days = [_local_date(block.start, hours.zone) for block in taken if block.counts]
        return cls(hours.zone, terms, Counter(days), Counter(map(_monday, days)))

    @property
    def can_be_reached(self) -> bool:
        """Whether any day or week has as many bookings as it may have."""
        per_day, per_week = self.terms.max_per_day, self.terms.max_per_week
        return (per_day is not None and max(self.days.values(), default=0) >= per_day) or (
            per_week is not None and max(self.weeks.values(), default=0) >= per_week
        )

    def reached(self, start: datetime) -> list[Reason]:
        per_day, per_week = self.terms.max_per_day, self.terms.max_per_week
        day = _local_date(start, self.zone)
        reached = []
        if per_day is not None and self.days[day] >= per_day:
            reached.append(Reason.DAY_LIMIT)
        if per_week is not None and self.weeks[_monday(day)] >= per_week:
            reached.append(Reason.WEEK_LIMIT)
        return reached


def _misfits(hours: Hours, terms: Terms, start: datetime) -> list[Reason]:
    """How a call at `start` misses the coach's hours or their grid."""
    instant = Interval(start, start + timedelta.resolution)
    if any(_grid_starts(hours, terms, instant)):
        return []
    if any(
        opening.start <= start and start + terms.length <= opening.end
        for opening in _open_around(hours, terms, instant)
    ):
        return [Reason.OFF_GRID]
    day = _local_date(start, hours.zone)
    if day in hours.overrides and not hours.overrides[day]:
        return [Reason.CLOSED_BY_OVERRIDE]
    return [Reason.OUTSIDE_HOURS]


def _collisions(terms: Terms, taken: Sequence[Taken], start: datetime) -> Iterator[Refusal]:
    """What a call at `start` would overlap, and what it would come too close to."""
    for block in taken:
        if block.start >= block.end:
            continue
        free_until, free_from = _blocked(terms, block)
        if block.start < start + terms.length and start < block.end:
            yield Refusal(Reason.OVERLAP, block)
        elif free_until < start < free_from:
            yield Refusal(Reason.INSIDE_BUFFER, block)
