"""Guests and the coach do whatever comes to mind, in any order, and the rules hold after each step.

The machine is Hypothesis': a random walk over the real rules and the real database. A few walks,
always the same, run with the other tests; SOAK_EXAMPLES asks for that many fresh ones. Each control
takes one rule away and expects the walks to find out.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import count, pairwise
from random import Random

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from booking import availability, cancellation, scheduling, slots
from booking.errors import AlreadyCancelled, HoldRanOut, NotBooked, SlotRefused, TooLateToCancel
from booking.models import Booking, Calendar, CallType, Notification, WeeklyHours, hours_and_taken
from booking.scheduling import Guest
from booking.slots import Interval
from tests.booking.conftest import new_type

pytestmark = pytest.mark.django_db

SOAK = os.environ.get("SOAK_EXAMPLES")
MONDAY = datetime(2027, 3, 1, 6, 0, tzinfo=UTC)
EVER = Interval(MONDAY - timedelta(days=30), MONDAY + timedelta(days=365))
# Short days, few of them, and calls that differ in all that matters: people get in each other's way.
TYPES = (
    {"length": 30, "step": 15, "buffer_after": 15, "max_per_day": 2},
    {"length": 60, "step": 30, "buffer_before": 30, "max_per_week": 5},
    {"length": 45, "step": 15, "max_per_day": 3, "max_per_week": 6},
    {"length": 20, "step": 20, "buffer_before": 10, "buffer_after": 20},
)
# Hypothesis leans toward small numbers, and everybody would want the first offer of the first type.
picks = st.integers(0, 2**32).map(lambda seed: Random(seed).randrange(10_000))


class CalendarMachine(RuleBasedStateMachine):
    """One calendar, a clock, and everybody who ever wanted a call."""

    def __init__(self) -> None:
        super().__init__()
        for model in (Notification, Booking, CallType, Calendar):
            model._default_manager.all().delete()
        self.now = MONDAY
        self.calendar = Calendar.objects.create(name="Hauptkalender")
        WeeklyHours.objects.bulk_create(
            WeeklyHours(calendar=self.calendar, weekday=day, start=time(9), end=time(12))
            for day in (1, 2, 3, 4, 5)
        )
        self.turns = count()
        # When each booking took the time it has, in the order of events.
        self.took: dict[int, int] = {}
        self.promised: set[int] = set()
        self.called_off: set[int] = set()

    @initialize(first=picks, second=picks, notice=st.sampled_from([0, 1, 24]))
    def offer_three_kinds_of_call(self, first: int, second: int, notice: int) -> None:
        chosen = [first % len(TYPES), second % len(TYPES), (first + second) % len(TYPES)]
        self.types = [
            new_type(self.calendar, slug=f"art-{n}", notice=notice, horizon_days=2, **TYPES[which])
            for n, which in enumerate(chosen)
        ]
        for number in range(4):
            self.hold_what_is_offered(number, pick=first + number * second)

    # --- what people do -------------------------------------------------------------------------

    @rule(minutes=st.sampled_from([1, 7, 14, 15, 16, 60, 300, 1440]))
    def let_time_pass(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(which=picks, pick=picks)
    def hold_what_is_offered(self, which: int, pick: int) -> None:
        call_type = self.types[which % 3]
        offers = availability.offered_slots(call_type, now=self.now)
        if offers:
            self.hold(call_type, offers[pick % len(offers)].start)

    @rule(which=picks, pick=picks, ahead=st.integers(-20, 700))
    def ask_for_any_time(self, which: int, pick: int, ahead: int) -> None:
        """Near what is taken, or anywhere, also where no grid is: held exactly if offered."""
        call_type = self.types[which % 3]
        near = [block.start for block in self.active(self.any())] or [MONDAY.replace(hour=8)]
        start = near[pick % len(near)] + timedelta(minutes=5 * (ahead % 36 - 18))
        if pick % 3 == 0:
            start = MONDAY + timedelta(minutes=5 * ahead)
        if start in {offer.start for offer in availability.offered_slots(call_type, now=self.now)}:
            self.hold(call_type, start)
            return
        before = self.rows()
        with pytest.raises(SlotRefused):
            self.ask(call_type, start)
        assert self.rows() == before, "a refusal left a trace"

    @precondition(lambda self: self.unfinished())
    @rule(pick=picks, which=picks, choice=picks)
    def choose_another_time(self, pick: int, which: int, choice: int) -> None:
        booking = self.one(self.unfinished(), pick)
        call_type = self.types[which % 3]
        offers = availability.offered_slots(call_type, now=self.now, besides=booking)
        if offers:
            self.hold(call_type, offers[choice % len(offers)].start, booking)

    @precondition(lambda self: self.any())
    @rule(pick=picks, again=st.booleans())
    def confirm(self, pick: int, again: bool) -> None:
        self.confirm_this(self.one(self.any(), pick), again=again)

    def confirm_this(self, booking: Booking, *, again: bool) -> None:
        was_taking = booking in self.active([booking])
        try:
            scheduling.confirm(booking, now=self.now, again=again)
        except (SlotRefused, HoldRanOut, AlreadyCancelled):
            assert not was_taking or booking.start <= self.now, "what is held can be booked"
            return
        self.promised.add(booking.pk)
        if not was_taking:
            self.took[booking.pk] = next(self.turns)

    @precondition(lambda self: self.unfinished())
    @rule(pick=picks, which=picks, choice=picks)
    def come_back_late(self, pick: int, which: int, choice: int) -> None:
        """The hold ran out, somebody else came close, and then the first one says yes."""
        late = self.one(self.unfinished(), pick)
        self.let_time_pass(16)
        others = availability.offered_slots(self.types[which % 3], now=self.now)
        near = sorted(others, key=lambda offer: abs(offer.start - late.start))[:6]
        if near:
            self.hold(self.types[which % 3], near[choice % len(near)].start)
        self.confirm_this(late, again=True)

    @precondition(lambda self: self.any())
    @rule(pick=picks)
    def release(self, pick: int) -> None:
        scheduling.release(self.one(self.any(), pick), now=self.now)

    @precondition(lambda self: self.any())
    @rule(pick=picks, by_coach=st.booleans())
    def cancel(self, pick: int, by_coach: bool) -> None:
        booking = self.one(self.any(), pick)
        by = cancellation.cancel_by_coach if by_coach else cancellation.cancel_by_guest
        try:
            by(booking, now=self.now)
        except NotBooked:
            assert booking.is_unfinished, "what is booked can be called off"
            return
        except TooLateToCancel:
            assert not by_coach, "the coach can always call off"
            assert booking.start <= self.now, "it was not too late"
            return
        self.promised.discard(booking.pk)
        self.called_off.add(booking.pk)

    # --- what has to hold after each step -------------------------------------------------------

    @invariant()
    def all_is_well(self) -> None:
        bookings = self.any()
        active = self.active(bookings)
        self.no_two_overlap_or_come_too_close(active)
        self.nobody_came_when_the_day_or_week_was_full(active)
        self.what_was_said_to_guests_stays_true(bookings)
        self.the_site_sees_what_is_active(active)

    def no_two_overlap_or_come_too_close(self, active: list[Booking]) -> None:
        for earlier, later in pairwise(active):
            pause = timedelta(minutes=max(earlier.buffer_after, later.buffer_before))
            assert earlier.end <= later.start, "two at the same time"
            assert earlier.end + pause <= later.start, "too close"

    def nobody_came_when_the_day_or_week_was_full(self, active: list[Booking]) -> None:
        days: Counter[date] = Counter()
        weeks: Counter[date] = Counter()
        for booking in sorted(active, key=lambda booking: self.took[booking.pk]):
            day = booking.start.astimezone(self.calendar.tz).date()
            monday = day - timedelta(days=day.weekday())
            most = booking.call_type
            assert most.max_per_day is None or days[day] < most.max_per_day, "day too full"
            assert most.max_per_week is None or weeks[monday] < most.max_per_week, "week too full"
            days[day] += 1
            weeks[monday] += 1

    def what_was_said_to_guests_stays_true(self, bookings: list[Booking]) -> None:
        """Booked stays booked, called off stays off, and each of both is told once."""
        assert {b.pk for b in bookings if b.is_confirmed} == self.promised
        assert {b.pk for b in bookings if b.is_cancelled} == self.called_off
        told = self.promised | self.called_off
        owed = Notification.objects.filter(kind="confirmation").values_list("booking", flat=True)
        assert sorted(owed) == sorted([*told, *told])

    def the_site_sees_what_is_active(self, active: list[Booking]) -> None:
        """Asked in SQL and as a queryset: both know what takes time now."""
        starts = [booking.start for booking in active]
        plain = Booking.objects.in_calendar(self.calendar).taking_time(self.now).touching(EVER)
        assert sorted(plain.values_list("start", flat=True)) == starts
        _, fast = hours_and_taken(self.calendar, EVER, now=self.now)
        assert sorted(block.start for block in fast) == starts

    # --- helpers --------------------------------------------------------------------------------

    def ask(self, call_type: CallType, start: datetime, booking: Booking | None = None) -> Booking:
        number = uuid.uuid4()
        return scheduling.hold(
            call_type,
            start=start,
            guest=Guest(
                name="Ada", email=booking.email if booking else f"{number.hex}@example.org"
            ),
            form_token=booking.form_token if booking else number,
            visitor_zone="Europe/Berlin",
            now=self.now,
        )

    def hold(self, call_type: CallType, start: datetime, known: Booking | None = None) -> None:
        """Hold what is on offer; being refused would be a broken promise."""
        same_time = (
            known is not None
            and known.is_held(self.now)
            and (known.start, known.call_type) == (start, call_type)
        )
        try:
            booking = self.ask(call_type, start, known)
        except SlotRefused as refusal:
            raise AssertionError("offered, then refused") from refusal
        if not same_time:
            self.took[booking.pk] = next(self.turns)

    def any(self) -> list[Booking]:
        return list(Booking.objects.with_its_type().order_by("pk"))

    def unfinished(self) -> list[Booking]:
        return [booking for booking in self.any() if booking.is_unfinished]

    def active(self, bookings: list[Booking]) -> list[Booking]:
        """Whatever keeps others out now, decided here and not by the site's own queries."""
        active = [
            booking
            for booking in bookings
            if booking.is_confirmed or (booking.status == "held" and booking.held_until > self.now)  # type: ignore[operator]
        ]
        return sorted(active, key=lambda booking: booking.start)

    def rows(self) -> list[tuple[object, ...]]:
        """All that is stored, except that a hold that ran out may be marked as such."""
        return [
            (b.pk, b.start, b.end, "unfinished" if b.is_unfinished else b.status)
            for b in self.any()
        ]

    def one(self, bookings: list[Booking], pick: int) -> Booking:
        return bookings[pick % len(bookings)]


