"""„Kalender“ in the admin: what it shows, and what the coach does from it without a script."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from booking import agenda, availability, blocking, scheduling
from booking.agenda import Day, Entry, Kind
from booking.models import Block, Booking, BusyFeed, BusyTime, Calendar, DateOverride
from booking.scheduling import Guest
from booking.slots import Hours, Interval, Window
from coaching_site.desk import week_grid
from coaching_site.desk.confirming import SURE
from coaching_site.desk.models import Change
from tests.booking.conftest import ADA, BEN, HALF_PAST_NINE, NINE, hold, new_type
from tests.booking.desk import pay, queries, staff, words

WEEK, MONTH, BLOCK, OPEN = (
    reverse(f"admin:calendar{name}") for name in ("", "_month", "_block", "_open")
)
BERLIN = ZoneInfo("Europe/Berlin")
THIS_WEEK = {"tag": "2027-03-03"}
TOO_MANY_QUERIES = 15


@pytest.fixture
def desk(client, db, clock):
    client.force_login(get_user_model().objects.create_superuser("coach"))
    return client


def link(page, text: str) -> str:
    """Where the link with these words leads."""
    links = re.findall(r'<a\b[^>]*?href="([^"]*)"[^>]*>(.*?)</a>', page.content.decode(), re.DOTALL)
    found = [
        unescape(address)
        for address, inside in links
        if text in " ".join(re.sub(r"<[^>]*>", " ", inside).split())
    ]
    assert found, f"no link says {text}"
    return found[0]


def fill_a_week(calendar, *, now) -> None:
    """A call of each state, a block, another calendar and an opened evening."""
    call_type = new_type(calendar, slug=f"art-{calendar.pk}", max_per_day=None)
    asked = new_type(calendar, slug=f"anfrage-{calendar.pk}", needs_approval=True)
    guests = [Guest(name=f"Gast {n}", email=f"gast{n}@example.org") for n in range(4)]
    hold(call_type, start=NINE, guest=guests[0], now=now)
    for start, guest, kind in (
        (HALF_PAST_NINE, guests[1], asked),
        (NINE + timedelta(hours=1), guests[2], call_type),
        (NINE + timedelta(days=1), guests[3], call_type),
    ):
        scheduling.confirm(hold(kind, start=start, guest=guest, now=now), now=now)
    feed = BusyFeed.objects.create(calendar=calendar, name="Privat", url="https://a.example/")
    friday = NINE + timedelta(days=2)
    BusyTime.objects.create(feed=feed, start=friday, end=friday + timedelta(hours=1))
    blocking.block(
        calendar, span=Interval(friday + timedelta(hours=2), friday + timedelta(hours=3)),
        note="Zahnarzt", now=now,
    )  # fmt: skip
    blocking.open_too(calendar, day=date(2027, 3, 4), start=time(18), end=time(20), now=now)


# --- what it shows ---------------------------------------------------------------------------------


def test_a_week_tells_in_words_what_each_entry_is(desk, calendar, now):
    fill_a_week(calendar, now=now)

    page = words(desk.get(WEEK, THIS_WEEK))
    plain = " ".join(re.sub(r"<[^>]*>", " ", page).split())

    assert "Mo., 01.03.2027 bis So., 07.03.2027: 4 Gespräche" in plain
    for said in (
        "09:00–09:30 Uhr 09:00 gehalten Gast 0 Kennenlerngespräch",
        "09:30–10:00 Uhr 09:30 angefragt Gast 1",
        "10:00–10:30 Uhr 10:00 Gast 2",
        "09:00–10:00 Uhr 09:00 anderer Kalender Privat",
        "11:00–12:00 Uhr 11:00 gesperrt Zahnarzt",
        "18:00–19:00 Uhr 18:00 frei",
        "zusätzlich offen",
        "außerhalb der Sprechzeiten",
    ):
        assert said in plain
    assert "style=" not in page
    assert "<script" not in page.partition('id="content-main"')[2].partition('id="footer"')[0]


def test_a_month_counts_the_calls_of_a_day_and_leads_to_its_week(desk, calendar, now):
    fill_a_week(calendar, now=now)
    DateOverride.objects.create(
        calendar=calendar, first_day="2027-03-15", last_day="2027-03-15", note="Messe"
    )
    more = Guest(name="Gast 9", email="gast9@example.org")
    hold(new_type(calendar), start=NINE + timedelta(hours=2), guest=more, now=now)

    page = desk.get(MONTH, THIS_WEEK)

    plain = " ".join(re.sub(r"<[^>]*>", " ", words(page)).split())
    assert "Kalender, März 2027" in plain
    assert "3 Mittwoch, 3. März 2027 4 Gespräche 09:00 Uhr Gast 0" in plain
    assert "und 1 weitere" in plain
    assert "Montag, 15. März 2027 Messe" in plain
    week = link(page, "Mittwoch, 3. März 2027")
    assert "Gast 0" in words(desk.get(week))


def test_the_ways_through_time_and_the_jump(desk, calendar):
    page = desk.get(WEEK)

    assert "tag=2027-03-08" in link(page, "Nächste Woche")
    assert "tag=2027-02-22" in link(page, "Vorige Woche")
    assert "Woche 14" in words(desk.get(WEEK, {"tag": "2027-04-05"}))
    assert "Februar 2027" in words(desk.get(link(desk.get(MONTH), "Voriger Monat")))


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("morgen", "Schreib den Tag wie 24.11.2026."),
        ("9999-12-31", "Wähle einen Tag zwischen 2000 und 2999."),
    ],
)
def test_a_day_that_is_none_is_asked_for_again_and_kept(desk, calendar, typed, sentence):
    page = words(desk.get(WEEK, {"tag": typed}))

    assert sentence in page
    assert f'value="{typed}"' in page
    assert "Woche 9" in page


def test_each_calendar_is_shown_alone(desk, calendar, confirmed):
    other = Calendar.objects.create(name="Zweiter", zone="Asia/Tokyo")

    assert ADA.name in words(desk.get(WEEK, THIS_WEEK))
    page = words(desk.get(WEEK, {**THIS_WEEK, "kalender": other.pk}))
    assert ADA.name not in page
    assert f'<option value="{other.pk}" selected>' in page
    assert desk.get(WEEK, {"kalender": "x"}).status_code == 404


def test_without_a_calendar_the_page_says_what_to_do(desk):
    assert "Es gibt noch keinen Kalender." in words(desk.get(WEEK))
    assert desk.get(BLOCK).status_code == 404


@pytest.mark.parametrize("address", [WEEK, MONTH])
def test_more_rows_ask_the_database_no_more(client, calendar, clock, now, address):
    desk = staff(client, "view_booking", "add_booking", "add_dateoverride", "delete_dateoverride")
    address = f"{address}?tag=2027-03-03"
    fill_a_week(calendar, now=now)
    few = queries(desk, address)
    call_type = new_type(calendar)
    Booking.objects.bulk_create(
        Booking(
            calendar=calendar, call_type=call_type, status="confirmed", confirmed_at=now,
            created_at=now, name="Viele", email=f"v{n}@example.org",
            start=NINE + timedelta(hours=3 + n // 12, minutes=5 * (n % 12)),
            end=NINE + timedelta(hours=3 + n // 12, minutes=5 * (n % 12) + 5),
        )
        for n in range(40)
    )  # fmt: skip
    for n in range(5):
        day = date(2027, 3, 10 + n)
        DateOverride.objects.create(calendar=calendar, first_day=day, last_day=day)
        blocking.block(calendar, span=Interval(NINE, NINE + timedelta(hours=9 + n)), now=now)

    assert queries(desk, address) == few < TOO_MANY_QUERIES


def test_no_price_and_no_payment_is_shown(desk, paid_type, stripe, now):
    pay(paid_type, stripe, now)

    page = words(desk.get(WEEK, THIS_WEEK))

    assert ADA.name in page
    assert "€" not in page


# --- where things stand beside the axis ------------------------------------------------------------


def placed(day: date, *spans: tuple[int, int]) -> list[str]:
    """Where busy times stand that last from and to these UTC hours of the day before and on."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    entries = [
        Entry(Kind.BUSY, Interval(midnight + timedelta(hours=a), midnight + timedelta(hours=b)))
        for a, b in spans
    ]
    hours = Hours(BERLIN, {day.isoweekday(): [Window(0, 1440)]}, {})
    filled = agenda.fill(Day(day, BERLIN), hours, entries, now=midnight + timedelta(days=2))
    [column] = week_grid.lay_out([filled]).columns
    return [each.place for each in column.placed]


