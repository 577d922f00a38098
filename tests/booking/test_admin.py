"""The coach's desk."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from booking import availability, scheduling
from booking.models import Booking, Notification
from tests.booking.conftest import ADA, BEN, HALF_PAST_NINE, hold, somebody

LIST = reverse("admin:booking_booking_changelist")


@pytest.fixture
def desk(client, db, clock):
    user = get_user_model().objects.create_superuser("coach")
    client.force_login(user)
    return client


def words(response) -> str:
    return " ".join(response.content.decode().split())


def test_the_list_shows_when_who_what_and_how_it_stands(desk, confirmed):
    html = words(desk.get(LIST))

    for text in (
        "Mi., 03.03.2027, 09:00–09:30 Uhr",
        ADA.name,
        "Kennenlerngespräch",
        ADA.topic,
        "offen",
    ):
        assert text in html


@pytest.mark.parametrize("word", ["Müller", "ada@", "reference"])
def test_people_are_found_by_name_address_and_reference(desk, call_type, confirmed, now, word):
    hold(call_type, guest=BEN, start=HALF_PAST_NINE, now=now)
    word = confirmed.reference if word == "reference" else word

    html = words(desk.get(LIST, {"q": word}))

    assert ADA.name in html
    assert BEN.name not in html


def test_the_list_can_be_filtered(desk, confirmed):
    assert ADA.name not in words(desk.get(LIST, {"status__exact": "cancelled"}))
    assert ADA.name in words(desk.get(LIST, {"status__exact": "confirmed"}))


@pytest.mark.parametrize(
    ("minutes", "shown"),
    [
        (-30, {"kommend", "heute"}),
        (15, {"kommend", "heute"}),
        (30, {"heute", "vergangen"}),
        (24 * 60, {"vergangen"}),
        (-24 * 60, {"kommend"}),
    ],
)
def test_the_list_knows_what_comes_what_is_today_and_what_was(
    desk, confirmed, clock, minutes, shown
):
    clock(confirmed.start + timedelta(minutes=minutes))

    found = {
        when
        for when in ("kommend", "heute", "vergangen")
        if ADA.name in words(desk.get(LIST, {"wann": when}))
    }

    assert found == shown


def test_the_list_begins_with_what_comes_next(desk, call_type, confirmed, now, clock):
    later = hold(call_type, guest=BEN, start=HALF_PAST_NINE, now=now)

    page = words(desk.get(LIST))
    assert page.index(ADA.name) < page.index(BEN.name)
    clock(later.start)

    assert ADA.name not in words(desk.get(LIST))
    assert ADA.name in words(desk.get(LIST, {"wann": "alle"}))
    assert ADA.name in words(desk.get(LIST, {"q": "Ada"}))


@pytest.mark.parametrize("status", ["held", "expired"])
def test_what_ran_out_is_shown_only_when_asked_for(desk, held, clock, status):
    assert ADA.name in words(desk.get(LIST))

    clock(held.held_until)
    Booking.objects.update(status=status)

    assert ADA.name not in words(desk.get(LIST))
    assert ADA.name in words(desk.get(LIST, {"status__exact": status}))


def test_an_empty_search_still_shows_what_comes(desk, confirmed, clock):
    clock(confirmed.end)

    assert ADA.name not in words(desk.get(LIST, {"q": ""}))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "offen"),
        ({"last_error": "451 später"}, "Fehler"),
        ({"sent_at": datetime(2027, 3, 1, tzinfo=UTC)}, "verschickt"),
    ],
)
def test_the_mails_are_told_in_a_word(desk, confirmed, changes, word):
    Notification.objects.update(**changes)

    page = words(desk.get(LIST))

    assert f'<td class="field-mails">{word}</td>' in page
    assert "451" not in page


def test_the_bookings_page_tells_why_a_mail_failed(desk, confirmed):
    Notification.objects.update(last_error="451 später")

    page = desk.get(reverse("admin:booking_booking_change", args=[confirmed.pk]))

    assert "451 später" in words(page)


def test_the_list_takes_as_many_queries_for_thirty_as_for_one(desk, call_type, now):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            desk.get(LIST)
        return len(captured)

    slots = availability.offered_slots(call_type, now=now)[:30]
    scheduling.confirm(hold(call_type, guest=somebody(), start=slots[0].start, now=now), now=now)
    few = queries()
    for slot in slots[1:]:
        scheduling.confirm(hold(call_type, guest=somebody(), start=slot.start, now=now), now=now)

    assert queries() == few


def test_what_rules_own_cannot_be_written(desk, confirmed):
    page = reverse("admin:booking_booking_change", args=[confirmed.pk])

    assert desk.get(page).status_code == 200
    assert desk.post(page, {"name": "Anders"}).status_code == 403
    assert (
        desk.post(reverse("admin:booking_booking_delete", args=[confirmed.pk])).status_code == 403
    )


def test_calling_off_asks_first(desk, confirmed):
    response = desk.post(LIST, {"action": "cancel", "_selected_action": [confirmed.pk]})

    confirmed.refresh_from_db()
    assert "Diesen Termin absagen?" in words(response)
    assert confirmed.is_confirmed


def test_the_coach_calls_off_with_a_word(desk, confirmed, mailbox, run_jobs):
    run_jobs()
    mailbox.clear()

    response = desk.post(
        LIST,
        {
            "action": "cancel",
            "_selected_action": [confirmed.pk],
            "yes": "ja",
            "note": "Ich bin krank.",
        },
        follow=True,
    )

    run_jobs()
    confirmed.refresh_from_db()
    assert "Abgesagt: 1." in words(response)
    assert (confirmed.cancelled_by, confirmed.cancellation_note) == ("coach", "Ich bin krank.")
    assert len(mailbox.to(ADA.email)) == 1


def test_what_was_never_booked_is_left_alone(desk, held):
    response = desk.post(
        LIST, {"action": "cancel", "_selected_action": [held.pk], "yes": "ja"}, follow=True
    )

    assert "Hier gibt es nichts abzusagen." in words(response)
    assert Booking.objects.get().status == "held"


def test_the_export_opens_in_a_spreadsheet_and_runs_nothing(desk, confirmed):
    Booking.objects.update(topic="=SUMME(A1)", name="Ada; Müller")

    response = desk.post(LIST, {"action": "export", "_selected_action": [confirmed.pk]})

    text = response.content.decode("utf-8-sig")
    assert response["Content-Disposition"] == 'attachment; filename="termine.csv"'
    assert text.splitlines()[0].startswith("Buchungsnummer;Datum;Uhrzeit")
    assert '"Ada; Müller"' in text
    assert "'=SUMME(A1)" in text


@pytest.mark.parametrize("name", ["calendar", "calltype"])
def test_hours_and_types_have_their_pages(desk, call_type, name):
    obj = call_type if name == "calltype" else call_type.calendar

    assert desk.get(reverse(f"admin:booking_{name}_changelist")).status_code == 200
    assert desk.get(reverse(f"admin:booking_{name}_add")).status_code == 200
    assert desk.get(reverse(f"admin:booking_{name}_change", args=[obj.pk])).status_code == 200


def test_a_booked_type_cannot_be_deleted(desk, confirmed):
    address = reverse("admin:booking_calltype_delete", args=[confirmed.call_type.pk])

    assert desk.post(address, {"post": "yes"}).status_code == 403
