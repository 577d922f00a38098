"""What has been kept long enough goes, on the day it may and not before."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from booking import checkout, forgetting, invoicing, scheduling
from booking.models import Booking, Deposit, Invoice, Notification
from coaching_site import jobs, periods
from coaching_site.desk import retention
from coaching_site.periods import Period, months_later
from tests.booking import papers
from tests.booking.conftest import BEN, HALF_PAST_NINE, hold

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

# --- the table --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "period", periods.ALL, ids=lambda period: period.enforced_by or period.what
)
def test_every_period_says_how_long_in_one_way_and_who_sees_to_it(period: Period):
    assert sum(map(bool, (period.hours, period.days, period.months, period.years))) == 1
    if period.enforced_by:
        assert callable(retention.rule_of(period))
    else:
        assert period is periods.LOGS  # the operator's, docs/datenschutz.md


def test_the_rules_run_every_night():
    periodic = {task.task.name for task in app.periodic_registry.periodic_tasks.values()}

    assert "desk.retention" in periodic


def test_a_year_ends_at_midnight_in_berlin():
    before = datetime(2030, 12, 31, 22, 59, tzinfo=UTC)

    assert periods.BOOKINGS.first_kept(before) == datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert periods.BOOKINGS.first_kept(before + MINUTE) == datetime(2027, 12, 31, 23, tzinfo=UTC)


def test_half_a_year_ends_on_the_same_day_of_the_month_or_its_last():
    assert months_later(date(2027, 8, 31), 6) == date(2028, 2, 29)
    assert months_later(date(2027, 3, 31), -1) == date(2027, 2, 28)
    assert months_later(date(2027, 1, 15), -1) == date(2026, 12, 15)
    # Summer there, winter here: midnight in Berlin in both.
    now = datetime(2027, 12, 1, 12, tzinfo=UTC)
    assert periods.FREE_TEXT.first_kept(now) == datetime(2027, 5, 31, 22, tzinfo=UTC)


def paid_by_hand(booking: Booking, now: datetime) -> Deposit:
    """150 euros that came in, without a Stripe to ask."""
    Booking.objects.filter(pk=booking.pk).update(
        price_cents=15000, deposit_cents=15000, paid_cents=15000
    )
    return Deposit.objects.create(
        booking=booking,
        status="paid",
        amount_cents=15000,
        livemode=True,
        session_id="cs_1",
        payment_intent="pi_1",
        created_at=now,
        expires_at=now,
        paid_at=now,
        paid_cents=15000,
    )


# --- guests -----------------------------------------------------------------------------------


def test_a_guest_is_forgotten_when_the_third_new_year_after_the_call_begins_in_berlin(confirmed):
    midnight = datetime(2030, 12, 31, 23, tzinfo=UTC)

    assert forgetting.make_old_nameless(now=midnight - MINUTE) == 0
    assert forgetting.make_old_nameless(now=midnight) == 1
    assert forgetting.make_old_nameless(now=midnight) == 0

    confirmed.refresh_from_db()
    guest = (confirmed.name, confirmed.email, confirmed.company, confirmed.topic)
    assert guest == ("gelöscht", "", "", "")
    assert confirmed.is_confirmed
    assert not Notification.objects.unsent().filter(booking=confirmed).exists()


def test_what_a_guest_wrote_goes_half_a_year_after_the_call_and_the_name_stays(confirmed):
    # The call was on 3 March 2027.
    midnight = datetime(2027, 9, 3, 22, tzinfo=UTC)
    Booking.objects.update(answers=[{"question_id": 1, "question": "Was?", "answer": "Viel."}])

    assert forgetting.drop_free_text(now=midnight - MINUTE) == 0
    assert forgetting.drop_free_text(now=midnight) == 1
    assert forgetting.drop_free_text(now=midnight) == 0

    confirmed.refresh_from_db()
    assert (confirmed.topic, confirmed.answers) == ("", [])
    assert (confirmed.name, confirmed.email) == ("Ada Müller", "ada@example.org")


def test_a_hold_nobody_came_back_to_is_deleted_after_a_week(held):
    week = held.held_until + 7 * DAY

    assert forgetting.drop_unfinished(now=week - MINUTE) == 0
    assert forgetting.drop_unfinished(now=week) == 1
    assert not Booking.objects.exists()


def test_an_attempt_to_pay_that_came_to_nothing_goes_with_its_hold(booking, session, stripe, now):
    stripe.advance(3600)
    checkout.reconcile(now=now + timedelta(hours=2))
    later = now + 9 * DAY

    assert forgetting.drop_unfinished(now=later) == 1
    assert not Deposit.objects.exists()


def test_somebody_who_may_still_be_paying_is_not_deleted(booking, session, now):
    assert forgetting.drop_unfinished(now=now + 9 * DAY) == 0


def test_money_that_came_too_late_keeps_its_row(held, now):
    paid_by_hand(held, now)

    assert forgetting.drop_unfinished(now=now + 9 * DAY) == 0


# --- invoices ---------------------------------------------------------------------------------


@pytest.fixture
def billed(confirmed: Booking, now) -> Booking:
    papers.practice()
    paid_by_hand(confirmed, now)
    invoicing.write_owed(confirmed, now=now)
    assert Invoice.objects.count() == 1
    return confirmed


def test_an_invoice_names_its_guest_when_the_booking_no_longer_does(billed, now):
    forgetting.make_old_nameless(now=datetime(2031, 1, 1, tzinfo=UTC))

    billed.refresh_from_db()
    assert billed.is_nameless
    assert Invoice.objects.get().content.recipient.name == "Ada Müller"
    # And a cancellation is made out to the same.
    invoicing.storno(Invoice.objects.get(), reason="Kulanz", now=now)
    assert {each.content.recipient.name for each in Invoice.objects.all()} == {"Ada Müller"}


def test_no_invoice_goes_before_its_eighth_new_year(billed):
    forgetting.make_old_nameless(now=datetime(2031, 1, 1, tzinfo=UTC))
    midnight = datetime(2035, 12, 31, 23, tzinfo=UTC)

    assert forgetting.drop_billed(now=midnight - MINUTE) == 0
    assert Invoice.objects.exists()


def test_a_younger_cancellation_keeps_the_whole_appointment(billed):
    forgetting.make_old_nameless(now=datetime(2031, 1, 1, tzinfo=UTC))
    later = datetime(2028, 1, 2, tzinfo=UTC)
    invoicing.storno(Invoice.objects.get(), reason="Kulanz", now=later)

    assert forgetting.drop_billed(now=datetime(2036, 1, 1, tzinfo=UTC)) == 0


def test_even_the_rule_cannot_delete_an_invoice_the_database_still_keeps(billed):
    """Should a clock go wrong: the trigger looks at the database's own."""
    forgetting.make_old_nameless(now=datetime(2031, 1, 1, tzinfo=UTC))

    with pytest.raises(Exception, match="never change"), transaction.atomic():
        forgetting.drop_billed(now=datetime(2036, 1, 1, tzinfo=UTC))

    assert Invoice.objects.count() == 1


