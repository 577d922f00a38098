"""A lane sends for a while: it claims, lets its connections send, and keeps the ledger for them.

The lane's own thread is the only one that talks to the database. It writes what all of its
connections reported and what they do next in one statement, so they share the cost of each commit.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import TypeVar

import psycopg
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from newsletter import feedback
from newsletter.models import Delivery, Feedback, Issue, Pace
from newsletter.rendering.mould import Mould
from newsletter.sending import ledger, timings, troubles
from newsletter.sending.ledger import Begun, Settlement
from newsletter.sending.replies import Reply, Stage, Verdict
from newsletter.sending.senders import Clock, Report, Sender
from newsletter.sending.timings import Timings
from newsletter.sending.waking import LANES, wake_lane

logger = logging.getLogger(__name__)

BATCH = 50
# While the database is away a lane asks again this often, for so long.
ASK_AGAIN_SECONDS, DATABASE_PATIENCE = 0.5, 600.0
# So long a connection may take to say goodbye.
FAREWELL_SECONDS = 3.0

State, Why = Delivery.State, Delivery.Why
_T = TypeVar("_T")

# What a refusal does to the mail, and what it tells about its mailbox.
REFUSALS = {
    Verdict.NO_MAILBOX: (Why.NO_MAILBOX, Feedback.Kind.HARD),
    Verdict.REFUSED: (Why.REFUSED, Feedback.Kind.SOFT),
    Verdict.POLICY: (Why.POLICY, Feedback.Kind.POLICY),
    Verdict.CONTENT: (Why.CONTENT, None),
}


def work_in_slices(lane: int) -> None:
    """What a job does: send for a while, and leave the rest to the next job."""
    next_at = work(lane)
    if next_at is not None:
        wake_lane(lane, at=next_at)


def work(lane: int, *, clock: Clock = timezone.now) -> datetime | None:
    """Send for one slice; returns when to go on, or None if nothing is left for this lane."""
    times = timings.current()
    deadline = time.monotonic() + times.slice
    connections = connections_of(lane, patiently(Pace.current))
    patiently(lambda: ledger.recover(timings=times, now=clock()))
    while connections:
        issue = patiently(lambda: ledger.next_issue(clock()))
        if issue is None:
            patiently(lambda: ledger.finish(now=clock()))
            return patiently(ledger.next_time)
        if time.monotonic() > deadline:
            return clock()
        run = _Run(issue, connections=connections, deadline=deadline, times=times, clock=clock)
        run.send()
        if run.next_at is not None:
            return run.next_at
    return None


def patiently(action: Callable[[], _T]) -> _T:
    """Do it, and again until the database is back: what is known of a mail must not get lost."""
    patience = time.monotonic() + DATABASE_PATIENCE
    while True:
        try:
            return action()
        except (OperationalError, InterfaceError, psycopg.OperationalError) as error:
            if time.monotonic() > patience or connection.in_atomic_block:
                raise
            logger.warning("The database is away (%s); asking again.", type(error).__name__)
            _drop_database()
            time.sleep(ASK_AGAIN_SECONDS)


def _drop_database() -> None:
    try:
        connection.close()
    except DatabaseError:
        logger.debug("The lost connection could not be closed.")


def connections_of(lane: int, pace: Pace) -> int:
    """This lane's share of the connections that may be open at once."""
    return (pace.connections + LANES - 1 - lane) // LANES


