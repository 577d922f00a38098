"""What is built once says what the ORM would say, each time with its own values."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import time, timedelta

import pytest
from django.db import connection, transaction
from django.db.models import Value
from django.db.models.functions import Lower
from django.test.utils import CaptureQueriesContext

from booking import scheduling
from booking.errors import SlotTaken
from booking.models import (
    OFFERED,
    Block,
    Booking,
    BusyFeed,
    BusyTime,
    Calendar,
    CallType,
    DateOverride,
    hours_and_taken,
)
from booking.models.taken import MARGIN
from booking.slots import Interval, Taken
from coaching_site import compiled
from coaching_site.compiled import blank
from tests.booking.conftest import ADA, BEN, HALF_PAST_NINE, NINE, hold, new_type, somebody

pytestmark = pytest.mark.django_db

LIFE = scheduling.HOLD_LIFE


def plain(sql: str) -> str:
    """Without the brackets that Django puts around a blank, because it is an expression."""
    return sql.replace("(%s)", "%s")


def recorded(action) -> str:
    """The first statement the ORM sends for it, before values are filled in."""
    said: list[str] = []

    def listen(execute, sql, params, many, context):
        said.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen):
        action()
    return said[0]


def states() -> list[object]:
    fields = ("pk", "status", "held_until", "network")
    return list(Booking.objects.order_by("pk").values(*fields))


def after(action) -> list[object]:
    """How the bookings stand after it; nothing of it stays."""
    with transaction.atomic():
        action()
        found = states()
        transaction.set_rollback(True)
    return found


# --- what a hold says ---


def test_the_form_is_found_by_its_token_as_by_the_queryset(call_type, now):
    forms = [uuid.uuid4(), uuid.uuid4()]
    for form in forms:
        hold(call_type, guest=somebody(), form_token=form, now=now, start=NINE)
        now += LIFE

    for form in [*forms, uuid.uuid4()]:
        asked = Booking.objects.from_form(form).select_for_update().values_list("pk")
        assert scheduling.FROM_FORM.rows(token=form) == list(asked)


def test_the_form_is_kept_from_others(held):
    assert scheduling.FROM_FORM.said[0].endswith(" FOR UPDATE")


def test_requests_that_ran_out_are_those_of_the_queryset(calendar, call_type, now):
    asked = new_type(calendar, slug="anfrage", needs_approval=True)
    scheduling.confirm(hold(asked, now=now), now=now)
    hold(call_type, guest=BEN, start=HALF_PAST_NINE, now=now)
    late = now + timedelta(hours=asked.approval_hours)

    for moment in (late - timedelta(seconds=1), late):
        wanted = Booking.objects.in_calendar(calendar).requests_ran_out(moment).values_list("pk")
        found = scheduling.REQUESTS_RAN_OUT.rows(calendar=calendar.pk, now=moment)
        assert found == list(wanted)
        assert len(found) == (moment == late)


@pytest.mark.parametrize("passed", [timedelta(0), LIFE, 2 * LIFE])
def test_holds_that_ran_out_end_as_the_queryset_would_end_them(call_type, now, passed):
    hold(call_type, guest=BEN, network="n", now=now)
    hold(call_type, start=HALF_PAST_NINE, network="n", now=now + LIFE / 2)
    calendar, moment = call_type.calendar, now + passed
    ran_out = Booking.objects.in_calendar(calendar).hold_ran_out(moment)
    end = scheduling.END_HOLDS_RAN_OUT

    def by_orm() -> None:
        ran_out.update(status=Booking.Status.EXPIRED, network="")

    assert after(by_orm) == after(lambda: end.run(calendar=calendar.pk, now=moment))
    assert (after(by_orm) == states()) == (not passed)
    assert plain(end.said[0]) == recorded(by_orm)


@pytest.mark.parametrize("besides", [False, True])
def test_other_holds_of_an_address_end_as_the_queryset_would_end_them(
    call_type, held, now, besides
):
    hold(call_type, guest=BEN, start=HALF_PAST_NINE, now=now)
    key = held.pk if besides else scheduling.NO_ROW
    others = Booking.objects.holds().of_address(ADA.email).not_being_paid(now).exclude(pk=key)
    end = scheduling.END_HOLDS_OF_ADDRESS

    def by_orm() -> None:
        others.update(status=Booking.Status.EXPIRED, held_until=now, network="")

    def by_built() -> None:
        end.run(address=ADA.email.upper(), besides=key, now=now)

    assert after(by_orm) == after(by_built)
    assert (after(by_built) == states()) == besides
    assert plain(end.said[0]) == plain(recorded(by_orm))


# --- a new row ---


def a_booking(call_type: CallType, now) -> Booking:
    """Every field has a value of its own, wherever the constraints let it."""
    booking = Booking(
        calendar=call_type.calendar,
        call_type=call_type,
        start=NINE,
        end=HALF_PAST_NINE,
        created_at=now,
        held_until=now,
        answers=[{"question_id": 1, "question": "Frage?", "answer": 'Ja, „so“, \\ "und" %s'}],
    )
    for field in Booking._meta.concrete_fields:
        kind = field.get_internal_type()
        if kind in ("CharField", "TextField", "EmailField") and not getattr(booking, field.attname):
            setattr(booking, field.attname, "x")
        elif kind.startswith("Positive"):
            setattr(booking, field.attname, 7)
        elif kind == "DateTimeField" and getattr(booking, field.attname) is None:
            setattr(booking, field.attname, now + timedelta(days=field.creation_counter % 50))
    return booking


def test_a_new_row_has_every_field_that_save_would_write(call_type, now):
    rows = []
    for write in (Booking.save, compiled.save):
        with transaction.atomic():
            booking = a_booking(call_type, now)
            booking.reference, booking.uid, booking.form_token = (
                "R",
                uuid.UUID(int=1),
                uuid.UUID(int=2),
            )
            write(booking)
            rows.append(Booking.objects.filter(pk=booking.pk).values().get())
            transaction.set_rollback(True)

    first, second = ({**row, "id": None} for row in rows)
    assert first == second
    relations = {field.attname for field in Booking._meta.concrete_fields if field.is_relation}
    assert {name for name, value in first.items() if value is None} <= {"id", *relations}


def test_the_insert_names_the_columns_of_save(call_type, now):
    booking = a_booking(call_type, now)

    by_save = recorded(booking.save)

    assert (
        compiled._insertion(Booking)[0].partition(" RETURNING ")[0]
        == by_save.partition(" RETURNING ")[0]
    )


def test_a_saved_row_is_a_row_like_any_other(call_type, now):
    booking = a_booking(call_type, now)
    compiled.save(booking)

    booking.name = "Neuer Name"
    compiled.save(booking)

    assert Booking.objects.get() == booking
    assert Booking.objects.get().name == "Neuer Name"


def test_what_postgres_has_to_work_out_goes_the_long_way(call_type, now):
    booking = a_booking(call_type, now)
    booking.name = Lower(Value("ADA"))

    compiled.save(booking)

    assert Booking.objects.get().name == "ada"


# --- blanks ---


def test_a_blank_nobody_fills_is_an_error():
    with pytest.raises(KeyError):
        scheduling.END_HOLDS_RAN_OUT.run(calendar=1)


def test_a_value_is_data_and_never_sql(call_type, held):
    named = compiled.Select(lambda: Booking.objects.filter(name=blank("name")).values_list("pk"))

    assert named.rows(name="' OR true --") == []
    assert named.rows(name=ADA.name) == [(held.pk,)]


# --- one cursor ---


def test_what_is_said_inside_goes_through_one_cursor_and_through_new_ones_after_it():
    with compiled.one_cursor(), compiled.cursor() as first, compiled.cursor() as second:
        assert first is second
    with compiled.cursor() as third, compiled.cursor() as fourth:
        assert len({id(first), id(third), id(fourth)}) == 3
    assert first.closed


def test_a_refusal_leaves_no_cursor_behind(call_type, held, now):
    with pytest.raises(SlotTaken):
        hold(call_type, guest=BEN, now=now)

    assert compiled._shared.get() is None


def test_another_thread_has_a_cursor_of_its_own():
    def look() -> object:
        return compiled._shared.get()

    with compiled.one_cursor(), ThreadPoolExecutor(1) as other:
        assert other.submit(look).result() is None


# --- the month ---


def test_the_types_on_offer_are_those_of_the_queryset(calendar):
    new_type(calendar, slug="spaeter", position=2)
    new_type(Calendar.objects.create(name="Zweiter", zone="Asia/Tokyo"), slug="frueher", position=1)
    new_type(calendar, slug="versteckt", is_hidden=True)
    new_type(calendar, slug="alt", is_active=False)
    wanted = list(CallType.objects.offered())

    with CaptureQueriesContext(connection) as asked:
        found = OFFERED.all()
        zones = [each.calendar.zone for each in found]

    assert len(asked) == 1
    assert zones == ["Asia/Tokyo", "Europe/Berlin"]
    for one, other in zip(found, wanted, strict=True):
        assert facts(one) == facts(other)
        assert facts(one.calendar) == facts(other.calendar)
    assert {each._state.adding for each in found} == {False}


def facts(row: CallType | Calendar) -> dict[str, object]:
    return {field.attname: row.__dict__[field.attname] for field in row._meta.concrete_fields}


def test_plan_and_taken_time_are_one_query_and_what_each_says_alone(call_type, held, now):
    calendar = call_type.calendar
    span = Interval(NINE - timedelta(days=2), NINE + timedelta(days=5))
    closed = DateOverride(calendar=calendar, first_day=NINE.date(), last_day=span.end.date())
    later = DateOverride(calendar=calendar, first_day=NINE.date(), last_day=NINE.date())
    later.start, later.end = time(15), time(17)
    evening = DateOverride(
        calendar=calendar, first_day=NINE.date(), last_day=NINE.date(), adds=True
    )
    evening.start, evening.end = time(18), time(20)
    DateOverride.objects.bulk_create([closed, later, evening])
    feed = BusyFeed.objects.create(calendar=calendar, name="Privat", url="https://a.example/")
    BusyTime.objects.create(feed=feed, start=span.start - timedelta(days=1), end=NINE)
    Block.objects.create(calendar=calendar, start=NINE, end=span.end + timedelta(days=9))

    with CaptureQueriesContext(connection) as asked:
        hours, taken = hours_and_taken(calendar, span, now=now)

    assert len(asked) == 1
    assert hours == calendar.hours((span.start - MARGIN).date(), (span.end + MARGIN).date())
    busy = BusyTime.objects.counting_in(calendar).touching(span).get()
    booked = Booking.objects.in_calendar(calendar).taking_time(now).touching(span)
    block = Block.objects.in_calendar(calendar).touching(span).get()
    assert sorted(taken, key=lambda each: each.end) == [
        Taken(busy.start, busy.end),
        *(booking.taken() for booking in booked),
        Taken(block.start, block.end),
    ]


def test_an_empty_plan_and_nothing_taken_are_no_hours(now):
    calendar = Calendar.objects.create(name="Leer")

    hours, taken = hours_and_taken(calendar, Interval(NINE, HALF_PAST_NINE), now=now)

    assert (hours.weekly, hours.overrides, taken) == ({}, {}, [])
