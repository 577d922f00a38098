"""How issues stand, and the coach's buttons, on the command line."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime, timedelta

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from newsletter.errors import NewsletterError
from newsletter.models import Issue
from newsletter.sending import running
from newsletter.sending.reports import Progress

EVERY_SECONDS = 2.0
DEEDS: dict[str, Callable[..., object]] = {
    "pause": running.pause,
    "resume": running.resume,
    "stop": running.stop,
    "retry-failed": running.retry_failed,
}


class Command(BaseCommand):
    help = (
        "Shows how far issues are: „newsletter“ those on their way, „newsletter 12 --watch“ one until "
        "it is over, „newsletter 12 pause“ (resume, stop, retry-failed) does what the admin's button does."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("issue", nargs="?", type=int, help="the issue's number")
        parser.add_argument("deed", nargs="?", choices=DEEDS, help="what to do with it")
        parser.add_argument("--watch", action="store_true", help="until nothing moves any more")

    def handle(
        self, *, issue: int | None, deed: str | None, watch: bool, **options: object
    ) -> None:
        if deed is not None:
            self._do(issue, deed)
        while self._show(issue) and watch:
            time.sleep(EVERY_SECONDS)

    def _do(self, issue: int | None, deed: str) -> None:
        assert issue is not None
        try:
            DEEDS[deed](issue, now=timezone.now())
        except NewsletterError as error:
            raise CommandError(error.message) from error

    def _show(self, pk: int | None) -> bool:
        """One line an issue; returns whether any is on its way."""
        now = timezone.now()
        chosen = Issue.objects.filter(pk=pk) if pk else Issue.objects.filter(status__in=MOVING)
        issues = list(chosen.order_by("pk"))
        if pk and not issues:
            raise CommandError(f"There is no issue {pk}.")
        for issue in issues:
            self.stdout.write(line(issue, running.progress(issue, now=now), now=now))
        if not issues:
            self.stdout.write("No issue is on its way.")
        return any(issue.status in MOVING for issue in issues)


MOVING = (Issue.Status.SCHEDULED, Issue.Status.SENDING, Issue.Status.PAUSED)


def line(issue: Issue, progress: Progress, *, now: datetime) -> str:
    """„12 sending 812/5000 (16 %), 240 a minute, 17 min left: sent=812 …“"""
    counted = " ".join(f"{state}={number}" for state, number in progress.counts.items() if number)
    words = [
        f"{issue.pk} {issue.status} {progress.done}/{progress.total} ({progress.percent} %)",
        f"{progress.per_minute:.0f} a minute",
    ]
    if progress.time_left and issue.status == Issue.Status.SENDING:
        words.append(f"{duration(progress.time_left)} left")
    if issue.status == Issue.Status.SCHEDULED and issue.send_at:
        words.append(f"begins in {duration(max(issue.send_at - now, timedelta()))}")
    told = f"{', '.join(words)}: {counted or 'nobody yet'}"
    return f"{told}. {issue.trouble}" if issue.trouble else told


def duration(time_left: timedelta) -> str:
    seconds = round(time_left.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"
