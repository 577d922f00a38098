"""Day and time: the public half of the way."""

import pytest
from django.urls import reverse

from booking import availability, mail
from booking.models import CallType, DateOverride
from coaching_site import inlined
from tests.booking.conftest import BEN, NINE, hold, new_type, somebody

pytestmark = pytest.mark.usefixtures("clock")


def page(client, address, status=200):
    response = client.get(address)
    assert response.status_code == status
    return " ".join(response.content.decode().split())


def test_the_first_page_shows_ten_days_with_their_free_times(client, call_type):
    html = page(client, "/termin/")

    assert "Dienstag, 2. März" in html
    assert "6 freie Zeiten" in html
    assert html.count('class="count"') == 10
    assert "Alle Zeiten in Berliner Zeit (MEZ)" in html


def test_later_days_follow_where_the_page_ends(client, call_type):
    html = page(client, "/termin/kennenlernen/?ab=2027-03-16")

    assert "Dienstag, 16. März" in html
    assert "Montag, 15. März" not in html
    assert 'href="/termin/kennenlernen/?ab=2027-03-16"' in page(client, "/termin/")


def test_months_are_links_to_their_first_free_day(client, call_type):
    assert '<a href="/termin/kennenlernen/?ab=2027-04-01">April 2027</a>' in page(
        client, "/termin/"
    )


@pytest.mark.parametrize("since", ["gestern", "2027-13-77", "", "0001-01-01"])
def test_an_odd_starting_day_is_ignored(client, call_type, since):
    assert "Dienstag, 2. März" in page(client, f"/termin/?ab={since}")


def test_nothing_after_the_horizon_is_said_in_a_sentence(client, call_type):
    assert "Ab diesem Tag ist nichts mehr frei." in page(client, "/termin/?ab=9999-12-31")


@pytest.mark.parametrize("bookings", [1, 30])
def test_the_month_takes_two_queries_and_the_practice(
    client, call_type, now, bookings, django_assert_num_queries
):
    for slot in availability.offered_slots(call_type, now=now)[:bookings]:
        hold(call_type, guest=somebody(), now=now, start=slot.start)

    with django_assert_num_queries(3):
        client.get("/termin/")


def test_public_pages_set_no_cookie(client, call_type):
    for address in ("/termin/", "/termin/kennenlernen/", "/termin/kennenlernen/2027-03-03/"):
        assert client.get(address).cookies == {}


def test_a_calendar_without_a_free_time_says_so(client, call_type):
    DateOverride.objects.create(
        calendar=call_type.calendar, first_day="2027-01-01", last_day="2028-01-01"
    )

    assert "Gerade ist kein Termin frei." in page(client, "/termin/")


def test_a_site_without_types_of_call_says_so(client, db):
    assert "Gerade ist kein Termin frei." in page(client, "/termin/")


def test_what_costs_money_is_shown_but_led_to_a_mail(client, calendar, call_type):
    new_type(calendar, title="Sparring", slug="sparring", price_cents=29000)

    html = page(client, "/termin/sparring/")

    assert "290,00 €" in html
    assert "noch nicht buchen. Schreib mir eine E-Mail" in html
    assert 'href="/termin/sparring/"' in page(client, "/termin/")


def test_a_withdrawn_type_is_not_there(client, call_type):
    CallType.objects.update(is_active=False)

    page(client, "/termin/kennenlernen/", status=404)


def test_the_room_of_a_video_call_is_not_public(client, call_type):
    for address in ("/termin/", "/termin/kennenlernen/zeit/20270303T080000Z/"):
        assert "video.example" not in page(client, address)


def test_a_day_shows_its_times_by_halves(client, calendar, call_type):
    DateOverride.objects.create(
        calendar=calendar, first_day="2027-03-03", last_day="2027-03-03", start="11:30", end="12:30"
    )

    html = page(client, "/termin/kennenlernen/2027-03-03/")

    assert html.index("Vormittag") < html.index("11:30 Uhr") < html.index("Nachmittag")
    assert 'href="/termin/kennenlernen/zeit/20270303T110000Z/"' in html
    assert "Schritt 2 von 4" in html


def test_a_day_without_times_names_the_next_one(client, call_type):
    html = page(client, "/termin/kennenlernen/2027-03-06/")

    assert "An diesem Tag ist nichts mehr frei. Nächster freier Tag:" in html
    assert "Montag, 8. März 2027" in html