class _Run:
    """One issue, one lane, until the slice is over or nothing is left to begin."""

    def __init__(
        self, issue: Issue, *, connections: int, deadline: float, times: Timings, clock: Clock
    ) -> None:
        self.issue, self.times, self.clock = issue, times, clock
        self.me = uuid.uuid4()
        self.next_at: datetime | None = None
        self._connections, self._deadline = connections, deadline
        edition = issue.edition
        self._mould = Mould(
            issue=issue.pk, subject=edition.subject, html=edition.html, text=edition.text
        )
        self._reports: SimpleQueue[Report] = SimpleQueue()
        self._free: list[Sender] = []
        self._senders: list[Sender] = []
        self._in_flight = 0
        self._claimed: deque[int] = deque()
        self._settle: list[Settlement] = []
        self._is_over = False
        self._waits = issue.pauses > 0

    def send(self) -> None:
        try:
            self._loop()
        finally:
            for sender in self._senders:
                sender.dismiss()
            patiently(lambda: ledger.give_back(self.me))
            for sender in self._senders:
                sender.join(FAREWELL_SECONDS)

    def _loop(self) -> None:
        while True:
            wait = self._claim()
            self._step()
            if self._in_flight:
                for report in self._collect():
                    self._note(report)
            elif self._is_over or not (self._claimed or wait):
                return
            elif wait:
                self._wait(wait)
            self._is_over = self._is_over or time.monotonic() > self._deadline

    # --- the ledger ---------------------------------------------------------------------------

    def _claim(self) -> timedelta:
        """Take more before the connections have nothing to do; returns how long the pace forbids it."""
        if self._is_over or len(self._claimed) >= max(self._room(), 1):
            return timedelta()
        now = self.clock()
        claim = patiently(lambda: ledger.claim(self.issue, sender=self.me, most=BATCH, now=now))
        self._claimed.extend(claim.deliveries)
        return timedelta() if self._claimed else claim.allowance.wait

    def _wait(self, wait: timedelta) -> None:
        """Until the pace lets the next mail go: here if that is soon, else in another job."""
        left = self._deadline - time.monotonic()
        if wait.total_seconds() > min(self.times.longest_wait, left):
            self._is_over, self.next_at = True, self.clock() + wait
        else:
            time.sleep(wait.total_seconds())

    def _step(self) -> None:
        begin = [] if self._is_over else self._next_ones()
        settle, now = self._settle, self.clock()
        if not begin and not settle:
            return
        begun = patiently(lambda: ledger.step(sender=self.me, settle=settle, begin=begin, now=now))
        self._settle = []
        for mail in begun:
            self._give(mail)

    def _next_ones(self) -> list[int]:
        return [self._claimed.popleft() for _ in range(min(self._room(), len(self._claimed)))]

    # --- the connections ----------------------------------------------------------------------

    def _room(self) -> int:
        """How many more mails could be on their way."""
        return max(self._connections - self._in_flight, 0)

    def _give(self, mail: Begun) -> None:
        if self._free:
            sender = self._free.pop()
        else:
            sender = Sender(
                self._mould, self._reports, verdict_timeout=self.times.verdict, clock=self.clock
            )
            sender.start()
            self._senders.append(sender)
        self._in_flight += 1
        sender.give(mail)

    def _collect(self) -> Sequence[Report]:
        """Everything the connections have reported, at least one."""
        reports = [self._reports.get()]
        try:
            while True:
                reports.append(self._reports.get_nowait())
        except Empty:
            return reports

    def _note(self, report: Report) -> None:
        self._in_flight -= 1
        match report.verdict:
            case Verdict.ACCEPTED:
                self._settled(report, State.SENT, sent_at=report.at)
                self._note_recovery()
            case Verdict.LATER:
                self._defer(report)
            case Verdict.SERVER:
                self._settled(report, State.PENDING)
                if self._may_do_without(report):
                    return
                self._note_outage(report.reply)
            case Verdict.UNCERTAIN:
                self._settled(report, State.UNCERTAIN)
            case refused:
                why, kind = REFUSALS[refused]
                self._fail(report, why, kind if report.reply.code else None)
        self._free.append(report.sender)

    def _may_do_without(self, report: Report) -> bool:
        """Whether only this connection was refused; then the others go on without it."""
        if report.reply.stage is not Stage.GREETING or len(self._senders) < 2:
            return False
        report.sender.dismiss()
        self._senders.remove(report.sender)
        self._connections = min(self._connections, len(self._senders))
        return True

    # --- what became of a mail ----------------------------------------------------------------

    def _settled(
        self,
        report: Report,
        state: Delivery.State,
        *,
        why: Delivery.Why = Why.NONE,
        sent_at: datetime | None = None,
        next_try_at: datetime | None = None,
    ) -> None:
        code = str(report.reply) if report.reply.code else ""
        self._settle.append(
            Settlement(report.mail.delivery, state, why, code[:20], sent_at, next_try_at)
        )

    def _defer(self, report: Report) -> None:
        tried_for = report.at - report.mail.first_tried_at
        if tried_for.total_seconds() > self.times.patience:
            self._fail(report, Why.GAVE_UP, Feedback.Kind.SOFT)
            return
        next_try_at = report.at + self.times.deferral(report.mail.attempts)
        self._settled(report, State.DEFERRED, next_try_at=next_try_at)

    def _fail(self, report: Report, why: Delivery.Why, kind: Feedback.Kind | None) -> None:
        """In one transaction with what it says about the mailbox, whose row is locked first."""
        self._settled(report, State.FAILED, why=why)
        settlement = self._settle.pop()

        def write() -> None:
            with transaction.atomic():
                if kind is not None:
                    feedback.note_refusal(
                        settlement.delivery, kind=kind, code=settlement.code, now=report.at
                    )
                ledger.step(sender=self.me, settle=[settlement], begin=[], now=report.at)

        patiently(write)
        if patiently(lambda: troubles.look(self.issue)):
            self._is_over = True

    def _note_recovery(self) -> None:
        if self._waits:
            self._waits = False
            patiently(troubles.note_recovery)

    def _note_outage(self, reply: Reply) -> None:
        self._is_over = True
        self.next_at = patiently(
            lambda: troubles.note_outage(reply, timings=self.times, now=self.clock())
        )
