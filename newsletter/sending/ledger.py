"""The ledger's transitions while an issue is sent: claim, begin, settle, give back, find the stale.

A mail is begun and committed before the mail server hears of it, and settled after it answered. What
a crash leaves in between is uncertain, and never sent again by itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from django.db import connection, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce, Greatest

from newsletter.addresses import Address
from newsletter.models import Delivery, Issue
from newsletter.rendering.mould import Recipient
from newsletter.sending import audience, pace
from newsletter.sending.pace import Allowance
from newsletter.sending.timings import Timings

State, Why = Delivery.State, Delivery.Why

# Settle what is over and begin what is next, in one statement: one commit for both, and for every
# connection that waits for it. Whoever left or was erased since the claim is not begun.
_STEP = """
    WITH settled AS (
        UPDATE newsletter_delivery d
        SET why = r.why, code = r.code, sent_at = r.sent_at, next_try_at = r.next_try_at,
            state = CASE WHEN i.status = 'stopped' AND r.state IN ('pending', 'deferred')
                    THEN 'cancelled' ELSE r.state END
        FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],
                %s::timestamptz[]) AS r (id, state, why, code, sent_at, next_try_at),
            newsletter_issue i
        WHERE d.id = r.id AND d.claimed_by = %s AND d.state IN ('in_flight', 'uncertain')
            AND i.id = d.issue_id
    ), begun AS (
        UPDATE newsletter_delivery d
        SET state = 'in_flight', attempts = d.attempts + 1, claimed_at = %s,
            first_tried_at = coalesce(d.first_tried_at, %s), address_number = s.address_number
        FROM newsletter_subscriber s, newsletter_issue i
        WHERE d.id = ANY(%s::bigint[]) AND d.claimed_by = %s AND d.state IN ('claimed', 'in_flight')
            AND s.id = d.subscriber_id AND s.status = 'confirmed'
            AND i.id = d.issue_id AND i.status = 'sending'
            AND (i.resume_at IS NULL OR i.resume_at <= %s)
        RETURNING d.id, s.public_id, s.address_number, s.address, s.address_key, s.name,
            d.attempts, d.first_tried_at
    )
    SELECT * FROM begun
