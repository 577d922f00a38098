"""Reads what a mail in the inbox is: a bounce, a complaint, an automatic reply, or written by somebody.

Pure: bytes go in, a few plain values come out. Bounces should be delivery status notifications
(RFC 3464), and complaints abuse reports (RFC 5965). Many bounces are only text or HTML from a mail
daemon; those are read by the status codes in them (RFC 3463).
"""

from __future__ import annotations

import email
import hashlib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime
from enum import Enum


class What(Enum):
    """What a mail turns out to be. The first four are values of `Feedback.Kind` as well."""

    HARD = "hard"  # there is no such mailbox
    SOFT = "soft"  # it took no mail this time
    POLICY = "policy"  # somebody refused sender or content; the mailbox is not the reason
    COMPLAINT = "complaint"
    AUTOMATIC = "automatic"  # on holiday, delayed, delivered: nothing follows
    WRITTEN = "written"


@dataclass(frozen=True)
class Read:
    """A mail, as far as it matters here."""

    what: What
    code: str  # „550 5.1.1“, never the words
    recipients: tuple[str, ...]  # header lines that may name the address it was delivered to
    identity: str  # the same for the same mail, and tells nothing of it
    written_at: datetime | None


# RFC 3463 section 3.2: these do not speak of the recipient's address, but of a valid one, of the
# sender's address, of the path behind; Exchange's 90 of what the sender sent that day.
_NOT_THE_RECIPIENT = (5, 7, 8, 9, 90)
# Between basic and enhanced code stands a space, or a hyphen if more lines follow (RFC 2034).
_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_BASIC = re.compile(r"(?<![\d.])([45][0-5]\d)(?![\d.]*\d)(?=[\s-]|$)")
# What servers say that give no telling code. Only words that leave no doubt.
_NO_SUCH_USER = re.compile(
    r"no such (user|mailbox|recipient|person|address)|(user|recipient|mailbox|address) (is )?unknown"
    r"|unknown (user|recipient|mailbox)|no mailbox here|(user|mailbox|account) (not found|does not"
    r" exist)|doesn't have an? \S+ account|unbekannter empf",
    re.IGNORECASE,
)
_DELAYED = re.compile(
    r"\bdelayed\b|verzögert|warning: (message|could not send)|not yet been delivered"
    r"|this is a warning message only|you do not need to resend",
    re.IGNORECASE,
)
_ON_HOLIDAY = re.compile(
    r"(auto(matic|mated)?[ -]?(reply|response)|automatische antwort|abwesenheit|out of (the )?office"
    r"|abwesend|i am away|vacation|urlaub)",
    re.IGNORECASE,
)
_DAEMONS = re.compile(
    r"(mailer-?daemon|postmaster|mail-?daemon|microsoftexchange\w*)", re.IGNORECASE
)
# Behind these words a mail daemon returns our own text, which may well speak of 5.1.1.
_RETURNED = re.compile(
    r"^[^\n]{0,20}(below this line is a copy|this is a copy of|original message (headers|follows)"
    r"|ursprüngliche nachrichtenkopf).*",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_TAGS = re.compile(r"<(style|script|head)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_RECIPIENTS = (
    "Delivered-To",
    "X-Original-To",
    "Envelope-To",
    "X-Envelope-To",
    "X-Delivered-To",
    "Apparently-To",
    "To",
    "Cc",
)
_STATUS_REPORTS = ("message/delivery-status", "message/global-delivery-status")
_COMPLAINTS = ("abuse", "fraud")  # RFC 5965 section 7.3; the others complain about nothing


def read(raw: bytes) -> Read:
    """Read one mail, whole or cut off; what cannot be understood counts as written by somebody."""
    message = email.message_from_bytes(raw)
    what, code = _judge(message)
    return Read(
        what=what,
        code=code,
        recipients=tuple(str(line) for name in _RECIPIENTS for line in message.get_all(name, ())),
        identity=hashlib.sha256(_header(message, "Message-ID").encode() or raw).hexdigest(),
        written_at=_written_at(message),
    )


def classify(reply: str) -> tuple[What, str]:
    """What an answer of a mail server says of the mailbox, and the codes in it.

    The reply may be a line of SMTP or „5.1.1 smtp; 550 …“. Without a code it counts as soft.
    """
    basic = _BASIC.search(reply)
    codes = [tuple(map(int, found.groups())) for found in _ENHANCED.finditer(reply)]
    # „5.0.x“ says nothing; the words of the next server, behind it, may.
    telling = next((each for each in codes if each[1]), codes[0] if codes else None)
    shown = [basic[1]] if basic else []
    if telling:
        shown.append(".".join(map(str, telling)))
        is_final = telling[0] == 5
    else:
        is_final = basic is not None and basic[1].startswith("5")
    subject, detail = telling[1:] if telling else (0, 0)
    return _by_status(reply, is_final, subject, detail), " ".join(shown)


def _by_status(reply: str, is_final: bool, subject: int, detail: int) -> What:
    """RFC 3463 section 3: subject 1 is the address, 2 the mailbox, 6 the content, 7 policy …"""
    if subject == 7 or (subject, detail) in ((2, 3), (3, 4)) or subject == 6:
        return What.POLICY  # also: too long for the mailbox, too big for the system
    if not is_final:
        return What.SOFT
    if subject == 1:
        return What.POLICY if detail in _NOT_THE_RECIPIENT else What.HARD
    if subject == 5 and detail:
        return What.POLICY  # two servers did not understand each other
    if subject in (0, 5) and _NO_SUCH_USER.search(reply):
        return What.HARD
    # A full or closed mailbox, and no way to its server (4.4): once or twice means nothing.
    return What.SOFT


def _judge(message: Message) -> tuple[What, str]:
    report = str(message.get_param("report-type", "")).lower()
    for part in message.walk():
        kind = part.get_content_type()
        if kind in _STATUS_REPORTS:
            return _by_report(_blocks(part))
        if kind == "message/feedback-report" or report == "feedback-report":
            return _by_complaint(message)
    if _is_from_a_daemon(message):
        return _by_text(message)
    return (What.AUTOMATIC if _is_automatic(message) else What.WRITTEN), ""


def _by_report(blocks: list[Message]) -> tuple[What, str]:
    """The recipient the report is about; each of our mails has one alone."""
    for block in blocks:
        if _header(block, "Action").strip().lower() == "failed":
            words = f"{_header(block, 'Status')} {_header(block, 'Diagnostic-Code')}"
            return classify(words)
    return What.AUTOMATIC, ""  # delayed, delivered, relayed or expanded


def _by_complaint(message: Message) -> tuple[What, str]:
    for part in message.walk():
        if part.get_content_type() == "message/feedback-report":
            for block in _blocks(part):
                if _header(block, "Feedback-Type").strip().lower() in _COMPLAINTS:
                    return What.COMPLAINT, ""
    return What.AUTOMATIC, ""


def _by_text(message: Message) -> tuple[What, str]:
    """Bounces in their senders' own words."""
    text = _RETURNED.sub("", "\n".join(_texts(message)))
    if _DELAYED.search(f"{_subject(message)}\n{text}"):
        return What.AUTOMATIC, ""
    return classify(text)


def _is_from_a_daemon(message: Message) -> bool:
    sender = parseaddr(_header(message, "From"))[1].partition("@")[0]
    told = ("X-Failed-Recipients", "X-MS-Exchange-Message-Is-Ndr")
    return bool(_DAEMONS.fullmatch(sender)) or any(name in message for name in told)


def _is_automatic(message: Message) -> bool:
    """Whether a machine answered (RFC 3834 section 5, and what was there before it)."""
    submitted = _header(message, "Auto-Submitted").strip().lower()
    precedence = _header(message, "Precedence").strip().lower()
    return (
        submitted.startswith(("auto-replied", "auto-notified"))
        or precedence == "auto_reply"
        or any(name in message for name in ("X-Autoreply", "X-Autorespond"))
        or bool(_ON_HOLIDAY.match(_subject(message)))
    )


def _blocks(part: Message) -> list[Message]:
    """The groups of header lines in a report, whatever the parser made of them."""
    _, _, body = part.as_bytes().decode("ascii", "replace").replace("\r\n", "\n").partition("\n\n")
    return [email.message_from_string(block) for block in re.split(r"\n\s*\n", body)]


def _texts(message: Message) -> Iterator[str]:
    """The words of a mail, those of an attached one not included."""
    if message.get_content_maintype() == "message":
        return
    if message.is_multipart():
        for part in message.get_payload():
            if isinstance(part, Message):
                yield from _texts(part)
        return
    kind = message.get_content_type()
    if kind not in ("text/plain", "text/html"):
        return
    payload = message.get_payload(decode=True)
    text = _decoded(payload, message) if isinstance(payload, bytes) else ""
    yield html.unescape(_TAGS.sub(" ", text)) if kind == "text/html" else text


def _decoded(payload: bytes, message: Message) -> str:
    try:
        return payload.decode(message.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):  # no such charset, or none at all
        return payload.decode("latin-1")


def _header(message: Message, name: str) -> str:
    return " ".join(str(message.get(name, "")).split())


def _subject(message: Message) -> str:
    written = _header(message, "Subject")
    try:
        return str(make_header(decode_header(written)))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return written


def _written_at(message: Message) -> datetime | None:
    try:
        moment = parsedate_to_datetime(_header(message, "Date"))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None
