"""Reads the mailbox that bounces come back to, over IMAP (RFC 3501). It only looks.

The mailbox may be the coach's own: it is opened with EXAMINE and read with BODY.PEEK, so nothing in
it is marked as read, moved or deleted. A failure is told in German, without words of the server and
without user or password.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from django.conf import settings

SECONDS_TO_ANSWER = 20.0
# A bounce tells its reason early and carries our mail behind it; the rest of a long one stays there.
MOST_BYTES = 200_000
# IMAP's dates are English, whatever the machine speaks (RFC 3501 section 9, date-month).
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

UNREACHABLE = "Der Mailserver des Postfachs antwortet nicht."
REFUSED = "Der Mailserver nimmt Benutzername oder Passwort des Postfachs nicht an."
NO_FOLDER = "Den Ordner „{folder}“ gibt es im Postfach nicht, oder er lässt sich nicht öffnen."
BROKE_OFF = "Die Verbindung zum Postfach brach ab."


class InboxFailed(Exception):
    """The mailbox could not be read. The message is a sentence for the coach."""


class OpenInbox:
    """A mailbox while it is being looked at."""

    def __init__(self, connection: imaplib.IMAP4, uid_validity: int) -> None:
        self._connection = connection
        # As long as this stays the same, the messages' numbers do (RFC 3501 section 2.3.1.1).
        self.uid_validity = uid_validity

    def uids(self, *, after: int, since: datetime | None) -> list[int]:
        """The numbers above `after`, in order; with `since` those that arrived that day or later."""
        asked = ["UID", f"{after + 1}:*"]
        if since is not None:
            asked += ["SINCE", f"{since.day:02}-{_MONTHS[since.month - 1]}-{since.year}"]
        _, data = self._connection.uid("SEARCH", *asked)
        found = [int(uid) for line in data if line for uid in line.split()]
        # „n:*“ names the last message even if its number is below n.
        return sorted(uid for uid in found if uid > after)

    def mail(self, uid: int) -> bytes | None:
        """The beginning of a message, or None if it is gone meanwhile."""
        _, data = self._connection.uid("FETCH", str(uid), f"(BODY.PEEK[]<0.{MOST_BYTES}>)")
        for item in data:
            if isinstance(item, tuple) and b"BODY[]" in item[0].upper():
                return bytes(item[1])
        return None


@contextmanager
def look() -> Iterator[OpenInbox]:
    """Open the configured mailbox for reading. Raises InboxFailed, whatever goes wrong inside."""
    connection = _connect()
    try:
        _log_in(connection)
        yield OpenInbox(connection, _examine(connection))
        with suppress(imaplib.IMAP4.error, OSError):  # all is read: how they part is no matter
            connection.logout()
    except (imaplib.IMAP4.error, OSError) as failure:
        raise InboxFailed(BROKE_OFF) from failure
    finally:
        with suppress(OSError):  # closed already, by either side
            connection.shutdown()


def name() -> str:
    """What the mailbox is called for the coach; without the password."""
    told = settings.INBOX
    return f"{told.user} auf {told.host}, {told.folder}"[:200]


def _connect() -> imaplib.IMAP4:
    told = settings.INBOX
    try:
        if not told.is_encrypted:
            return imaplib.IMAP4(told.host, told.port, timeout=SECONDS_TO_ANSWER)
        context = ssl.create_default_context()
        return imaplib.IMAP4_SSL(
            told.host, told.port, ssl_context=context, timeout=SECONDS_TO_ANSWER
        )
    except (imaplib.IMAP4.error, OSError) as failure:
        raise InboxFailed(UNREACHABLE) from failure


def _log_in(connection: imaplib.IMAP4) -> None:
    try:
        connection.login(settings.INBOX.user, settings.INBOX.password)
    except imaplib.IMAP4.abort:
        raise  # it hung up: no word about the password
    except imaplib.IMAP4.error:
        # Not from the library's error: it repeats what the server said.
        raise InboxFailed(REFUSED) from None


def _examine(connection: imaplib.IMAP4) -> int:
    folder = settings.INBOX.folder
    quoted = re.sub(r'(["\\])', r"\\\1", folder)
    answer, _ = connection.select(f'"{quoted}"', readonly=True)
    _, told = connection.response("UIDVALIDITY")
    if answer != "OK" or not told or not told[0]:
        raise InboxFailed(NO_FOLDER.format(folder=folder))
    return int(told[0])
