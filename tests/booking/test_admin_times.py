"""The coach's own pages: entering by hand, asking why, calling off from the booking's page."""

import re
from datetime import UTC, datetime
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from booking import scheduling
from booking.models import Booking
from tests.booking.conftest import ADA, BEN, hold, new_type
from tests.booking.test_admin import LIST, desk, words

__all__ = ["desk"]

ADD = reverse("admin:booking_booking_add")
WHY = reverse("admin:booking_booking_why")
WEDNESDAY = {"day": "2027-03-03", "time": "09:00"}
GUEST = {"name": "Ada Müller", "email": "Ada@EXAMPLE.org", "tell_guest": "on"}
AUTUMN = {"day": "2027-10-31", "time": "02:30"}
SPRING = {"day": "2027-03-28", "time": "02:30"}


def post(desk, call_type, **changes):
    """Send the form as the page shows it, with these fields filled in."""
    (token,) = re.findall(r'name="form_token" value="([^"]+)"', words(desk.get(ADD)))
    data = {"call_type": call_type.pk, "form_token": token, **WEDNESDAY, **GUEST, **changes}
    return desk.post(ADD, data, follow=True)


def offered_override(response) -> str:
    """What the box would send, to the letter."""
    box = re.search(r'name="override"\s+id="id_override"\s+value="([^"]+)"', html(response))
    return unescape(box[1]) if box else ""


def html(response) -> str:
    return str(response.content.decode())


def with_only(client, permission):
    user = get_user_model().objects.create_user("hilfe", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=permission))
    client.force_login(user)
    return client


def test_a_call_agreed_on_the_phone_is_entered(desk, call_type):
    response = post(desk, call_type, topic="Mein Team", company="Rechenwerk")

    booking = Booking.objects.get()
    page = words(response)
    assert response.redirect_chain[-1][0] == reverse(
        "admin:booking_booking_change", args=[booking.pk]
    )
    assert "Eingetragen: Ada Müller, Mi., 03.03.2027, 09:00–09:30 Uhr." in page
    assert "Die Bestätigung geht an den Gast." in page
    assert (booking.email, booking.topic, booking.made_by) == (
        "Ada@example.org",
        "Mein Team",
        "coach",
    )


def test_without_the_tick_no_mail_is_promised(desk, call_type):
    response = post(desk, call_type, tell_guest="")

    assert "Es geht keine Bestätigung an den Gast." in words(response)
    assert not Booking.objects.get().notifications.exists()


def test_sent_twice_it_is_one_booking(desk, call_type):
    token = "0b0b8c0e-4f5f-4f07-9f0e-8f3c4b7f2a11"

    pages = [post(desk, call_type, form_token=token) for _ in range(2)]

    assert Booking.objects.count() == 1
    assert pages[0].redirect_chain == pages[1].redirect_chain


def test_rules_are_named_and_the_box_is_not_ticked(desk, call_type):
    response = post(desk, call_type, time="15:10")

    page = words(response)
    assert "außerhalb der Sprechzeiten" in page
    assert "Trotzdem eintragen" in page
    assert not re.search(r'id="id_override"[^>]*checked', page)
    assert 'value="Ada Müller"' in page
    assert not Booking.objects.exists()


def test_the_box_overrides_what_it_listed_and_the_booking_shows_it(desk, call_type):
    override = offered_override(post(desk, call_type, time="15:10"))

    page = html(post(desk, call_type, time="15:10", override=override))

    assert Booking.objects.get().overridden == override
    assert override in page
    assert "Coach" in page


def test_a_tick_for_one_time_does_not_count_for_another(desk, call_type):
    override = offered_override(post(desk, call_type, time="15:10"))

    page = words(post(desk, call_type, day="2027-03-06", override=override))

    assert "Am Sa., 06.03.2027 sind keine Sprechzeiten." in page
    assert not Booking.objects.exists()


