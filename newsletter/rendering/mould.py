"""The bytes of an issue's mails: made once for everyone, with gaps for what is each person's own.

Both parts are quoted-printable (RFC 2045 section 6.7). Around every gap stand soft line breaks, which
a reader never sees: so whatever is put in stands on lines of its own, and none gets too long.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from html import escape
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from coaching_site import links
from newsletter import return_paths, tokens
from newsletter.rendering import placeholders

# So long an encoded line may be before its soft break; one full stop at its start may grow by two.
LONGEST_LINE = 73
SOFT_BREAK = "=\r\n"
# Nobody has this number, so the links of a test mail lead to friendly pages and change nothing.
NOBODY = uuid.UUID(int=0)

_ENCODED = [
    chr(byte) if byte in b"\t " or (33 <= byte <= 126 and byte != 61) else f"={byte:02X}"
    for byte in range(256)
]


@dataclass(frozen=True)
class Recipient:
    """Who gets a mail. `delivery` is the ledger's number, None for a test that nobody counts."""

    delivery: int | None
    public_id: uuid.UUID
    address_number: int
    mailbox: str
    name: str = ""


@dataclass(frozen=True)
class Mail:
    """What goes to the mail server: the envelope, and the message with CRLF at every line's end."""

    sender: str
    recipient: str
    data: bytes


class Mould:
    """Casts the mails of one issue."""

    def __init__(self, *, issue: int, subject: str, html: str, text: str) -> None:
        self._issue = issue
        boundary = f"=_{hashlib.sha256(f'{subject}{text}{html}'.encode()).hexdigest()[:32]}"
        self._head = _head(subject, boundary)
        self._before_text = _part(boundary, "plain")
        self._text = _Gaps(text, is_html=False)
        self._before_html = _part(boundary, "html")
        self._html = _Gaps(html, is_html=True)
        self._end = f"\r\n--{boundary}--\r\n".encode()
        self._plain_sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
        self._unsubscribe = _page("newsletter:unsubscribe")
        self._preferences = _page("newsletter:preferences")
        self._second: datetime | None = None
        self._date = ""

    def cast(self, recipient: Recipient, *, now: datetime) -> Mail:
        """The mail for one person, the same bytes whenever it is for the same delivery and second."""
        whose = recipient.public_id
        way_out = self._unsubscribe + tokens.unsubscribe_token(whose, self._issue)
        token = tokens.preferences_token(whose, recipient.address_number)
        values = {
            **placeholders.values_of(recipient.name),
            placeholders.UNSUBSCRIBE: f"{way_out}/",
            placeholders.PREFERENCES: f"{self._preferences}{token}/",
        }
        head = (
            f"To: {recipient.mailbox}\r\n"
            f"Date: {self._date_at(now)}\r\n"
            f"Message-ID: {self._message_id(recipient)}\r\n"
            f"List-Unsubscribe: {_ways_out(f'{way_out}/', recipient)}\r\n"
        )
        data = b"".join(
            [
                head.encode("ascii"),
                self._head,
                self._before_text,
                *self._text.filled(values),
                self._before_html,
                *self._html.filled(values),
                self._end,
            ]
        )
        return Mail(self._sender(recipient), recipient.mailbox, data)

    def _date_at(self, now: datetime) -> str:
        second = now.replace(microsecond=0)
        if second != self._second:
            self._second, self._date = second, format_datetime(timezone.localtime(second))
        return self._date

    def _message_id(self, recipient: Recipient) -> str:
        if recipient.delivery is not None:
            return return_paths.message_id(recipient.delivery)
        return f"<{secrets.token_hex(16)}@{self._plain_sender.rpartition('@')[2]}>"

    def _sender(self, recipient: Recipient) -> str:
        if recipient.delivery is None:
            return self._plain_sender
        return return_paths.envelope_sender(recipient.delivery)


