"""What guests are reminded of, when, and when not."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.core.validators import MaxValueValidator
from django.db import IntegrityError, connection, connections, transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from booking import attendance, by_hand, cancellation, mail, scheduling
from booking.forms import FOLLOWUP_CONSENT
from booking.models import (
    Booking,
    CallType,
    Notification,
    WeeklyHours,
    to_follow_up,
    to_remind,
    unconfirmed,
)
from booking.models.notifications import FARTHEST_MAIL, FOLLOW_UP_LIFE, LONGEST_CALL
from booking.tasks import MAILS, due_reminders, send_notification
from pages.models import Practice
from tests.booking.conftest import ADA, NINE, hold, new_type
from tests.mail_server import html, text

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
COACH = "coach@praxis.example"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def pass_time(clock, run_jobs) -> Callable[[datetime], None]:
    """Lets it become that time, once: the minute's job runs, and then what it started."""

    def pass_to(moment: datetime) -> None:
        clock(moment)
        due_reminders(0)
        run_jobs()

    return pass_to


@pytest.fixture
def told(confirmed: Booking, mailbox, clock, run_jobs) -> Booking:
    """A booking whose confirmations are sent; the mailbox is empty again."""
    run_jobs()
    mailbox.clear()
    return confirmed


def plain(message) -> str:
    return text(message).replace("\u00a0", " ")


def kinds(booking: Booking) -> list[str]:
    rows = booking.notifications.filter(kind__in=["first_reminder", "second_reminder", "follow_up"])
    return [row.kind for row in rows.exclude(sent_at=None)]


def agree(booking: Booking, hours: int = 2) -> None:
    Booking.objects.filter(pk=booking.pk).update(
        followup_consent_text=FOLLOWUP_CONSENT, followup_consent_at=booking.created_at
    )
    CallType.objects.update(follow_up_hours=hours)


def test_a_day_and_an_hour_before_the_guest_is_reminded_once_each(told, mailbox, pass_time):
    sent = []
    for moment in (
        told.start - DAY - MINUTE,
        told.start - DAY,
        told.start - DAY + MINUTE,
        told.start - HOUR - MINUTE,
        told.start - HOUR,
        told.start - MINUTE,
        told.start,
    ):
        pass_time(moment)
        sent.append(len(mailbox.to(ADA.email)))

    assert sent == [0, 1, 1, 1, 2, 2, 2]
    assert len(mailbox.messages) == 2, "the coach needs no reminder"
    assert len({message["Message-ID"] for message in mailbox.messages}) == 2


def test_a_day_is_twenty_four_hours_even_when_the_clock_jumps(calendar, now, mailbox, pass_time):
    WeeklyHours.objects.create(calendar=calendar, weekday=7, start="09:00", end="12:00")
    sunday = datetime(2027, 3, 28, 8, 0, tzinfo=UTC)  # 10:00 MESZ, hours after the jump
    booking = scheduling.confirm(hold(new_type(calendar), start=sunday, now=now), now=now)

    pass_time(datetime(2027, 3, 27, 7, 59, tzinfo=UTC))
    assert kinds(booking) == []
    pass_time(datetime(2027, 3, 27, 8, 0, tzinfo=UTC))
    assert kinds(booking) == ["first_reminder"]
    assert "Sonntag, 28. März 2027, 10:00 Uhr, Berliner Zeit (MESZ)" in plain(
        mailbox.to(ADA.email)[-1]
    )


def test_three_runs_at_the_same_minute_remind_once(told, mailbox, clock, run_jobs):
    clock(told.start - DAY)
    for _ in range(3):
        due_reminders(0)
    run_jobs()

    assert len(mailbox.to(ADA.email)) == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_the_same_minute_write_one_row_and_start_one_job(confirmed, clock):
    clock(confirmed.start - DAY)

    def work() -> None:
        try:
            due_reminders(0)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as workers:
        for done in [workers.submit(work) for _ in range(8)]:
            done.result()

    (row,) = Notification.objects.filter(kind="first_reminder")
    assert ProcrastinateJob.objects.filter(args__notification_id=row.pk).count() == 1


