import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from booking.slots import (
    Hours,
    Interval,
    Reason,
    Refusal,
    Taken,
    Terms,
    Window,
    by_day,
    dates_span,
    find_slot,
    offered_slots,
    open_intervals,
    reasons,
    taken_span,
)
from tests.booking.slot_cases import run_case

CASES = json.loads((Path(__file__).parents[1] / "data" / "booking_slot_cases.json").read_text())

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
NOW = datetime(2027, 1, 1, tzinfo=UTC)
MONDAY = date(2027, 6, 14)
SUNDAY = date(2027, 6, 13)
SPRING_NIGHT = date(2027, 3, 28)
AUTUMN_NIGHT = date(2027, 10, 31)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    """The instant at which a clock in `zone` shows this ISO date and time, the first if twice."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def daily(*windows: tuple[str, str], zone: ZoneInfo = BERLIN) -> Hours:
    return Hours(
        zone, {day: [Window.parse(*window) for window in windows] for day in range(1, 8)}, {}
    )


def only_on(day: date, *windows: tuple[str, str], zone: ZoneInfo = BERLIN) -> Hours:
    return Hours(zone, {}, {day: [Window.parse(*window) for window in windows]})


def booking(start: str, end: str, before: float = 0, after: float = 0) -> Taken:
    return Taken(at(start), at(end), minutes(before), minutes(after), counts=True)


def labels(
    hours: Hours,
    terms: Terms,
    taken: Sequence[Taken] = (),
    *,
    first: date,
    last: date | None = None,
    now: datetime = NOW,
) -> list[str]:
    """What the coach's clock shows when the offered slots start."""
    within = dates_span(first, last or first, hours.zone)
    slots = offered_slots(hours, terms, taken, within=within, now=now)
    return [slot.start.astimezone(hours.zone).strftime("%H:%M") for slot in slots]


def opening_hours(hours: Hours, day: date) -> list[float]:
    """How long, in elapsed hours, each merged window lasts."""
    return [(it.end - it.start) / timedelta(hours=1) for it in open_intervals(hours, day, day)]


HOUR = Terms(length=minutes(60), step=minutes(60))
HALF_HOUR = Terms(length=minutes(30), step=minutes(30))


@pytest.mark.parametrize("case", CASES, ids=[f"{case['id']}: {case['title']}" for case in CASES])
def test_a_collected_case_comes_out_as_written_down(case: dict[str, Any]) -> None:
    expected = case["expected"]

    answer = run_case(case)

    assert answer == expected


# Windows and the clock


@pytest.mark.parametrize(
    ("window", "elapsed_hours"),
    [
        (("00:00", "06:00"), [5]),
        (("02:30", "03:30"), [0.5]),
        (("01:30", "02:30"), [0.5]),
        (("02:00", "03:00"), []),
        (("02:15", "02:45"), []),
        (("03:00", "04:00"), [1]),
    ],
)
def test_a_time_the_spring_clock_skips_means_the_end_of_the_gap(
    window: tuple[str, str], elapsed_hours: list[float]
) -> None:
    hours = only_on(SPRING_NIGHT, window)

    lasting = opening_hours(hours, SPRING_NIGHT)

    assert lasting == elapsed_hours


@pytest.mark.parametrize(
    ("window", "elapsed_hours"),
    [
        (("00:00", "06:00"), [7]),
        (("02:00", "03:00"), [2]),
        (("02:30", "03:30"), [2]),
        (("01:00", "02:30"), [1.5]),
        (("02:15", "02:45"), [0.5]),
        (("03:00", "04:00"), [1]),
    ],
)
def test_a_time_the_autumn_clock_shows_twice_means_the_first_showing(
    window: tuple[str, str], elapsed_hours: list[float]
) -> None:
    hours = only_on(AUTUMN_NIGHT, window)

    lasting = opening_hours(hours, AUTUMN_NIGHT)

    assert lasting == elapsed_hours


def test_a_window_that_opens_in_the_gap_opens_when_the_clock_has_jumped() -> None:
    hours = only_on(SPRING_NIGHT, ("02:30", "03:30"))

    (opening,) = open_intervals(hours, SPRING_NIGHT, SPRING_NIGHT)

    assert opening.start == datetime(2027, 3, 28, 1, tzinfo=UTC)


