"""How far an issue is, when it will be done, and what became of it: read from the ledger alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, F, Q, QuerySet

from newsletter.models import Delivery, Issue, Pace

State = Delivery.State

# The rate is that of the last minutes.
LATELY = timedelta(minutes=2)

# A limit's time, how many mails may leave in it, and how many did.
Window = tuple[timedelta, int, int]


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
    return progress_of([issue], now=now)[issue.pk]


def progress_of(issues: Collection[Issue], *, now: datetime) -> dict[int, Progress]:
    """Where the ledgers of these issues stand, with as many queries as for one."""
    if not issues:
        return {}
    counted = _counts(issues)
    tried = _tried_lately(issues, now)
    windows = _windows(now)
    return {
        issue.pk: _progress(issue, counted.get(issue.pk, {}), tried.get(issue.pk, 0), windows, now)
        for issue in issues
    }


def _progress(
    issue: Issue, by_state: dict[str, int], tried: int, windows: list[Window], now: datetime
) -> Progress:
    counts: dict[str, int] = {state.value: 0 for state in State} | by_state
    total = sum(counts.values()) - counts[State.EXCLUDED]
    waiting = sum(counts[state] for state in Delivery.WAITING)
    rate = _per_minute(issue, tried, now)
    return Progress(
        counts=counts,
        total=total,
        done=total - waiting,
        per_minute=rate,
        time_left=_time_left(issue, waiting, rate, windows, now),
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


def _counts(issues: Collection[Issue]) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    rows = Delivery.objects.filter(issue__in=issues).order_by()
    for issue, state, count in rows.values_list("issue", "state").annotate(Count("pk")):
        found.setdefault(issue, {})[state] = count
    return found


def _tried_lately(issues: Collection[Issue], now: datetime) -> dict[int, int]:
    """How many were tried of each since it began, in the last minutes."""
    lately = Q(claimed_at__gt=now - LATELY) & Q(claimed_at__gt=F("issue__started_at"))
    rows = Delivery.objects.filter(lately, issue__in=issues).exclude(
        state__in=[State.PENDING, State.CLAIMED]
    )
    return dict(rows.order_by().values_list("issue").annotate(Count("pk")))


def _windows(now: datetime) -> list[Window]:
    """For each limit of the pace its time, how many fit, and how many went out in it."""
    limits = list(Pace.current().limits())
    if not limits:
        return []
    longest = max(window for window, _ in limits)
    used = Delivery.objects.filter(claimed_at__gt=now - longest).aggregate(
        **{
            f"in_{place}": Count("pk", filter=Q(claimed_at__gt=now - window))
            for place, (window, _) in enumerate(limits)
        }
    )
    return [(window, limit, used[f"in_{place}"]) for place, (window, limit) in enumerate(limits)]


def _per_minute(issue: Issue, tried: int, now: datetime) -> float:
    if issue.started_at is None:
        return 0.0
    since = max(now - LATELY, issue.started_at)
    return tried / max((now - since) / timedelta(minutes=1), 1 / 60)


def _time_left(
    issue: Issue, waiting: int, rate: float, windows: list[Window], now: datetime
) -> timedelta | None:
    """How long it will take at this rate and within the pace's limits; None if nobody can tell."""
    if not waiting:
        return timedelta()
    if issue.status != Issue.Status.SENDING:
        return None
    guesses = list(_limits_left(waiting, windows))
    if rate:
        guesses.append(timedelta(minutes=waiting / rate))
    if not guesses:
        return None
    rests = max(issue.resume_at - now, timedelta()) if issue.resume_at else timedelta()
    return max(guesses) + rests


def _limits_left(waiting: int, windows: list[Window]) -> Iterator[timedelta]:
    """For each limit how long so many mails take under it, with what went out before."""
    for window, limit, used in windows:
        over = waiting - max(limit - used, 0)
        yield window * (over / limit) if over > 0 else timedelta()
