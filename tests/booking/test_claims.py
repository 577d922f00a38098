"""One mail, however many workers want to send it, and whatever becomes of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from booking import cancellation, tasks
from booking.models import Notification
from booking.models.notifications import CLAIM_LIFE
from booking.tasks import due_reminders, owed_notifications, send_notification
from coaching_site.mail import Undeliverable
from tests.booking.conftest import ADA

SECOND = timedelta(seconds=1)


class Killed(BaseException):
    """What no worker catches: the process is gone."""


@pytest.fixture
def owed(confirmed) -> Notification:
    return Notification.objects.get(kind="confirmation", audience="guest")


@pytest.fixture
def alone(owed: Notification) -> Notification:
    """The mail without any job, as if the queue had lost it."""
    ProcrastinateJob.objects.all().update(status="succeeded")
    return owed


def jobs_of(notification: Notification) -> list[ProcrastinateJob]:
    rows = ProcrastinateJob.objects.filter(task_name=tasks.SEND, status="todo")
    return list(rows.filter(args__notification_id=notification.pk).order_by("pk"))


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_one_mail(owed, mailbox):
    mailbox.answer_after = 0.5  # the first is still talking to the server when the second comes

    def work() -> None:
        try:
            send_notification(owed.pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as workers:
        for done in [workers.submit(work) for _ in range(8)]:
            done.result()

    owed.refresh_from_db()
    assert len(mailbox.to(ADA.email)) == 1
    assert (owed.attempts, owed.claimed_until) == (1, None)


def test_the_claim_can_be_seen_before_the_server_is_asked(owed, monkeypatch, clock, now):
    seen = []
    monkeypatch.setitem(
        tasks.MAILS,
        ("confirmation", "guest"),
        lambda booking: seen.append(Notification.objects.get(pk=owed.pk).claimed_until),
    )

    send_notification(owed.pk)

    assert seen == [now + CLAIM_LIFE]


def test_what_a_killed_worker_claimed_is_sent_once_the_claim_runs_out(
    owed, mailbox, clock, now, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setitem(tasks.MAILS, ("confirmation", "guest"), _die)
        with pytest.raises(Killed):
            send_notification(owed.pk)

    clock(now + CLAIM_LIFE - SECOND)
    send_notification(owed.pk)
    assert mailbox.messages == []

    clock(now + CLAIM_LIFE)
    send_notification(owed.pk)
    assert len(mailbox.to(ADA.email)) == 1


def test_who_finds_a_mail_claimed_looks_again_when_the_claim_runs_out(owed, clock, now):
    ProcrastinateJob.objects.all().update(status="succeeded")
    Notification.objects.claim(owed.pk, now)

    send_notification(owed.pk)

    (job,) = jobs_of(owed)
    assert job.scheduled_at == now + CLAIM_LIFE


def test_a_server_that_says_later_frees_the_claim_at_once(owed, mailbox):
    mailbox.refuse_with = "451 4.3.0 later"
    with pytest.raises(Exception, match="451"):
        send_notification(owed.pk)

    mailbox.refuse_with = None
    send_notification(owed.pk)

    assert len(mailbox.messages) == 1


def test_a_worker_that_was_too_slow_does_not_free_anothers_claim(owed, clock, now, monkeypatch):
    def fail_late(booking) -> None:
        clock(now + CLAIM_LIFE)
        assert Notification.objects.claim(owed.pk, timezone.now())
        raise OSError("nobody answers any more")

    monkeypatch.setitem(tasks.MAILS, ("confirmation", "guest"), fail_late)
    with pytest.raises(OSError):
        send_notification(owed.pk)

    owed.refresh_from_db()
    assert owed.claimed_until == now + 2 * CLAIM_LIFE


def test_a_mail_whose_job_was_lost_gets_a_new_one(alone, mailbox, clock, now, run_jobs):
    clock(now + timedelta(minutes=5))

    owed_notifications(0)
    owed_notifications(0)

    assert len(jobs_of(alone)) == 1
    run_jobs()
    assert len(mailbox.to(ADA.email)) == 1


@pytest.mark.parametrize("status", ["todo", "doing", "failed"])
def test_a_mail_with_a_job_needs_no_second_one(owed, clock, status):
    ProcrastinateJob.objects.all().update(status=status)
    before = ProcrastinateJob.objects.count()

    owed_notifications(0)

    assert ProcrastinateJob.objects.count() == before


def test_a_mail_that_is_being_sent_gets_no_second_job(alone, clock, now):
    Notification.objects.claim(alone.pk, now)
    owed_notifications(0)
    assert jobs_of(alone) == []

    clock(now + CLAIM_LIFE)
    owed_notifications(0)
    assert len(jobs_of(alone)) == 1


def test_a_refusal_for_good_is_not_asked_again(alone, mailbox, clock):
    mailbox.refuse_with = "550 5.1.1 no such user"
    with pytest.raises(Undeliverable):
        send_notification(alone.pk)
    ProcrastinateJob.objects.filter(args__notification_id=alone.pk).update(status="failed")

    owed_notifications(0)

    assert jobs_of(alone) == []


def test_nobody_looks_for_what_is_not_owed_any_more(alone, confirmed, clock, now):
    cancellation.cancel_by_guest(confirmed, now=now)

    owed_notifications(0)

    assert jobs_of(alone) == []


def test_both_periodic_jobs_are_cheap_when_nothing_is_due(
    confirmed, clock, now, django_assert_max_num_queries
):
    ProcrastinateJob.objects.all().update(status="succeeded")
    Notification.objects.update(sent_at=now)

    # Who has no confirmation, who is near enough for either reminder, who was to be asked; what is owed.
    with django_assert_max_num_queries(5):
        due_reminders(0)
        owed_notifications(0)


def test_a_mail_sent_in_the_window_before_it_is_noted_comes_twice_with_one_id(
    owed, mailbox, clock, now, monkeypatch
):
    """The one window there is: the server took the mail, and the worker died before writing so."""
    send = tasks.MAILS["confirmation", "guest"]

    def send_and_die(booking) -> None:
        send(booking)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setitem(tasks.MAILS, ("confirmation", "guest"), send_and_die)
        with pytest.raises(Killed):
            send_notification(owed.pk)
    clock(now + CLAIM_LIFE)
    send_notification(owed.pk)

    assert len(mailbox.messages) == 2
    assert len({message["Message-ID"] for message in mailbox.messages}) == 1


def _die(booking) -> None:
    raise Killed