def test_row_and_job_are_written_together_or_not_at_all(told, clock, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError

    clock(told.start - DAY)
    monkeypatch.setattr("coaching_site.jobs.enqueue", broken)
    with pytest.raises(ZeroDivisionError):
        due_reminders(0)

    assert not Notification.objects.filter(kind="first_reminder").exists()


def test_who_called_off_is_not_reminded(told, mailbox, now, pass_time):
    cancellation.cancel_by_guest(told, now=now)
    pass_time(told.start - DAY)
    pass_time(told.start - HOUR)

    assert kinds(told) == []


def test_a_reminder_already_on_its_way_is_stopped_by_a_cancellation(told, clock, run_jobs):
    clock(told.start - DAY)
    due_reminders(0)
    cancellation.cancel_by_guest(told, now=told.start - DAY)
    run_jobs()

    assert kinds(told) == []


def test_a_moved_call_is_reminded_of_its_new_time_only(told, mailbox, clock, run_jobs, pass_time):
    clock(told.start - DAY)
    due_reminders(0)
    Booking.objects.filter(pk=told.pk).update(start=told.start + DAY, end=told.end + DAY)
    run_jobs()
    assert kinds(told) == []

    pass_time(told.start)
    assert kinds(told) == ["first_reminder"]
    assert "Donnerstag, 4. März 2027" in plain(mailbox.to(ADA.email)[0])


def test_who_moves_a_call_to_in_three_hours_is_not_reminded_of_a_day_before(told, pass_time):
    late = told.start - 5 * HOUR
    moved = scheduling.move(told, start=late + 3 * HOUR, by=Booking.Side.COACH, now=late)

    pass_time(late + MINUTE)
    assert kinds(moved) == []
    pass_time(moved.start - HOUR)
    assert kinds(moved) == ["second_reminder"]


def test_moved_there_and_back_a_call_is_reminded_of_once(told, pass_time):
    pass_time(told.start - DAY)
    for start in (told.start + 2 * DAY, told.start):
        scheduling.move(told, start=start, by=Booking.Side.COACH, now=told.start - DAY)

    pass_time(told.start - DAY + MINUTE)

    assert kinds(told) == ["first_reminder"]
    with pytest.raises(IntegrityError, match="notification_once"), transaction.atomic():
        Notification.objects.create(
            booking=told,
            kind="first_reminder",
            audience="guest",
            start=told.start,
            created_at=told.start,
        )


def test_whom_only_the_new_time_was_told_is_reminded_of_it(call_type, now, pass_time):
    booking = by_hand.book(
        call_type,
        start=NINE,
        guest=ADA,
        form_token=uuid.uuid4(),
        tell_guest=False,
        now=now,
    )
    scheduling.move(booking, start=NINE + HOUR, by=Booking.Side.COACH, now=now)

    pass_time(NINE + HOUR - DAY)

    assert kinds(booking) == ["first_reminder"]


def test_a_call_moved_a_little_is_reminded_of_once(told, mailbox, clock, run_jobs):
    """Both times are due; only the row of the new one is still true."""
    clock(told.start - DAY)
    due_reminders(0)
    Booking.objects.filter(pk=told.pk).update(start=told.start - HOUR, end=told.end - HOUR)
    due_reminders(0)
    run_jobs()

    assert kinds(told) == ["first_reminder"]
    assert "08:00 Uhr" in plain(mailbox.to(ADA.email)[0])


def test_who_books_three_hours_before_is_not_reminded_of_a_day_before(calendar, mailbox, pass_time):
    late = NINE - 3 * HOUR
    booking = scheduling.confirm(hold(new_type(calendar, notice=0), now=late), now=late)

    pass_time(late)
    assert kinds(booking) == []
    pass_time(NINE - HOUR)
    assert kinds(booking) == ["second_reminder"]


def test_an_outage_past_the_start_reminds_nobody(told, mailbox, pass_time):
    pass_time(told.start)
    pass_time(told.start + HOUR)

    assert mailbox.messages == []


def test_a_reminder_that_waited_past_the_start_is_dropped(told, mailbox, clock, run_jobs):
    clock(told.start - HOUR)
    due_reminders(0)
    clock(told.start)
    run_jobs()

    assert mailbox.messages == []


def test_a_late_first_reminder_gives_way_to_the_second(told, pass_time):
    pass_time(told.start - HOUR)

    assert kinds(told) == ["second_reminder"]


def test_a_late_first_reminder_still_comes_before_the_second_is_due(told, pass_time):
    pass_time(told.start - HOUR - MINUTE)

    assert kinds(told) == ["first_reminder"]


def test_a_failing_server_is_asked_again_and_nothing_is_marked(told, mailbox, clock, run_jobs):
    clock(told.start - DAY)
    due_reminders(0)
    row = Notification.objects.get(kind="first_reminder")
    mailbox.refuse_with = "451 4.3.0 later"
    with pytest.raises(Exception, match="451"):
        send_notification(row.pk)
    assert kinds(told) == []

    mailbox.refuse_with = None
    send_notification(row.pk)
    assert kinds(told) == ["first_reminder"]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (None, None, []),
        (None, 60, ["second_reminder"]),
        (1440, None, ["first_reminder"]),
        (2000, 30, ["first_reminder", "second_reminder"]),
    ],
)
def test_the_coach_sets_both_reminders(told, pass_time, first, second, expected):
    CallType.objects.update(first_reminder=first, second_reminder=second)

    for hours in range(40, 0, -1):
        pass_time(told.start - hours * HOUR)
    pass_time(told.start - 30 * MINUTE)

    assert kinds(told) == expected


