"""Who did not come, and who may be asked afterwards."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from booking import attendance, cancellation, scheduling
from booking.errors import NotBegun, SlotTaken
from booking.forms import FOLLOWUP_CONSENT
from booking.models import Booking, CallType
from coaching_site import spam
from tests.booking.conftest import ADA, hold, somebody

pytestmark = pytest.mark.usefixtures("clock")

LIST = reverse("admin:booking_booking_changelist")
DETAILS = "/termin/kennenlernen/zeit/20270303T080000Z/"
SECOND = timedelta(seconds=1)


@pytest.fixture
def desk(client, db):
    client.force_login(get_user_model().objects.create_superuser("coach"))
    return client


def words(response) -> str:
    return " ".join(response.content.decode().split())


def missed(booking: Booking) -> bool:
    booking.refresh_from_db()
    return booking.no_show_at is not None


def send(client, **typed):
    made = spam.stamp(timezone.now() - timedelta(minutes=1))
    details = {"name": ADA.name, "email": ADA.email, "form_token": uuid.uuid4(), "stamp": made}
    return client.post(DETAILS, {**details, **typed})


# --- who did not come -------------------------------------------------------------------------


def test_nobody_is_missing_before_it_began(confirmed):
    with pytest.raises(NotBegun):
        attendance.mark_no_show(confirmed, now=confirmed.start - SECOND)

    assert not missed(confirmed)


def test_the_first_note_stays_and_can_be_taken_back(confirmed):
    attendance.mark_no_show(confirmed, now=confirmed.start)
    attendance.mark_no_show(confirmed, now=confirmed.end)
    confirmed.refresh_from_db()
    assert confirmed.no_show_at == confirmed.start

    attendance.take_no_show_back(confirmed)
    assert not missed(confirmed)


def test_who_called_off_is_not_missing(confirmed, now):
    cancelled = cancellation.cancel_by_guest(confirmed, now=now)

    with pytest.raises(NotBegun):
        attendance.mark_no_show(cancelled, now=confirmed.end)


def test_nobody_has_missed_the_new_time_of_a_moved_call(confirmed):
    attendance.mark_no_show(confirmed, now=confirmed.end)

    moved = scheduling.move(
        confirmed,
        start=confirmed.start + timedelta(days=7),
        by=Booking.Side.COACH,
        now=confirmed.end,
    )

    assert moved.no_show_at is None


def test_the_slot_stays_taken(confirmed, call_type, now):
    attendance.mark_no_show(confirmed, now=confirmed.start)

    with pytest.raises(SlotTaken):
        hold(call_type, guest=somebody(), now=now)


def test_the_coach_notes_it_on_the_bookings_page_and_takes_it_back(desk, confirmed, clock):
    page = reverse("admin:booking_booking_change", args=[confirmed.pk])
    button = reverse("admin:booking_booking_no_show", args=[confirmed.pk])
    assert button not in words(desk.get(page))

    clock(confirmed.start)
    assert button in words(desk.get(page))
    assert desk.get(button).status_code == 405
    assert "nicht erschienen." in words(desk.post(button, {"missed": "ja"}, follow=True))
    assert missed(confirmed)
    assert "Doch erschienen" in words(desk.get(page))
    desk.post(button)
    assert not missed(confirmed)


def test_a_button_pressed_too_early_says_why_not(desk, confirmed):
    button = reverse("admin:booking_booking_no_show", args=[confirmed.pk])

    response = desk.post(button, {"missed": "ja"}, follow=True)

    assert NotBegun.message in words(response)
    assert not missed(confirmed)


def test_several_are_noted_in_the_list_and_found_again(desk, confirmed, clock):
    clock(confirmed.end)
    past = f"{LIST}?wann=vergangen"
    assert ADA.name not in words(desk.get(f"{past}&erschienen=nein"))

    desk.post(past, {"action": "mark_no_show", "_selected_action": [confirmed.pk]})
    assert missed(confirmed)
    assert ADA.name in words(desk.get(f"{past}&erschienen=nein"))

    desk.post(past, {"action": "take_no_show_back", "_selected_action": [confirmed.pk]})
    assert not missed(confirmed)


def test_who_may_only_look_notes_nothing(client, confirmed, clock):
    clock(confirmed.end)
    helper = get_user_model().objects.create_user("helper", is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="view_booking"))
    client.force_login(helper)
    button = reverse("admin:booking_booking_no_show", args=[confirmed.pk])

    page = words(client.get(reverse("admin:booking_booking_change", args=[confirmed.pk])))

    assert button not in page
    assert client.post(button, {"missed": "ja"}).status_code == 403
    assert not missed(confirmed)


# --- who may be asked -------------------------------------------------------------------------


@pytest.fixture
def asking(call_type: CallType) -> CallType:
    call_type.follow_up_hours = 2
    call_type.save()
    return call_type


def test_the_box_is_there_unticked_and_may_stay_so(client, asking):
    html = words(client.get(DETAILS))
    assert FOLLOWUP_CONSENT in html
    box = html[html.index('name="followup"') :].split(">")[0]
    assert "checked" not in box
    assert "required" not in box

    assert send(client).status_code == 302
    booking = Booking.objects.get()
    assert (booking.followup_consent_text, booking.followup_consent_at) == ("", None)


def test_who_is_never_asked_afterwards_is_not_asked_for_consent(client, call_type):
    assert "followup" not in words(client.get(DETAILS))

    send(client, followup="on")

    assert Booking.objects.get().followup_consent_at is None


def test_consent_is_kept_with_its_words_and_its_time(client, desk, asking, now):
    send(client, followup="on")

    booking = Booking.objects.get()
    assert (booking.followup_consent_text, booking.followup_consent_at) == (FOLLOWUP_CONSENT, now)
    page = words(desk.get(reverse("admin:booking_booking_change", args=[booking.pk])))
    assert FOLLOWUP_CONSENT in page


def test_consent_can_be_taken_back_before_booking(client, asking):
    token = uuid.uuid4()
    review = send(client, form_token=token, followup="on")
    held = review.url.rstrip("/").rpartition("/")[2]
    html = words(client.get(DETAILS, {"gehalten": held}))
    assert "checked" in html[html.index('name="followup"') :].split(">")[0], "their own choice"

    send(client, form_token=token)

    assert Booking.objects.get().followup_consent_at is None


def test_times_are_set_by_the_coach_and_nonsense_is_refused_in_german(desk, call_type):
    page = reverse("admin:booking_calltype_change", args=[call_type.pk])
    html = words(desk.get(page))
    assert "So viele Minuten vor Beginn bekommt der Gast eine Mail" in html

    call_type.first_reminder = call_type.second_reminder = 60
    with pytest.raises(Exception, match="Die zweite Erinnerung liegt näher am Beginn"):
        call_type.full_clean()
