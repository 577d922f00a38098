"""Nobody can hold the whole calendar, and nobody is remembered for trying."""

import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from procrastinate.contrib.django import app

from booking import availability, mail, scheduling
from booking.errors import SlotTaken, TooManyHolds
from booking.models import Booking, Calendar
from booking.scheduling import HOLD_LIFE, HOLDS_PER_NETWORK, Guest
from booking.views.details import SENDS_A_NETWORK, SENDS_AN_ADDRESS
from coaching_site import spam
from tests.booking.conftest import ADA, BEN, HALF_PAST_NINE, NINE, hold, new_type, somebody
from tests.booking.test_views_booking import DETAILS, send, words

pytestmark = pytest.mark.usefixtures("clock")

VISITOR = "8.8.4.77"
NEIGHBOUR = "8.8.4.1"
STRANGER = "2001:4860:4860:1::5"
ADA_SHOUTING = Guest(name="Ada", email="ADA@example.org")


def free(call_type, now, count=1):
    return [slot.start for slot in availability.offered_slots(call_type, now=now)[:count]]


def send_from(client, visitor, address=DETAILS, **answers):
    client.defaults["REMOTE_ADDR"] = visitor
    return send(client, address, **{"email": somebody().email, **answers})


def fill_the_network(client, call_type, now):
    for start in free(call_type, now, HOLDS_PER_NETWORK):
        address = f"/termin/kennenlernen/zeit/{start:%Y%m%dT%H%M%SZ}/"
        assert send_from(client, VISITOR, address).status_code == 302


# --- one hold an address ---


@pytest.mark.parametrize("again", [ADA, ADA_SHOUTING])
def test_one_address_holds_one_time_and_the_newer_wins(call_type, held, now, again):
    newer = hold(call_type, guest=again, start=HALF_PAST_NINE, now=now)

    held.refresh_from_db()
    assert (held.status, newer.status) == ("expired", "held")
    assert hold(call_type, guest=BEN, now=now).start == NINE


def test_the_same_time_from_another_window_is_no_conflict_with_oneself(call_type, held, now):
    assert hold(call_type, now=now).is_held(now)


def test_a_refused_time_leaves_the_older_hold_alone(call_type, held, now):
    hold(call_type, guest=BEN, start=HALF_PAST_NINE, now=now)

    with pytest.raises(SlotTaken):
        hold(call_type, start=HALF_PAST_NINE, now=now)

    held.refresh_from_db()
    assert held.is_held(now)


def test_the_older_page_offers_to_confirm_again(client, call_type, held, now):
    review = f"/termin/pruefen/{mail.token(held)}/"
    hold(call_type, start=HALF_PAST_NINE, now=now)

    asked = client.post(review)
    client.post(review, {"erneut": "ja"})

    held.refresh_from_db()
    assert asked.status_code == 409
    assert "jetzt noch einmal bestätigen?" in words(asked)
    assert held.is_confirmed


def test_booked_calls_of_the_same_address_stay(call_type, confirmed, now):
    hold(call_type, start=HALF_PAST_NINE, now=now)

    confirmed.refresh_from_db()
    assert confirmed.is_confirmed


def test_one_hold_in_whichever_calendar(call_type, held, now):
    other = Calendar.objects.create(name="Zweiter")
    other.weekly_hours.set(
        [
            type(hours)(calendar=other, weekday=hours.weekday, start=hours.start, end=hours.end)
            for hours in call_type.calendar.weekly_hours.all()
        ],
        bulk=False,
    )

    hold(new_type(other, slug="zweiter"), now=now)

    held.refresh_from_db()
    assert held.status == "expired"


def test_the_database_knows_one_hold_an_address(call_type, held, now):
    with pytest.raises(IntegrityError, match="booking_one_hold_an_address"), transaction.atomic():
        Booking.objects.create(
            calendar=call_type.calendar,
            call_type=call_type,
            status="held",
            start=HALF_PAST_NINE,
            end=HALF_PAST_NINE + timedelta(minutes=30),
            held_until=now,
            created_at=now,
            name="Ada",
            email="ADA@example.org",
        )


# --- so many holds a network ---


def test_a_network_holds_five_times_at_once(client, call_type, now):
    fill_the_network(client, call_type, now)

    response = send_from(client, NEIGHBOUR, topic="Mein Anliegen")

    html = words(response)
    assert response.status_code == 429
    assert response["Retry-After"] == str(int(HOLD_LIFE.total_seconds()))
    assert "Aus deinem Netz werden gerade schon mehrere Zeiten freigehalten." in html
    assert "Mein Anliegen" in html
    assert 'value="Ada Müller"' in html
    assert Booking.objects.count() == HOLDS_PER_NETWORK


def test_another_network_may_still_hold(client, call_type, now):
    fill_the_network(client, call_type, now)

    assert send_from(client, STRANGER).status_code == 302


@pytest.mark.parametrize("way", ["booked", "ran out"])
def test_there_is_room_again_when_a_hold_ends(client, call_type, now, clock, way):
    fill_the_network(client, call_type, now)
    assert send_from(client, VISITOR).status_code == 429

    if way == "booked":
        scheduling.confirm(Booking.objects.earliest("start"), now=now)
    else:
        clock(now + HOLD_LIFE)

    assert send_from(client, VISITOR).status_code == 302


