"""What the coach sees of a day, and what becomes of it when times are blocked or opened."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection, transaction

from booking import agenda, availability, blocking, by_hand, diagnosis, scheduling, slots
from booking.agenda import Day, Entry, Kind
from booking.errors import AlreadyOpen, NoSuchTime, SlotPast, SlotTaken
from booking.models import Block, Booking, BusyFeed, BusyTime, DateOverride, FederalState
from booking.slots import Hours, Interval, Window
from tests.booking.conftest import ADA, BEN, HALF_PAST_NINE, NINE, hold, new_type
from tests.booking.test_races import at_once

BERLIN = ZoneInfo("Europe/Berlin")
WEDNESDAY = date(2027, 3, 3)
SPRING, AUTUMN = date(2027, 3, 28), date(2027, 10, 31)
LONG_AGO = datetime(2027, 1, 1, tzinfo=UTC)
ALWAYS = Hours(BERLIN, {day: [Window(0, 1440)] for day in range(1, 8)}, {})


def utc(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def said(day: Day) -> list[tuple[str, str]]:
    return [(each.kind.value, day.clock(each.span).replace("\u00a0", " ")) for each in day.entries]


def filled(day: date, hours: Hours, *taken: Interval, now: datetime = LONG_AGO) -> Day:
    entries = [Entry(Kind.BUSY, span) for span in taken]
    return agenda.fill(Day(day, BERLIN), hours, entries, now=now)


def one_day(calendar, day: date, now: datetime) -> Day:
    [found] = agenda.days(calendar, day, day, now=now)
    return found


# --- a day -----------------------------------------------------------------------------------------


def test_what_is_left_of_the_hours_is_free_in_pieces_of_an_hour():
    hours = Hours(BERLIN, {3: [Window.parse("09:30", "12:00")]}, {})

    day = filled(WEDNESDAY, hours, Interval(utc(WEDNESDAY, 9, 50), utc(WEDNESDAY, 10, 30)))

    assert said(day) == [
        ("free", "09:30–10:00 Uhr"),
        ("free", "10:00–10:50 Uhr"),
        ("busy", "10:50–11:30 Uhr"),
        ("free", "11:30–12:00 Uhr"),
    ]


def test_nothing_is_free_in_the_past_nor_in_a_few_minutes():
    hours = Hours(BERLIN, {3: [Window.parse("09:00", "11:10")]}, {})

    day = filled(WEDNESDAY, hours, now=utc(WEDNESDAY, 9, 20))

    assert said(day) == [("free", "10:20–11:00 Uhr")]


def test_a_pause_is_not_free(calendar, now):
    hold(
        new_type(calendar, buffer_before=30, buffer_after=30),
        start=NINE + timedelta(hours=1),
        now=now,
    )

    assert said(one_day(calendar, WEDNESDAY, now)) == [
        ("free", "09:00–09:30 Uhr"),
        ("held", "10:00–10:30 Uhr"),
        ("free", "11:00–12:00 Uhr"),
    ]


def test_what_crosses_midnight_is_on_both_days():
    night = Interval(utc(WEDNESDAY, 22), utc(date(2027, 3, 4), 1))
    none = Hours(BERLIN, {}, {})

    assert said(filled(WEDNESDAY, none, night)) == [("busy", "ab 23:00 Uhr")]
    assert said(filled(date(2027, 3, 4), none, night)) == [("busy", "bis 02:00 Uhr")]
    assert said(filled(date(2027, 3, 5), none, night)) == []


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (WEDNESDAY, 24), (AUTUMN, 25)])
def test_the_nights_the_clock_changes_are_shorter_or_longer(day, hours):
    found = filled(day, ALWAYS)

    assert found.whole.end - found.whole.start == timedelta(hours=hours)
    assert len(found.entries) == hours
    assert [each.start for each in found.opening] == [found.whole.start]


def test_spring_leaves_out_the_hour_that_is_not_there():
    clocks = [clock for _, clock in said(filled(SPRING, ALWAYS))]

    assert clocks[1:3] == ["01:00–03:00 Uhr", "03:00–04:00 Uhr"]


def test_autumn_says_which_of_the_two_hours_is_meant():
    clocks = [clock for _, clock in said(filled(AUTUMN, ALWAYS))]

    assert clocks[1:4] == [
        "01:00 Uhr bis 02:00 Uhr (MESZ)",
        "02:00 Uhr (MESZ) bis 02:00 Uhr (MEZ)",
        "02:00 Uhr (MEZ) bis 03:00 Uhr",
    ]
    night = filled(AUTUMN, ALWAYS)
    beside_the_axis = [night.short_clock(each.span) for each in night.entries]
    assert beside_the_axis[:4] == ["00:00", "01:00", "02:00 MESZ", "02:00 MEZ"]


def test_each_state_of_a_call_is_told_apart(calendar, now):
    call_type = new_type(calendar)
    asked = new_type(calendar, slug="anfrage", needs_approval=True)
    starts = [NINE + n * timedelta(minutes=30) for n in range(4)]
    hold(call_type, start=starts[0], now=now)
    guests = [scheduling.Guest(name=f"Gast {n}", email=f"gast{n}@example.org") for n in range(3)]
    scheduling.confirm(hold(asked, start=starts[1], guest=guests[0], now=now), now=now)
    for start, guest in zip(starts[2:], guests[1:], strict=True):
        scheduling.confirm(hold(call_type, start=start, guest=guest, now=now), now=now)
    Booking.objects.filter(start=starts[3]).update(no_show_at=starts[3])

    kinds = [each.kind for each in one_day(calendar, WEDNESDAY, now).calls]

    assert kinds == [Kind.HELD, Kind.REQUESTED, Kind.BOOKED, Kind.MISSED]
    after = one_day(calendar, WEDNESDAY, now + timedelta(minutes=16))
    assert len(after.calls) == 3


def test_a_hold_somebody_pays_for_says_so(booking, session, now):
    [entry] = one_day(booking.calendar, WEDNESDAY, now).calls

    assert entry.kind == Kind.PAYING


def test_a_day_says_what_closes_it(calendar, now):
    calendar.federal_state = FederalState.BY
    calendar.save()
    days = {"first_day": WEDNESDAY, "last_day": date(2027, 3, 5)}
    DateOverride.objects.create(calendar=calendar, note="Messe", **days)

    week = agenda.days(calendar, date(2027, 3, 22), date(2027, 3, 28), now=now)

    assert one_day(calendar, WEDNESDAY, now).closed == "Messe"
    assert [(day.date.day, day.closed) for day in week if day.closed] == [(26, "Karfreitag")]
    assert not week[4].opening


def test_what_else_takes_the_day_is_shown_with_its_name(calendar, now):
    feed = BusyFeed.objects.create(calendar=calendar, name="Privat", url="https://a.example/")
    BusyTime.objects.create(feed=feed, start=NINE, end=HALF_PAST_NINE)
    week = slots.dates_span(date(2027, 3, 1), date(2027, 3, 7), BERLIN)
    blocking.block(calendar, span=week, note="Urlaub", now=now)

    day = one_day(calendar, WEDNESDAY, now)

    assert [(each.kind, each.title) for each in day.entries] == [
        (Kind.BLOCKED, "Urlaub"),
        (Kind.BUSY, "Privat"),
    ]
    assert day.is_blocked
    assert said(day)[0] == ("blocked", "ganztägig")


# --- blocked ---------------------------------------------------------------------------------------

NOON = Interval(NINE, NINE + timedelta(hours=1))


def test_a_block_takes_its_time_and_leaves_the_hours_around_it(call_type, now):
    blocking.block(call_type.calendar, span=NOON, now=now)

    day = slots.dates_span(WEDNESDAY, WEDNESDAY, BERLIN)
    offers = availability.offered_slots(call_type, within=day, now=now)

    assert [slots_.start for slots_ in offers] == [
        NINE + timedelta(minutes=minutes) for minutes in (60, 90, 120, 150)
    ]
    with pytest.raises(SlotTaken):
        hold(call_type, now=now)


def test_why_a_blocked_time_is_taken_is_said_and_the_coach_may_go_above_it(call_type, now):
    block = blocking.block(call_type.calendar, span=NOON, note="Zahnarzt mit Ben", now=now)

    [finding] = diagnosis.findings(call_type, start=NINE, now=now)
    plan = diagnosis.day_plan(call_type.calendar, WEDNESDAY, now=now)

    said = "Diese Zeit hast du gesperrt: Mi., 03.03.2027, 09:00–10:00 Uhr."
    assert finding.sentence.replace("\u00a0", " ") == said
    assert (finding.about, finding.can_be_overridden) == ((block,), True)
    assert "gesperrt: Zahnarzt mit Ben" in [stretch.what for stretch in plan]
    by_hand.book(
        call_type,
        start=NINE,
        guest=ADA,
        form_token=uuid.uuid4(),
        override=finding.sentence,
        now=now,
    )
    blocking.unblock(block)
    assert diagnosis.findings(call_type, start=HALF_PAST_NINE, now=now) == []


def test_calls_in_a_blocked_time_stay(confirmed, now):
    blocking.block(confirmed.calendar, span=NOON, now=now)

    confirmed.refresh_from_db()
    assert confirmed.is_confirmed
    assert blocking.calls_in(confirmed.calendar, NOON, now=now) == [confirmed]


def test_blocking_twice_is_blocking_once(calendar, now):
    blocks = {blocking.block(calendar, span=NOON, now=now) for _ in range(2)}

    assert blocks == set(Block.objects.all())
    assert len(blocks) == 1


def test_what_is_over_or_not_there_cannot_be_blocked(calendar, now):
    with pytest.raises(SlotPast):
        blocking.block(calendar, span=NOON, now=NOON.end)
    skipped = slots.wall_span(datetime(2027, 3, 28, 2), datetime(2027, 3, 28, 3), BERLIN)
    with pytest.raises(NoSuchTime):
        blocking.block(calendar, span=skipped, now=now)


def test_the_database_refuses_a_block_that_ends_before_it_starts(calendar):
    with pytest.raises(IntegrityError, match="block_start_before_end"), transaction.atomic():
        Block.objects.create(calendar=calendar, start=NINE, end=NINE)


@pytest.mark.django_db(transaction=True)
@pytest.mark.xdist_group("races")
@pytest.mark.parametrize(("is_guarded", "outcome"), [(True, "SlotTaken"), (False, "Booking")])
def test_nobody_slips_into_a_time_that_is_just_being_blocked(
    call_type, now, monkeypatch, is_guarded, outcome
):
    """Without the lock the guest would not see what is not committed yet."""
    if not is_guarded:
        monkeypatch.setattr(scheduling, "lock", lambda calendar: None)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            blocking.block(call_type.calendar, span=NOON, now=now)
            guest = pool.submit(at_once, [lambda: hold(call_type, guest=BEN, now=now)])
            while not guest.done() and not somebody_waits():
                pass
        [got] = guest.result()

    assert type(got).__name__ == outcome


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        (waiting,) = cursor.fetchone()
    return bool(waiting)


# --- open besides the hours ------------------------------------------------------------------------

EVENING: dict[str, Any] = {"day": WEDNESDAY, "start": time(18), "end": time(20)}


def test_an_opened_evening_leaves_the_hours_of_the_day(call_type, now):
    blocking.open_too(call_type.calendar, **EVENING, now=now)

    day = one_day(call_type.calendar, WEDNESDAY, now)

    assert [day.clock(span).replace("\u00a0", " ") for span in day.opening] == [
        "09:00–12:00 Uhr",
        "18:00–20:00 Uhr",
    ]
    assert availability.check(call_type, start=utc(WEDNESDAY, 17), now=now)
    assert availability.check(call_type, start=NINE, now=now)


def test_an_opened_time_of_a_closed_day_is_all_that_is_open(call_type, now):
    days = {"first_day": WEDNESDAY, "last_day": WEDNESDAY}
    DateOverride.objects.create(calendar=call_type.calendar, **days)
    opened = blocking.open_too(call_type.calendar, **EVENING, now=now)

    assert len(one_day(call_type.calendar, WEDNESDAY, now).opening) == 1

    blocking.close_again(opened)
    assert one_day(call_type.calendar, WEDNESDAY, now).opening == []


def test_what_is_open_needs_no_opening(calendar, now):
    with pytest.raises(AlreadyOpen):
        blocking.open_too(calendar, day=WEDNESDAY, start=time(10), end=time(11), now=now)
    with pytest.raises(SlotPast):
        blocking.open_too(calendar, **EVENING, now=utc(date(2027, 3, 4), 0))
    with pytest.raises(NoSuchTime):
        blocking.open_too(calendar, day=SPRING, start=time(2), end=time(3), now=now)
    first, second = (blocking.open_too(calendar, **EVENING, now=now) for _ in range(2))
    assert first == second


def test_an_exception_that_adds_has_times(calendar):
    days = {"first_day": WEDNESDAY, "last_day": WEDNESDAY}
    with pytest.raises(IntegrityError, match="override_adds_only_open_time"), transaction.atomic():
        DateOverride.objects.create(calendar=calendar, adds=True, **days)
