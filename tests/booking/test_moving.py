"""Another time for an appointment: the row stays, everything else follows."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.urls import reverse

from booking import by_hand, cancellation, mail, scheduling
from booking.by_hand import Objections
from booking.errors import NotMovable, SlotRefused, SlotTaken, TooLateToCancel, TooLateToMove
from booking.models import Booking, Notification
from booking.tasks import send_notification
from tests.booking.conftest import ADA, BEN, HALF_PAST_NINE, NINE, hold, new_type, somebody
from tests.booking.test_ics import lines
from tests.booking.test_mail import calendar_parts, plain
from tests.booking.test_views_booking import find, words
from tests.mail_server import attachments

pytestmark = pytest.mark.usefixtures("clock")

TEN = NINE + timedelta(hours=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
GUEST, COACH = Booking.Side.GUEST, Booking.Side.COACH


def move(booking, *, now, start=TEN, by=GUEST):
    return scheduling.move(booking, start=start, by=by, now=now)


def path(booking, start=TEN) -> str:
    return f"/termin/verschieben/{mail.token(booking)}/zeit/{start:%Y%m%dT%H%M%SZ}/"


# --- the rule ---


def test_a_moved_appointment_is_still_the_same(confirmed, now):
    moved = move(confirmed, now=now)

    assert (moved.start, moved.end) == (TEN, TEN + timedelta(minutes=30))
    assert (moved.moved_from, moved.moved_by, moved.moved_at) == (NINE, "guest", now)
    assert (moved.pk, moved.uid, moved.reference) == (
        confirmed.pk,
        confirmed.uid,
        confirmed.reference,
    )
    assert (moved.status, moved.sequence) == ("confirmed", 1)


def test_it_does_not_stand_in_its_own_way(calendar, now):
    long = new_type(calendar, length=60, step=30)
    booking = scheduling.confirm(hold(long, now=now), now=now)

    assert move(booking, start=HALF_PAST_NINE, now=now).start == HALF_PAST_NINE


def test_the_old_time_is_free_for_others(call_type, confirmed, now):
    move(confirmed, now=now)

    assert hold(call_type, guest=BEN, now=now).start == NINE


def test_limits_count_it_once(calendar, now):
    call_type = new_type(calendar, max_per_day=1, max_per_week=1)
    booking = scheduling.confirm(hold(call_type, now=now), now=now)

    assert move(booking, now=now).start == TEN


@pytest.mark.parametrize(
    "start", [NINE + timedelta(minutes=10), NINE + 6 * HOUR, NINE - timedelta(days=2, minutes=-60)]
)
def test_the_rules_are_those_of_a_new_booking(confirmed, now, start):
    with pytest.raises(SlotRefused):
        move(confirmed, start=start, now=now)

    confirmed.refresh_from_db()
    assert (confirmed.start, confirmed.sequence) == (NINE, 0)


def test_a_taken_time_is_refused(call_type, confirmed, now):
    hold(call_type, guest=BEN, start=TEN, now=now)

    with pytest.raises(SlotTaken):
        move(confirmed, now=now)


def test_a_hold_that_ran_out_makes_room(call_type, confirmed, now):
    other = hold(call_type, guest=BEN, start=TEN, now=now)

    assert move(confirmed, now=other.held_until).start == TEN


def test_pressing_twice_moves_once(confirmed, now):
    move(confirmed, now=now)

    assert move(confirmed, now=now + SECOND).sequence == 1
    assert Notification.objects.filter(kind="moved").count() == 2


@pytest.mark.parametrize("end", ["cancel", "hold", "inactive"])
def test_only_an_appointment_on_offer_can_be_moved(call_type, confirmed, now, end):
    if end == "cancel":
        cancellation.cancel_by_guest(confirmed, now=now)
    elif end == "hold":
        confirmed = hold(call_type, guest=BEN, start=HALF_PAST_NINE, now=now)
    else:
        type(call_type).objects.update(is_active=False)

    with pytest.raises(NotMovable):
        move(Booking.objects.with_its_type().get(pk=confirmed.pk), now=now)


# --- until when ---


@pytest.fixture
def windowed(calendar, now) -> Booking:
    """Can be moved until 24 hours and called off until 48 hours before."""
    call_type = new_type(calendar, notice=0, move_until_hours=24, cancel_until_hours=47)
    return scheduling.confirm(hold(call_type, now=now), now=now)


def test_the_window_counts_to_its_last_second(windowed):
    with pytest.raises(TooLateToMove, match="Verschieben ging online bis"):
        move(windowed, now=windowed.start - 24 * HOUR + SECOND)
    with pytest.raises(TooLateToCancel):
        cancellation.cancel_by_guest(windowed, now=windowed.start - 47 * HOUR + SECOND)

    assert move(windowed, now=windowed.start - 24 * HOUR).start == TEN
    assert cancellation.cancel_by_guest(windowed, now=windowed.start - 47 * HOUR).is_cancelled


def test_what_was_promised_when_booking_stays_promised(windowed, now):
    type(windowed.call_type).objects.update(move_until_hours=500)

    assert move(windowed, now=now).start == TEN


@pytest.mark.parametrize("late", [timedelta(0), HOUR])
def test_what_has_begun_is_not_moved_by_the_guest(confirmed, late):
    with pytest.raises(TooLateToMove, match="hat schon begonnen"):
        move(confirmed, start=TEN + timedelta(days=7), now=confirmed.start + late)


@pytest.mark.parametrize("late", [-HOUR, HOUR])
def test_the_coach_is_never_too_late(windowed, late):
    assert by_hand.move(windowed, start=TEN + timedelta(days=7), now=windowed.start + late).moved_by
    assert cancellation.cancel_by_coach(windowed, now=windowed.start + late).is_cancelled


@pytest.mark.parametrize(
    ("move_until", "cancel_until", "sentence"),
    [
        (0, 0, "Verschieben oder absagen kannst du bis zum Beginn."),
        (24, 24, "Verschieben oder absagen kannst du bis 24 Stunden vorher."),
        (1, 48, "Verschieben kannst du bis eine Stunde vorher, absagen bis 48 Stunden vorher."),
    ],
)
def test_guests_read_until_when_before_they_book(
    client, calendar, now, move_until, cancel_until, sentence
):
    call_type = new_type(calendar, move_until_hours=move_until, cancel_until_hours=cancel_until)
    held = hold(call_type, now=now)

    review = words(client.get(reverse("booking:review", args=[mail.token(held)])))
    scheduling.confirm(held, now=now)
    for html in (
        words(client.get("/termin/")),
        review,
        words(client.get(reverse("booking:booked", args=[mail.token(held)]))),
    ):
        assert sentence in html.replace("\u00a0", " ")


# --- the pages ---


def test_the_whole_way_without_a_script(client, confirmed, mailbox, run_jobs):
    booked = client.get(reverse("booking:booked", args=[mail.token(confirmed)]))
    days = client.get(find(r'href="([^"]+)">Termin verschieben', booked))
    times = client.get(find(r'href="(/termin/verschieben/[^"]+/2027-03-03/)"', days))
    review_page = client.get(find(r'href="(/termin/verschieben/[^"]+T090000Z/)"', times))
    run_jobs()
    mailbox.clear()

    done = client.post(review_page.wsgi_request.path, follow=True)

    run_jobs()
    html = words(review_page)
    assert "Schritt 3 von 3" in html
    assert re.search(r"Bisher.*3.\sMärz 2027, 09:00.*Neu.*3.\sMärz 2027, 10:00", html)
    assert "10:00–10:30" in words(done)
    assert "vorher: Mittwoch" in words(done)
    assert len(mailbox.to(ADA.email)) == 1


def test_the_way_to_another_time_leaves_out_the_time_it_has(client, confirmed):
    html = words(client.get(f"/termin/verschieben/{mail.token(confirmed)}/2027-03-03/"))

    assert "T080000Z" not in html
    assert "T083000Z" in html
    assert "Er bleibt, bis du die neue Zeit bestätigst." in html
    assert "Schritt 2 von 3" in html


@pytest.mark.parametrize("method", ["get", "head"])
def test_opening_links_moves_nothing(client, confirmed, method):
    for address in (reverse("booking:move", args=[mail.token(confirmed)]), path(confirmed)):
        assert getattr(client, method)(address).status_code == 200

    confirmed.refresh_from_db()
    assert (confirmed.start, confirmed.sequence) == (NINE, 0)


def test_a_lost_race_shows_the_next_free_times(client, call_type, confirmed, now):
    hold(call_type, guest=BEN, start=TEN, now=now)

    response = client.post(path(confirmed))

    html = words(response)
    assert response.status_code == 409
    assert "Dieser Termin wurde gerade vergeben." in html
    assert "bleibt, wie er ist" in html
    assert html.count(f"/termin/verschieben/{mail.token(confirmed)}/zeit/") == 3


def test_an_old_link_leads_to_the_current_time(client, confirmed, now):
    token = mail.token(confirmed)
    move(confirmed, now=now)

    assert "10:00–10:30" in words(client.get(f"/termin/gebucht/{token}/"))
    assert client.get(path(confirmed)).url == f"/termin/gebucht/{token}/"


def test_after_a_cancellation_the_link_leads_to_the_appointments_page(client, confirmed, now):
    cancellation.cancel_by_guest(confirmed, now=now)

    response = client.post(path(confirmed))

    assert response.url == f"/termin/gebucht/{mail.token(confirmed)}/"


def test_too_late_is_said_with_a_way_to_write(client, windowed, clock):
    clock(windowed.start - HOUR)

    booked = words(client.get(reverse("booking:booked", args=[mail.token(windowed)])))
    page = client.get(reverse("booking:move", args=[mail.token(windowed)]))
    sent = client.post(path(windowed))
    cancel = words(client.get(reverse("booking:cancel", args=[mail.token(windowed)])))

    assert "Termin verschieben" not in booked
    assert "Danach schreib mir bitte eine" in booked
    assert "Verschieben ging online bis" in words(page)
    assert (page.status_code, sent.status_code) == (200, 409)
    assert "Absagen ging online bis" in cancel
    assert "<form" not in cancel


@pytest.mark.parametrize("token", ["x", "ABCDEFGH.forged"])
def test_a_forged_link_moves_nothing(client, confirmed, token):
    for rest in ("", "2027-03-03/", "zeit/20270303T090000Z/"):
        assert client.get(f"/termin/verschieben/{token}/{rest}").status_code == 404


def test_a_guest_abroad_keeps_their_clock(client, call_type, now):
    booking = scheduling.confirm(hold(call_type, visitor_zone="America/New_York", now=now), now=now)
    address = reverse("booking:move", args=[mail.token(booking)])

    assert "Ortszeit New York" in words(client.get(address))
    berlin = words(client.get(f"{address}?tz=Europe/Berlin"))
    assert "Alle Zeiten in Berliner Zeit" in berlin
    assert "/2027-03-03/?tz=Europe/Berlin" in berlin


# --- the mails ---


def test_both_sides_read_old_and_new_time(confirmed, now, mailbox, run_jobs, settings):
    run_jobs()
    mailbox.clear()
    move(confirmed, now=now)

    run_jobs()
    for address in (ADA.email, settings.COACH_EMAIL):
        (message,) = mailbox.to(address)
        assert "Verschoben: " in message["Subject"]
        assert "Vorher: Mittwoch, 3. März 2027, 09:00 Uhr" in plain(message)
        assert "Wann: Mittwoch, 3. März 2027, 10:00 Uhr" in plain(message)
        assert "\n\n\n" not in plain(message)


def test_calendars_change_their_entry_each_time_and_drop_it_at_last(confirmed, now):
    files = [lines(mail.calendar_file(confirmed))]
    for start in (TEN, HALF_PAST_NINE):
        files.append(lines(mail.calendar_file(move(confirmed, start=start, now=now))))
    files.append(lines(mail.calendar_file(cancellation.cancel_by_guest(confirmed, now=now))))

    uid = f"UID:{confirmed.uid}"
    for number, file in enumerate(files):
        assert {uid, f"SEQUENCE:{number}"} <= set(file)
    assert ["METHOD:REQUEST" in file for file in files] == [True, True, True, False]
    assert "DTSTART:20270303T090000Z" in files[1]


def test_the_changed_invitation_travels_with_the_mail(confirmed, now, mailbox):
    mail.moved_to_guest(move(confirmed, now=now))

    (message,) = mailbox.messages
    assert calendar_parts(message) == [("REQUEST", None), ("REQUEST", "termin.ics")]
    assert "SEQUENCE:1" in str(attachments(message)["termin.ics"])


def test_there_and_back_again_is_told_each_time(confirmed, now, mailbox, run_jobs):
    for start in (TEN, NINE, TEN, NINE):
        run_jobs()
        move(confirmed, start=start, now=now)
    run_jobs()

    to_guest = mailbox.to(ADA.email)
    assert [m["Subject"].partition(":")[0] for m in to_guest].count("Verschoben") == 4
    assert len({message["Message-ID"] for message in to_guest}) == 5


def test_only_the_newest_move_is_told(confirmed, now, mailbox, run_jobs):
    run_jobs()
    mailbox.clear()
    for start in (TEN, HALF_PAST_NINE, TEN):
        move(confirmed, start=start, now=now)

    run_jobs()

    (message,) = mailbox.to(ADA.email)
    assert "Vorher: Mittwoch, 3. März 2027, 09:30 Uhr" in plain(message)


def test_a_mail_is_owed_once_for_each_version(confirmed, now):
    move(confirmed, now=now)
    owed = Notification.objects.filter(kind="moved", audience="guest").get()
    owed.pk = None

    with pytest.raises(IntegrityError, match="notification_once"), transaction.atomic():
        owed.save(force_insert=True)


def test_the_confirmation_of_a_moved_call_is_not_sent_any_more(confirmed, now, mailbox):
    owed = Notification.objects.get(kind="confirmation", audience="guest")
    move(confirmed, now=now)

    send_notification(owed.pk)

    assert mailbox.messages == []


def test_a_move_knows_when_who_and_from_where(confirmed, now):
    with (
        pytest.raises(IntegrityError, match="booking_moved_at_a_time_by_someone_from_somewhere"),
        transaction.atomic(),
    ):
        Booking.objects.update(moved_at=now)


# --- the coach ---


@pytest.fixture
def desk(client, db):
    client.force_login(get_user_model().objects.create_superuser("coach"))
    return client


def test_what_speaks_against_it_is_put_aside_knowingly(confirmed, now):
    evening = NINE + 10 * HOUR
    with pytest.raises(Objections) as refused:
        by_hand.move(confirmed, start=evening, now=now)

    moved = by_hand.move(confirmed, start=evening, override=refused.value.text, now=now)

    assert (moved.start, moved.moved_by) == (evening, "coach")
    assert "außerhalb der Sprechzeiten" in moved.overridden
    assert move(moved, now=now).overridden == ""


def test_two_at_the_same_time_are_never_put_aside(call_type, confirmed, now):
    hold(call_type, guest=BEN, start=TEN, now=now)

    with pytest.raises(Objections) as refused:
        by_hand.move(confirmed, start=TEN, override="alles", now=now)

    assert not refused.value.can_be_overridden


def test_its_own_time_is_no_objection(calendar, now):
    long = new_type(calendar, length=60, step=30, max_per_day=1)
    booking = scheduling.confirm(hold(long, now=now), now=now)

    assert by_hand.move(booking, start=HALF_PAST_NINE, now=now).overridden == ""


def test_nobody_is_told_of_what_is_over(confirmed, now):
    past = NINE - timedelta(days=7)
    with pytest.raises(Objections) as refused:
        by_hand.move(confirmed, start=past, now=now)

    by_hand.move(confirmed, start=past, override=refused.value.text, now=now)

    assert not Notification.objects.filter(kind="moved").exists()


def test_the_desk_moves_by_day_and_time(desk, confirmed, now):
    own = reverse("admin:booking_booking_change", args=[confirmed.pk])
    address = reverse("admin:booking_booking_move", args=[confirmed.pk])
    assert address in words(desk.get(own))
    assert 'value="2027-03-03"' in words(desk.get(address))

    refused = words(desk.post(address, {"day": "2027-03-03", "time": "19:00"}))
    done = desk.post(address, {"day": "2027-03-03", "time": "10:00"}, follow=True)

    confirmed.refresh_from_db()
    assert "Noch nicht verschoben: Es spricht etwas dagegen." in refused
    assert "Trotzdem verschieben" in refused
    assert "Verschoben: Ada Müller" in words(done)
    assert confirmed.start == TEN


def test_what_is_called_off_is_not_moved_at_the_desk(desk, confirmed, now):
    cancellation.cancel_by_coach(confirmed, now=now)
    address = reverse("admin:booking_booking_move", args=[confirmed.pk])

    html = words(desk.post(address, {"day": "2027-03-03", "time": "10:00"}))

    assert NotMovable.message in html


def test_only_who_may_change_appointments_moves_them(client, confirmed):
    user = get_user_model().objects.create_user("blick", is_staff=True)
    client.force_login(user)

    assert client.get(reverse("admin:booking_booking_move", args=[confirmed.pk])).status_code == 403


def test_a_stranger_gets_no_way_to_move(client, call_type, confirmed, now):
    other = scheduling.confirm(
        hold(call_type, guest=somebody(), start=HALF_PAST_NINE, now=now), now=now
    )

    client.post(path(other))

    confirmed.refresh_from_db()
    assert confirmed.start == NINE
