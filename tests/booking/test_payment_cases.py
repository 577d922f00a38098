"""Paying, case by case, with the numbers of the requirements: 150,00 EUR, held 35, payable 31 minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from django.urls import reverse

from booking import cancellation, checkout, deposits, mail, stripe_gateway
from booking.models import Alarm, Booking, Deposit, Notification, Refund, StripeEvent
from tests.booking.conftest import ADA, NINE, hold
from tests.stripe_sandbox import SUBSCRIBED

pytestmark = pytest.mark.usefixtures("clock")

WEBHOOK = "/stripe/webhook/"
# The night before it the clocks go forward: 48 hours are counted in hours, not on the wall.
AFTER_THE_CHANGE = datetime(2027, 3, 29, 8, 0, tzinfo=UTC)
FREE_UNTIL = datetime(2027, 3, 27, 8, 0, tzinfo=UTC)


@pytest.fixture
def paid_at_stripe(session, stripe):
    """The guest has paid, and nobody here has heard of it."""
    return stripe.pay(session["id"])


def state(booking: Booking) -> tuple[str, int, int, int]:
    """How a booking stands: its status, what was paid, payments that count, confirmations owed."""
    booking.refresh_from_db()
    confirmations = Notification.objects.filter(kind="confirmation", audience="guest").count()
    return booking.status, booking.paid_cents, Deposit.objects.paid().count(), confirmations


BOOKED_ONCE = ("confirmed", 15000, 1, 1)


def test_paid_in_time_is_one_mail_with_one_invitation(
    booking, paid_at_stripe, stripe, mailbox, run_jobs
):
    stripe.deliver_pending()
    run_jobs()

    [message] = mailbox.to(ADA.email)
    invitations = [part for part in message.walk() if part.get_filename() == "termin.ics"]
    assert state(booking) == BOOKED_ONCE
    assert len(invitations) == 1
    assert "SEQUENCE:0" in invitations[0].get_payload(decode=True).decode()


def test_an_event_heard_three_times_acts_once_and_is_answered_each_time(
    booking, paid_at_stripe, stripe
):
    event = stripe.event("checkout.session.completed")

    answers = [stripe.deliver(event).status for _ in range(3)]

    assert answers == [200, 200, 200]
    assert state(booking) == BOOKED_ONCE
    assert StripeEvent.objects.count() == 1


@pytest.mark.parametrize("order", [*permutations(["session", "intent", "charge"])])
def test_however_many_events_tell_of_a_payment_it_is_one(booking, paid_at_stripe, stripe, order):
    kinds = {
        "session": "checkout.session.completed",
        "intent": "payment_intent.succeeded",
        "charge": "charge.succeeded",
    }

    answers = [stripe.deliver(stripe.event(kinds[each])).status for each in order]

    assert answers == [200, 200, 200]
    assert state(booking) == BOOKED_ONCE


@pytest.mark.parametrize(
    "old_news", ["checkout.session.expired", "checkout.session.async_payment_failed"]
)
def test_old_news_does_not_undo_a_booking(booking, paid_at_stripe, stripe, old_news):
    stripe.deliver_pending()
    told = {**stripe.event("checkout.session.completed"), "id": "evt_old", "type": old_news}

    answer = stripe.deliver(told)

    assert answer.status == 200
    assert state(booking) == BOOKED_ONCE


def test_who_is_called_off_stays_so_and_the_money_goes_back_once(
    booking, paid_at_stripe, stripe, now
):
    Booking.objects.update(
        status="cancelled", cancelled_at=now, cancelled_by="guest", held_until=None
    )

    for _ in range(2):
        stripe.deliver_pending()
        checkout.reconcile(now=now)

    assert state(booking)[0] == "cancelled"
    assert [(each["amount"], each["status"]) for each in stripe.refunds] == [(15000, "succeeded")]
    assert Alarm.objects.get().kind == Alarm.Kind.LATE


def test_what_is_not_stripe_changes_nothing(client, booking, paid_at_stripe, stripe, settings):
    event = stripe.event("checkout.session.completed")

    assert stripe.deliver(event, secrets=["whsec_other"]).status == 400
    assert stripe.deliver(event, header="").status == 400
    assert stripe.deliver(event, age=301).status == 400
    assert client.get(WEBHOOK).status_code == 405
    settings.STRIPE_WEBHOOK_SECRETS = []
    assert stripe.deliver(event).status == 500

    settings.STRIPE_WEBHOOK_SECRETS = [stripe.webhook_secret]
    assert state(booking) == ("held", 0, 0, 0)


def test_what_is_not_ours_is_answered_and_left_alone(booking, paid_at_stripe, stripe):
    event = stripe.event("checkout.session.completed")
    thing = event["data"]["object"]
    others = {"object": {**thing, "id": "cs_test_other", "metadata": {}}}

    unknown_kind = stripe.deliver({**event, "id": "evt_1", "type": "customer.created"})
    unknown_session = stripe.deliver({**event, "id": "evt_2", "data": others})

    assert (unknown_kind.status, unknown_session.status) == (200, 200)
    assert state(booking) == ("held", 0, 0, 0)


def test_live_news_is_not_for_a_test_site(booking, paid_at_stripe, stripe):
    event = {**stripe.event("checkout.session.completed"), "livemode": True}

    assert stripe.deliver(event).status == 200
    assert state(booking) == ("held", 0, 0, 0)


def test_who_comes_back_before_any_webhook_has_an_appointment(client, booking, paid_at_stripe):
    answer = client.get(reverse("booking:paid", args=[mail.token(booking)]))

    assert answer.url == reverse("booking:booked", args=[mail.token(booking)])
    assert state(booking) == BOOKED_ONCE


def test_a_forged_return_pays_nothing_and_the_hold_runs_on(client, booking, session, now):
    address = reverse("booking:paid", args=[mail.token(booking)])

    answer = client.get(address, {"sitzung": session["id"]})

    assert answer.status_code == 200
    assert state(booking) == ("held", 0, 0, 0)
    assert booking.held_until == now + timedelta(minutes=35)


# --- giving back ----------------------------------------------------------------------------------


@pytest.fixture
def after_the_change(paid_type, stripe, now) -> Booking:
    """Paid: Monday, 29 March 2027, 10:00 in Berlin."""
    paid_type.horizon_days = 60
    paid_type.save()
    booking = hold(paid_type, now=now, start=AFTER_THE_CHANGE)
    checkout.begin(booking, now=now)
    stripe.pay(stripe.sessions[0]["id"])
    return checkout.look(booking, now=now)


@pytest.mark.parametrize(
    ("late", "by", "back", "kept"),
    [
        (timedelta(0), cancellation.cancel_by_guest, 15000, 0),
        (timedelta(seconds=1), cancellation.cancel_by_guest, 10250, 4750),
        (timedelta(0), cancellation.cancel_by_coach, 15000, 0),
        (timedelta(hours=48, seconds=-1), cancellation.cancel_by_coach, 15000, 0),
    ],
)
def test_what_goes_back_is_decided_to_the_second(
    after_the_change, stripe, late, by, back, kept, now
):
    by(after_the_change, now=FREE_UNTIL + late)
    by(after_the_change, now=FREE_UNTIL + late)
    checkout.reconcile(now=now)

    deposit = Deposit.objects.get()
    assert (deposit.refunded_cents, deposit.kept_cents) == (back, kept)
    assert [each["amount"] for each in stripe.refunds] == [back]


def test_nothing_goes_back_where_the_terms_keep_all(after_the_change, stripe, now):
    Booking.objects.update(cancel_keep_cents=0, cancel_keep_percent=100)
    after_the_change.refresh_from_db()

    cancellation.cancel_by_guest(after_the_change, now=FREE_UNTIL + timedelta(seconds=1))
    checkout.reconcile(now=now)

    assert Deposit.objects.get().kept_cents == 15000
    assert stripe.refunds == []


def test_a_moved_call_is_called_off_by_its_new_time(after_the_change, stripe, now):
    Booking.objects.update(start=NINE, end=NINE + timedelta(minutes=60))
    after_the_change.refresh_from_db()

    cancellation.cancel_by_guest(after_the_change, now=NINE - timedelta(hours=47))

    assert Deposit.objects.get().kept_cents == 4750


def test_the_job_that_sends_a_refund_calls_stripe_once_however_often_it_runs(booked, stripe, now):
    cancellation.cancel_by_coach(booked, now=now)

    for _ in range(3):
        deposits.send(Refund.objects.get(), now=now)

    asked = [each for each in stripe.requests if (each.method, each.path) == SENDS_MONEY]
    assert len(asked) == 1


SENDS_MONEY = ("POST", "/v1/refunds")


def test_the_site_hears_every_event_it_subscribes_to(booked, stripe):
    assert set(stripe_gateway.EVENTS) == set(SUBSCRIBED)