def test_whoever_holds_five_may_still_change_one_of_them(call_type, now):
    forms = [uuid.uuid4() for _ in range(HOLDS_PER_NETWORK)]
    guests = [somebody() for _ in forms]
    starts = free(call_type, now, HOLDS_PER_NETWORK + 1)
    for form, guest, start in zip(forms, guests, starts, strict=False):
        hold(call_type, guest=guest, start=start, form_token=form, network="n", now=now)

    with pytest.raises(TooManyHolds):
        hold(call_type, guest=somebody(), start=starts[-1], network="n", now=now)
    moved = hold(
        call_type, guest=guests[0], start=starts[-1], form_token=forms[0], network="n", now=now
    )

    assert moved.start == starts[-1]


def test_whoever_holds_five_may_start_over(call_type, now):
    guests = [somebody() for _ in range(HOLDS_PER_NETWORK)]
    starts = free(call_type, now, HOLDS_PER_NETWORK + 1)
    for guest, start in zip(guests, starts, strict=False):
        hold(call_type, guest=guest, start=start, network="n", now=now)

    assert hold(call_type, guest=guests[0], start=starts[-1], network="n", now=now).is_held(now)


def test_no_address_of_a_visitor_is_stored(client, call_type):
    send_from(client, VISITOR)

    row = str(Booking.objects.values().get())
    assert "8.8.4" not in row
    assert len(Booking.objects.get().network) == 64


@pytest.mark.parametrize(
    "ending",
    [
        lambda booking, now: scheduling.confirm(booking, now=now),
        lambda booking, now: scheduling.release(booking, now=now),
        lambda booking, now: hold(booking.call_type, start=HALF_PAST_NINE, now=now),
        lambda booking, now: hold(booking.call_type, guest=BEN, now=now + HOLD_LIFE),
        lambda booking, now: scheduling.free_expired_holds(now=now + HOLD_LIFE),
    ],
    ids=["confirmed", "released", "newer hold", "taken over", "tidied"],
)
def test_where_a_hold_came_from_is_forgotten_as_it_ends(call_type, now, ending):
    booking = hold(call_type, network="n", now=now)

    ending(booking, now)

    booking.refresh_from_db()
    assert (booking.status != "held", booking.network) == (True, "")


def test_the_database_forgets_networks_too(confirmed):
    with (
        pytest.raises(IntegrityError, match="booking_network_only_while_held"),
        transaction.atomic(),
    ):
        Booking.objects.update(network="n")


def test_the_job_ends_holds_whose_guests_did_not_come_back(call_type, now, clock):
    booking = hold(call_type, network="n", now=now)
    app.tasks["booking.free_expired_holds"](timestamp=0)
    booking.refresh_from_db()
    assert booking.status == "held"

    clock(now + HOLD_LIFE)
    app.tasks["booking.free_expired_holds"](timestamp=0)

    booking.refresh_from_db()
    assert booking.status == "expired"


def test_calendars_where_nothing_ran_out_cost_the_job_nothing(
    call_type, now, django_assert_num_queries
):
    Calendar.objects.bulk_create(Calendar(name=f"Kalender {number}") for number in range(20))
    hold(call_type, now=now)

    with django_assert_num_queries(1):
        assert scheduling.free_expired_holds(now=now) == 0
    # The question, a transaction in one calendar, its lock, its requests and its holds.
    with django_assert_num_queries(6):
        assert scheduling.free_expired_holds(now=now + HOLD_LIFE) == 1


# --- so many tries an hour ---


def test_an_address_may_send_ten_times_an_hour(client, call_type, clock, now):
    for _ in range(SENDS_AN_ADDRESS):
        assert send(client).status_code == 302
    clock(now + timedelta(minutes=20))

    response = send(client, email=ADA.email.upper())

    assert response.status_code == 429
    assert response["Retry-After"] == "2400"
    assert "Das waren zu viele Versuche in kurzer Zeit." in words(response)
    assert "Mein Team" in words(response)
    assert send_from(client, STRANGER, email=BEN.email).status_code in (302, 409)
    clock(now + timedelta(hours=1))
    assert send(client).status_code == 302


def test_a_network_may_send_thirty_times_an_hour(client, call_type):
    for number in range(SENDS_A_NETWORK):
        # Each of them wants the same time, so that most are refused: they count all the same.
        assert send_from(client, VISITOR).status_code == (409 if number else 302)

    assert send_from(client, NEIGHBOUR).status_code == 429
    assert send_from(client, STRANGER).status_code == 409


def test_visitors_behind_an_unknown_proxy_are_not_locked_out_together(client, call_type):
    answers = {send_from(client, "172.17.0.1").status_code for _ in range(SENDS_A_NETWORK + 1)}

    assert answers == {302, 409}


# --- robots ---


@pytest.mark.parametrize(
    "sign",
    [
        {"website": "https://x.example"},
        {"stamp": ""},
        {"stamp": "gefälscht"},
    ],
)
def test_a_robots_form_holds_nothing_and_reads_one_friendly_sentence(client, call_type, sign):
    response = send(client, **sign)

    html = words(response)
    assert response.status_code == 422
    assert html.partition("<main")[2].count(spam.SEND_AGAIN) == 1
    assert "Mein Team" in html
    assert "x.example" not in html
    assert Booking.objects.count() == 0


def test_nobody_fills_the_form_in_within_two_seconds(client, call_type, now):
    response = send(client, stamp=spam.stamp(now - timedelta(seconds=1)))

    assert response.status_code == 422
    assert Booking.objects.count() == 0


def test_the_trap_is_out_of_everybodys_way(client, call_type):
    html = words(client.get(DETAILS))

    assert '<div class="visually-hidden" aria-hidden="true">' in html
    assert 'name="website" autocomplete="off" tabindex="-1"' in html
