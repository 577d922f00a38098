"""Why a time cannot be booked, in sentences for the coach, and the day it lies in.

A sentence names no other guest: what was overridden is written into the booking, and stays there
when that guest's data is erased. Who is in the way is told by `about`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from booking import availability, slots
from booking.models import Block, Booking, BusyTime, Calendar, CallType
from booking.slots import Hours, Interval, Reason, Refusal, Taken
from coaching_site import german

# Windows reach in from the evening before; calls and pauses are half a day at most.
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Finding:
    """One rule that speaks against a time, and what it speaks of."""

    sentence: str
    about: tuple[Booking | CallType | Calendar | Block, ...] = ()
    can_be_overridden: bool = True


@dataclass(frozen=True)
class Stretch:
    """A piece of the coach's day: open, taken, or kept free beside what is taken."""

    span: Interval
    clock: str
    what: str
    booking: Booking | None = None


def findings(
    call_type: CallType, *, start: datetime, now: datetime, besides: Booking | None = None
) -> list[Finding]:
    """Everything that keeps a guest from booking this time at `now`; empty if nothing does.

    `besides` is the appointment that is to be moved there; it does not stand in its own way.
    """
    case = _Case(call_type, start, now, besides)
    refusals = availability.refusals(call_type, start=start, now=now, besides=besides)
    return [*case.about_the_type(), *map(case.finding, refusals)]


def in_one_text(found: Iterable[Finding]) -> str:
    """What the coach says yes to, and what the booking then records."""
    return " ".join(finding.sentence for finding in found)


def day_plan(calendar: Calendar, day: date, *, now: datetime) -> list[Stretch]:
    """The coach's day in order: when it is open, what is taken, the pauses around that."""
    zone = calendar.tz
    whole = slots.dates_span(day, day, zone)
    opening = slots.open_intervals(_hours(calendar, day), day, day)
    around = Interval(whole.start - DAY, whole.end + DAY)
    taking = Booking.objects.in_calendar(calendar).taking_time(now).touching(around)
    bookings = taking.prefetch_related("deposits")
    busy = BusyTime.objects.counting_in(calendar).touching(whole).select_related("feed")
    blocks = Block.objects.in_calendar(calendar).touching(whole)
    pieces = [
        *((span, "offen", None) for span in opening),
        *((block.span, _blocked(block), None) for block in blocks),
        *((Interval(time.start, time.end), f"belegt: {time.feed.name}", None) for time in busy),
        *(piece for booking in bookings for piece in _pieces(booking, zone)),
    ]
    return [
        Stretch(span, _range_on(span, day, zone), what, booking)
        for span, what, booking in sorted(pieces, key=lambda piece: piece[0].start)
        if span.start < whole.end and whole.start < span.end
    ]


def _pieces(booking: Booking, zone: ZoneInfo) -> Iterator[tuple[Interval, str, Booking]]:
    """A booking and the pauses it brings along."""
    taken = booking.taken()
    yield Interval(taken.start, taken.end), _what(booking, zone), booking
    if taken.buffer_before:
        yield Interval(taken.start - taken.buffer_before, taken.start), "Pause davor", booking
    if taken.buffer_after:
        yield Interval(taken.end, taken.end + taken.buffer_after), "Pause danach", booking


def _blocked(block: Block) -> str:
    return f"gesperrt: {block.note}" if block.note else "gesperrt"


def _what(booking: Booking, zone: ZoneInfo) -> str:
    if booking.status == Booking.Status.HELD and booking.held_until is not None:
        if _is_being_paid(booking):
            return f"wird gerade bezahlt, bis {german.clock(booking.held_until, zone)}"
        return f"gehalten bis {german.clock(booking.held_until, zone)}"
    if booking.is_request and booking.requested_until is not None:
        return f"angefragt, gehalten bis {_moment(booking.requested_until, zone)}"
    return booking.get_status_display()


def _is_being_paid(booking: Booking) -> bool:
    """As `Booking.is_being_paid`, of what was fetched along."""
    return any(deposit.is_unfinished for deposit in booking.deposits.all())


def _hours(calendar: Calendar, day: date) -> Hours:
    return calendar.hours(day - 3 * DAY, day + 3 * DAY)


def _clock_range(span: Interval, day: date, zone: ZoneInfo) -> str:
    """The clock times; with the date if they begin on another day."""
    begins = span.start.astimezone(zone).date()
    clocks = german.clock_range(span.start, span.end, zone)
    return clocks if begins == day else f"{german.short_date(begins)}, {clocks}"


def _range_on(span: Interval, day: date, zone: ZoneInfo) -> str:
    """The clock times; with the dates of what is longer than the day."""
    whole = slots.dates_span(day, day, zone)
    if span.start <= whole.start and whole.end <= span.end:
        return german.span(span.start, span.end, zone)
    return _clock_range(span, day, zone)