@pytest.mark.parametrize("day", ["2027-02-30", "2027-3-3", "heute", "9999-12-31", "1999-01-01"])
def test_a_day_that_does_not_exist_is_not_there(client, call_type, day):
    assert client.get(f"/termin/kennenlernen/{day}/").status_code == 404


def test_a_visitor_in_new_york_sees_their_own_clock_and_takes_it_along(client, call_type):
    html = page(client, "/termin/kennenlernen/2027-03-03/?tz=America/New_York")

    assert "Ortszeit New York (UTC−5)" in html
    assert "03:00 Uhr" in html
    assert "zeit/20270303T080000Z/?tz=America/New_York" in html


def test_a_day_is_the_visitors_own_day(client, calendar, call_type):
    DateOverride.objects.create(
        calendar=calendar, first_day="2027-03-03", last_day="2027-03-03", start="22:00", end="23:00"
    )

    assert "08:00 Uhr" in page(client, "/termin/kennenlernen/2027-03-04/?tz=Australia/Sydney")


@pytest.mark.parametrize(
    "zone", ["Mond/Krater", "../../etc/passwd", "", "Europe", "%00", "%ED%A0%80"]
)
def test_an_unknown_zone_is_answered_with_berlin_and_a_sentence(client, call_type, zone):
    html = page(client, f"/termin/?tz={zone}")

    assert "Diese Zeitzone kenne ich nicht." in html
    assert "Alle Zeiten in Berliner Zeit" in html


def test_ones_own_hold_stays_choosable(client, call_type, now):
    booking = hold(call_type, now=now, guest=BEN)
    address = reverse("booking:times", args=["kennenlernen", NINE.date()])

    assert "09:00 Uhr" not in page(client, address)
    assert "09:00 Uhr" in page(client, f"{address}?gehalten={mail.token(booking)}")


@pytest.mark.parametrize("address", ["/termin/", "/termin/kennenlernen/2027-03-03/"])
def test_choosing_is_for_reading_only(client, call_type, address):
    assert client.post(address).status_code == 405


def test_the_next_free_time_is_a_direct_link(client, call_type, now):
    hold(
        call_type, guest=BEN, start=availability.offered_slots(call_type, now=now)[0].start, now=now
    )

    html = page(client, "/termin/?tz=Asia/Kathmandu")

    link = '<a href="/termin/kennenlernen/zeit/20270302T083000Z/?tz=Asia/Kathmandu">'
    assert f"Nächste freie Zeit: {link}Dienstag, 2. März, 14:15 Uhr</a>" in html
    assert "Nächste freie Zeit" not in page(client, "/termin/?ab=2027-03-16")


def test_the_landing_page_leads_straight_to_the_next_free_time(client, call_type):
    link = '<a href="/termin/kennenlernen/zeit/20270302T080000Z/">'

    assert f"{link}Dienstag, 2. März, 09:00 Uhr</a>, Berliner Zeit (MEZ)." in page(client, "/")


@pytest.mark.parametrize(
    ("step", "way_back"),
    [
        ("", None),
        ("2027-03-03/", '<a href="/termin/kennenlernen/">Anderen Tag wählen</a>'),
        ("zeit/20270303T080000Z/", ">Andere Uhrzeit wählen</a>"),
    ],
)
def test_each_step_says_what_the_call_is_and_has_a_way_back(client, call_type, step, way_back):
    html = page(client, f"/termin/kennenlernen/{step}")

    for fact in ("30 Minuten", "kostenlos", "Videogespräch", "absagen kannst du bis zum Beginn"):
        assert fact in html.replace("\u00a0", " ")
    assert way_back is None or way_back in html


def test_a_full_calendar_has_no_next_time(client, calendar, call_type):
    calendar.weekly_hours.all().delete()

    assert "Nächste freie Zeit" not in page(client, "/termin/")


def test_the_hint_about_zones_is_hidden_until_a_script_finds_it_useful(client, call_type):
    html = page(client, "/termin/")

    assert '<a href="?" hidden>Zeiten für' in html
    assert (
        '<p class="zone-hint" data-zone="Europe/Berlin" data-moment="2027-03-02T09:00:00+01:00">'
        in html
    )
    assert f'<script type="module">{" ".join(inlined.ZONE.split())} </script>' in html
