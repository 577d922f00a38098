"""Calls that are asked for before they are booked."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse

from booking import availability, by_hand, cancellation, diagnosis, mail, scheduling
from booking.by_hand import Objections
from booking.errors import RequestOver, SlotTaken
from booking.models import Booking, CallType, Notification
from booking.slots import dates_span
from booking.tasks import free_expired_holds
from tests.booking.conftest import ADA, BEN, NINE, hold, new_type
from tests.booking.test_mail import calendar_parts, plain
from tests.booking.test_races import at_once, kinds
from tests.booking.test_views_booking import find, send, words

pytestmark = pytest.mark.usefixtures("clock")

HOUR = timedelta(hours=1)
ROOM = "https://video.example/raum"


@pytest.fixture
def call_type(calendar) -> CallType:
    return new_type(calendar, needs_approval=True, approval_hours=24)


@pytest.fixture
def asked(call_type, now) -> Booking:
    return ask(call_type, now=now)


@pytest.fixture
def desk(client, db):
    client.force_login(get_user_model().objects.create_superuser("coach"))
    return client


def ask(call_type, *, now, **changes) -> Booking:
    return scheduling.confirm(hold(call_type, now=now, **changes), now=now)


def booked_page(client, booking) -> str:
    return words(client.get(reverse("booking:booked", args=[mail.token(booking)])))


def answer_page(booking) -> str:
    return reverse("booking:request", args=[mail.request_token(booking)])


# --- asking ---


def test_only_free_calls_are_asked_for(calendar):
    with (
        pytest.raises(IntegrityError, match="call_type_only_free_ones_need_approval"),
        transaction.atomic(),
    ):
        new_type(calendar, needs_approval=True, price_cents=100)

    with pytest.raises(ValidationError, match="nur bei kostenlosen Gesprächen"):
        CallType(calendar=calendar, needs_approval=True, price_cents=100).validate_constraints()


def test_the_guests_yes_makes_a_request(asked, now):
    assert (asked.status, asked.confirmed_at) == ("requested", None)
    assert asked.requested_until == now + 24 * HOUR
    assert (asked.held_until, asked.network) == (None, "")


def test_a_request_never_waits_past_its_beginning(call_type, now):
    type(call_type).objects.update(approval_hours=500)

    booking = ask(CallType.objects.get(), now=now)

    assert booking.requested_until == booking.start


def test_pressing_twice_asks_once(asked, now):
    scheduling.confirm(asked, now=now + HOUR)

    assert Notification.objects.filter(kind="request").count() == 2


def test_a_request_keeps_its_time_until_its_last_second(call_type, asked):
    until = asked.requested_until

    with pytest.raises(SlotTaken):
        hold(call_type, guest=BEN, now=until - timedelta(seconds=1))
    assert hold(call_type, guest=BEN, now=until).start == NINE


def test_the_whole_way_without_a_script(client, call_type, mailbox, run_jobs, settings):
    assert "Dieses Gespräch fragst du an." in words(client.get("/termin/"))
    review = client.get(send(client).url)
    assert "Kostenlos anfragen" in words(review)
    assert "Kostenlos buchen" not in words(review)

    html = words(client.post(review.wsgi_request.path, follow=True))

    run_jobs()
    booking = Booking.objects.get()
    assert "Deine Anfrage ist da" in html
    assert "Ich antworte dir bis Dienstag" in html
    assert ROOM not in html
    (to_guest,) = mailbox.to(ADA.email)
    (to_coach,) = mailbox.to(settings.COACH_EMAIL)
    assert "deine Anfrage ist da" in plain(to_guest)
    assert (ROOM in plain(to_guest), calendar_parts(to_guest)) == (False, [])
    assert answer_page(booking) in plain(to_coach)
    assert answer_page(booking) not in plain(to_guest)


def test_a_request_is_in_no_calendar_yet(client, asked):
    address = reverse("booking:calendar_file", args=[mail.token(asked)])

    assert client.get(address).status_code == 404


# --- the answer ---


def test_accepting_books_and_tells_both(client, asked, mailbox, run_jobs, settings):
    run_jobs()
    mailbox.clear()

    html = words(client.post(answer_page(asked), {"accept": "ja"}, follow=True))

    run_jobs()
    asked.refresh_from_db()
    assert asked.status == "confirmed"
    assert "Angenommen." in html
    assert "Dein Termin ist gebucht" in booked_page(client, asked)
    (to_guest,) = mailbox.to(ADA.email)
    assert "dein Termin ist gebucht" in plain(to_guest)
    assert calendar_parts(to_guest)[0] == ("REQUEST", None)
    assert len(mailbox.to(settings.COACH_EMAIL)) == 1


def test_declining_frees_the_time_and_tells_the_guest_why(
    client, call_type, asked, now, mailbox, run_jobs
):
    run_jobs()
    mailbox.clear()

    html = words(client.post(answer_page(asked), {"decline": "ja", "note": "Urlaub."}, follow=True))

    run_jobs()
    asked.refresh_from_db()
    (to_guest,) = mailbox.to(ADA.email)
    assert (asked.status, asked.cancelled_by) == ("cancelled", "coach")
    assert "Abgelehnt." in html
    assert "Deine Anfrage ist abgelehnt" in booked_page(client, asked)
    assert "ich kann deine Anfrage leider nicht annehmen." in plain(to_guest)
    assert "Urlaub." in plain(to_guest)
    assert calendar_parts(to_guest) == []
    assert hold(call_type, guest=BEN, now=now).start == NINE


@pytest.mark.parametrize("method", ["get", "head"])
def test_opening_the_coachs_link_answers_nothing(client, asked, method):
    assert getattr(client, method)(answer_page(asked)).status_code == 200

    asked.refresh_from_db()
    assert asked.status == "requested"


def test_a_button_nobody_offered_answers_nothing(client, asked):
    client.post(answer_page(asked), {"x": "y"})

    asked.refresh_from_db()
    assert asked.status == "requested"


def test_the_guests_link_does_not_accept(client, asked):
    address = reverse("booking:request", args=[mail.token(asked)])

    assert client.post(address, {"accept": "ja"}).status_code == 404


def test_accepting_twice_is_once(asked, now):
    scheduling.accept(asked, now=now)
    scheduling.accept(asked, now=now + HOUR)

    assert Notification.objects.filter(kind="confirmation").count() == 2


@pytest.mark.parametrize("button", ["accept", "decline"])
def test_too_late_an_answer_changes_nothing(client, asked, clock, button):
    clock(asked.requested_until)

    response = client.post(answer_page(asked), {button: "ja"})

    asked.refresh_from_db()
    assert response.status_code == 409
    assert RequestOver.message in words(response)
    assert asked.status == "requested"


def test_the_guest_can_withdraw(client, asked, mailbox, run_jobs, settings):
    run_jobs()
    mailbox.clear()
    page = client.get(reverse("booking:cancel", args=[mail.token(asked)]))
    assert "Anfrage zurückziehen?" in words(page)

    html = words(client.post(page.wsgi_request.path, follow=True))

    run_jobs()
    assert "Deine Anfrage ist zurückgezogen" in html
    assert "hat die Anfrage zurückgezogen" in plain(mailbox.to(settings.COACH_EMAIL)[0])
    assert "deine Anfrage ist zurückgezogen" in plain(mailbox.to(ADA.email)[0])
    assert "hat die Anfrage zurückgezogen" in words(client.get(answer_page(asked)))


def test_a_window_for_calling_off_does_not_keep_a_request(call_type, now):
    type(call_type).objects.update(cancel_until_hours=500)
    booking = ask(CallType.objects.get(), now=now)

    assert cancellation.cancel_by_guest(booking, now=now).is_cancelled


# --- no answer ---


def test_a_request_nobody_answers_lapses_and_both_are_told_once(
    client, asked, clock, mailbox, run_jobs, settings
):
    run_jobs()
    mailbox.clear()
    clock(asked.requested_until)

    free_expired_holds(0)
    free_expired_holds(0)

    run_jobs()
    asked.refresh_from_db()
    assert asked.status == "expired"
    assert "ohne Antwort abgelaufen" in plain(mailbox.to(ADA.email)[0])
    assert len(mailbox.to(ADA.email)) == len(mailbox.to(settings.COACH_EMAIL)) == 1
    assert "Deine Anfrage ist ohne Antwort abgelaufen" in booked_page(client, asked)
    assert "ohne Antwort abgelaufen" in words(client.get(answer_page(asked)))


def test_a_job_that_comes_early_leaves_it_alone(asked):
    free_expired_holds(0)

    asked.refresh_from_db()
    assert asked.status == "requested"


def test_who_takes_the_time_ends_the_old_request(call_type, asked, run_jobs):
    hold(call_type, guest=BEN, now=asked.requested_until)

    asked.refresh_from_db()
    assert asked.is_lapsed
    assert Notification.objects.filter(booking=asked, kind="lapse").count() == 2


def test_what_lapsed_is_not_confirmed_again(asked, now):
    scheduling.free_expired_holds(now=asked.requested_until)

    with pytest.raises(RequestOver):
        scheduling.confirm(asked, now=asked.requested_until, again=True)
    with pytest.raises(RequestOver):
        scheduling.accept(asked, now=asked.requested_until)


def test_a_request_has_an_end(asked):
    with (
        pytest.raises(IntegrityError, match="booking_requested_until_a_time"),
        transaction.atomic(),
    ):
        Booking.objects.update(requested_until=None)


# --- the desk ---


def test_the_coach_reads_that_a_time_is_asked_for_and_until_when(call_type, asked, now):
    (finding,) = diagnosis.findings(call_type, start=NINE, now=now)
    plan = diagnosis.day_plan(call_type.calendar, NINE.date(), now=now)

    assert "Diese Zeit ist angefragt: 09:00–09:30" in finding.sentence
    assert "bis Di., 02.03.2027, 09:00" in finding.sentence
    assert not finding.can_be_overridden
    assert any(piece.what.startswith("angefragt, gehalten bis Di., 02.03.") for piece in plan)
    assert diagnosis.findings(call_type, start=NINE, now=asked.requested_until) == []


def test_a_request_stands_in_the_way_of_the_coach_too(call_type, asked, now):
    with pytest.raises(Objections):
        by_hand.book(
            call_type, start=NINE, guest=BEN, form_token=uuid.uuid4(), override="x", now=now
        )


@pytest.mark.parametrize(("button", "status"), [("accept", "confirmed"), ("decline", "cancelled")])
def test_the_desk_has_the_same_two_buttons(desk, asked, button, status):
    own = reverse("admin:booking_booking_change", args=[asked.pk])
    address = find(rf'href="({own[:-7]}anfrage/)"', desk.get(own))
    assert "Annehmen" in words(desk.get(address))

    desk.post(address, {button: "x"})

    asked.refresh_from_db()
    assert asked.status == status


def test_many_requests_are_accepted_from_the_list(desk, asked):
    desk.post(
        reverse("admin:booking_booking_changelist"),
        {"action": "accept", "_selected_action": [asked.pk]},
    )

    asked.refresh_from_db()
    assert asked.is_confirmed


def test_the_desk_does_not_answer_what_is_over(desk, asked, clock):
    clock(asked.requested_until)

    response = desk.post(
        reverse("admin:booking_booking_answer", args=[asked.pk]), {"accept": "x"}, follow=True
    )

    asked.refresh_from_db()
    assert RequestOver.message in words(response)
    assert asked.status == "requested"


def test_only_who_may_change_appointments_answers(client, asked):
    client.force_login(get_user_model().objects.create_user("blick", is_staff=True))

    address = reverse("admin:booking_booking_answer", args=[asked.pk])

    assert client.post(address, {"accept": "x"}).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_yes_and_withdrawal_at_once_end_in_one_state(asked, now):
    results = at_once(
        [
            lambda: scheduling.accept(asked, now=now),
            lambda: cancellation.cancel_by_guest(asked, now=now),
        ]
    )

    asked.refresh_from_db()
    assert asked.status == "cancelled"
    assert kinds(results) in ({"Booking": 2}, {"Booking": 1, "RequestOver": 1})


def test_the_days_of_a_request_show_it_taken(call_type, asked, now):
    span = dates_span(NINE.date(), NINE.date(), call_type.calendar.tz)
    starts = [slot.start for slot in availability.offered_slots(call_type, now=now, within=span)]

    assert NINE not in starts