def test_an_hour_that_happens_twice_is_offered_twice() -> None:
    hours = only_on(AUTUMN_NIGHT, ("01:00", "04:00"))

    offered = labels(hours, HOUR, first=AUTUMN_NIGHT)

    assert offered == ["01:00", "02:00", "02:00", "03:00"]


def test_a_call_lasts_its_length_even_while_the_clock_falls_back() -> None:
    hours = only_on(AUTUMN_NIGHT, ("00:00", "06:00"))
    terms = Terms(length=minutes(90), step=minutes(30))

    offered = offered_slots(
        hours, terms, [], within=dates_span(AUTUMN_NIGHT, AUTUMN_NIGHT, BERLIN), now=NOW
    )

    assert {slot.end - slot.start for slot in offered} == {minutes(90)}


def test_lord_howe_skips_only_half_an_hour_in_spring() -> None:
    spring_night = date(2027, 10, 3)
    hours = only_on(spring_night, ("01:00", "04:00"), zone=LORD_HOWE)

    offered = labels(hours, HALF_HOUR, first=spring_night)

    assert offered == ["01:00", "01:30", "02:30", "03:00", "03:30"]


def test_lord_howe_repeats_only_half_an_hour_in_autumn() -> None:
    autumn_night = date(2027, 4, 4)
    hours = only_on(autumn_night, ("01:00", "03:00"), zone=LORD_HOWE)

    offered = labels(hours, HALF_HOUR, first=autumn_night)

    assert offered == ["01:00", "01:30", "01:30", "02:00", "02:30"]


def test_a_day_without_midnight_begins_when_its_clock_does() -> None:
    cairo = ZoneInfo("Africa/Cairo")
    spring_day = date(2027, 4, 30)
    hours = only_on(spring_day, ("00:00", "03:00"), zone=cairo)

    offered = labels(hours, HOUR, first=spring_day)

    assert offered == ["01:00", "02:00"]


def test_a_date_the_calendar_skipped_never_opens() -> None:
    apia = ZoneInfo("Pacific/Apia")
    skipped = date(2011, 12, 30)
    hours = only_on(skipped, ("09:00", "17:00"), zone=apia)

    openings = open_intervals(hours, skipped - timedelta(days=1), skipped + timedelta(days=1))

    assert openings == []


def test_a_window_past_midnight_belongs_to_the_date_it_starts_on() -> None:
    hours = Hours(BERLIN, {1: [Window.parse("22:00", "02:00")]}, {})

    offered = labels(hours, HOUR, first=SUNDAY, last=MONDAY + timedelta(days=1))

    assert offered == ["22:00", "23:00", "00:00", "01:00"]


def test_closing_a_date_does_not_cut_the_evening_before_short() -> None:
    tuesday = MONDAY + timedelta(days=1)
    hours = Hours(
        BERLIN,
        {1: [Window.parse("22:00", "02:00")], 2: [Window.parse("09:00", "17:00")]},
        {tuesday: []},
    )

    offered = labels(hours, HOUR, first=tuesday)

    assert offered == ["00:00", "01:00"]


def test_an_end_of_24_00_is_the_midnight_that_follows() -> None:
    hours = only_on(MONDAY, ("22:00", "24:00"))

    offered = labels(hours, HOUR, first=MONDAY, last=MONDAY + timedelta(days=1))

    assert offered == ["22:00", "23:00"]


def test_a_window_that_ends_when_it_starts_lasts_a_day() -> None:
    hours = only_on(MONDAY, ("09:00", "09:00"))

    lasting = opening_hours(hours, MONDAY)

    assert lasting == [24]


def test_windows_that_touch_are_one_window() -> None:
    hours = only_on(MONDAY, ("09:00", "10:00"), ("10:00", "11:30"))
    terms = Terms(length=minutes(60), step=minutes(45))

    offered = labels(hours, terms, first=MONDAY)

    assert offered == ["09:00", "09:45", "10:30"]


def test_a_window_inside_another_adds_nothing() -> None:
    hours = only_on(MONDAY, ("09:00", "12:00"), ("09:30", "10:30"))

    offered = labels(hours, HOUR, first=MONDAY)

    assert offered == ["09:00", "10:00", "11:00"]


def test_windows_that_touch_at_midnight_are_one_window() -> None:
    hours = Hours(
        BERLIN, {1: [Window.parse("22:45", "24:00")], 2: [Window.parse("00:00", "01:15")]}, {}
    )

    offered = labels(hours, HOUR, first=MONDAY, last=MONDAY + timedelta(days=1))

    assert offered == ["22:45", "23:45"]


