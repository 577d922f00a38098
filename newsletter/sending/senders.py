"""Threads that hand mails to the mail server, one connection each. None of them sees the database."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue

from newsletter.rendering.mould import Mould
from newsletter.sending.connection import connect
from newsletter.sending.ledger import Begun
from newsletter.sending.replies import Reply, Stage, Verdict

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Report:
    """What a sender says of a mail it was given."""

    sender: Sender
    mail: Begun
    verdict: Verdict
    reply: Reply
    at: datetime


class Sender(threading.Thread):
    """Takes one mail at a time and puts what became of it into `reports`."""

    def __init__(
        self, mould: Mould, reports: SimpleQueue[Report], *, verdict_timeout: float, clock: Clock
    ) -> None:
        super().__init__(name="newsletter-sender", daemon=True)
        self._mould, self._reports, self._clock = mould, reports, clock
        self._given: SimpleQueue[Begun | None] = SimpleQueue()
        self._connection = connect(verdict_timeout=verdict_timeout)

    def give(self, mail: Begun) -> None:
        self._given.put(mail)

    def dismiss(self) -> None:
        """Say goodbye to the mail server after the mail at hand."""
        self._given.put(None)

    def run(self) -> None:
        while (mail := self._given.get()) is not None:
            verdict, reply = self._send(mail)
            self._reports.put(Report(self, mail, verdict, reply, self._clock()))
        self._connection.close()

    def _send(self, mail: Begun) -> tuple[Verdict, Reply]:
        # The thread must report whatever happens; its lane waits for it.
        try:
            cast = self._mould.cast(mail.recipient, now=self._clock())
        except Exception:
            logger.exception("Delivery %s could not be written.", mail.delivery)
            return Verdict.REFUSED, Reply(Stage.GREETING, 0)
        try:
            return self._connection.send(cast)
        except Exception:
            logger.exception("Nobody knows what became of delivery %s.", mail.delivery)
            return Verdict.UNCERTAIN, Reply(Stage.MESSAGE, 0)
