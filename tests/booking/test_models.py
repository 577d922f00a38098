"""What the database refuses, and what the models know."""

import uuid
from datetime import date, time, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from booking.models import Booking, Calendar, CallType, DateOverride, Notification, WeeklyHours
from booking.models.bookings import REFERENCE_LETTERS, new_reference
from booking.models.call_types import RESERVED_SLUGS
from booking.slots import Window
from tests.booking.conftest import NINE, new_type

HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def make(call_type, now):
    def make(**changes) -> Booking:
        values = {
            "calendar": call_type.calendar,
            "call_type": call_type,
            "status": "confirmed",
            "start": NINE,
            "end": NINE + HALF_AN_HOUR,
            "confirmed_at": now,
            "created_at": now,
            "name": "Ada",
            "email": "ada@example.org",
            **changes,
        }
        return Booking.objects.create(**values)

    return make


def refused(name):
    return pytest.raises(IntegrityError, match=name)


@pytest.mark.parametrize("status", ["requested", "held", "confirmed"])
def test_what_takes_time_never_overlaps(make, now, status):
    make()

    with refused("booking_no_overlap"), transaction.atomic():
        make(
            status=status,
            held_until=now,
            requested_until=now,
            start=NINE + HALF_AN_HOUR / 2,
            end=NINE + 2 * HALF_AN_HOUR,
        )


@pytest.mark.parametrize("status", ["cancelled", "expired"])
def test_what_is_over_takes_no_time(make, now, status):
    make(status=status, cancelled_at=now, cancelled_by="guest")

    make()


def test_calls_may_touch(make):
    make()
    make(start=NINE + HALF_AN_HOUR, end=NINE + 2 * HALF_AN_HOUR)


def test_two_calendars_do_not_mind_each_other(make):
    make()
    make(calendar=Calendar.objects.create(name="Zweiter"))


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"end": NINE}, "booking_starts_before_it_ends"),
        ({"status": "held"}, "booking_held_until_a_time"),
        ({"status": "requested"}, "booking_requested_until_a_time"),
        ({"confirmed_at": None}, "booking_confirmed_at_a_time"),
        ({"status": "cancelled"}, "booking_cancelled_at_a_time_by_someone"),
        ({"status": "cancelled", "cancelled_at": NINE}, "booking_cancelled_at_a_time_by_someone"),
    ],
)
def test_a_state_needs_its_moment(make, changes, constraint):
    with refused(constraint), transaction.atomic():
        make(**changes)


@pytest.mark.parametrize("field", ["reference", "uid", "form_token"])
def test_marks_are_given_once(make, field):
    first = make()

    with refused(f"booking_{field}_once"), transaction.atomic():
        make(
            **{field: getattr(first, field)}, start=NINE + HALF_AN_HOUR, end=NINE + 2 * HALF_AN_HOUR
        )


def test_a_mail_is_owed_once(make, now):
    owed = {
        "booking": make(),
        "kind": "confirmation",
        "audience": "guest",
        "start": NINE,
        "created_at": now,
    }
    Notification.objects.create(**owed)

    with refused("notification_once"), transaction.atomic():
        Notification.objects.create(**owed)


def test_hours_need_a_weekday(calendar):
    with refused("weekly_hours_on_a_weekday"), transaction.atomic():
        WeeklyHours.objects.create(calendar=calendar, weekday=8, start=time(9), end=time(10))


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"last_day": date(2027, 2, 28)}, "override_days_in_order"),
        ({"start": time(9)}, "override_has_both_times_or_none"),
        ({"end": time(9)}, "override_has_both_times_or_none"),
    ],
)
def test_overrides_are_whole(calendar, values, constraint):
    days = {"first_day": date(2027, 3, 1), "last_day": date(2027, 3, 1)}

    with refused(constraint), transaction.atomic():
        DateOverride.objects.create(calendar=calendar, **{**days, **values})


@pytest.mark.parametrize("field", ["length", "step"])
def test_a_type_needs_length_and_step(calendar, field):
    with refused("call_type_has_length_and_step"), transaction.atomic():
        new_type(calendar, **{field: 0})


def test_a_booked_type_stays(make, call_type):
    make()

    with pytest.raises(ProtectedError):
        call_type.delete()


@pytest.mark.parametrize("zone", ["Mond/Krater", "", "localtime/../x", "europe/berlin "])
def test_a_calendar_needs_a_real_zone(zone):
    with pytest.raises(ValidationError):
        Calendar(name="x", zone=zone).full_clean()


@pytest.mark.parametrize("slug", sorted(RESERVED_SLUGS))
def test_a_type_cannot_take_the_sites_own_words(calendar, slug):
    with pytest.raises(ValidationError, match="braucht die Seite selbst"):
        CallType(calendar=calendar, title="x", slug=slug).full_clean()


def test_constraints_speak_german_in_forms(make):
    twin = make()
    twin.pk, twin.reference, twin.uid, twin.form_token = None, "ANDERE", uuid.uuid4(), uuid.uuid4()

    with pytest.raises(ValidationError, match="Zu dieser Zeit gibt es schon einen Termin"):
        twin.validate_constraints()


def test_references_can_be_read_out():
    references = {new_reference() for _ in range(100)}

    assert len(references) == 100
    assert all(set(each) <= set(REFERENCE_LETTERS) and len(each) == 8 for each in references)
    assert not set(REFERENCE_LETTERS) & set("0O1IL5S2Z8BUV")


def test_hours_are_one_query_and_overrides_of_a_day_add_up(calendar, django_assert_num_queries):
    day = date(2027, 3, 2)
    for start in (9, 14):
        DateOverride.objects.create(
            calendar=calendar, first_day=day, last_day=day, start=time(start), end=time(start + 1)
        )
    DateOverride.objects.create(
        calendar=calendar, first_day=date(2027, 2, 1), last_day=date(2027, 3, 1)
    )

    with django_assert_num_queries(1):
        hours = calendar.hours(date(2027, 3, 1), date(2027, 3, 7))

    assert hours.windows_on(date(2027, 3, 1)) == []
    assert sorted(window.start for window in hours.windows_on(day)) == [540, 840]
    assert hours.windows_on(date(2027, 3, 3)) == [Window(540, 720)]


def test_types_are_offered_in_the_coachs_order(calendar):
    second = new_type(calendar, slug="b", position=2)
    first = new_type(calendar, slug="a", position=1)
    new_type(calendar, slug="c", is_active=False)

    assert list(CallType.objects.offered()) == [first, second]


def test_upcoming_calls_come_in_order(make, now):
    later = make(start=NINE + HALF_AN_HOUR, end=NINE + 2 * HALF_AN_HOUR)
    sooner = make()

    assert list(Booking.objects.upcoming(now)) == [sooner, later]
    assert list(Booking.objects.upcoming(sooner.end)) == [later]