@pytest.mark.parametrize(
    ("day", "spans", "places"),
    [
        # Neighbours share nothing; what overlaps stands side by side.
        (date(2027, 3, 3), [(8, 9), (9, 10)], ["h9 q0 to-h10 to-q0 lane-1-1", "h10 q0 to-h11 to-q0 lane-1-1"]),
        (date(2027, 3, 3), [(8, 10), (9, 11)], ["h9 q0 to-h11 to-q0 lane-1-2", "h10 q0 to-h12 to-q0 lane-2-2"]),
        # Over midnight each day has its part.
        (date(2027, 3, 3), [(-3, 1), (21, 25)], ["h0 q0 to-h2 to-q0 lane-1-1", "h22 q0 to-h24 to-q0 lane-1-1"]),
        # From 01:00 to 03:00 on the clock is one hour in spring.
        (date(2027, 3, 28), [(0, 1)], ["h1 q0 to-h3 to-q0 lane-1-1"]),
        # Both hours that autumn shows as 02:00 have the same place, beside each other.
        (date(2027, 10, 31), [(0, 1), (1, 2)], ["h2 q0 to-h3 to-q0 lane-1-2", "h2 q0 to-h3 to-q0 lane-2-2"]),
    ],
)  # fmt: skip
def test_entries_stand_where_the_clock_on_the_wall_says(day, spans, places):
    assert placed(day, *spans) == places


