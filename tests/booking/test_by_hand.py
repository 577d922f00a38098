"""Appointments the coach enters."""

import uuid
from collections import Counter
from datetime import timedelta

import pytest

from booking import by_hand, cancellation, diagnosis
from booking.by_hand import Objections
from booking.errors import SlotTaken
from booking.models import Booking
from tests.booking.conftest import ADA, BEN, HALF_PAST_NINE, NINE, hold, new_type, somebody
from tests.booking.test_races import at_once, kinds

AFTERNOON = NINE + timedelta(hours=6)


def enter(call_type, *, now, **changes):
    values = {"start": NINE, "guest": ADA, "form_token": uuid.uuid4(), **changes}
    return by_hand.book(call_type, now=now, **values)


def objections(call_type, *, now, **changes):
    with pytest.raises(Objections) as refused:
        enter(call_type, now=now, **changes)
    return refused.value


def test_a_free_time_is_booked_at_once(call_type, now):
    booking = enter(call_type, now=now)

    booking.refresh_from_db()
    assert (booking.status, booking.made_by, booking.overridden) == ("confirmed", "coach", "")
    assert (booking.start, booking.duration) == (NINE, timedelta(minutes=30))
    assert (booking.name, booking.visitor_zone) == (ADA.name, "Europe/Berlin")


def test_the_guest_is_told_and_the_coach_knows_already(call_type, now, mailbox, run_jobs, settings):
    enter(call_type, now=now)

    run_jobs()
    assert len(mailbox.to(ADA.email)) == 1
    assert len(mailbox.messages) == 1


def test_the_coach_may_tell_the_guest_in_person(call_type, now, mailbox, run_jobs):
    enter(call_type, now=now, tell_guest=False)

    assert (run_jobs(), mailbox.messages) == ([], [])


def test_nobody_is_invited_to_what_is_over(call_type, now):
    start = NINE - timedelta(days=7)
    text = objections(call_type, start=start, now=now).text

    booking = enter(call_type, start=start, override=text, now=now)

    assert booking.overridden == "Diese Zeit ist schon vorbei."
    assert not booking.notifications.exists()


def test_a_rule_that_speaks_against_it_is_named_and_nothing_is_stored(call_type, now):
    refused = objections(call_type, start=AFTERNOON, now=now)

    assert refused.can_be_overridden
    assert "außerhalb der Sprechzeiten" in refused.text
    assert not Booking.objects.exists()


def test_what_the_coach_puts_aside_is_recorded(call_type, now):
    text = objections(call_type, start=AFTERNOON, now=now).text

    booking = enter(call_type, start=AFTERNOON, override=text, now=now)

    booking.refresh_from_db()
    assert booking.overridden == text


def test_nobody_puts_aside_what_they_have_not_seen(calendar, now):
    call_type = new_type(calendar, buffer_after=15)
    start = HALF_PAST_NINE + timedelta(minutes=10)
    read = objections(call_type, start=start, now=now).text
    hold(call_type, guest=BEN, now=now)

    again = objections(call_type, start=start, override=read, now=now)

    assert read in again.text
    assert "fehlt die Pause" in again.text


@pytest.mark.parametrize("taken", ["held", "confirmed"])
def test_two_at_the_same_time_are_never_put_aside(call_type, now, taken, request):
    request.getfixturevalue(taken)
    refused = objections(call_type, now=now)

    assert not refused.can_be_overridden
    assert not objections(call_type, override=refused.text, now=now).can_be_overridden
    assert Booking.objects.count() == 1


def test_the_database_has_the_last_word(call_type, confirmed, now, monkeypatch):
    monkeypatch.setattr(diagnosis, "findings", lambda *args, **kwargs: [])

    with pytest.raises(SlotTaken):
        enter(call_type, now=now)

    assert Booking.objects.get() == confirmed


def test_a_hold_that_ran_out_makes_room(call_type, held, now):
    later = held.held_until + timedelta(seconds=1)

    assert enter(call_type, guest=BEN, now=later).is_confirmed

    held.refresh_from_db()
    assert held.status == "expired"


def test_a_form_sent_twice_is_one_booking(call_type, now, run_jobs):
    token = uuid.uuid4()

    first = enter(call_type, form_token=token, now=now)
    second = enter(call_type, form_token=token, now=now + timedelta(seconds=1))

    assert first == second
    assert run_jobs() == ["booking.send_notification"]


@pytest.mark.django_db(transaction=True)
def test_coach_and_guests_at_once_get_one_appointment(call_type, now):
    token = uuid.uuid4()

    results = at_once(
        [lambda: enter(call_type, form_token=token, now=now)] * 3
        + [lambda: hold(call_type, guest=somebody(), now=now)] * 3
    )

    assert Booking.objects.count() == 1
    assert kinds(results) in (
        Counter({"Booking": 3, "SlotTaken": 3}),
        Counter({"Booking": 1, "SlotTaken": 2, "Objections": 3}),
    )


def test_a_type_nobody_else_can_book_may_be_entered(calendar, now):
    call_type = new_type(calendar, is_active=False, price_cents=15000)
    text = objections(call_type, now=now).text

    assert enter(call_type, override=text, now=now).is_confirmed


def test_both_sides_hear_of_its_cancellation(call_type, now, mailbox, run_jobs, settings):
    booking = enter(call_type, now=now)

    cancellation.cancel_by_guest(booking, now=now)

    run_jobs()
    assert {len(mailbox.to(ADA.email)), len(mailbox.to(settings.COACH_EMAIL))} == {1}


def test_what_guests_book_is_made_by_the_guest(confirmed):
    assert (confirmed.made_by, confirmed.overridden) == ("guest", "")
