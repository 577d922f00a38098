"""Jobs that belong to no app alone."""

from __future__ import annotations

from django.utils import timezone
from procrastinate.contrib.django import app

from coaching_site import limits


@app.periodic(cron="37 * * * *")
@app.task(name="desk.forget_hits", queueing_lock="desk.forget_hits")
def forget_hits(timestamp: int) -> None:
    """Counts of tries are nobody's business once their time is over."""
    del timestamp
    limits.forget(now=timezone.now())