def test_open_intervals_are_whole_even_where_they_leave_the_dates_asked_for() -> None:
    hours = daily(("22:00", "02:00"))

    openings = open_intervals(hours, MONDAY, MONDAY)

    assert openings == [
        Interval(at("2027-06-13T22:00"), at("2027-06-14T02:00")),
        Interval(at("2027-06-14T22:00"), at("2027-06-15T02:00")),
    ]


def test_an_open_interval_is_whole_even_where_the_next_date_continues_it() -> None:
    hours = daily(("22:00", "24:00"), ("00:00", "02:00"))

    openings = open_intervals(hours, MONDAY, MONDAY)

    assert openings[-1] == Interval(at("2027-06-14T22:00"), at("2027-06-15T02:00"))


@pytest.mark.parametrize("bounds", [("25:00", "26:00"), ("09:75", "10:00"), ("24:00", "01:00")])
def test_a_window_has_times_that_a_clock_shows(bounds: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r"does not match|not a window|unconverted"):
        Window.parse(*bounds)


# The grid


def test_a_step_that_does_not_divide_the_window_leaves_a_rest() -> None:
    hours = only_on(MONDAY, ("09:00", "11:00"))
    terms = Terms(length=minutes(30), step=minutes(50))

    offered = labels(hours, terms, first=MONDAY)

    assert offered == ["09:00", "09:50"]


def test_the_grid_starts_when_the_window_does() -> None:
    hours = only_on(MONDAY, ("09:20", "11:30"))

    offered = labels(hours, HOUR, first=MONDAY)

    assert offered == ["09:20", "10:20"]


def test_taken_time_removes_starts_and_never_moves_the_grid() -> None:
    hours = only_on(MONDAY, ("09:00", "13:00"))
    taken = [booking("2027-06-14T09:30", "2027-06-14T10:10")]

    offered = labels(hours, HOUR, taken, first=MONDAY)

    assert offered == ["11:00", "12:00"]


def test_the_grid_of_a_night_is_the_same_seen_from_either_date() -> None:
    hours = Hours(
        BERLIN, {1: [Window.parse("20:00", "24:00")], 2: [Window.parse("00:00", "03:00")]}, {}
    )
    terms = Terms(length=minutes(60), step=minutes(50))

    offered = labels(hours, terms, first=MONDAY + timedelta(days=1))

    assert offered == ["00:10", "01:00", "01:50"]


def test_round_the_clock_the_grid_starts_afresh_each_midnight() -> None:
    hours = daily(("00:00", "24:00"))
    terms = Terms(length=minutes(60), step=minutes(5 * 60))

    offered = labels(hours, terms, first=MONDAY, last=MONDAY + timedelta(days=1))

    assert offered == ["00:00", "05:00", "10:00", "15:00", "20:00"] * 2


def test_round_the_clock_a_call_may_run_past_midnight() -> None:
    hours = daily(("00:00", "24:00"))
    terms = Terms(length=minutes(120), step=minutes(60))

    late = find_slot(hours, terms, [], start=at("2027-06-14T23:00"), now=NOW)

    assert late == Interval(at("2027-06-14T23:00"), at("2027-06-15T01:00"))


def test_a_call_may_last_longer_than_a_day() -> None:
    hours = daily(("00:00", "24:00"))
    terms = Terms(length=timedelta(days=3), step=timedelta(hours=12))

    offered = labels(hours, terms, first=MONDAY)

    assert offered == ["00:00", "12:00"]