def _moment(moment: datetime, zone: ZoneInfo) -> str:
    return f"{german.short_date(moment.astimezone(zone).date())}, {german.clock(moment, zone)}"


def _calls(count: int) -> str:
    return "ein Gespräch" if count == 1 else f"{count} Gespräche"


@dataclass(frozen=True)
class _Case:
    """One question: this call, at this time, asked at this moment."""

    call_type: CallType
    start: datetime
    now: datetime
    besides: Booking | None = None

    def about_the_type(self) -> Iterator[Finding]:
        title, about = self.call_type.title, (self.call_type,)
        if not self.call_type.is_active:
            yield Finding(f"„{title}“ wird gerade nicht angeboten.", about)
        if not self.call_type.is_bookable:
            price = german.euros(self.call_type.price_cents)
            yield Finding(f"„{title}“ kostet {price} und ist noch nicht online buchbar.", about)

    def finding(self, refusal: Refusal) -> Finding:
        if refusal.taken is not None:
            tell = {Reason.OVERLAP: self._overlap, Reason.INSIDE_BUFFER: self._buffer}
            return tell[refusal.reason](refusal.taken)
        plain: dict[Reason, Callable[[], Finding]] = {
            Reason.PAST: self._past,
            Reason.BEYOND_HORIZON: self._horizon,
            Reason.INSIDE_NOTICE: self._notice,
            Reason.OUTSIDE_HOURS: self._outside,
            Reason.CLOSED_BY_OVERRIDE: self._closed,
            Reason.OFF_GRID: self._off_grid,
            Reason.DAY_LIMIT: self._day_limit,
            Reason.WEEK_LIMIT: self._week_limit,
        }
        return plain[refusal.reason]()

    @property
    def calendar(self) -> Calendar:
        return self.call_type.calendar

    @property
    def end(self) -> datetime:
        return self.start + self.call_type.duration

    @cached_property
    def zone(self) -> ZoneInfo:
        return self.calendar.tz

    @cached_property
    def day(self) -> date:
        return self.start.astimezone(self.zone).date()

    @property
    def monday(self) -> date:
        return self.day - self.day.weekday() * DAY

    @cached_property
    def hours(self) -> Hours:
        return _hours(self.calendar, self.day)

    @cached_property
    def bookings(self) -> list[Booking]:
        """Whatever takes time in this week and at its edges."""
        span = slots.dates_span(self.monday - 2 * DAY, self.monday + 8 * DAY, self.zone)
        taking = Booking.objects.in_calendar(self.calendar).taking_time(self.now).touching(span)
        return [booking for booking in taking.order_by("start") if booking != self.besides]

    def _past(self) -> Finding:
        return Finding("Diese Zeit ist schon vorbei.")

    def _horizon(self) -> Finding:
        days = self.call_type.horizon_days
        last = self.now.astimezone(self.zone).date() + days * DAY
        return Finding(
            f"So weit ist der Kalender noch nicht offen: Gebucht wird bis {german.short_date(last)}, "
            f"{german.short_date(self.day)} kommt am {german.short_date(self.day - days * DAY)} dazu.",
            (self.call_type,),
        )

    def _notice(self) -> Finding:
        notice = timedelta(hours=self.call_type.notice)
        return Finding(
            f"Der Vorlauf von {self.call_type.notice} Stunden ist unterschritten: Diese Zeit war bis "
            f"{_moment(self.start - notice, self.zone)} buchbar, jetzt geht es frühestens "
            f"{_moment(self.now + notice, self.zone)}.",
            (self.call_type,),
        )

    def _outside(self) -> Finding:
        opening = slots.open_intervals(self.hours, self.day, self.day)
        day = german.short_date(self.day)
        if not opening:
            return Finding(f"Am {day} sind keine Sprechzeiten.", (self.calendar,))
        windows = " und ".join(_clock_range(span, self.day, self.zone) for span in opening)
        begins_inside = any(span.start <= self.start < span.end for span in opening)
        what = (
            f"Das Gespräch von {german.minutes(self.call_type.duration)} reicht über die Sprechzeit hinaus"
            if begins_inside
            else "Das liegt außerhalb der Sprechzeiten"
        )
        return Finding(f"{what}: Am {day} ist offen {windows}.", (self.calendar,))

    def _closed(self) -> Finding:
        why = self.calendar.closed_because(self.day)
        day = german.short_date(self.day)
        sentence = f"Am {day} ist geschlossen: {why}." if why else f"Am {day} ist geschlossen."
        return Finding(sentence, (self.calendar,))

    def _off_grid(self) -> Finding:
        # The grid alone: as if nothing were taken and nothing limited.
        terms = replace(
            self.call_type.terms(),
            notice=timedelta(0),
            horizon_days=None,
            max_per_day=None,
            max_per_week=None,
        )
        within = slots.dates_span(self.day, self.day, self.zone)
        grid = slots.offered_slots(self.hours, terms, [], within=within, now=within.start)
        near = [
            *[slot for slot in grid if slot.start < self.start][-1:],
            *[slot for slot in grid if slot.start > self.start][:1],
        ]
        clocks = " oder ".join(german.clock(slot.start, self.zone) for slot in near)
        hint = f"; am nächsten liegt {clocks}" if near else ""
        return Finding(
            f"Gespräche dieser Art beginnen alle {self.call_type.step}{german.NBSP}Minuten"
            f" ab Beginn der Sprechzeit{hint}.",
            (self.call_type,),
        )

    def _day_limit(self) -> Finding:
        there = [b for b in self.bookings if b.start.astimezone(self.zone).date() == self.day]
        return Finding(
            f"Die Grenze für den Tag ist erreicht: Am {german.short_date(self.day)} sind im "
            f"Kalender {_calls(len(there))}, höchstens {self.call_type.max_per_day}.",
            (self.call_type, *there),
        )

    def _week_limit(self) -> Finding:
        week = slots.dates_span(self.monday, self.monday + 6 * DAY, self.zone)
        there = [b for b in self.bookings if week.start <= b.start < week.end]
        return Finding(
            "Die Grenze für die Woche ist erreicht: In der Woche vom "
            f"{german.plain_date(self.monday)} sind im Kalender {_calls(len(there))}, "
            f"höchstens {self.call_type.max_per_week}.",
            (self.call_type, *there),
        )

    def _overlap(self, taken: Taken) -> Finding:
        clocks = _range_on(Interval(taken.start, taken.end), self.day, self.zone)
        if not taken.counts:
            return self._elsewhere(taken, clocks)
        booking = self._booking_of(taken)
        if booking is None:
            return Finding(f"Diese Zeit ist belegt: {clocks}.", can_be_overridden=False)
        if booking.status == Booking.Status.HELD and booking.held_until is not None:
            until = german.clock(booking.held_until, self.zone)
            does = "bezahlt" if _is_being_paid(booking) else "bucht"
            sentence = f"Jemand {does} gerade {clocks}; die Zeit wird bis {until} gehalten."
        elif booking.is_request and booking.requested_until is not None:
            until = _moment(booking.requested_until, self.zone)
            sentence = f"Diese Zeit ist angefragt: {clocks}; sie wird bis {until} gehalten."
        else:
            sentence = f"Zu dieser Zeit ist schon ein Termin: {clocks}."
        return Finding(sentence, (booking,), can_be_overridden=False)

    def _elsewhere(self, taken: Taken, clocks: str) -> Finding:
        """A block, or another calendar says so: the coach knows better, and may override it."""
        span = Interval(taken.start, taken.end)
        blocks = Block.objects.in_calendar(self.calendar).select_related("calendar")
        block = blocks.filter(start=span.start, end=span.end).first()
        if block is not None:
            return Finding(f"Diese Zeit hast du gesperrt: {block}.", (block,))
        there = BusyTime.objects.counting_in(self.calendar).touching(span).select_related("feed")
        names = ", ".join(sorted({f"„{busy.feed}“" for busy in there}))
        return Finding(f"Laut {names or 'einem anderen Kalender'} bist du belegt: {clocks}.")

    def _buffer(self, taken: Taken) -> Finding:
        """The longer of the two pauses that meet counts; say when it would be kept."""
        terms = self.call_type.terms()
        clocks = _clock_range(Interval(taken.start, taken.end), self.day, self.zone)
        booking = self._booking_of(taken)
        if taken.start >= self.end:
            pause = max(terms.buffer_after, taken.buffer_before)
            latest = taken.start - pause - terms.length
            kept = f"spätestens {_clock(latest, self.day, self.zone)}"
        else:
            pause = max(terms.buffer_before, taken.buffer_after)
            kept = f"frühestens {_clock(taken.end + pause, self.day, self.zone)}"
        return Finding(
            f"Zum Termin {clocks} fehlt die Pause von {german.minutes(pause)}; Beginn {kept}.",
            (booking,) if booking else (),
        )

    def _booking_of(self, taken: Taken) -> Booking | None:
        if not taken.counts:  # another calendar's
            return None
        # What takes time in one calendar never overlaps, so a beginning names it.
        return next((b for b in self.bookings if b.start == taken.start), None)


def _clock(moment: datetime, day: date, zone: ZoneInfo) -> str:
    begins = moment.astimezone(zone).date()
    return german.clock(moment, zone) if begins == day else _moment(moment, zone)