def test_whom_the_coach_entered_without_a_word_is_not_reminded_either(
    call_type, now, clock, mailbox, pass_time, held
):
    booking = by_hand.book(
        call_type,
        start=NINE + 30 * MINUTE,
        guest=ADA,
        form_token=uuid.uuid4(),
        tell_guest=False,
        now=now,
    )

    pass_time(booking.start - DAY)

    assert kinds(booking) == []


def test_a_reminder_says_when_where_and_how_to_get_out_of_it_and_sells_nothing(
    told, mailbox, pass_time
):
    Practice.objects.create(pk=1, first_name="Kim", last_name="Muster")
    Booking.objects.update(visitor_zone="America/New_York")

    pass_time(told.start - DAY)

    (message,) = mailbox.messages
    assert message["Subject"] == "Erinnerung: Gespräch mit Kim Muster"
    for words in (
        "Hallo Ada,",
        "Mittwoch, 3. März 2027, 03:00 Uhr, Ortszeit New York (UTC−5)",
        "Mittwoch, 3. März 2027, 09:00 Uhr, Berliner Zeit (MEZ)",
        "Videogespräch: https://video.example/raum",
        "/termin/gebucht/",
        "/termin/absagen/",
        "Kim Muster",
        "Impressum:",
    ):
        assert words in plain(message)
    for word in ("Newsletter", "Angebot", told.topic):
        assert word not in plain(message)
        assert word not in html(message)
    assert "\n\n\n" not in plain(message)
    assert told.reference in html(message)


@pytest.mark.parametrize(
    ("price_cents", "customer", "leads_there"),
    [(30000, "private", True), (30000, "", True), (30000, "company", False), (0, "", False)],
)
def test_reminders_of_a_consumers_contract_lead_to_withdrawing_from_it(
    told, mailbox, price_cents, customer, leads_there
):
    told.price_cents, told.customer = price_cents, customer

    mail.first_reminder_to_guest(told)
    mail.second_reminder_to_guest(told)

    link = mail.withdraw_url(told)
    for message in mailbox.messages:
        assert (f"Vertrag widerrufen: http://localhost:8000{link}" in plain(message)) is leads_there
        assert (link in html(message)) is leads_there
    assert len(mailbox.messages) == 2


@pytest.mark.parametrize("preparation", ["", "Bring eine Frage mit."])
def test_the_plain_text_has_no_holes(told, mailbox, preparation):
    told.call_type.preparation = preparation

    mail.first_reminder_to_guest(told)
    mail.follow_up_to_guest(told)

    assert not any("\n\n\n" in plain(message) for message in mailbox.messages)
    assert ("\n\nSo bereitest du dich vor:\n" in plain(mailbox.messages[0])) is bool(preparation)


def test_every_kind_of_mail_the_ledger_knows_can_be_sent():
    to_guests = {kind for kind, audience in MAILS if audience == Booking.Side.GUEST}

    # What tells of money that went back is written from the refund.
    written_from_elsewhere = {Notification.Kind.REFUND, Notification.Kind.INVOICE}
    to_coach_alone = {Notification.Kind.UNCONFIRMED}
    assert to_guests == {*Notification.Kind} - written_from_elsewhere - to_coach_alone


# --- a call whose confirmation did not get out ----------------------------------------------------


def alerts(mailbox) -> list[str]:
    subjects = [str(message["Subject"]) for message in mailbox.to(COACH)]
    return [subject for subject in subjects if "Bestätigung fehlt" in subject]


@pytest.fixture
def untold(confirmed: Booking, mailbox) -> Booking:
    """The mail to the guest was lost, and with it the job that would have sent it."""
    ProcrastinateJob.objects.all()._raw_delete("default")
    return confirmed


def test_the_coach_hears_of_a_call_that_begins_without_its_confirmation_once(
    untold, mailbox, pass_time
):
    pass_time(untold.start - 2 * HOUR - MINUTE)
    assert alerts(mailbox) == []
    for minutes in (120, 119, 60, 1, 0, -60):
        pass_time(untold.start - minutes * MINUTE)

    assert alerts(mailbox) == [f"Bitte ansehen: Bestätigung fehlt, {untold.reference}"]
    [message] = mailbox.to(COACH)
    assert "Erreiche deinen Gast auf einem anderen Weg" in plain(message)
    assert "\n\n\n" not in plain(message)


def test_a_confirmation_lost_before_the_call_was_moved_is_missed_as_well(
    untold, mailbox, pass_time, now
):
    moved = scheduling.move(untold, start=NINE + DAY, by=Booking.Side.GUEST, now=now + MINUTE)
    ProcrastinateJob.objects.all()._raw_delete("default")

    pass_time(moved.start - HOUR)

    assert len(alerts(mailbox)) == 1