class _Gaps:
    """A text of the mail, encoded but for the gaps its marks leave."""

    def __init__(self, text: str, *, is_html: bool) -> None:
        self._escape = escape if is_html else str
        self._pieces: list[bytes] = []
        self._gaps: list[tuple[int, str]] = []
        for piece in placeholders.cut(text):
            if isinstance(piece, tuple):
                word, fallback = piece
                self._gaps.append((len(self._pieces), word))
                self._pieces.append(_filling(fallback))
            else:
                self._pieces.append(_between_gaps(piece))
        # The last piece has no gap behind it.
        self._pieces[-1] = self._pieces[-1].removesuffix(SOFT_BREAK.encode())

    def filled(self, values: dict[str, str]) -> list[bytes]:
        pieces = [*self._pieces]
        for place, word in self._gaps:
            if value := values.get(word):
                pieces[place] = _filling(self._escape(value))
        return pieces


def quoted_printable(text: str) -> str:
    """One line of text, encoded; soft breaks wherever it gets too long, no full stop at a start."""
    encoded = "".join([_ENCODED[byte] for byte in text.encode()])
    lines = []
    while len(encoded) > LONGEST_LINE:
        end = LONGEST_LINE
        escape_at = encoded.rfind("=", end - 2, end)
        end = end if escape_at < 0 else escape_at
        lines.append(encoded[:end])
        encoded = encoded[end:]
    lines.append(encoded)
    # A line that begins with a full stop would need another in front of it (RFC 5321 section 4.5.2).
    return SOFT_BREAK.join(f"=2E{line[1:]}" if line.startswith(".") else line for line in lines)


def _between_gaps(text: str) -> bytes:
    *lines, last = text.split("\n")
    encoded = [_whole_line(line) for line in lines]
    end = f"{quoted_printable(last)}{SOFT_BREAK}" if last else ""
    return "\r\n".join([*encoded, end]).encode("ascii")


def _whole_line(line: str) -> str:
    """Blanks at the end of a line would get lost on the way."""
    encoded = quoted_printable(line)
    if encoded.endswith((" ", "\t")):
        return f"{encoded[:-1]}{SOFT_BREAK}={ord(encoded[-1]):02X}"
    return encoded


def _filling(value: str) -> bytes:
    return f"{quoted_printable(value)}{SOFT_BREAK}".encode("ascii") if value else b""


def _head(subject: str, boundary: str) -> bytes:
    """The header fields that are the same for everyone, and the empty line that ends the header."""
    coded = EmailMessage(policy=policy.SMTP)
    coded["From"] = settings.DEFAULT_FROM_EMAIL
    coded["Reply-To"] = settings.COACH_EMAIL
    coded["Subject"] = subject
    host = urlsplit(settings.SITE_URL).hostname
    # Written by hand: the library would fold and encode long addresses (RFC 2369 section 2).
    fields = [
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",  # RFC 8058 section 3.1
        f"List-Id: <newsletter.{host}>",  # RFC 2919
        f"List-Archive: <{links.absolute(reverse('newsletter:archive'))}>",
        f"List-Owner: <mailto:{parseaddr(settings.COACH_EMAIL)[1]}>",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
    ]
    return coded.as_bytes().removesuffix(b"\r\n") + "\r\n".join([*fields, "", ""]).encode("ascii")


def _part(boundary: str, kind: str) -> bytes:
    fields = [
        "",
        f"--{boundary}",
        f"Content-Type: text/{kind}; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
        "",
        "",
    ]
    return "\r\n".join(fields).encode("ascii")


def _page(name: str) -> str:
    """The address of a page behind a token, up to where the token begins."""
    return links.absolute(reverse(name, args=["token"])).removesuffix("token/")


def _ways_out(way_out: str, recipient: Recipient) -> str:
    """The way out by link and, if an inbox is read, by mail (RFC 2369 section 3.2)."""
    mailbox = return_paths.unsubscribe_mailbox(recipient.delivery) if recipient.delivery else ""
    return f"<{way_out}>,\r\n <mailto:{mailbox}>" if mailbox else f"<{way_out}>"