"""


@dataclass(frozen=True)
class Begun:
    """A mail that the ledger says is on its way."""

    recipient: Recipient
    attempts: int
    first_tried_at: datetime

    @property
    def delivery(self) -> int:
        assert self.recipient.delivery is not None
        return self.recipient.delivery


@dataclass(frozen=True)
class Settlement:
    """What became of a mail that was begun."""

    delivery: int
    state: Delivery.State
    why: Delivery.Why = Why.NONE
    code: str = ""
    sent_at: datetime | None = None
    next_try_at: datetime | None = None


@dataclass(frozen=True)
class Claim:
    """Whom a sender may begin now, or how long the pace makes it wait."""

    deliveries: list[int]
    allowance: Allowance


def claimable(now: datetime) -> Q:
    return Q(state=State.PENDING) | Q(state=State.DEFERRED, next_try_at__lte=now)


def next_issue(now: datetime) -> Issue | None:
    """The oldest issue with something to send now."""
    rows = Delivery.objects.filter(claimable(now), issue=OuterRef("pk"))
    return Issue.objects.sendable(now).filter(Exists(rows)).select_related("edition").first()


def next_time() -> datetime | None:
    """When an issue that is being sent has something to send again, or has now; None if never."""
    sending = Issue.objects.filter(status=Issue.Status.SENDING)
    waiting = Delivery.objects.filter(issue=OuterRef("pk"))
    deferred = waiting.filter(state=State.DEFERRED).order_by("next_try_at")
    new = Exists(waiting.filter(state=State.PENDING))
    first = Case(
        When(new, then=F("started_at")), default=Subquery(deferred.values("next_try_at")[:1])
    )
    # GREATEST ignores what is null, so the first must be asked for.
    times = sending.annotate(first=first).filter(first__isnull=False)
    found = times.annotate(at=Greatest("first", Coalesce("resume_at", "first")))
    return found.order_by("at").values_list("at", flat=True).first()


def claim(issue: Issue, *, sender: uuid.UUID, most: int, now: datetime) -> Claim:
    """Take up to so many mails, as many as the pace allows; nobody else gets them meanwhile.

    Consent and suppression are asked again: whoever must not get it any more is excluded.
    """
    with transaction.atomic():
        if not Issue.objects.sendable(now).filter(pk=issue.pk).exists():
            return Claim([], Allowance(0))
        allowance = pace.allowance(most, now=now)
        if not allowance.mails:
            return Claim([], allowance)
        taken = _lock_some(issue, allowance.mails, now)
        judged = dict(
            Delivery.objects.filter(pk__in=taken)
            .alias(is_suppressed=audience.suppressed("subscriber__address_key"))
            .annotate(no=_WHY_NOT)
            .values_list("pk", "no")
        )
        for why in {why for why in judged.values() if why}:
            unfit = [pk for pk, no in judged.items() if no == why]
            Delivery.objects.filter(pk__in=unfit).update(state=State.EXCLUDED, why=why)
        fit = [pk for pk in taken if not judged[pk]]
        Delivery.objects.filter(pk__in=fit).update(
            state=State.CLAIMED, claimed_by=sender, claimed_at=now
        )
    return Claim(fit, allowance)


_WHY_NOT = Case(
    When(subscriber__isnull=True, then=Value(Why.LEFT)),
    When(~Q(subscriber__status="confirmed"), then=Value(Why.LEFT)),
    When(is_suppressed=True, then=Value(Why.SUPPRESSED)),
    When(subscriber__unreachable_since__isnull=False, then=Value(Why.UNREACHABLE)),
    default=Value(Why.NONE),
)


def _lock_some(issue: Issue, most: int, now: datetime) -> list[int]:
    """New ones first, then those that were deferred: two questions, so that each has its index."""
    rows = Delivery.objects.filter(issue=issue).select_for_update(skip_locked=True)
    new = list(rows.filter(state=State.PENDING).values_list("pk", flat=True)[:most])
    if len(new) == most:
        return new
    again = rows.filter(state=State.DEFERRED, next_try_at__lte=now).order_by("next_try_at")
    return new + list(again.values_list("pk", flat=True)[: most - len(new)])


def step(
    *,
    sender: uuid.UUID,
    settle: Sequence[Settlement],
    begin: Collection[int],
    now: datetime,
) -> list[Begun]:
    """Write down what became of some mails and that others are on their way, in one commit.

    Returns those that were begun. Doing it twice does no harm, so it can be repeated when nobody
    knows whether it was committed.
    """
    values: list[Any] = [
        [each.delivery for each in settle],
        [each.state.value for each in settle],
        [each.why.value for each in settle],
        [each.code for each in settle],
        [each.sent_at for each in settle],
        [each.next_try_at for each in settle],
        sender,
        now,
        now,
        list(begin),
        sender,
        now,
    ]
    connection.ensure_connection()
    # The library's own cursor: the one statement of every mail is planned once a connection.
    with psycopg.Cursor[tuple[Any, ...]](connection.connection) as cursor:
        cursor.execute(_STEP, values, prepare=True)
        return [_begun(row) for row in cursor.fetchall()]


def _begun(row: Sequence[Any]) -> Begun:
    pk, public_id, number, address, key, name, attempts, first_tried_at = row
    mailbox = Address(address, key).mailbox
    recipient = Recipient(pk, public_id, number, mailbox, name)
    return Begun(recipient, attempts, first_tried_at)


def give_back(sender: uuid.UUID) -> int:
    """Let others have what this sender took and did not begin."""
    held = Delivery.objects.filter(claimed_by=sender, state=State.CLAIMED)
    return held.update(state=State.PENDING, claimed_by=None, claimed_at=None)


def recover(*, timings: Timings, now: datetime) -> None:
    """Find what dead senders left: not begun goes back, begun is uncertain."""
    stale = Delivery.objects.filter(claimed_at__lt=timings.lease_ran_out(now))
    stale.filter(state=State.CLAIMED).update(state=State.PENDING, claimed_by=None, claimed_at=None)
    # The sender stays in the row: if it lives after all, it may still say what became of it.
    stale.filter(state=State.IN_FLIGHT).update(state=State.UNCERTAIN)
    # A sender that lived after all may have given a mail back to an issue that had ended: still owed.
    owed = Delivery.objects.waiting().filter(issue=OuterRef("pk"))
    ended = Issue.objects.filter(Exists(owed), status=Issue.Status.SENT)
    ended.update(status=Issue.Status.SENDING, finished_at=None)
    # What came back to an issue in the moment it was broken off.
    stopped = Delivery.objects.filter(issue__status=Issue.Status.STOPPED)
    stopped.filter(state__in=[State.PENDING, State.DEFERRED]).update(state=State.CANCELLED)


def finish(*, now: datetime) -> int:
    """End the issues of which nothing is left to send; returns how many."""
    waiting = Delivery.objects.waiting().filter(issue=OuterRef("pk"))
    done = Issue.objects.filter(~Exists(waiting), status=Issue.Status.SENDING)
    return done.update(
        status=Issue.Status.SENT, finished_at=now, resume_at=None, pauses=0, trouble=""
    )


def lately(issue: Issue, most: int) -> list[tuple[str, str]]:
    """State and reason of the mails tried last since the coach let them go, the newest first."""
    tried = issue.deliveries.filter(
        claimed_at__isnull=False, state__in=[State.SENT, State.FAILED, State.UNCERTAIN]
    )
    if issue.resumed_at is not None:
        tried = tried.filter(first_tried_at__gte=issue.resumed_at)
    return list(tried.order_by("-claimed_at", "-pk").values_list("state", "why")[:most])