@pytest.mark.parametrize("step", [0, -30])
def test_a_grid_must_advance(step: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Terms(length=minutes(60), step=minutes(step))


# Buffers


@pytest.mark.parametrize(
    ("after_of_booking", "before_of_call", "first_free"),
    [(30, 15, "10:30"), (15, 30, "10:30"), (0, 45, "10:45"), (0, 0, "10:00")],
)
def test_after_a_booking_the_longer_buffer_counts(
    after_of_booking: int, before_of_call: int, first_free: str
) -> None:
    hours = only_on(MONDAY, ("09:00", "12:00"))
    terms = Terms(minutes(60), minutes(15), buffer_before=minutes(before_of_call))
    taken = [booking("2027-06-14T09:00", "2027-06-14T10:00", after=after_of_booking)]

    offered = labels(hours, terms, taken, first=MONDAY)

    assert offered[0] == first_free


@pytest.mark.parametrize(
    ("after_of_call", "before_of_booking", "last_free"),
    [(30, 15, "09:30"), (15, 30, "09:30"), (45, 0, "09:15"), (0, 0, "10:00")],
)
def test_before_a_booking_the_longer_buffer_counts(
    after_of_call: int, before_of_booking: int, last_free: str
) -> None:
    hours = only_on(MONDAY, ("09:00", "12:00"))
    terms = Terms(minutes(60), minutes(15), buffer_after=minutes(after_of_call))
    taken = [booking("2027-06-14T11:00", "2027-06-14T12:00", before=before_of_booking)]

    offered = labels(hours, terms, taken, first=MONDAY)

    assert offered[-1] == last_free


def test_a_busy_time_is_kept_clear_of_by_the_buffers_of_the_call() -> None:
    hours = only_on(MONDAY, ("09:00", "13:00"))
    terms = Terms(minutes(30), minutes(15), buffer_before=minutes(15), buffer_after=minutes(30))
    busy = [Taken(at("2027-06-14T11:00"), at("2027-06-14T11:30"))]

    offered = labels(hours, terms, busy, first=MONDAY)

    last_before, first_after = offered[4:6]
    assert (last_before, first_after) == ("10:00", "11:45")


def test_the_edges_of_a_window_need_no_buffer() -> None:
    hours = only_on(MONDAY, ("09:00", "10:00"))
    terms = Terms(minutes(60), minutes(60), buffer_before=minutes(30), buffer_after=minutes(30))

    offered = labels(hours, terms, first=MONDAY)

    assert offered == ["09:00"]


def test_calls_may_touch() -> None:
    hours = only_on(MONDAY, ("09:00", "12:00"))
    taken = [booking("2027-06-14T10:00", "2027-06-14T11:00")]

    offered = labels(hours, HOUR, taken, first=MONDAY)

    assert offered == ["09:00", "11:00"]


def test_a_long_booking_blocks_past_a_short_one_inside_it() -> None:
    hours = only_on(MONDAY, ("09:00", "13:00"))
    taken = [
        booking("2027-06-14T09:00", "2027-06-14T12:00"),
        booking("2027-06-14T09:30", "2027-06-14T10:00"),
    ]

    offered = labels(hours, HOUR, taken, first=MONDAY)

    assert offered == ["12:00"]


def test_the_order_of_what_is_taken_does_not_matter() -> None:
    hours = only_on(MONDAY, ("09:00", "13:00"))
    taken = [
        booking("2027-06-14T12:00", "2027-06-14T13:00"),
        booking("2027-06-14T09:00", "2027-06-14T10:00"),
    ]

    offered = labels(hours, HOUR, taken, first=MONDAY)

    assert offered == ["10:00", "11:00"]


# Notice, horizon, limits


@pytest.mark.parametrize(
    ("late_by", "first_free"),
    [(timedelta(0), "10:00"), (timedelta.resolution, "11:00"), (timedelta(seconds=-1), "10:00")],
)
def test_notice_may_be_met_to_the_second(late_by: timedelta, first_free: str) -> None:
    hours = only_on(MONDAY, ("09:00", "13:00"))
    terms = Terms(minutes(60), minutes(60), notice=timedelta(hours=24))

    offered = labels(hours, terms, first=MONDAY, now=at("2027-06-13T10:00") + late_by)

    assert offered[0] == first_free


def test_notice_is_elapsed_time_not_the_same_time_yesterday() -> None:
    hours = only_on(SPRING_NIGHT, ("09:00", "12:00"))
    terms = Terms(minutes(60), minutes(60), notice=timedelta(hours=24))

    offered = labels(hours, terms, first=SPRING_NIGHT, now=at("2027-03-27T09:00"))

    assert offered == ["10:00", "11:00"]


def test_without_notice_a_call_can_start_this_very_moment() -> None:
    hours = only_on(MONDAY, ("09:00", "11:00"))

    offered = labels(hours, HOUR, first=MONDAY, now=at("2027-06-14T10:00"))

    assert offered == ["10:00"]


@pytest.mark.parametrize("notice", [minutes(0), minutes(1), timedelta(hours=24)])
def test_one_instant_may_meet_its_notice_to_the_second(notice: timedelta) -> None:
    hours = only_on(MONDAY, ("09:00", "11:00"))
    terms = Terms(minutes(60), minutes(60), notice=notice)
    nine = at("2027-06-14T09:00")

    in_time = find_slot(hours, terms, [], start=nine, now=nine - notice)
    too_late = find_slot(hours, terms, [], start=nine, now=nine - notice + timedelta.resolution)

    assert in_time == Interval(nine, nine + minutes(60))
    assert too_late is None


def test_the_last_date_of_the_horizon_is_included() -> None:
    hours = daily(("09:00", "10:00"), ("23:00", "24:00"))
    terms = Terms(minutes(60), minutes(60), horizon_days=1)

    offered = labels(
        hours, terms, first=SUNDAY, last=SUNDAY + timedelta(days=5), now=at("2027-06-13T23:30")
    )

    assert offered == ["09:00", "23:00"]


def test_a_horizon_of_no_days_is_today() -> None:
    hours = daily(("09:00", "10:00"))
    terms = Terms(minutes(60), minutes(60), horizon_days=0)

    offered = labels(
        hours, terms, first=SUNDAY, last=SUNDAY + timedelta(days=5), now=at("2027-06-13T08:00")
    )

    assert offered == ["09:00"]


def test_a_full_day_offers_nothing_more() -> None:
    hours = daily(("09:00", "12:00"))
    terms = Terms(minutes(60), minutes(60), max_per_day=2)
    taken = [
        booking("2027-06-14T09:00", "2027-06-14T10:00"),
        booking("2027-06-14T15:00", "2027-06-14T16:00"),
        booking("2027-06-13T09:00", "2027-06-13T10:00"),
    ]

    offered = labels(hours, terms, taken, first=SUNDAY, last=MONDAY)

    assert offered == ["10:00", "11:00"]


def test_a_booking_counts_for_the_coachs_date_on_which_it_starts() -> None:
    hours = daily(("09:00", "10:00"))
    terms = Terms(minutes(60), minutes(60), max_per_day=1)
    across_midnight = [booking("2027-06-13T23:30", "2027-06-14T00:30")]

    offered_on = [labels(hours, terms, across_midnight, first=day) for day in (SUNDAY, MONDAY)]

    assert offered_on == [[], ["09:00"]]


def test_a_full_week_ends_on_sunday_night() -> None:
    hours = daily(("09:00", "10:00"))
    terms = Terms(minutes(60), minutes(60), max_per_week=1)
    taken = [booking("2027-06-13T23:59", "2027-06-14T00:30")]

    offered_on = [labels(hours, terms, taken, first=day) for day in (SUNDAY, MONDAY)]

    assert offered_on == [[], ["09:00"]]


def test_the_week_around_new_year_is_one_week() -> None:
    hours = daily(("09:00", "10:00"))
    terms = Terms(minutes(60), minutes(60), max_per_week=1)
    taken = [booking("2027-12-27T12:00", "2027-12-27T13:00")]

    offered_on = [
        labels(hours, terms, taken, first=day) for day in (date(2028, 1, 2), date(2028, 1, 3))
    ]

    assert offered_on == [[], ["09:00"]]


def test_busy_times_do_not_count_toward_limits() -> None:
    hours = daily(("09:00", "11:00"))
    terms = Terms(minutes(60), minutes(60), max_per_day=1, max_per_week=1)
    busy = [Taken(at("2027-06-14T09:00"), at("2027-06-14T10:00"))]

    offered = labels(hours, terms, busy, first=MONDAY)

    assert offered == ["10:00"]


def test_the_taken_span_reaches_the_edges_of_the_coachs_week() -> None:
    span = taken_span(BERLIN, HOUR, dates_span(MONDAY, MONDAY, ZoneInfo("Asia/Tokyo")))

    assert span.start <= at("2027-06-07T00:00")
    assert span.end >= at("2027-06-21T00:00")


# One instant, and why not


def why_not(
    start: str,
    *taken: Taken,
    hours: Hours | None = None,
    terms: Terms = HOUR,
    now: datetime = NOW,
) -> list[Refusal]:
    morning = daily(("09:00", "12:00"))
    return reasons(hours or morning, terms, taken, start=at(start), now=now)


def test_a_time_that_fits_has_nothing_against_it() -> None:
    refusals = why_not("2027-06-14T09:00")

    assert refusals == []


@pytest.mark.parametrize("start", ["2027-06-14T08:00", "2027-06-14T12:00", "2027-06-14T11:30"])
def test_a_call_must_lie_within_the_hours_from_start_to_end(start: str) -> None:
    refusals = why_not(start)

    assert refusals == [Refusal(Reason.OUTSIDE_HOURS)]


def test_a_closed_date_says_that_it_was_closed() -> None:
    hours = Hours(BERLIN, {1: [Window.parse("09:00", "12:00")]}, {MONDAY: []})

    refusals = why_not("2027-06-14T09:00", hours=hours)

    assert refusals == [Refusal(Reason.CLOSED_BY_OVERRIDE)]


@pytest.mark.parametrize("start", ["2027-06-14T09:30", "2027-06-14T09:00:01"])
def test_a_time_between_two_starts_is_off_the_grid(start: str) -> None:
    refusals = why_not(start)

    assert refusals == [Refusal(Reason.OFF_GRID)]


def test_a_time_too_soon_is_inside_the_notice() -> None:
    terms = Terms(minutes(60), minutes(60), notice=minutes(90))

    refusals = why_not("2027-06-14T09:00", terms=terms, now=at("2027-06-14T07:30:01"))

    assert refusals == [Refusal(Reason.INSIDE_NOTICE)]


def test_the_past_needs_no_further_reason() -> None:
    taken = booking("2027-06-14T09:00", "2027-06-14T10:00")

    refusals = why_not("2027-06-14T09:15", taken, now=at("2027-06-14T09:16"))

    assert refusals == [Refusal(Reason.PAST)]


def test_a_date_too_far_ahead_is_beyond_the_horizon() -> None:
    terms = Terms(minutes(60), minutes(60), horizon_days=14)

    refusals = why_not("2027-06-14T09:00", terms=terms, now=at("2027-05-30T23:59"))

    assert refusals == [Refusal(Reason.BEYOND_HORIZON)]


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), Reason.PAST),
        (datetime(9999, 12, 31, 23, 59, tzinfo=UTC), Reason.BEYOND_HORIZON),
    ],
)
def test_a_forged_date_is_refused_like_any_other(start: datetime, reason: Reason) -> None:
    hours = daily(("09:00", "12:00"))

    refusals = reasons(hours, HOUR, [], start=start, now=NOW)

    assert refusals == [Refusal(reason)]


