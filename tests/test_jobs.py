"""The queue's promise: a job exists exactly if its cause does."""

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from procrastinate import App
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.models import ProcrastinateJob

from coaching_site import jobs


@pytest.mark.django_db
def test_a_job_is_gone_with_the_transaction_that_caused_it():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        jobs.enqueue("jobs.tidy", timestamp=1)
        raise ZeroDivisionError

    assert ProcrastinateJob.objects.count() == 0


@pytest.mark.django_db
def test_a_job_enqueued_inside_a_worker_belongs_to_the_transaction_too():
    with (
        app.replace_connector(DjangoConnector().get_worker_connector()),
        pytest.raises(ZeroDivisionError),
        transaction.atomic(),
    ):
        jobs.enqueue("jobs.tidy", timestamp=1)
        raise ZeroDivisionError

    assert ProcrastinateJob.objects.count() == 0


@pytest.mark.django_db
def test_a_job_nobody_can_do_is_refused_at_once():
    with pytest.raises(KeyError):
        jobs.enqueue("jobs.no_such_task")


@pytest.mark.django_db
def test_a_job_can_wait_for_its_time():
    at = datetime(2027, 3, 1, 8, 0, tzinfo=UTC)

    jobs.enqueue("jobs.tidy", at=at, timestamp=1)

    assert ProcrastinateJob.objects.get().scheduled_at == at


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "found"),
    [("todo", True), ("doing", True), ("failed", True), ("succeeded", False), ("aborted", False)],
)
def test_the_record_knows_which_jobs_are_left_or_failed(status, found):
    jobs.enqueue("booking.send_notification", notification_id=7)
    ProcrastinateJob.objects.all().update(status=status)

    known = jobs.on_record("booking.send_notification", "notification_id", [6, 7])

    assert known == ({7} if found else set())


@pytest.fixture
def empty_queue(transactional_db) -> Iterator[None]:
    """Django's tests do not clear tables of other makers, so what committed tests left is here."""

    def clear() -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_jobs")

    clear()
    yield
    clear()


def test_a_periodic_job_whose_successor_waits_keeps_no_other_from_its_rescue(empty_queue):
    for _ in range(2):
        jobs.enqueue("jobs.tidy", timestamp=1)
        jobs.enqueue("booking.send_notification", notification_id=1)
        ProcrastinateJob.objects.filter(status="todo").update(status="doing")
    jobs.enqueue("jobs.tidy", timestamp=2)
    ProcrastinateJob.objects.filter(task_name="jobs.tidy").update(queueing_lock="jobs.tidy")

    worker: Any = SimpleNamespace(app=App(connector=DjangoConnector()))
    async_to_sync(jobs.rescue.func)(worker, 0)

    left = list(ProcrastinateJob.objects.order_by("id").values_list("task_name", "status"))
    assert left == [
        ("booking.send_notification", "todo"),
        ("booking.send_notification", "todo"),
        ("jobs.tidy", "todo"),
    ]