# --- blocking --------------------------------------------------------------------------------------


def test_next_week_is_blocked_in_three_clicks_from_the_calendar(desk, call_type, now):
    start = NINE + timedelta(days=7)
    staying = scheduling.confirm(hold(call_type, start=start, now=now), now=now)

    ask = link(desk.get(link(desk.get(WEEK), "Nächste Woche")), "Diese Woche sperren")
    page = words(desk.get(ask))
    assert "Ada Müller, Mi., 10.03.2027, 09:00–09:30 Uhr" in page
    data = dict(re.findall(r'name="(first_day|last_day)" value="([^"]+)"', page))
    done = desk.post(ask, data, follow=True)

    assert "Gesperrt: Mo., 08.03.2027 bis So., 14.03.2027." in words(done)
    assert "Darin bleibt ein Gespräch: Ada Müller" in words(done)
    staying.refresh_from_db()
    assert staying.is_confirmed
    days = {slot.start.date() for slot in availability.offered_slots(call_type, now=now)}
    assert not [day for day in days if date(2027, 3, 8) <= day <= date(2027, 3, 14)]
    assert Change.objects.get(table="booking_block").who == "coach"


def test_of_this_week_what_is_left_is_blocked(desk, calendar, clock, now):
    clock(now + timedelta(days=2))

    assert "first_day=2027-03-03&last_day=2027-03-07" in link(desk.get(WEEK), "Diese Woche sperren")
    assert "Diese Woche sperren" not in words(desk.get(WEEK, {"tag": "2027-02-03"}))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("2027-03-03", "14:00", "", "16:00"), "Mi., 03.03.2027, 14:00–16:00 Uhr"),
        (("2027-03-03", "22:00", "", "00:00"), "Mi., 03.03.2027, 22:00–00:00 Uhr"),
        (
            ("2027-03-05", "14:00", "2027-03-08", "10:00"),
            "Fr., 05.03.2027, 14:00 Uhr bis Mo., 08.03.2027, 10:00 Uhr",
        ),
        (("2027-03-28", "02:30", "", "03:30"), "So., 28.03.2027, 03:00–03:30 Uhr"),
    ],
)
def test_hours_and_days_are_blocked_as_typed(desk, calendar, typed, said):
    data = dict(zip(("first_day", "start", "last_day", "end"), typed, strict=True))

    assert f"Gesperrt: {said}." in words(desk.post(BLOCK, data, follow=True))


def test_both_showings_of_a_doubled_hour_are_blocked(desk, calendar):
    desk.post(BLOCK, {"first_day": "2027-10-31", "start": "02:00", "end": "02:30"})

    block = Block.objects.get()
    assert block.end - block.start == timedelta(minutes=90)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"first_day": ""}, "Wähle einen Tag."),
        ({"start": "14:00", "end": "14:00"}, "Das Ende liegt nicht nach dem Anfang."),
        ({"last_day": "2027-03-02"}, "Der letzte Tag liegt vor dem ersten."),
        ({"last_day": "2029-03-02"}, "Sperr höchstens ein Jahr auf einmal."),
        ({"first_day": "2027-02-01"}, "Diese Zeit ist schon vorbei."),
        ({"first_day": "2027-03-28", "start": "02:00", "end": "03:00"}, "überspringt sie."),
    ],
)
def test_what_cannot_be_blocked_is_said_beside_the_field_and_kept(desk, calendar, typed, sentence):
    page = desk.post(BLOCK, {"first_day": "2027-03-03", "note": "Urlaub", **typed})

    assert sentence in words(page)
    assert 'value="Urlaub"' in words(page)
    assert "Fehler:" in words(page)
    assert not Block.objects.exists()


def test_a_block_is_taken_back(desk, call_type, now):
    span = Interval(NINE, NINE + timedelta(hours=1))
    blocking.block(call_type.calendar, span=span, note="Zahnarzt", now=now)

    there = link(desk.get(WEEK, THIS_WEEK), "Zahnarzt")
    assert "Gesperrt: Mi., 03.03.2027, 09:00–10:00 Uhr." in words(desk.get(there))
    assert Block.objects.exists()
    done = desk.post(there, {SURE: "ja"}, follow=True)

    assert "Nicht mehr gesperrt: Mi., 03.03.2027, 09:00–10:00 Uhr." in words(done)
    assert hold(call_type, now=now).is_held(now)


