"""Mails to the coach about what needs a person: once each, not every night.

That a mail was sent is known from its job. Ended jobs are kept for a month; whoever does nothing for
so long is reminded.
"""

from __future__ import annotations

from typing import Any

from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from coaching_site import jobs


def once(task: str, *, reason: str = "", **names: Any) -> None:
    """Start the mail unless one with these names was started in the last month."""
    told = {f"args__{name}": value for name, value in names.items()}
    if not ProcrastinateJob.objects.filter(task_name=task, **told).exists():
        jobs.enqueue(task, reason=reason, **names)


def over(task: str) -> None:
    """It is well again: the next time is worth a mail."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM procrastinate_jobs"
            " WHERE task_name = %s AND status IN ('succeeded', 'failed', 'cancelled', 'aborted')",
            [task],
        )
