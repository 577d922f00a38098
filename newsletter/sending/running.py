"""An issue's way from „Senden“ to the last mail, and what the coach may do about it on the way."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from coaching_site import jobs
from newsletter import preflight
from newsletter.errors import NewsletterError
from newsletter.models import Delivery, Edition, Issue
from newsletter.preflight import Problem
from newsletter.sending import audience, ledger, timings, troubles
from newsletter.sending.reports import Outcome as Outcome
from newsletter.sending.reports import Progress as Progress
from newsletter.sending.reports import outcome as outcome
from newsletter.sending.reports import progress as progress
from newsletter.sending.reports import progress_of as progress_of
from newsletter.sending.waking import wake
from pages.models import Practice

# How long „Senden“ can be taken back.
UNDO = timedelta(seconds=60)

Status = Issue.Status
State, Why = Delivery.State, Delivery.Why

# Refusals that may have passed meanwhile; a mailbox that does not exist stays away.
MAY_BE_TRIED_AGAIN = (Why.REFUSED, Why.POLICY, Why.CONTENT, Why.GAVE_UP)

LATE = (
    "Der Versand war geplant, lief aber nicht an. Sag, ob die Ausgabe jetzt noch hinausgehen soll."
)


class NotSendable(NewsletterError):
    """Preflight found something; `problems` says what."""

    message = "So kann die Ausgabe nicht hinausgehen."

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.message = " ".join([self.message, *(problem.message for problem in problems)])
        super().__init__(self.message)


class AlreadyOnItsWay(NewsletterError):
    """„Senden“ was pressed twice, or elsewhere."""

    message = "Diese Ausgabe ist schon auf dem Weg."


class InThePast(NewsletterError):
    message = "Dieser Zeitpunkt ist schon vorbei. Wähle einen späteren."


class NotNow(NewsletterError):
    """The issue is in another state than the page said."""

    message = "Das geht bei dieser Ausgabe gerade nicht. Sieh nach, wie sie steht."


# --- until it leaves --------------------------------------------------------------------------


def schedule(pk: int, *, at: datetime | None, now: datetime) -> Issue:
    """Send a draft at that time, or in a minute if there is none; until then it can be taken back.

    Raises AlreadyOnItsWay, InThePast or NotSendable.
    """
    if at is not None and at <= now:
        raise InThePast
    with _locked(pk, Status.DRAFT, otherwise=AlreadyOnItsWay) as issue:
        found = preflight.problems(issue, practice=Practice.current())
        if blocking := [problem for problem in found if problem.blocks]:
            raise NotSendable(blocking)
        issue.status, issue.send_at, issue.trouble = Status.SCHEDULED, at or now + UNDO, ""
        issue.save(update_fields=["status", "send_at", "trouble"])
        jobs.enqueue("newsletter.start_issue", at=issue.send_at, issue=pk)
    return issue


def take_back(pk: int, *, now: datetime) -> bool:
    """Make a scheduled issue a draft again; returns whether it was still in time."""
    with transaction.atomic():
        waiting = Issue.objects.filter(pk=pk, status__in=[Status.SCHEDULED, Status.LATE])
        return bool(waiting.update(status=Status.DRAFT, send_at=None, trouble=""))


def send_late(pk: int, *, now: datetime) -> None:
    """Send an issue whose time was missed after all. Raises NotNow."""
    with _locked(pk, Status.LATE) as issue:
        _begin(issue, now=now)


def start(pk: int, *, now: datetime) -> bool:
    """Send a scheduled issue if its time has come; returns whether it was. Twice does no harm.

    If its time is long over, nothing is sent and the coach is asked.
    """
    with transaction.atomic():
        issue = Issue.objects.select_for_update(of=("self",)).due(now).filter(pk=pk).first()
        if issue is None or issue.send_at is None:
            return False
        if now - issue.send_at > timedelta(seconds=timings.current().late):
            issue.status, issue.trouble = Status.LATE, LATE
            issue.save(update_fields=["status", "trouble"])
            troubles.tell(issue, LATE)
            return False
        _begin(issue, now=now)
    return True


def start_due(*, now: datetime) -> int:
    """Start every issue whose time has come; returns how many were."""
    due = Issue.objects.due(now).order_by("send_at", "pk").values_list("pk", flat=True)
    return sum(start(pk, now=now) for pk in list(due))


def keep_going(*, now: datetime) -> None:
    """Find what dead senders left, end what is done, let the rest be sent, and start what is due.

    Starting comes last: an issue that cannot be started must not hold up those on their way.
    """
    ledger.recover(timings=timings.current(), now=now)
    ledger.finish(now=now)
    if ledger.next_issue(now) is not None:
        wake()
    start_due(now=now)


def _begin(issue: Issue, *, now: datetime) -> None:
    """Freeze what it says and who gets it, and let the lanes work."""
    built = preflight.built(issue, Practice.current())
    Edition.objects.create(
        issue=issue, subject=built.subject, html=built.html, text=built.text, built_at=now
    )
    frozen = audience.freeze(issue, now=now)
    issue.status, issue.started_at, issue.trouble = Status.SENDING, now, ""
    issue.candidates = frozen.candidates
    issue.save(update_fields=["status", "started_at", "trouble", "candidates"])
    wake()


# --- while it is sent ---------------------------------------------------------------------------


def pause(pk: int, *, now: datetime) -> None:
    """Hold an issue; what is on its way to the mail server still arrives. Raises NotNow."""
    with _locked(pk, Status.SENDING) as issue:
        issue.status, issue.resume_at = Status.PAUSED, None
        issue.save(update_fields=["status", "resume_at"])


def resume(pk: int, *, now: datetime) -> None:
    """Go on with a held issue, or do not wait for the mail server any longer. Raises NotNow."""
    with _locked(pk, Status.PAUSED, Status.SENDING) as issue:
        _send_on(issue, now=now)


def stop(pk: int, *, now: datetime) -> None:
    """Break an issue off: whoever has not got it will not. Raises NotNow."""
    with _locked(pk, Status.SENDING, Status.PAUSED) as issue:
        issue.status, issue.finished_at, issue.resume_at = Status.STOPPED, now, None
        issue.save(update_fields=["status", "finished_at", "resume_at"])
        # What is in flight is the sender's, who still knows what becomes of it.
        waiting = issue.deliveries.waiting().exclude(state=State.IN_FLIGHT)
        waiting.update(state=State.CANCELLED, claimed_by=None, claimed_at=None)


def retry_failed(pk: int, *, now: datetime) -> int:
    """Try those again whose refusal may have passed and who still read; returns how many.

    Raises NotNow.
    """
    failed = Delivery.objects.filter(state=State.FAILED, why__in=MAY_BE_TRIED_AGAIN)
    return _try_again(pk, failed, now=now)


def resend_uncertain(pk: int, *, deliveries: Collection[int] | None = None, now: datetime) -> int:
    """Send to these (or all) of whom nobody knows whether they got it; returns how many.

    Some will get it twice, so only the coach may wish it. Raises NotNow.
    """
    uncertain = Delivery.objects.uncertain()
    if deliveries is not None:
        uncertain = uncertain.filter(pk__in=deliveries)
    return _try_again(pk, uncertain, now=now)


def _try_again(pk: int, wanted: QuerySet[Delivery], *, now: datetime) -> int:
    started = (Status.SENDING, Status.PAUSED, Status.STOPPED, Status.SENT)
    with _locked(pk, *started) as issue:
        rows = wanted.filter(
            issue=issue,
            subscriber__status="confirmed",
            subscriber__unreachable_since__isnull=True,
        )
        count = Delivery.objects.filter(pk__in=rows.values("pk")).update(
            state=State.PENDING,
            why=Why.NONE,
            code="",
            claimed_by=None,
            claimed_at=None,
            first_tried_at=None,
            next_try_at=None,
        )
        if count and issue.status != Status.PAUSED:
            _send_on(issue, now=now)
    return count


def _send_on(issue: Issue, *, now: datetime) -> None:
    issue.status, issue.finished_at, issue.resumed_at = Status.SENDING, None, now
    issue.resume_at, issue.pauses, issue.trouble = None, 0, ""
    issue.save(
        update_fields=["status", "finished_at", "resumed_at", "resume_at", "pauses", "trouble"]
    )
    wake()


@contextmanager
def _locked(
    pk: int, *statuses: Issue.Status, otherwise: type[NewsletterError] = NotNow
) -> Iterator[Issue]:
    """The issue's row, kept from others until the block's transaction ends, if it stands so."""
    with transaction.atomic():
        issue = Issue.objects.select_for_update(of=("self",)).filter(pk=pk).first()
        if issue is None or issue.status not in statuses:
            raise otherwise
        yield issue
