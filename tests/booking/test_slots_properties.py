"""The engine against the oracle, on random calendars around the nights the clocks change.

Runs the same few examples every time, shared out among the zones. The environment variable
SOAK_EXAMPLES asks for that many fresh random ones instead.
"""

import os
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from booking import slots
from booking.slots import Hours, Interval, Taken, Terms, Window
from tests.booking.slot_oracle import expected_starts, watch

CHANGE_NIGHTS = {
    "Europe/Berlin": [date(2027, 3, 28), date(2027, 10, 31)],
    "America/New_York": [date(2027, 3, 14), date(2027, 11, 7)],
    "Australia/Lord_Howe": [date(2027, 4, 4), date(2027, 10, 3)],
    "America/Havana": [date(2027, 3, 14), date(2027, 11, 7)],
    "Africa/Cairo": [date(2027, 4, 30), date(2027, 10, 29)],
    "Asia/Kolkata": [date(2027, 6, 16)],
    "Asia/Kathmandu": [date(2027, 12, 31)],
    "UTC": [date(2028, 2, 29)],
}

SOAK = os.environ.get("SOAK_EXAMPLES")
profile = settings(
    max_examples=-(-int(SOAK or 64) // len(CHANGE_NIGHTS)),
    derandomize=SOAK is None,
    deadline=None,
)
every_zone = pytest.mark.parametrize("zone", [ZoneInfo(name) for name in CHANGE_NIGHTS], ids=str)

# Hypothesis leans toward small and repeated values, which makes for calendars with nothing to
# offer. A seeded generator spreads evenly, and few examples are enough to meet every rule.
seeds = st.integers(0, 2**32)


@dataclass
class Question:
    """All that offered_slots is asked with."""

    hours: Hours
    terms: Terms
    taken: list[Taken]
    within: Interval
    now: datetime

    def offered(self) -> list[Interval]:
        return slots.offered_slots(
            self.hours, self.terms, self.taken, within=self.within, now=self.now
        )


def random_question(zone: ZoneInfo, seed: int) -> Question:
    rng = Random(f"{zone.key} {seed}")
    day = rng.choice(CHANGE_NIGHTS[zone.key]) + timedelta(days=rng.randint(-1, 1))
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    start = midnight + minutes(rng.randrange(-600, 600, rng.choice([1, 15])))
    odd, even = random_windows(rng), random_windows(rng)
    return Question(
        hours=Hours(
            zone,
            {weekday: odd if weekday % 2 else even for weekday in range(1, 8)},
            {
                day + timedelta(days=rng.randint(-2, 2)): rng.choice([[], random_windows(rng)])
                for _ in range(rng.randint(0, 2))
            },
        ),
        terms=Terms(
            length=minutes(rng.choice([15, 20, 30, 45, 60, 90, 240])),
            step=minutes(rng.choice([7, 15, 20, 30, 45, 50, 60, 120])),
            buffer_before=random_buffer(rng),
            buffer_after=random_buffer(rng),
            notice=minutes(rng.choice([0, 0, 1, 60, 1440])),
            horizon_days=rng.choice([None, None, 0, 1, 2, 3]),
            max_per_day=rng.choice([None, None, None, 1, 2]),
            max_per_week=rng.choice([None, None, None, 2, 3]),
        ),
        taken=[random_taken(rng, midnight, days=8) for _ in range(rng.randint(0, 4))]
        + [random_taken(rng, midnight, days=1) for _ in range(rng.randint(0, 4))],
        within=Interval(start, start + minutes(rng.randint(0, 2000))),
        now=midnight
        + minutes(rng.randrange(-2880, 300, rng.choice([1, 15, 60])))
        + timedelta(seconds=rng.choice([0, 0, 1])),
    )


def random_windows(rng: Random) -> list[Window]:
    if rng.random() < 0.15:
        return [Window(0, 1440)]
    night = rng.random() < 0.5  # when the clocks change
    grain = rng.choice([1, 15, 30])
    return [
        Window(
            rng.randrange(0, 240 if night else 1440, grain),
            rng.randrange(0, 300 if night else 1441, grain),
        )
        for _ in range(rng.randint(1, 3))
    ]


def random_taken(rng: Random, midnight: datetime, *, days: int) -> Taken:
    start = midnight + minutes(rng.randrange(-1440 * (days - 1), 1440 * days, rng.choice([1, 15])))
    end = start + minutes(rng.choice([0, 1, 30, 60, 150]))
    return Taken(start, end, random_buffer(rng), random_buffer(rng), counts=rng.random() < 0.5)


def random_buffer(rng: Random) -> timedelta:
    return minutes(rng.choice([0, 0, 5, 15, 30, 90]))


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


@every_zone
@given(seeds)
@profile
def test_the_engine_offers_what_watching_the_clock_would(zone: ZoneInfo, seed: int) -> None:
    question = random_question(zone, seed)

    offered = question.offered()

    assert [slot.start for slot in offered] == expected_starts(
        question.hours, question.terms, question.taken, within=question.within, now=question.now
    )
    assert all(slot.end - slot.start == question.terms.length for slot in offered)


@every_zone
@given(seeds)
@profile
def test_the_coach_is_open_when_watching_the_clock_says_so(zone: ZoneInfo, seed: int) -> None:
    question = random_question(zone, seed)
    within = question.within
    first, last = (moment.astimezone(zone).date() for moment in (within.start, within.end))

    openings = slots.open_intervals(question.hours, first, last)

    assert all(earlier.end < later.start for earlier, later in pairwise(openings))
    for minute in watch(question.hours, within.start, within.end):
        if within.start <= minute.instant:
            covered = any(opening.start <= minute.instant < opening.end for opening in openings)
            assert covered == minute.is_open


@every_zone
@given(seeds)
@profile
def test_one_instant_is_judged_as_the_whole_month_is(zone: ZoneInfo, seed: int) -> None:
    question = random_question(zone, seed)
    rules = question.hours, question.terms, question.taken
    offered = {slot.start: slot for slot in question.offered()}
    some_minutes = range(0, (question.within.end - question.within.start) // minutes(1), 29)
    guesses = [question.within.start + minutes(n) for n in some_minutes]

    for start in {*offered, *guesses}:
        found = slots.find_slot(*rules, start=start, now=question.now)
        refusals = slots.reasons(*rules, start=start, now=question.now)

        assert found == offered.get(start)
        assert (found is None) == bool(refusals)


@every_zone
@given(seeds)
@profile
def test_what_lies_outside_the_taken_span_decides_nothing(zone: ZoneInfo, seed: int) -> None:
    question = random_question(zone, seed)
    span = slots.taken_span(question.hours.zone, question.terms, question.within)

    loaded = [
        block for block in question.taken if block.start < span.end and span.start < block.end
    ]

    assert replace(question, taken=loaded).offered() == question.offered()


@every_zone
@given(seeds)
@profile
def test_a_range_cut_in_two_offers_the_same_slots(zone: ZoneInfo, seed: int) -> None:
    question = random_question(zone, seed)
    within = question.within
    cut = min(within.start + minutes(seed % 2000), within.end)

    earlier = replace(question, within=Interval(within.start, cut)).offered()
    later = replace(question, within=Interval(cut, within.end)).offered()

    assert earlier + later == question.offered()
