"""Other calendars' busy times, from the feed to the slots a guest sees."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from booking import availability, busy_feeds, diagnosis, feeds_sync
from booking.errors import SlotTaken
from booking.models import Booking, BusyFeed, BusyTime, Calendar
from booking.tasks import refresh_feeds, tell_about_feed
from coaching_site import jobs, spam
from pages.models import Practice
from tests.booking import feed_server
from tests.booking.conftest import ADA, HALF_PAST_NINE, NINE, hold, new_type
from tests.booking.feed_server import calendar_file
from tests.mail_server import html, text

COACH = "coach@praxis.example"
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

AT_NINE = "DTSTART:20270303T080000Z\nDTEND:20270303T083000Z"
FROM_TEN = "DTSTART:20270303T090000Z\nDTEND:20270303T110000Z"


def everywhere(address: str) -> bool:
    return True


@pytest.fixture
def server(monkeypatch):
    """A feed server on this machine, which is let through for once."""
    monkeypatch.setattr(busy_feeds, "fetch", partial(busy_feeds.fetch, allowed=everywhere))
    with feed_server.serve() as running:
        running.serve(calendar_file(AT_NINE))
        yield running


@pytest.fixture
def feed(calendar, server) -> BusyFeed:
    return BusyFeed.objects.create(calendar=calendar, name="Privat", url=server.url)


def read(feed: BusyFeed, now: datetime, **more: float) -> bool:
    worked = feeds_sync.refresh(feed, now=now, **more)
    feed.refresh_from_db()
    return worked


def starts(call_type, now) -> list[datetime]:
    return [slot.start for slot in availability.offered_slots(call_type, now=now)]


# --- what is busy is not offered --------------------------------------------------------------


def test_a_busy_time_is_not_offered(feed, call_type, now):
    before = starts(call_type, now)
    assert read(feed, now)

    assert set(before) - set(starts(call_type, now)) == {NINE}


def test_a_busy_time_cannot_be_held(feed, call_type, now):
    read(feed, now)

    with pytest.raises(SlotTaken):
        hold(call_type, now=now)
    assert hold(call_type, now=now, start=HALF_PAST_NINE).is_held(now)


def test_a_busy_time_keeps_the_calls_own_pause_and_counts_toward_no_limit(feed, calendar, now):
    read(feed, now)
    call_type = new_type(calendar, slug="pause", buffer_before=30, max_per_day=1)

    assert HALF_PAST_NINE not in starts(call_type, now)
    assert HALF_PAST_NINE + 30 * MINUTE in starts(call_type, now)


def test_what_was_booked_before_stays(feed, confirmed, now):
    read(feed, now)

    confirmed.refresh_from_db()
    assert confirmed.is_confirmed


def test_the_day_shows_fewer_times(feed, client, call_type, clock, now):
    address = "/termin/kennenlernen/2027-03-03/"
    assert "20270303T080000Z" in client.get(address).content.decode()

    read(feed, now)

    assert "20270303T080000Z" not in client.get(address).content.decode()


def test_feeds_cost_the_month_no_query(
    feed, server, client, call_type, clock, now, django_assert_num_queries
):
    with CaptureQueriesContext(connection) as without:
        client.get("/termin/")
    server.serve(calendar_file(f"{AT_NINE}\nRRULE:FREQ=DAILY"))
    read(feed, now)

    with django_assert_num_queries(len(without)):
        client.get("/termin/")


def test_a_feed_that_is_switched_off_blocks_nothing(feed, call_type, now):
    read(feed, now)
    BusyFeed.objects.update(is_active=False)

    assert NINE in starts(call_type, now)


def test_a_feed_blocks_its_own_calendar_only(feed, call_type, now):
    read(feed, now)
    other = new_type(Calendar.objects.create(name="Zweiter"), slug="zweiter")
    feed.calendar.weekly_hours.update(calendar=other.calendar)

    assert NINE in starts(other, now)


def test_the_coach_reads_which_calendar_is_in_the_way_and_may_go_above_it(feed, call_type, now):
    read(feed, now)

    (finding,) = diagnosis.findings(call_type, start=NINE, now=now)

    assert finding.sentence.replace("\u00a0", " ") == (
        "Laut „Privat“ bist du belegt: 09:00–09:30 Uhr."
    )
    assert finding.can_be_overridden


def test_the_coachs_day_shows_what_other_calendars_take(feed, calendar, now):
    read(feed, now)

    plan = diagnosis.day_plan(calendar, NINE.date(), now=now)

    assert "belegt: Privat" in [stretch.what for stretch in plan]


def test_a_call_does_not_block_the_time_it_was_moved_from(feed, server, confirmed, now):
    entry = f"UID:{confirmed.uid}@praxis.example\n{FROM_TEN}"
    server.serve(calendar_file(entry, AT_NINE.replace("UID", "X")))

    read(feed, now)

    assert [busy.start for busy in feed.busy_times.all()] == [NINE]


# --- a feed that fails ------------------------------------------------------------------------


def break_with(server, how: str) -> None:
    if how == "error":
        server.serve(b"", status=500)
    elif how == "html":
        server.serve(b"<!DOCTYPE html><title>Anmelden</title>")
    elif how == "half":
        server.serve(calendar_file(AT_NINE)[:-30])
    elif how == "broken":
        server.serve(calendar_file("DTSTART:nie"))
    else:
        server.hang()


@pytest.mark.parametrize("how", ["error", "html", "half", "broken", "silence"])
def test_a_feed_that_breaks_changes_nothing(feed, server, call_type, now, how):
    read(feed, now)
    before = starts(call_type, now)
    break_with(server, how)

    assert not read(feed, now + HOUR, seconds=2 if how != "silence" else 0.3)

    assert starts(call_type, now) == before
    assert (feed.failing_since, feed.fetched_at) == (now + HOUR, now)
    assert feed.last_error
    assert feed.state(now + HOUR) == "failing"


def test_a_feed_that_is_well_again_says_what_is_new(feed, server, call_type, now):
    read(feed, now)
    break_with(server, "error")
    read(feed, now + HOUR)
    server.serve(calendar_file(FROM_TEN))

    assert read(feed, now + 2 * HOUR)

    assert (feed.failing_since, feed.last_error) == (None, "")
    assert [busy.start for busy in feed.busy_times.all()] == [NINE + HOUR]


def test_a_feed_never_read_blocks_nothing_and_says_so(feed, server, call_type, now):
    break_with(server, "error")
    read(feed, now)

    assert NINE in starts(call_type, now)
    assert feed.state(now) == "unread"


def test_an_old_answer_does_not_replace_a_newer_one(feed, server, now):
    read(feed, now + MINUTE)
    server.serve(calendar_file(FROM_TEN))
    read(feed, now)

    assert [busy.start for busy in feed.busy_times.all()] == [NINE]


def test_an_answer_from_an_address_that_was_replaced_is_dropped(feed, now):
    BusyFeed.objects.update(url="https://calendar.example/neu.ics")
    feeds_sync.refresh(feed, now=now)

    assert BusyTime.objects.count() == 0
    assert BusyFeed.objects.get().fetched_at is None


def test_a_feed_deleted_meanwhile_is_no_error(feed, now):
    BusyFeed.objects.all().delete()

    feeds_sync.refresh(feed, now=now)

    assert BusyTime.objects.count() == 0


# --- asking for news only ---------------------------------------------------------------------


def test_nothing_new_keeps_the_busy_times_and_counts_as_read(feed, server, now):
    server.serve(calendar_file(AT_NINE), ETag='"v1"')
    read(feed, now)
    known = list(feed.busy_times.values_list("pk", flat=True))

    assert read(feed, now + HOUR)

    assert server.asked[-1][1]["If-None-Match"] == '"v1"'
    assert feed.fetched_at == now + HOUR
    assert list(feed.busy_times.values_list("pk", flat=True)) == known


def test_a_file_that_never_changes_is_read_anew_for_its_repetitions(feed, server, now):
    server.serve(calendar_file(f"{AT_NINE}\nRRULE:FREQ=WEEKLY"), ETag='"v1"')
    read(feed, now)
    a_year_on = now + timedelta(days=365)
    last = feed.busy_times.latest("start").start

    read(feed, a_year_on)

    assert "If-None-Match" not in server.asked[-1][1]
    assert feed.busy_times.latest("start").start > last + timedelta(days=360)


def test_another_zone_reads_the_same_file_anew(feed, server, calendar, now):
    server.serve(calendar_file("DTSTART:20270303T090000\nDURATION:PT1H"), ETag='"v1"')
    read(feed, now)
    Calendar.objects.update(zone="America/New_York")

    read(BusyFeed.objects.get(), now + MINUTE)

    assert feed.busy_times.get().start == datetime(2027, 3, 3, 14, tzinfo=UTC)


# --- when it is read --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "is_due"),
    [
        ({}, True),
        ({"checked_at": -9}, False),
        ({"checked_at": -10}, True),
        ({"checked_at": -1, "failing_since": -60, "last_error": "Fehler 500"}, True),
        ({"checked_at": -20, "is_active": False}, False),
    ],
)
def test_a_feed_is_due_after_ten_minutes_and_a_failing_one_at_once(
    feed, calendar, clock, now, changes, is_due
):
    moments = {name: now + at * MINUTE if type(at) is int else at for name, at in changes.items()}
    BusyFeed.objects.update(**moments)

    refresh_feeds(0)

    assert ProcrastinateJob.objects.filter(task_name="booking.refresh_feed").exists() is is_due


def test_one_feed_has_one_job_waiting(feed, clock):
    refresh_feeds(0)
    refresh_feeds(0)

    (job,) = ProcrastinateJob.objects.all()
    assert (job.lock, job.queueing_lock) == (f"booking.feed.{feed.pk}",) * 2
    assert job.args == {"feed_id": feed.pk}


def test_a_job_refused_for_waiting_already_spoils_no_transaction(feed):
    with transaction.atomic():
        assert jobs.enqueue_once("booking.refresh_feed", key="x", feed_id=feed.pk)
        assert not jobs.enqueue_once("booking.refresh_feed", key="x", feed_id=feed.pk)
        assert BusyFeed.objects.count() == 1


def test_the_periodic_job_reads_the_feed(feed, clock, run_jobs):
    refresh_feeds(0)

    assert run_jobs() == ["booking.refresh_feed"]
    assert [busy.start for busy in feed.busy_times.all()] == [NINE]


# --- before a time is held --------------------------------------------------------------------

DETAILS = "/termin/kennenlernen/zeit/20270303T080000Z/"


def send(client):
    made = spam.stamp(timezone.now() - timedelta(minutes=1))
    answers = {"name": ADA.name, "email": ADA.email, "topic": "Mein Team"}
    return client.post(DETAILS, {**answers, "form_token": uuid.uuid4(), "stamp": made})


def test_what_became_busy_a_moment_ago_is_not_held(feed, client, call_type, clock):
    assert client.get(DETAILS).status_code == 200

    assert send(client).status_code == 409
    assert Booking.objects.count() == 0


def test_two_minutes_old_is_new_enough(feed, server, client, call_type, clock, now):
    server.serve(calendar_file(FROM_TEN))
    read(feed, now - MINUTE)
    server.serve(calendar_file(AT_NINE))

    assert send(client).status_code == 302
    assert len(server.asked) == 1


def test_a_silent_feed_does_not_keep_the_guest(
    feed, server, client, call_type, clock, now, monkeypatch
):
    monkeypatch.setattr(feeds_sync, "SECONDS_BEFORE_A_HOLD", 0.4)
    server.serve(calendar_file(FROM_TEN))
    read(feed, now - HOUR)
    server.hang()
    for number in (2, 3):
        BusyFeed.objects.create(
            calendar=feed.calendar, name=str(number), url=f"{server.url}?{number}"
        )

    began = time.monotonic()
    assert send(client).status_code == 302
    assert time.monotonic() - began < 2
    assert [busy.start for busy in feed.busy_times.all()] == [NINE + HOUR]


def test_only_the_first_guest_waits_for_a_dead_feed(feed, server, call_type, calendar, now):
    break_with(server, "error")
    feeds_sync.freshen(calendar, now=now)
    feeds_sync.freshen(calendar, now=now + MINUTE)

    assert len(server.asked) == 1


# --- telling the coach ------------------------------------------------------------------------


@pytest.fixture
def practice(db) -> Practice:
    return Practice.objects.create(pk=1, first_name="Kim", last_name="Muster")


def plain(message) -> str:
    return text(message).replace("\u00a0", " ")


def test_the_coach_is_warned_once_after_hours_and_told_when_all_is_well(
    feed, server, practice, now, mailbox, run_jobs
):
    read(feed, now)
    break_with(server, "html")
    for hours in (1, 6):
        read(feed, now + hours * HOUR)
    run_jobs()
    assert mailbox.messages == []

    for hours in (7, 8, 9):
        read(feed, now + hours * HOUR)
    run_jobs()
    (warning,) = mailbox.to(COACH)
    assert warning["Subject"] == "Gestört: Kalender „Privat“"
    for words in (
        "seit Montag, 1. März 2027, 10:00 Uhr, Berliner Zeit (MEZ), nicht lesen",
        "Grund: Unter dieser Adresse antwortet eine Webseite, kein Kalender.",
        "zuletzt gelesen wurden: am Montag, 1. März 2027, 09:00 Uhr, Berliner Zeit (MEZ).",
        "/verwaltung/booking/busyfeed/",
    ):
        assert words in plain(warning)
    assert "zuletzt gelesen" in html(warning)

    mailbox.clear()
    server.serve(calendar_file(AT_NINE))
    for hours in (10, 11):
        read(feed, now + hours * HOUR)
    run_jobs()
    (relief,) = mailbox.to(COACH)
    assert relief["Subject"] == "Wieder gelesen: Kalender „Privat“"
    assert "Stand von Montag, 1. März 2027, 20:00 Uhr, Berliner Zeit (MEZ)." in plain(relief)


def test_a_short_failure_makes_no_noise(feed, server, practice, now, mailbox, run_jobs):
    break_with(server, "error")
    read(feed, now)
    server.serve(calendar_file(AT_NINE))
    read(feed, now + HOUR)

    assert run_jobs() == []


def test_a_warning_overtaken_by_good_news_is_not_sent(feed, practice, now, mailbox):
    read(feed, now)

    tell_about_feed(feed.pk, is_well=False)

    assert mailbox.messages == []


def test_a_feed_never_read_is_warned_about_in_plain_words(
    feed, server, practice, now, mailbox, run_jobs
):
    break_with(server, "error")
    read(feed, now)
    read(feed, now + 6 * HOUR)
    run_jobs()

    (warning,) = mailbox.to(COACH)
    assert "Er wurde noch nie gelesen." in plain(warning)
    assert feed.url not in plain(warning) + html(warning)


# --- the desk ---------------------------------------------------------------------------------

LIST = reverse("admin:booking_busyfeed_changelist")
ADD = reverse("admin:booking_busyfeed_add")


@pytest.fixture
def desk(client, db, clock):
    client.force_login(get_user_model().objects.create_superuser("coach"))
    return client


def words(response) -> str:
    return " ".join(response.content.decode().replace("\u00a0", " ").split())


def test_a_feed_is_added_by_its_address_and_read_by_a_job(desk, calendar, run_jobs):
    address = "webcal://calendar.example/geheim.ics"

    response = desk.post(
        ADD,
        {"calendar": calendar.pk, "name": "Apple", "url": address, "is_active": "on"},
        follow=True,
    )

    assert BusyFeed.objects.get().url == "https://calendar.example/geheim.ics"
    assert ProcrastinateJob.objects.get().task_name == "booking.refresh_feed"
    assert "noch nie gelesen, blockiert noch nichts" in words(response)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://127.0.0.1/a.ics", "führt in ein privates Netz"),
        ("kein Kalender", "keine Adresse eines Kalenders"),
        ("https://kim:wort@calendar.example/", "kein Kennwort"),
    ],
)
def test_an_address_that_will_never_do_is_refused_in_the_form(desk, calendar, url, sentence):
    response = desk.post(ADD, {"calendar": calendar.pk, "name": "Apple", "url": url})

    assert sentence in words(response)
    assert BusyFeed.objects.count() == 0


def test_the_list_says_how_fresh_each_calendar_is(desk, feed, server, clock, now):
    server.serve(calendar_file(AT_NINE, "DTSTART;TZID=Mars/Krater:20270305T090000\nDURATION:PT1H"))
    assert "noch nie gelesen, blockiert noch nichts" in words(desk.get(LIST))

    read(feed, now)
    clock(now + 3 * MINUTE)
    page = words(desk.get(LIST))
    assert "aktuell, vor 3 Minuten" in page
    assert '<td class="field-busy_ahead">2</td>' in page
    assert "„Mars/Krater“ ist unbekannt" in page

    clock(now + 3 * HOUR)
    assert "veraltet, vor 3 Stunden" in words(desk.get(LIST))

    break_with(server, "error")
    read(feed, now + 3 * HOUR)
    clock(now + 5 * HOUR)
    page = words(desk.get(LIST))
    assert "gestört seit 2 Stunden, Stand: vor 5 Stunden" in page
    assert "Fehler 500" in page


def test_a_feed_can_be_read_right_away(desk, feed, run_jobs):
    desk.post(LIST, {"action": "read_now", "_selected_action": [feed.pk]})

    assert run_jobs() == ["booking.refresh_feed"]
    assert feed.busy_times.count() == 1


def test_a_new_address_forgets_what_the_old_one_said(desk, feed, server, now, run_jobs):
    server.serve(calendar_file(AT_NINE), ETag='"v1"')
    read(feed, now)
    server.serve(calendar_file(FROM_TEN), path="/neu.ics", ETag='"v1"')
    page = reverse("admin:booking_busyfeed_change", args=[feed.pk])
    BusyFeed.objects.update(url="https://calendar.example/neu.ics")

    desk.post(
        page,
        {
            "calendar": feed.calendar_id,
            "name": "Privat",
            "url": "https://calendar.example/noch-neuer.ics",
            "is_active": "on",
        },
    )

    feed.refresh_from_db()
    assert (feed.etag, feed.url) == ("", "https://calendar.example/noch-neuer.ics")
    assert feed.busy_times.count() == 1


def test_the_address_is_shown_in_its_form_and_nowhere_else(desk, feed, caplog, now, run_jobs):
    caplog.set_level("DEBUG")
    read(feed, now)
    refresh_feeds(0)
    run_jobs()
    page = reverse("admin:booking_busyfeed_change", args=[feed.pk])

    assert feed.url in words(desk.get(page))
    shown = (
        words(desk.get(LIST)) + words(desk.get(f"{page}history/")) + words(desk.get("/verwaltung/"))
    )
    assert feed.url not in shown + str(feed) + repr(feed)
    assert feed.url not in "".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("django.db")
    )


# --- what the database holds ------------------------------------------------------------------


def test_a_busy_time_has_a_length(feed):
    with pytest.raises(IntegrityError, match="busy_time_start_before_end"):
        BusyTime.objects.create(feed=feed, start=NINE, end=NINE)


def test_a_calendar_reads_a_feed_once(feed):
    with pytest.raises(IntegrityError, match="busy_feed_once_a_calendar"):
        BusyFeed.objects.create(calendar=feed.calendar, name="Noch einmal", url=feed.url)


def test_a_failing_feed_says_why(feed, now):
    with pytest.raises(IntegrityError, match="busy_feed_failing_says_why"):
        BusyFeed.objects.update(failing_since=now)
