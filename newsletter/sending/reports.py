"""How far an issue is, when it will be done, and what became of it: read from the ledger alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet

from newsletter.models import Delivery, Issue, Pace

State = Delivery.State

# The rate is that of the last minutes.
LATELY = timedelta(minutes=2)


@dataclass(frozen=True)
class Progress:
    """How far a sending is. `share` goes from 0 to 1, `per_minute` is of the last minutes."""

    counts: dict[str, int]
    total: int
    done: int
    per_minute: float
    time_left: timedelta | None

    @property
    def share(self) -> float:
        return self.done / self.total if self.total else 1.0

    @property
    def waiting(self) -> int:
        return self.total - self.done

    @property
    def percent(self) -> int:
        """Whole per cent, and 100 only when all is done."""
        return int(self.share * 100)


@dataclass(frozen=True)
class Outcome:
    """What became of an issue, known without tracking anyone."""

    accepted: int
    bounced: int
    complained: int
    unsubscribed: int
    uncertain: int
    cancelled: int
    excluded: dict[Delivery.Why, int]
    failed: dict[Delivery.Why, int]


def progress(issue: Issue, *, now: datetime) -> Progress:
    """Where the ledger of an issue stands. Nobody excluded counts into the total."""
    by_state = issue.deliveries.order_by().values_list("state").annotate(Count("pk"))
    counts: dict[str, int] = {state.value: 0 for state in State} | dict(by_state)
    total = sum(counts.values()) - counts[State.EXCLUDED]
    waiting = sum(counts[state] for state in Delivery.WAITING)
    rate = _per_minute(issue, now)
    return Progress(
        counts=counts,
        total=total,
        done=total - waiting,
        per_minute=rate,
        time_left=_time_left(issue, waiting, rate, now),
    )


def outcome(issue: Issue) -> Outcome:
    rows = issue.deliveries.order_by()
    found = rows.aggregate(
        accepted=Count("pk", filter=Q(state=State.SENT)),
        bounced=Count("pk", filter=~Q(bounce=Delivery.Bounce.NONE)),
        complained=Count("pk", filter=Q(complained_at__isnull=False)),
        unsubscribed=Count("pk", filter=Q(left_at__isnull=False)),
        uncertain=Count("pk", filter=Q(state=State.UNCERTAIN)),
        cancelled=Count("pk", filter=Q(state=State.CANCELLED)),
    )
    return Outcome(
        **found,
        excluded=_by_reason(rows.filter(state=State.EXCLUDED)),
        failed=_by_reason(rows.filter(state=State.FAILED)),
    )


def _by_reason(rows: QuerySet[Delivery]) -> dict[Delivery.Why, int]:
    counted = rows.values_list("why").annotate(Count("pk")).order_by("why")
    return {Delivery.Why(why): number for why, number in counted}


def _per_minute(issue: Issue, now: datetime) -> float:
    """How many were tried a minute lately."""
    if issue.started_at is None:
        return 0.0
    since = max(now - LATELY, issue.started_at)
    tried = issue.deliveries.filter(claimed_at__gt=since).exclude(
        state__in=[State.PENDING, State.CLAIMED]
    )
    minutes = max((now - since) / timedelta(minutes=1), 1 / 60)
    return tried.count() / minutes


def _time_left(issue: Issue, waiting: int, rate: float, now: datetime) -> timedelta | None:
    """How long it will take at this rate and within the pace's limits; None if nobody can tell."""
    if not waiting:
        return timedelta()
    if issue.status != Issue.Status.SENDING:
        return None
    guesses = list(_limits_left(waiting, now))
    if rate:
        guesses.append(timedelta(minutes=waiting / rate))
    if not guesses:
        return None
    rests = max(issue.resume_at - now, timedelta()) if issue.resume_at else timedelta()
    return max(guesses) + rests


def _limits_left(waiting: int, now: datetime) -> Iterator[timedelta]:
    """For each limit how long so many mails take under it, with what went out before."""
    for window, limit in Pace.current().limits():
        used = Delivery.objects.filter(claimed_at__gt=now - window).count()
        over = waiting - max(limit - used, 0)
        yield window * (over / limit) if over > 0 else timedelta()