def test_two_at_the_same_time_offer_no_box(desk, call_type, confirmed):
    page = words(post(desk, call_type, name="Ben", email=BEN.email))

    assert "Zwei Termine zur selben Zeit gehen nicht." in page
    assert reverse("admin:booking_booking_change", args=[confirmed.pk]) in page
    assert "Trotzdem eintragen" not in page


def test_what_only_the_database_noticed_is_said_in_a_sentence(
    desk, call_type, confirmed, monkeypatch
):
    monkeypatch.setattr("booking.diagnosis.findings", lambda *args, **kwargs: [])

    page = words(post(desk, call_type))

    assert "Dieser Termin wurde gerade vergeben." in page
    assert Booking.objects.count() == 1


def test_a_time_spring_skips_is_refused_in_a_sentence(desk, call_type):
    page = words(post(desk, call_type, **SPRING))

    assert "02:30 Uhr gibt es an diesem Tag nicht" in page
    assert not Booking.objects.exists()


@pytest.mark.parametrize(("showing", "hour"), [("1", 0), ("2", 1)])
def test_a_time_autumn_shows_twice_is_asked_for(desk, call_type, showing, hour):
    page = words(post(desk, call_type, **AUTUMN))
    assert "zeigt diese Zeit zweimal" in page
    assert "02:30 Uhr, Berliner Zeit (MESZ)" in page
    assert "02:30 Uhr, Berliner Zeit (MEZ)" in page

    override = offered_override(post(desk, call_type, **AUTUMN, showing=showing))
    post(desk, call_type, **AUTUMN, showing=showing, override=override)

    assert Booking.objects.get().start == datetime(2027, 10, 31, hour, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "Gib einen Namen ein."),
        ({"name": "—"}, "Gib einen Namen ein."),
        ({"email": "ada"}, "Gib eine E-Mail-Adresse wie name@firma.de ein."),
        ({"day": ""}, "Wähle einen Tag."),
        ({"day": "morgen"}, "Schreib den Tag wie 24.11.2026."),
        ({"day": "9999-12-31"}, "Wähle einen Tag zwischen 2000 und 2999."),
        ({"time": "25:00"}, "Schreib die Uhrzeit wie 14:30."),
        ({"form_token": "kaputt", "time": ""}, "Gib eine Uhrzeit ein."),
    ],
)
def test_what_is_missing_is_asked_for(desk, call_type, changes, sentence):
    response = post(desk, call_type, **changes)

    assert response.status_code == 200
    assert sentence in words(response)
    assert not Booking.objects.exists()


def test_entering_needs_its_permission(client, db):
    helper = with_only(client, "view_booking")

    assert helper.get(ADD).status_code == 403
    assert ADD not in words(helper.get(LIST))


def test_the_pages_are_found_from_where_one_looks(desk, call_type):
    index = words(desk.get(reverse("admin:index")))
    types = words(desk.get(reverse("admin:booking_calltype_changelist")))
    one = words(desk.get(reverse("admin:booking_calltype_change", args=[call_type.pk])))
    bookings = words(desk.get(LIST))

    assert all(WHY in page for page in (index, types, one, bookings))
    assert all(ADD in page for page in (index, bookings))


def test_a_free_time_is_said_to_be_free_with_two_ways_on(desk, call_type):
    page = words(desk.get(WHY, {"call_type": call_type.pk, **WEDNESDAY}))

    assert "Diese Zeit ist frei." in page
    assert "Mittwoch, 3. März 2027, 09:00 Uhr, Berliner Zeit (MEZ)" in page.replace("\xa0", " ")
    assert "/termin/kennenlernen/zeit/20270303T080000Z/" in page
    assert f"{ADD}?call_type={call_type.pk}&amp;day=2027-03-03&amp;time=09%3A00" in page


def test_a_hidden_type_leads_to_its_secret_page(desk, calendar):
    call_type = new_type(calendar, is_hidden=True)

    page = words(desk.get(WHY, {"call_type": call_type.pk, **WEDNESDAY}))

    assert f"/termin/privat/{call_type.secret}/zeit/20270303T080000Z/" in page