def test_who_has_their_confirmation_causes_no_alert(told, mailbox, pass_time):
    pass_time(told.start - HOUR)
    pass_time(told.start)

    assert alerts(mailbox) == []


def test_a_confirmation_that_is_minutes_old_is_on_its_way(call_type, mailbox, now, clock):
    soon = scheduling.confirm(hold(call_type, now=now), now=now)
    Booking.objects.update(confirmed_at=NINE - 9 * MINUTE)

    assert not unconfirmed(NINE).exists()
    assert unconfirmed(NINE + MINUTE).get() == soon


def test_whom_the_coach_entered_without_a_word_is_owed_no_confirmation(call_type, mailbox, now):
    by_hand.book(
        call_type, start=NINE, guest=ADA, form_token=uuid.uuid4(), tell_guest=False, now=now
    )

    assert not unconfirmed(NINE).exists()


# --- after the call ---------------------------------------------------------------------------


def test_who_agreed_is_asked_for_feedback_once(told, mailbox, pass_time):
    agree(told, hours=2)

    pass_time(told.end + 2 * HOUR - MINUTE)
    assert kinds(told) == []
    for minutes in range(5):
        pass_time(told.end + 2 * HOUR + minutes * MINUTE)

    assert kinds(told) == ["follow_up"]
    (message,) = mailbox.messages
    assert "jederzeit widersprechen" in plain(message)
    assert "jederzeit widersprechen" in " ".join(html(message).split())
    assert "nur einmal" in plain(message)
    assert "/termin/" not in plain(message), "nothing is sold"


def test_who_did_not_agree_is_not_asked(told, pass_time):
    CallType.objects.update(follow_up_hours=2)

    pass_time(told.end + 2 * HOUR)

    assert kinds(told) == []


def test_without_a_set_time_nobody_is_asked(told, pass_time):
    agree(told)
    CallType.objects.update(follow_up_hours=None)

    pass_time(told.end + 2 * HOUR)

    assert kinds(told) == []


def test_who_did_not_come_is_not_asked(told, pass_time):
    agree(told)
    attendance.mark_no_show(told, now=told.end)

    pass_time(told.end + 2 * HOUR)

    assert kinds(told) == []


def test_a_call_that_was_called_off_is_not_asked_about(told, now, pass_time):
    agree(told)
    cancellation.cancel_by_coach(told, now=now)

    pass_time(told.end + 2 * HOUR)

    assert kinds(told) == []


def test_an_old_call_is_not_asked_about_when_the_coach_turns_the_question_on(told, pass_time):
    agree(told, hours=2)

    pass_time(told.end + 2 * HOUR + FOLLOW_UP_LIFE)

    assert kinds(told) == []


# --- what looking costs -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        lambda now: to_remind(Notification.Kind.FIRST_REMINDER, now),
        lambda now: to_follow_up(now),
    ],
    ids=["reminders", "feedback"],
)
def test_every_minute_only_some_weeks_of_bookings_are_looked_at(call_type, now, asked):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    plan = asked(now).explain()

    bounds = re.search(r"booking_confirmed_start on booking_booking.*\n +Index Cond: (.*)", plan)
    assert bounds is not None, plan
    assert "(start > " in bounds[1]
    assert "(start <" in bounds[1]


def test_no_type_may_mail_farther_away_than_is_looked():
    fields = map(CallType._meta.get_field, ["first_reminder", "second_reminder", "length"])
    *reminders, length = [_most(field) * MINUTE for field in fields]

    assert max(reminders) <= FARTHEST_MAIL
    assert length <= LONGEST_CALL
    assert _most(CallType._meta.get_field("follow_up_hours")) * HOUR <= FARTHEST_MAIL


def _most(field) -> int:
    return min(
        int(each.limit_value) for each in field.validators if isinstance(each, MaxValueValidator)
    )


# --- what the database refuses ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"first_reminder": 60, "second_reminder": 60}, "call_type_reminders_in_order"),
        ({"first_reminder": 0, "second_reminder": None}, "call_type_reminders_before_the_start"),
        ({"second_reminder": 0}, "call_type_reminders_before_the_start"),
        ({"follow_up_hours": 0}, "call_type_follow_up_after_the_end"),
    ],
)
def test_a_type_cannot_be_set_to_nonsense(calendar, changes, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        new_type(calendar, **changes)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"no_show_at": NINE - MINUTE}, "booking_no_show_after_its_start"),
        ({"followup_consent_text": "Ja"}, "booking_followup_consent_has_text_and_time"),
        ({"followup_consent_at": NINE}, "booking_followup_consent_has_text_and_time"),
    ],
)
def test_a_booking_keeps_what_belongs_together(confirmed, changes, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Booking.objects.filter(pk=confirmed.pk).update(**changes)
