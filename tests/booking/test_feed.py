"""The coach's calls in the coach's own calendar program."""

from __future__ import annotations

import importlib
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

import booking
from booking import attendance, availability, cancellation, mail, scheduling
from booking.models import Booking, Calendar
from coaching_site import links
from tests.booking.conftest import ADA, HALF_PAST_NINE, NINE, hold, somebody
from tests.booking.ics_rules import File, read

pytestmark = pytest.mark.usefixtures("clock")

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def address(calendar: Calendar) -> str:
    return f"/termin/feed/{calendar.feed_secret}.ics"


def fetch(client, calendar: Calendar) -> File:
    response = client.get(address(calendar))
    assert response.status_code == 200
    return read(response.content)


@pytest.fixture
def coach(client, db):
    client.force_login(get_user_model().objects.create_superuser("coach"))
    return client


def test_the_coach_sees_who_comes_when_and_the_way_to_the_desk(client, confirmed):
    (event,) = fetch(client, confirmed.calendar).events

    assert event["SUMMARY"].text == "Gespräch mit Ada Müller"
    assert event["DTSTART"].instant == confirmed.start
    assert event["DTEND"].instant == confirmed.end
    assert event["STATUS"].value == "CONFIRMED"
    desk = links.absolute(reverse("admin:booking_booking_change", args=[confirmed.pk]))
    assert desk in event["DESCRIPTION"].text


def test_the_entry_is_the_one_the_guest_was_invited_to(client, confirmed):
    (event,) = fetch(client, confirmed.calendar).events
    invited = read(mail.calendar_file(confirmed)).event

    for name in ("UID", "SEQUENCE", "DTSTART", "DTEND"):
        assert event[name] == invited[name]


def test_the_feed_tells_neither_address_nor_number_nor_topic(client, confirmed):
    Booking.objects.update(phone="+49 170 1234567")

    content = client.get(address(confirmed.calendar)).content.decode()

    for secret in (ADA.email, "1234567", ADA.topic, ADA.company, mail.token(confirmed)):
        assert secret not in content.replace("\r\n ", "")


def test_only_confirmed_calls_are_shown(client, call_type, confirmed, now):
    hold(call_type, start=HALF_PAST_NINE, guest=somebody(), now=now)
    assert len(fetch(client, confirmed.calendar).events) == 1

    cancellation.cancel_by_guest(confirmed, now=now)
    assert fetch(client, confirmed.calendar).events == []


def test_a_call_that_nobody_came_to_took_its_time_all_the_same(client, confirmed, clock):
    clock(confirmed.end)
    attendance.mark_no_show(confirmed, now=confirmed.end)

    assert len(fetch(client, confirmed.calendar).events) == 1


@pytest.mark.parametrize(("days", "shown"), [(-1000, 1), (30, 1), (31, 0)])
def test_thirty_days_back_and_all_that_comes(client, confirmed, clock, days, shown):
    clock(confirmed.start + timedelta(days=days))

    assert len(fetch(client, confirmed.calendar).events) == shown


def test_another_calendars_calls_are_not_shown(client, confirmed):
    other = Calendar.objects.create(name="Zweiter")

    assert other.feed_secret != confirmed.calendar.feed_secret
    assert fetch(client, other).events == []


def test_a_program_that_has_seen_it_is_told_so(client, confirmed):
    first = client.get(address(confirmed.calendar))

    for header, value in (
        ("If-None-Match", first["ETag"]),
        ("If-Modified-Since", first["Last-Modified"]),
    ):
        response = client.get(address(confirmed.calendar), headers={header: value})
        assert (response.status_code, response.content) == (304, b"")
    assert first["Content-Type"] == "text/calendar; charset=utf-8"
    assert first["Cache-Control"] == "private, no-cache"
    assert "noindex" in first["X-Robots-Tag"]
    assert client.cookies == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda booking: cancellation.cancel_by_guest(booking, now=booking.created_at),
        lambda booking: Booking.objects.filter(pk=booking.pk).update(name="Grace Hopper"),
        lambda booking: Booking.objects.filter(pk=booking.pk).update(
            start=NINE + DAY, end=NINE + DAY + timedelta(minutes=30), sequence=1
        ),
    ],
    ids=["called off", "renamed", "moved"],
)
def test_any_change_is_seen_by_both_marks_even_in_the_same_second(client, confirmed, change):
    first = client.get(address(confirmed.calendar))

    change(confirmed)

    for header, value in (
        ("If-None-Match", first["ETag"]),
        ("If-Modified-Since", first["Last-Modified"]),
    ):
        assert client.get(address(confirmed.calendar), headers={header: value}).status_code == 200