def walk(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        CalendarMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=SOAK is None,
            deadline=None,
            database=None,
            phases=[Phase.generate] if SOAK is None else [Phase.generate, Phase.shrink],
        ),
    )


def test_the_rules_hold_whatever_people_do():
    walk(int(SOAK or 6), steps=40)


def nothing_collides(monkeypatch) -> None:
    monkeypatch.setattr(slots, "_blocked_starts", lambda terms, taken: [])
    monkeypatch.setattr(slots, "_collisions", lambda terms, taken, start: [])


def pauses_do_not_count(monkeypatch) -> None:
    monkeypatch.setattr(
        slots, "_blocked", lambda terms, block: (block.start - terms.length, block.end)
    )


def pauses_count_on_one_side(monkeypatch) -> None:
    monkeypatch.setattr(
        slots,
        "_blocked",
        lambda terms, block: (
            block.start - terms.buffer_after - terms.length,
            block.end + terms.buffer_before,
        ),
    )


def days_and_weeks_never_fill(monkeypatch) -> None:
    monkeypatch.setattr(slots._Limits, "reached", lambda limits, start: [])


def holds_never_tidied(monkeypatch) -> None:
    monkeypatch.setattr(scheduling, "_free_expired_holds", lambda calendar, *, now: None)


def holds_never_checked_again(monkeypatch) -> None:
    def only_ask(booking: Booking, *, now: datetime) -> None:
        if not booking.is_held(now):
            raise HoldRanOut

    monkeypatch.setattr(scheduling, "still_good", only_ask)


@pytest.mark.skipif(SOAK is not None, reason="the controls take the same walks every time")
@pytest.mark.parametrize(
    "rule_gone",
    [
        nothing_collides,
        pauses_do_not_count,
        pauses_count_on_one_side,
        days_and_weeks_never_fill,
        holds_never_tidied,
        holds_never_checked_again,
    ],
)
def test_control_without_a_rule_the_walks_find_out(rule_gone, monkeypatch):
    rule_gone(monkeypatch)

    with pytest.raises(AssertionError):
        walk(60, steps=40)