def test_a_full_day_and_a_full_week_are_told_apart() -> None:
    terms = Terms(minutes(60), minutes(60), max_per_day=1, max_per_week=2)
    monday = booking("2027-06-14T09:00", "2027-06-14T10:00")
    tuesday = booking("2027-06-15T09:00", "2027-06-15T10:00")

    day_full = why_not("2027-06-14T11:00", monday, terms=terms)
    week_full = why_not("2027-06-16T11:00", monday, tuesday, terms=terms)

    assert day_full == [Refusal(Reason.DAY_LIMIT)]
    assert week_full == [Refusal(Reason.WEEK_LIMIT)]


def test_an_overlap_names_what_is_in_the_way() -> None:
    taken = booking("2027-06-14T09:30", "2027-06-14T10:30", before=15, after=15)

    refusals = why_not("2027-06-14T10:00", taken)

    assert refusals == [Refusal(Reason.OVERLAP, taken)]


def test_a_buffer_names_the_booking_it_belongs_to() -> None:
    earlier = booking("2027-06-14T09:00", "2027-06-14T09:50", after=15)
    later = booking("2027-06-14T11:10", "2027-06-14T12:00", before=15)

    refusals = why_not("2027-06-14T10:00", earlier, later)

    assert refusals == [
        Refusal(Reason.INSIDE_BUFFER, earlier),
        Refusal(Reason.INSIDE_BUFFER, later),
    ]


