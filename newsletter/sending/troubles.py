"""What stops a sending, the sentence the coach reads about it, and when it is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from coaching_site import jobs
from newsletter.models import Delivery, Issue
from newsletter.sending import ledger
from newsletter.sending.replies import Reply
from newsletter.sending.timings import Timings

Status, Why = Issue.Status, Delivery.Why

# As many of the mails tried last are looked at.
LATELY = 400
# So many refusals in a row, or more than half of so many, are about us and not about a mailbox.
POLICY_IN_A_ROW, POLICY_OF = 30, 50
CONTENT_IN_A_ROW = 3
# More mailboxes than this that do not exist, and providers take the sender for a spammer.
DEAD_SHARE, DEAD_OF = 0.05, 100
# A short „slow down“ is no news; whoever was refused twice in a row has an outage.
OUTAGE = 2

POLICY = (
    "Der Mailserver lehnt die Ausgabe aus Prinzip ab: Meist stimmt etwas mit der Absenderadresse "
    "nicht (SPF, DKIM oder DMARC), oder der Absender steht auf einer Sperrliste. Kläre das mit "
    "deinem Mailanbieter und setz die Ausgabe dann fort. Niemand wurde deswegen abgemeldet."
)
CONTENT = (
    "Der Mailserver lehnt ab, was in der Ausgabe steht, oder sie ist ihm zu groß. Prüf Bilder und "
    "Links und frag deinen Mailanbieter. Du kannst die Ausgabe fortsetzen oder abbrechen."
)
DEAD = (
    "Viele Postfächer gibt es nicht mehr, mehr als eines von zwanzig. Das schadet dem Ruf deines "
    "Absenders. Prüf, woher die Adressen stammen, und setz die Ausgabe dann fort oder brich sie ab."
)
SILENT = "Der Mailserver ist nicht zu erreichen."
REFUSING = "Der Mailserver nimmt gerade nichts an (Antwort {reply})."
BY_ITSELF = "Es geht von selbst weiter, sobald er wieder annimmt; verloren geht nichts."


def note_outage(reply: Reply, *, timings: Timings, now: datetime) -> datetime | None:
    """Let every issue rest: the mail server as a whole says no. The coach is told once an outage.

    Returns when to ask it again.
    """
    sentence = REFUSING.format(reply=reply) if reply.code else SILENT
    trouble = f"{sentence} {BY_ITSELF}"
    with transaction.atomic():
        rests_already = Q(resume_at__gt=now)
        running = Issue.objects.select_for_update(of=("self",)).filter(status=Status.SENDING)
        for issue in running.exclude(rests_already).order_by("pk"):
            issue.pauses = min(issue.pauses + 1, 1000)
            issue.resume_at, issue.trouble = now + timings.pause(issue.pauses), trouble
            issue.save(update_fields=["pauses", "resume_at", "trouble"])
            if issue.pauses == OUTAGE:
                tell(issue, trouble)
    return ledger.next_time()


def note_recovery() -> None:
    """It accepts mail again."""
    waited = Issue.objects.filter(status=Status.SENDING, pauses__gt=0)
    waited.update(pauses=0, trouble="", resume_at=None)


def look(issue: Issue) -> bool:
    """Hold the issue if its last refusals call for the coach; returns whether they do."""
    trouble = judge(ledger.lately(issue, LATELY))
    if not trouble:
        return False
    with transaction.atomic():
        running = Issue.objects.filter(pk=issue.pk, status=Status.SENDING)
        if running.update(status=Status.PAUSED, trouble=trouble, resume_at=None, pauses=0):
            tell(issue, trouble)
    return True


def judge(tried: Sequence[tuple[str, str]]) -> str:
    """What is wrong with the sending, told from state and reason of its last mails; "" if nothing."""
    reasons = [why for _, why in tried]
    if _in_a_row(reasons, Why.POLICY) >= POLICY_IN_A_ROW:
        return POLICY
    if len(reasons) >= POLICY_OF and reasons[:POLICY_OF].count(Why.POLICY) > POLICY_OF / 2:
        return POLICY
    if _in_a_row(reasons, Why.CONTENT) >= CONTENT_IN_A_ROW:
        return CONTENT
    if len(reasons) >= DEAD_OF and reasons.count(Why.NO_MAILBOX) > DEAD_SHARE * len(reasons):
        return DEAD
    return ""


def tell(issue: Issue, trouble: str) -> None:
    """Write to the coach, in the transaction that makes it true."""
    jobs.enqueue("newsletter.tell_about_trouble", issue=issue.pk, trouble=trouble)


def _in_a_row(reasons: Sequence[str], why: Delivery.Why) -> int:
    for number, reason in enumerate(reasons):
        if reason != why:
            return number
    return len(reasons)