def test_the_way_to_the_form_takes_the_time_along(desk, call_type):
    page = words(desk.get(ADD, {"call_type": call_type.pk, **WEDNESDAY}))

    assert 'value="2027-03-03"' in page
    assert 'value="09:00"' in page


def test_a_taken_time_leads_to_who_has_it(desk, call_type, confirmed):
    page = words(desk.get(WHY, {"call_type": call_type.pk, **WEDNESDAY}))

    assert "Zu dieser Zeit ist schon ein Termin" in page
    assert f"{ADA.name}, Mi., 03.03.2027, 09:00–09:30 Uhr" in page
    assert reverse("admin:booking_booking_change", args=[confirmed.pk]) in page
    assert "Von Hand eintragen" not in page
    assert "<td>gebucht</td>" in page


def test_a_day_without_anything_says_so(desk, call_type):
    asked = {"call_type": call_type.pk, "day": "2027-03-06", "time": "09:00"}

    assert "nichts offen und nichts eingetragen" in words(desk.get(WHY, asked))


def test_asking_changes_nothing_and_starts_with_empty_fields(desk, call_type):
    page = words(desk.get(WHY, {"call_type": call_type.pk}))

    assert f'value="{call_type.pk}" selected' in page
    assert "errornote" not in page


@pytest.mark.parametrize("asked", [SPRING, AUTUMN, {"day": "", "time": ""}])
def test_a_question_about_no_time_is_asked_back(desk, call_type, asked):
    page = words(desk.get(WHY, {"call_type": call_type.pk, **asked}))

    assert "markierten Felder" in page
    assert "wie der Kalender den Tag sieht" not in page


def test_the_second_showing_of_a_doubled_hour_is_passed_on(desk, calendar):
    call_type = new_type(calendar, horizon_days=730)
    page = words(desk.get(WHY, {"call_type": call_type.pk, **AUTUMN, "showing": "2"}))

    assert "Berliner Zeit (MEZ)" in page
    assert "showing=2" in page


def test_asking_needs_its_permission(client, db):
    assert with_only(client, "view_calltype").get(WHY).status_code == 403


def test_a_booking_is_called_off_from_its_own_page(desk, confirmed):
    page = reverse("admin:booking_booking_change", args=[confirmed.pk])
    button = reverse("admin:booking_booking_cancel", args=[confirmed.pk])
    assert button in words(desk.get(page))

    assert "Diesen Termin absagen?" in words(desk.get(button))
    assert Booking.objects.get().is_confirmed
    response = desk.post(button, {"yes": "Absagen", "note": "Ich bin krank."}, follow=True)

    booking = Booking.objects.get()
    assert (booking.cancelled_by, booking.cancellation_note) == ("coach", "Ich bin krank.")
    assert response.redirect_chain == [(page, 302)]
    assert button not in words(response)


def test_what_is_not_booked_cannot_be_called_off_from_its_page(desk, held):
    response = desk.post(
        reverse("admin:booking_booking_cancel", args=[held.pk]), {"yes": "Absagen"}, follow=True
    )

    assert "Hier gibt es nichts abzusagen." in words(response)
    assert Booking.objects.get().status == "held"


def test_calling_off_needs_its_permission(client, confirmed):
    helper = with_only(client, "view_booking")
    button = reverse("admin:booking_booking_cancel", args=[confirmed.pk])

    assert helper.post(button, {"yes": "Absagen"}).status_code == 403
    assert button not in words(
        helper.get(reverse("admin:booking_booking_change", args=[confirmed.pk]))
    )


def test_a_booking_can_follow_a_booking_called_off(desk, call_type, confirmed, now):
    desk.post(reverse("admin:booking_booking_cancel", args=[confirmed.pk]), {"yes": "Absagen"})

    assert scheduling.confirm(hold(call_type, guest=BEN, now=now), now=now).is_confirmed