def test_a_call_that_touches_a_booking_is_in_its_buffer_but_does_not_overlap() -> None:
    earlier = booking("2027-06-14T09:00", "2027-06-14T10:00", after=5)
    later = booking("2027-06-14T11:00", "2027-06-14T12:00", before=5)

    refusals = why_not("2027-06-14T10:00", earlier, later)

    assert [refusal.reason for refusal in refusals] == [Reason.INSIDE_BUFFER] * 2


def test_without_buffers_nothing_is_against_touching() -> None:
    earlier = booking("2027-06-14T09:00", "2027-06-14T10:00")
    later = booking("2027-06-14T11:00", "2027-06-14T12:00")

    refusals = why_not("2027-06-14T10:00", earlier, later)

    assert refusals == []


def test_an_empty_busy_time_is_in_nobodys_way() -> None:
    empty = Taken(at("2027-06-14T09:30"), at("2027-06-14T09:30"), minutes(30), minutes(30))

    refusals = why_not("2027-06-14T09:00", empty)

    assert refusals == []


def test_every_reason_is_given() -> None:
    terms = Terms(minutes(60), minutes(60), notice=minutes(120), max_per_day=1)
    taken = booking("2027-06-14T09:00", "2027-06-14T10:00")

    refusals = why_not("2027-06-14T09:30", taken, terms=terms, now=at("2027-06-14T09:00"))

    assert refusals == [
        Refusal(Reason.INSIDE_NOTICE),
        Refusal(Reason.OFF_GRID),
        Refusal(Reason.DAY_LIMIT),
        Refusal(Reason.OVERLAP, taken),
    ]


