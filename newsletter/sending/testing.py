"""A test mail: what a reader would get, sent to one typed address and counted nowhere."""

from __future__ import annotations

from datetime import datetime

from newsletter import preflight
from newsletter.errors import NewsletterError
from newsletter.models import Issue
from newsletter.rendering.mould import NOBODY, Mould, Recipient
from newsletter.sending import timings
from newsletter.sending.connection import connect
from newsletter.sending.replies import Reply, Verdict
from pages.models import Practice

PREFIX = "[Test] "


class NotAccepted(NewsletterError):
    """The mail server did not take the test mail."""

    def __init__(self, reply: Reply) -> None:
        self.message = (
            f"Der Mailserver nimmt die Testmail nicht an (Antwort {reply})."
            if reply.code
            else "Der Mailserver ist nicht zu erreichen. Versuch es in ein paar Minuten noch einmal."
        )
        super().__init__(self.message)


def send_test(issue: Issue, *, to: str, now: datetime) -> None:
    """Send the issue as it stands to this mailbox now. Raises NotAccepted.

    Its links to leave and to the preferences are nobody's: they show friendly pages and do nothing.
    """
    built = preflight.built(issue, Practice.current())
    mould = Mould(
        issue=issue.pk, subject=f"{PREFIX}{built.subject}", html=built.html, text=built.text
    )
    nobody = Recipient(delivery=None, public_id=NOBODY, address_number=0, mailbox=to)
    connection = connect(verdict_timeout=timings.current().verdict)
    try:
        verdict, reply = connection.send(mould.cast(nobody, now=now))
    finally:
        connection.close()
    if verdict is not Verdict.ACCEPTED:
        raise NotAccepted(reply)
