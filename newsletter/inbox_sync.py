"""When the inbox is read, how far, and what becomes of it.

Each mail is fetched outside any transaction; one short transaction then does what it calls for and
moves the mark. A crash in between reads that mail again, which counts once.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from coaching_site import jobs
from newsletter import feedback, inbox
from newsletter.inbox import InboxFailed, OpenInbox
from newsletter.models import Inbox

MAILS_A_RUN = 200
SECONDS_A_RUN = 90.0
WARN_AFTER = timedelta(hours=6)
# A mailbox is never read from its beginning: what bounces is younger than the mail that was sent.
# Two days more than needed, because servers know only the day of arrival, in a zone of their own.
LOOK_BACK = timedelta(days=2)


def refresh(*, now: datetime) -> int:
    """Read what has come since last time; returns how many mails that were. Not in a transaction.

    Without a configured mailbox nothing happens. A failure is noted, and told to the coach.
    """
    if not settings.INBOX.host:
        return 0
    row, _ = Inbox.objects.get_or_create(name=inbox.name())
    Inbox.objects.exclude(pk=row.pk).delete()  # nobody waits for a mailbox that was replaced
    try:
        with inbox.look() as box:
            count = _read_on(row, box, now=now)
    except InboxFailed as failure:
        _note_failure(row.pk, str(failure), now=now)
        return 0
    _note_success(row.pk, now=now)
    return count


def _read_on(row: Inbox, box: OpenInbox, *, now: datetime) -> int:
    if row.uid_validity != box.uid_validity:
        # Other numbers for the same mails. What has been read counts once all the same.
        row.uid_validity, row.last_uid = box.uid_validity, 0
        row.save(update_fields=["uid_validity", "last_uid"])
    since = None if row.last_uid else (row.read_at or now) - LOOK_BACK
    deadline = time.monotonic() + SECONDS_A_RUN
    count = 0
    for uid in box.uids(after=row.last_uid, since=since)[:MAILS_A_RUN]:
        mail = box.mail(uid)
        with transaction.atomic():
            if mail is not None:
                feedback.take_in(mail, now=now)
            Inbox.objects.filter(pk=row.pk, uid_validity=box.uid_validity).update(last_uid=uid)
        count += 1
        if time.monotonic() > deadline:
            break
    return count


def _note_failure(pk: int, why: str, *, now: datetime) -> None:
    with transaction.atomic():
        row = Inbox.objects.select_for_update().get(pk=pk)
        row.trouble = why
        row.failing_since = row.failing_since or now
        if row.warned_at is None and row.failing_since <= now - WARN_AFTER:
            row.warned_at = now
            jobs.enqueue("newsletter.tell_about_inbox", inbox=row.pk, is_well=False)
        row.save()


def _note_success(pk: int, *, now: datetime) -> None:
    with transaction.atomic():
        row = Inbox.objects.select_for_update().get(pk=pk)
        if row.warned_at is not None:
            jobs.enqueue("newsletter.tell_about_inbox", inbox=row.pk, is_well=True)
        row.trouble, row.failing_since, row.warned_at = "", None, None
        row.read_at = now
        row.save()