def test_the_same_calls_give_the_same_bytes_tomorrow(client, confirmed, clock, now):
    first = client.get(address(confirmed.calendar))
    clock(now + DAY)

    second = client.get(address(confirmed.calendar))

    assert (second.content, second["ETag"], second["Last-Modified"]) == (
        first.content,
        first["ETag"],
        first["Last-Modified"],
    )


@pytest.mark.parametrize("secret", ["", "falsch", "x" * 43, "ü%00", "%ff", "%ed%a0%80", "a%2fb"])
def test_a_wrong_secret_leads_nowhere(client, confirmed, secret):
    assert client.get(f"/termin/feed/{secret}.ics").status_code == 404


def test_only_looking_is_possible(client, confirmed):
    assert client.post(address(confirmed.calendar)).status_code == 405
    assert client.head(address(confirmed.calendar)).status_code == 200


def test_many_calls_take_as_many_queries_as_one(client, call_type, now):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(address(call_type.calendar))
            client.get(address(call_type.calendar))
        return len(captured)

    free = availability.offered_slots(call_type, now=now)[:8]
    book = [hold(call_type, start=s.start, guest=somebody(), now=now) for s in free]
    scheduling.confirm(book[0], now=now)
    few = queries()
    for each in book[1:]:
        scheduling.confirm(each, now=now)

    assert len(fetch(client, call_type.calendar).events) == 8
    assert queries() <= few


def test_the_secret_is_256_bits_and_its_owners_alone(calendar):
    assert len(calendar.feed_secret) == 43
    assert calendar.feed_secret not in str(calendar)


def test_the_coach_copies_the_link_and_can_make_a_new_one(coach, calendar):
    page = reverse("admin:booking_calendar_change", args=[calendar.pk])
    old = address(calendar)
    assert links.absolute(old) in coach.get(page).content.decode()
    renew = reverse("admin:booking_calendar_renew_feed", args=[calendar.pk])
    assert renew in coach.get(page).content.decode()

    assert coach.get(renew).status_code == 405
    assert "nicht zurücknehmen" in coach.post(renew).content.decode()
    assert coach.get(old).status_code == 200
    response = coach.post(renew, {"yes": "Neuen Link machen"}, follow=True)

    calendar.refresh_from_db()
    assert "Der alte Link gilt nicht mehr." in response.content.decode()
    assert links.absolute(address(calendar)) in response.content.decode()
    assert coach.get(old).status_code == 404
    assert coach.get(address(calendar)).status_code == 200


def test_who_may_only_look_does_not_see_the_link(client, calendar):
    helper = get_user_model().objects.create_user("helper", is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="view_calendar"))
    client.force_login(helper)

    page = client.get(reverse("admin:booking_calendar_change", args=[calendar.pk]))

    assert page.status_code == 200
    assert calendar.feed_secret not in page.content.decode()
    renew = reverse("admin:booking_calendar_renew_feed", args=[calendar.pk])
    assert client.post(renew).status_code == 403


def test_changing_the_calendar_keeps_the_link(coach, calendar):
    page = reverse("admin:booking_calendar_change", args=[calendar.pk])
    forms = {
        f"{prefix}-{name}": 0
        for prefix in ("weekly_hours", "overrides")
        for name in ("TOTAL_FORMS", "INITIAL_FORMS")
    }

    response = coach.post(page, {"name": "Neu", "zone": "Europe/Berlin", **forms})

    assert response.status_code == 302
    assert Calendar.objects.get().feed_secret == calendar.feed_secret


def test_search_engines_are_not_told_where_it_is(client, calendar):
    assert "feed" not in client.get("/robots.txt").content.decode()


def test_a_page_that_fails_does_not_write_its_key_into_the_log(
    client, calendar, monkeypatch, caplog
):
    def broken(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(mail, "feed_file", broken)
    client.raise_request_exception = False
    handler = logging.getLogger().handlers
    filters = [each for one in handler for each in one.filters]
    assert filters, "the site's own handler carries the filter"
    for each in filters:
        caplog.handler.addFilter(each)

    assert client.get(address(calendar)).status_code == 500

    assert "/termin/feed/" in caplog.text
    assert calendar.feed_secret not in caplog.text


def test_every_calendar_got_a_secret_of_its_own_when_the_feed_came(calendar):
    Calendar.objects.create(name="Zweiter")
    Calendar.objects.update(feed_secret="gleich")
    (file,) = (Path(booking.__file__).parent / "migrations").glob("*_reminders_follow_up_*.py")
    migration = importlib.import_module(f"booking.migrations.{file.stem}")

    migration.give_each_calendar_its_own_secret(apps, None)

    secrets = set(Calendar.objects.values_list("feed_secret", flat=True))
    assert len(secrets) == 2
    assert "gleich" not in secrets
