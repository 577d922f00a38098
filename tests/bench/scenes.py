"""Databases to measure in: calendars with the same two months ahead, and with ever more past."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import time, timedelta
from functools import cache

import psycopg
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from booking.models import Booking, Calendar, CallType, WeeklyHours
from tests.bench import cluster

FUTURE_DAYS = 60
# Half an hour each, back to back up to two weeks ago.
PAST = """
    SELECT n, date_trunc('day', now()) - interval '14 days' - n * interval '30 minutes'
    FROM generate_series(1, {count}) n
"""
# Two calls on each working day of the two months a guest can look ahead.
FUTURE = """
    SELECT day + hour, (current_date + day + make_time(hour, 0, 0)) AT TIME ZONE 'Europe/Berlin'
    FROM generate_series(2, {days}) day, unnest(ARRAY[10, 14]) hour
    WHERE extract(isodow FROM current_date + day) < 6
"""

# name: (calendars, bookings in the past of each)
SCENES: Mapping[str, tuple[int, int]] = {
    "no past booking": (1, 0),
    "1,000 past bookings": (1, 1_000),
    "10,000 past bookings": (1, 10_000),
    "100,000 past bookings": (1, 100_000),
    "1,000 calendars, 100 each": (1_000, 100),
}


@cache
def base() -> str:
    """An empty, migrated database to copy; made once a run."""
    create("base", template="template1")
    call_command("migrate", verbosity=0)
    leave()
    return "base"


@cache
def build(name: str) -> None:
    """Make this scene's database anew, a copy of the empty one with rows; once a run."""
    calendars, past = SCENES[name]
    create(_database(name), template=base())
    with connected_to(_database(name)):
        _fill(calendars, past)


@contextmanager
def entered(name: str) -> Iterator[None]:
    """Point Django to this scene's database."""
    build(name)
    with connected_to(_database(name)):
        yield


@contextmanager
def copied(name: str, scene: str = "") -> Iterator[None]:
    """Point Django to a new copy of a scene's database, or of the empty one."""
    copy(name, scene)
    with connected_to(name):
        yield


def copy(name: str, scene: str = "") -> str:
    """Make a new copy of a scene's database, or of the empty one, and return its URL."""
    if scene:
        build(scene)
    return create(name, template=_database(scene) if scene else base())


def create(database: str, template: str) -> str:
    """Make a database anew as a copy of another nobody is connected to, and return its URL."""
    with psycopg.connect(cluster().dsn("postgres"), autocommit=True) as maintenance:
        maintenance.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        maintenance.execute(f"CREATE DATABASE {database} TEMPLATE {template}")
    return cluster().url(database)


@contextmanager
def connected_to(database: str) -> Iterator[None]:
    """Point Django to this database."""
    connection.settings_dict["NAME"] = database
    try:
        yield
    finally:
        leave()


def leave() -> None:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]


def _database(name: str) -> str:
    return "scene_" + "".join(letter for letter in name if letter.isalnum())


def _fill(calendars: int, past: int) -> None:
    for number in range(calendars):
        _new_calendar("kennenlernen" if number == 0 else f"gespraech-{number}")
    pattern = _a_booking()
    _copy(pattern, PAST.format(count=past))
    _copy(pattern, FUTURE.format(days=FUTURE_DAYS))
    pattern.delete()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _new_calendar(slug: str) -> None:
    """Open on weekdays from nine to five. Only the first one's calls are offered to guests."""
    calendar = Calendar.objects.create(name=slug)
    WeeklyHours.objects.bulk_create(
        WeeklyHours(calendar=calendar, weekday=day, start=time(9), end=time(17))
        for day in range(1, 6)
    )
    CallType.objects.create(
        calendar=calendar,
        title="Kennenlernen",
        slug=slug,
        is_active=slug == "kennenlernen",
        buffer_after=15,
        max_per_day=6,
    )


def _a_booking() -> Booking:
    call_type = CallType.objects.earliest("pk")
    now = timezone.now()
    return Booking.objects.create(
        calendar=call_type.calendar,
        call_type=call_type,
        status=Booking.Status.CONFIRMED,
        start=now,
        end=now + timedelta(minutes=30),
        buffer_after=15,
        name="Ada Müller",
        email="ada@example.org",
        created_at=now,
        confirmed_at=now,
    )


def _copy(pattern: Booking, moments: str) -> None:
    """Book `pattern` at all these moments in every calendar; each fifth is called off."""
    changes = {
        "calendar_id": "type.calendar_id",
        "call_type_id": "type.id",
        "start": "moment",
        "end": "moment + interval '30 minutes'",
        "status": "CASE WHEN mod(n, 5) = 0 THEN 'cancelled' ELSE 'confirmed' END",
        "cancelled_at": "CASE WHEN mod(n, 5) = 0 THEN now() END",
        "cancelled_by": "CASE WHEN mod(n, 5) = 0 THEN 'guest' ELSE '' END",
        "reference": "left(md5(type.id || ' ' || moment), 12)",
        "uid": "gen_random_uuid()",
        "form_token": "gen_random_uuid()",
    }
    columns = [str(f.column) for f in Booking._meta.concrete_fields if not f.primary_key]
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(changes.get(column, f'pattern."{column}"') for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO booking_booking ({names}) SELECT {values}"
            f" FROM booking_booking pattern, booking_calltype type, ({moments}) moments(n, moment)"
            " WHERE pattern.id = %s",
            [pattern.pk],
        )
