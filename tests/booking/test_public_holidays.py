"""Holidays of the coach's state: closed, unless the coach says otherwise."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from booking import availability, public_holidays, scheduling, slots
from booking.models import Calendar, DateOverride, FederalState
from booking.slots import Reason
from tests.booking.conftest import new_type
from tests.booking.test_views_booking import words

GOOD_FRIDAY = date(2027, 3, 26)
EASTER_MONDAY = date(2027, 3, 29)
CORPUS_CHRISTI = date(2027, 5, 27)
STATES = [state for state in FederalState.values if state]


def in_state(calendar: Calendar, state: str) -> Calendar:
    calendar.federal_state = state
    calendar.save()
    return calendar


def is_open(calendar: Calendar, day: date) -> bool:
    return bool(slots.open_intervals(calendar.hours(day, day), day, day))


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("day", [GOOD_FRIDAY, EASTER_MONDAY])
def test_easter_is_closed_everywhere(calendar, state, day):
    assert not is_open(in_state(calendar, state), day)


@pytest.mark.parametrize(("state", "opens"), [("BY", False), ("BE", True), ("", True)])
def test_corpus_christi_is_closed_in_bavaria_and_open_in_berlin(calendar, state, opens):
    assert is_open(in_state(calendar, state), CORPUS_CHRISTI) is opens


def test_a_holiday_can_be_opened_and_closed_again(calendar):
    in_state(calendar, "BY")

    for _ in range(2):
        scheduling.open_holiday(calendar, GOOD_FRIDAY)
    calendar.refresh_from_db()
    assert is_open(calendar, GOOD_FRIDAY)
    assert not is_open(calendar, EASTER_MONDAY)

    for _ in range(2):
        scheduling.close_holiday(calendar, GOOD_FRIDAY)
    calendar.refresh_from_db()
    assert not is_open(calendar, GOOD_FRIDAY)


def test_an_exception_outranks_holiday_and_opening(calendar):
    in_state(calendar, "BY")
    DateOverride.objects.create(
        calendar=calendar,
        first_day=GOOD_FRIDAY,
        last_day=GOOD_FRIDAY,
        start=time(14),
        end=time(15),
    )
    DateOverride.objects.create(
        calendar=calendar, first_day=EASTER_MONDAY, last_day=EASTER_MONDAY, note="Urlaub"
    )
    scheduling.open_holiday(calendar, EASTER_MONDAY)
    calendar.refresh_from_db()

    assert is_open(calendar, GOOD_FRIDAY)
    assert not is_open(calendar, EASTER_MONDAY)
    assert calendar.closed_because(GOOD_FRIDAY) is None
    assert calendar.closed_because(EASTER_MONDAY) == "Urlaub"


def test_what_closes_a_day_has_a_name(calendar):
    in_state(calendar, "BE")
    DateOverride.objects.create(
        calendar=calendar, first_day=date(2027, 3, 3), last_day=date(2027, 3, 4)
    )

    assert calendar.closed_because(GOOD_FRIDAY) == "Karfreitag"
    assert calendar.closed_because(date(2027, 3, 4)) == "Ausnahme"
    assert calendar.closed_because(date(2027, 3, 5)) is None


def test_a_time_on_a_holiday_is_refused_as_closed(calendar, now):
    call_type = new_type(in_state(calendar, "BE"), horizon_days=60)
    start = datetime(2027, 3, 26, 8, tzinfo=UTC)

    reasons = {refusal.reason for refusal in availability.refusals(call_type, start=start, now=now)}

    assert reasons == {Reason.CLOSED_BY_OVERRIDE}
    assert not [
        slot
        for slot in availability.offered_slots(call_type, now=now)
        if slot.start.date() in (GOOD_FRIDAY, EASTER_MONDAY)
    ]


def test_hours_with_holidays_are_still_one_query(calendar, django_assert_num_queries):
    in_state(calendar, "BY")

    with django_assert_num_queries(1):
        calendar.hours(date(2026, 12, 1), date(2027, 12, 31))


def test_a_month_with_holidays_takes_as_many_queries(
    client, calendar, clock, django_assert_num_queries
):
    new_type(in_state(calendar, "BY"))
    scheduling.open_holiday(calendar, GOOD_FRIDAY)

    with django_assert_num_queries(3):
        html = words(client.get("/termin/?ab=2027-03-25"))

    assert "Freitag, 26. März" in html
    assert "Montag, 29. März" not in html


def test_the_library_is_asked_once_for_a_state_and_year():
    public_holidays.of_year.cache_clear()

    for _ in range(3):
        public_holidays.between("BY", date(2026, 12, 1), date(2027, 1, 31))

    assert public_holidays.of_year.cache_info().misses == 2


def test_dates_far_away_are_no_holidays_and_no_error():
    assert public_holidays.between("BY", date(2999, 1, 1), date(2999, 12, 31)) == {}


# --- the desk ---


@pytest.fixture
def desk(client, calendar, clock):
    in_state(calendar, "BY")
    client.force_login(get_user_model().objects.create_superuser("coach"))
    return client


def page(calendar: Calendar) -> str:
    return reverse("admin:booking_calendar_change", args=[calendar.pk])


def button(calendar: Calendar) -> str:
    return reverse("admin:booking_calendar_holiday", args=[calendar.pk])


def test_the_desk_lists_the_holidays_of_twelve_months(desk, calendar):
    html = words(desk.get(page(calendar)))

    assert "Fr., 26.03.2027</td> <td>Karfreitag</td> <td> geschlossen" in html
    assert "Do., 27.05.2027</td> <td>Fronleichnam" in html
    assert "Mi., 06.01.2027" not in html
    assert "Do., 06.01.2028</td> <td>Heilige Drei Könige" in html


def test_one_press_opens_a_holiday_and_another_closes_it(desk, calendar):
    opened = desk.post(button(calendar), {"day": "2027-03-26", "open": "ja"}, follow=True)
    assert "Karfreitag, Fr., 26.03.2027, ist geöffnet" in words(opened)
    assert "<td>Karfreitag</td> <td> geöffnet" in words(opened)
    assert "Wieder schließen" in words(opened)

    desk.post(button(calendar), {"day": "2027-03-26"})
    calendar.refresh_from_db()
    assert calendar.opened_holidays == []


def test_a_day_with_an_exception_has_no_button(desk, calendar):
    DateOverride.objects.create(
        calendar=calendar, first_day=GOOD_FRIDAY, last_day=GOOD_FRIDAY + timedelta(days=1)
    )

    html = words(desk.get(page(calendar)))

    assert "Es gilt deine Ausnahme." in html
    assert 'value="2027-03-26"' not in html


@pytest.mark.parametrize("day", ["", "morgen", "2027-03-27", "2027-02-30"])
def test_only_holidays_can_be_opened(desk, calendar, day):
    assert desk.post(button(calendar), {"day": day, "open": "ja"}).status_code == 404


def test_opening_needs_a_press_and_the_right_to(desk, client, calendar):
    assert desk.get(button(calendar)).status_code == 405
    client.force_login(get_user_model().objects.create_user("gast", is_staff=True))
    assert client.post(button(calendar), {"day": "2027-03-26", "open": "ja"}).status_code == 403


def test_saving_the_calendar_keeps_what_was_opened(desk, calendar):
    scheduling.open_holiday(calendar, GOOD_FRIDAY)
    forms = {
        f"{name}-{field}": 0
        for name in ("weekly_hours", "overrides")
        for field in ("TOTAL_FORMS", "INITIAL_FORMS")
    }

    desk.post(
        page(calendar), {"name": "Neu", "zone": "Europe/Berlin", "federal_state": "BY", **forms}
    )

    calendar.refresh_from_db()
    assert (calendar.name, calendar.opened_holidays) == ("Neu", [GOOD_FRIDAY])