def test_an_evening_is_opened_and_closed_again(desk, calendar):
    data = {"day": "2027-03-03", "start": "18:00", "end": "20:00"}

    done = desk.post(OPEN, data, follow=True)
    assert "Geöffnet: Mi., 03.03.2027, 18:00–20:00 Uhr." in words(done)
    again = words(desk.post(OPEN, {**data, "start": "10:00", "end": "11:00"}))
    assert "Diese Zeit ist schon offen." in again
    assert 'value="10:00"' in again

    closed = desk.post(
        link(desk.get(WEEK, THIS_WEEK), "zusätzlich offen"), {SURE: "ja"}, follow=True
    )
    assert "Wieder geschlossen: Mi., 03.03.2027, 18:00–20:00 Uhr." in words(closed)
    assert not DateOverride.objects.exists()


# --- entering and moving ---------------------------------------------------------------------------


def test_a_free_spot_leads_to_the_form_with_call_and_time(desk, call_type):
    page = words(desk.get(link(desk.get(WEEK, THIS_WEEK), "10:00–11:00 Uhr")))

    assert f'value="{call_type.pk}" selected' in page
    assert 'value="2027-03-01"' in page
    assert 'value="10:00"' in page


def test_a_call_is_moved_in_three_clicks_from_the_calendar(desk, confirmed, run_jobs, mailbox):
    booking = desk.get(link(desk.get(WEEK, THIS_WEEK), ADA.name))
    move = link(booking, "Verschieben")
    assert move == link(desk.get(WEEK, THIS_WEEK), f"verschieben : {ADA.name}")
    offered = re.findall(r'name="slot"\s+value="([^"]+)"', words(desk.get(move)))

    page = desk.get(move).content.decode().partition('id="content-main"')[2]
    assert page.count("csrfmiddlewaretoken") == page.count('<form method="post"') == 2
    assert NINE.isoformat() not in offered
    assert HALF_PAST_NINE.isoformat() in offered
    done = desk.post(move, {"slot": HALF_PAST_NINE.isoformat()}, follow=True)

    confirmed.refresh_from_db()
    assert confirmed.start == HALF_PAST_NINE
    assert "Beide Seiten bekommen eine Mail." in words(done)
    run_jobs()
    assert len(mailbox.to(ADA.email)) >= 1


def test_a_free_time_that_is_gone_by_now_is_said_and_another_can_be_chosen(
    desk, call_type, confirmed, now
):
    hold(call_type, start=HALF_PAST_NINE, guest=BEN, now=now)
    move = reverse("admin:booking_booking_move", args=[confirmed.pk])

    page = words(desk.post(move, {"slot": HALF_PAST_NINE.isoformat()}))
    assert "Zwei Termine zur selben Zeit gehen nicht." in page
    assert 'value="09:30"' in page
    assert 'name="slot"' in page

    for nonsense in ("gestern", "9999-12-31T23:59:00+00:00"):
        assert "Wähle einen Tag." in words(desk.post(move, {"slot": nonsense}))


def test_later_days_are_a_link_away(desk, confirmed):
    move = reverse("admin:booking_booking_move", args=[confirmed.pk])

    later = link(desk.get(move), "Spätere Zeiten")

    assert later == "?ab=2027-03-11"
    page = words(desk.get(f"{move}{later}"))
    assert "Früheste Zeiten" in page
    assert "frei-2027-03-11" in page
    assert "frei-2027-03-10" not in page


# --- who may ---------------------------------------------------------------------------------------


def test_who_may_only_look_sees_no_way_to_change(client, call_type, clock, now):
    helper = staff(client, "view_booking")
    block = blocking.block(call_type.calendar, span=Interval(NINE, HALF_PAST_NINE), now=now)
    undo = reverse("admin:calendar_unblock", args=[block.pk])

    page = words(helper.get(WEEK, THIS_WEEK))

    assert "verschieben" not in page
    for way in (BLOCK, OPEN, undo, reverse("admin:booking_booking_add")):
        assert way not in page.partition('id="content-main"')[2]
    assert {helper.get(way).status_code for way in (BLOCK, OPEN, undo)} == {403}
    assert helper.post(undo).status_code == 403


def test_who_may_not_see_calls_sees_no_calendar(client, calendar, clock):
    helper = staff(client, "add_dateoverride")

    assert {helper.get(way).status_code for way in (WEEK, MONTH)} == {403}