def test_one_slot_is_found_exactly_where_the_month_offers_it() -> None:
    hours = daily(("09:00", "12:00"), ("22:00", "01:30"))
    terms = Terms(minutes(45), minutes(20), minutes(10), minutes(5), horizon_days=2)
    taken = [booking("2027-06-14T10:00", "2027-06-14T10:30", before=15, after=20)]
    now = at("2027-06-13T09:30")

    offered = offered_slots(hours, terms, taken, within=dates_span(SUNDAY, MONDAY, BERLIN), now=now)

    every_minute = [at("2027-06-13T00:00") + minutes(n) for n in range(2 * 24 * 60)]
    found = [find_slot(hours, terms, taken, start=minute, now=now) for minute in every_minute]
    assert [slot for slot in found if slot is not None] == offered


def test_a_slot_is_found_by_its_instant_in_whatever_zone_it_is_named() -> None:
    hours = daily(("09:00", "12:00"))
    in_new_york = at("2027-06-14T09:00").astimezone(ZoneInfo("America/New_York"))

    slot = find_slot(hours, HOUR, [], start=in_new_york, now=NOW)

    assert slot == Interval(at("2027-06-14T09:00"), at("2027-06-14T10:00"))
    assert slot.start.tzinfo is UTC


def test_a_busy_time_across_the_autumn_change_is_measured_by_instants() -> None:
    hours = only_on(AUTUMN_NIGHT, ("02:00", "03:00"))
    first_half_past = datetime(2027, 10, 31, 2, 30, tzinfo=BERLIN)
    second_two = datetime(2027, 10, 31, 2, 0, fold=1, tzinfo=BERLIN)

    offered = labels(hours, HALF_HOUR, [Taken(first_half_past, second_two)], first=AUTUMN_NIGHT)

    assert offered == ["02:00", "02:00", "02:30"]


def test_a_time_without_a_zone_is_nobodys_time() -> None:
    hours = daily(("09:00", "12:00"))

    with pytest.raises(ValueError, match="no time zone"):
        find_slot(hours, HOUR, [], start=datetime(2027, 6, 14, 9), now=NOW)


# Days


def test_slots_are_listed_under_the_guests_date() -> None:
    evening = Interval(at("2027-06-14T23:00"), at("2027-06-15T00:00"))
    morning = Interval(at("2027-06-14T09:00"), at("2027-06-14T10:00"))

    days = by_day([evening, morning], ZoneInfo("Asia/Tokyo"))

    assert list(days.items()) == [
        (date(2027, 6, 14), [morning]),
        (date(2027, 6, 15), [evening]),
    ]


def test_a_guests_day_may_take_from_two_of_the_coachs_days() -> None:
    hours = daily(("00:00", "02:00"), ("22:00", "23:00"))
    new_york = ZoneInfo("America/New_York")

    slots = offered_slots(hours, HOUR, [], within=dates_span(MONDAY, MONDAY, new_york), now=NOW)

    shown = [slot.start.astimezone(new_york).strftime("%H:%M") for slot in slots]
    assert shown == ["16:00", "18:00", "19:00"]
    assert list(by_day(slots, new_york)) == [MONDAY]