def test_after_eight_years_the_appointment_goes_with_all_its_papers(billed):
    forgetting.make_old_nameless(now=datetime(2031, 1, 1, tzinfo=UTC))
    with connection.cursor() as cursor:  # as if the database's clock had come so far
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE booking_invoice DISABLE TRIGGER booking_invoice_never_changes")

    assert forgetting.drop_billed(now=datetime(2036, 1, 1, tzinfo=UTC)) == 1
    assert not Booking.objects.exists()
    assert not Invoice.objects.exists()
    assert not Deposit.objects.exists()


# --- all of it --------------------------------------------------------------------------------


def test_a_dry_run_counts_and_changes_nothing(held):
    out = StringIO()
    Booking.objects.update(held_until=datetime(2026, 1, 1, tzinfo=UTC))

    call_command("retention", "--dry-run", stdout=out)

    assert f"       1  {periods.UNFINISHED.what}" in out.getvalue()
    assert Booking.objects.exists()


def test_the_command_does_what_it_counted_and_nothing_twice(held):
    Booking.objects.update(held_until=datetime(2026, 1, 1, tzinfo=UTC))

    call_command("retention", stdout=StringIO())
    again = StringIO()
    call_command("retention", stdout=again)

    assert not Booking.objects.exists()
    assert f"       0  {periods.UNFINISHED.what}" in again.getvalue()


def test_a_rule_that_fails_keeps_no_other_from_its_work(call_type, held, now, monkeypatch):
    """The free text of a table that cannot be read must not save the holds from their end."""

    def broken(*, now: datetime) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("coaching_site.limits.forget", broken)
    later = held.held_until + 8 * DAY

    with pytest.raises(ZeroDivisionError):
        retention.carry_out(now=later)

    assert not Booking.objects.exists()


def test_many_go_in_small_transactions(call_type, now, monkeypatch):
    monkeypatch.setattr(forgetting, "BATCH", 1)
    first = scheduling.confirm(hold(call_type, now=now), now=now)
    second = scheduling.confirm(hold(call_type, guest=BEN, start=HALF_PAST_NINE, now=now), now=now)

    assert forgetting.make_old_nameless(now=datetime(2031, 1, 1, tzinfo=UTC)) == 2

    for row in (first, second):
        row.refresh_from_db()
        assert row.is_nameless


def test_a_forgotten_guest_is_owed_no_mail(confirmed, now):
    owed = Notification.objects.filter(booking=confirmed, audience="guest").latest("pk")
    assert owed.is_owed_at(now)
    forgetting.make_nameless([confirmed.pk])

    owed.booking.refresh_from_db()

    assert not owed.is_owed_at(now)


def test_jobs_are_forgotten_thirty_days_after_they_ended(db):
    pk = jobs.enqueue("jobs.tidy", timestamp=1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = %s", [pk])
        cursor.execute("SELECT max(at) FROM procrastinate_events WHERE job_id = %s", [pk])
        (ended,) = cursor.fetchone()

    assert jobs.forget_ended(now=ended + 30 * DAY) == 0
    assert jobs.forget_ended(now=ended + 30 * DAY + MINUTE) == 1
    assert not ProcrastinateJob.objects.exists()
