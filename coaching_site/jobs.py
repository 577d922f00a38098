"""The job queue's two doors: put a job in by name, and keep the queue in order.

Jobs go through Django's own connection, so a job exists exactly if the transaction that caused it
is committed. Inside the worker procrastinate's app talks through a connection of its own, which
would break that promise; hence the second app, used for enqueueing alone.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from procrastinate import App, JobContext, RetryDecision, RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import AlreadyEnqueued, UniqueViolation
from procrastinate.jobs import Job, Status

from coaching_site import periods, tracing

logger = logging.getLogger(__name__)

# Whatever ended, well or not, and heard of nothing since.
FORGET = """
    DELETE FROM procrastinate_jobs AS job
    WHERE status IN ('succeeded', 'failed', 'cancelled', 'aborted')
    AND (SELECT max(at) FROM procrastinate_events WHERE job_id = job.id) < %s
"""

_through_django = App(connector=DjangoConnector())


class Hopeless(Exception):
    """What a task raises when no repetition can help; its job fails at once."""


class Patient(RetryStrategy):
    """Tries again after growing pauses, unless the task said that it is hopeless."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, Hopeless):
            return None
        return super().get_retry_decision(exception=exception, job=job)


# Mail that could not be handed over is tried again after 3, 9, 27 … seconds, for about two days.
MOST_ATTEMPTS = 11
PATIENT = Patient(max_attempts=MOST_ATTEMPTS, exponential_wait=3)


def enqueue(task: str, *, at: datetime | None = None, **arguments: Any) -> int:
    """Put a job for the named task into the queue, in the caller's transaction.

    Arguments are plain JSON values; the job runs soon, or not before `at`. Raises KeyError when no such task is registered.
    """
    known = app.tasks[task]
    deferrer = _through_django.configure_task(
        task, queue=known.queue, priority=known.priority, lock=known.lock, schedule_at=at
    )
    return deferrer.defer(**tracing.with_request(arguments))


def on_record(task: str, argument: str, values: Collection[int]) -> set[int]:
    """Those values for which a job of this task waits, runs or has failed for good."""
    if not values:
        return set()
    found = ProcrastinateJob.objects.filter(
        task_name=task,
        status__in=("todo", "doing", "failed"),
        **{f"args__{argument}__in": list(values)},
    )
    return set(found.values_list(f"args__{argument}", flat=True))


def enqueue_once(task: str, *, key: str, at: datetime | None = None, **arguments: Any) -> bool:
    """As `enqueue`, unless a job of this key waits already. Jobs of one key never run side by side.

    Returns whether a job was put in. One that waits for a later time than wanted is brought forward.
    """
    known = app.tasks[task]
    deferrer = _through_django.configure_task(
        task,
        queue=known.queue,
        priority=known.priority,
        lock=key,
        queueing_lock=key,
        schedule_at=at,
    )
    try:
        with transaction.atomic():  # the refusal must not spoil the caller's transaction
            deferrer.defer(**tracing.with_request(arguments))
    except AlreadyEnqueued:
        _bring_forward(key, at)
        return False
    return True


def _bring_forward(key: str, at: datetime | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = %s"
            " WHERE queueing_lock = %s AND status = 'todo' AND scheduled_at > coalesce(%s::timestamptz, '-infinity')",
            [at, key, at],
        )


@app.periodic(cron="* * * * *")
@app.task(name="jobs.rescue", queueing_lock="jobs.rescue", pass_context=True)
async def rescue(context: JobContext, timestamp: int) -> None:
    """Give the jobs of killed workers back to the queue; tasks bear running twice."""
    del timestamp
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs():
        logger.warning(
            "Job %s (%s) was left behind by a worker and runs again.", job.id, job.task_name
        )
        try:
            await manager.retry_job(job)
        except UniqueViolation:
            # A periodic job whose successor waits already; it must not keep the others here.
            await manager.finish_job(job, Status.FAILED, delete_job=True)


@app.periodic(cron="17 3 * * *")
@app.task(name="jobs.tidy", queueing_lock="jobs.tidy")
def tidy(timestamp: int) -> None:
    """Keep the queue small, whatever becomes of the other rules of the night."""
    del timestamp
    forget_ended(now=timezone.now())


def forget_ended(*, now: datetime) -> int:
    """Delete jobs that ended long enough ago; rows, not jobs, are the record. Returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [periods.JOBS.first_kept(now)])
        return int(cursor.rowcount)
