"""Turns a template folder into one mail and hands it to the mail server.

A mail is a trio of templates: `<name>.subject.txt`, `<name>.txt` and `<name>.html`.
"""

from __future__ import annotations

import hashlib
import smtplib
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string

from coaching_site import tracing
from coaching_site.jobs import Hopeless
from pages import mail_wording
from pages.mail_wording import Words
from pages.models import MailWording, Practice


class Undeliverable(Hopeless):
    """The mail server refuses this recipient for good (a 5xx answer, RFC 5321 section 4.2.1)."""

    code = 0


class Deferred(Exception):
    """The mail server asks to come back later (a 4xx answer), or refuses us, not the mail."""

    code = 0


# Refusals of a mailbox that stay: no such user, moved, name not allowed, transaction failed.
FOR_GOOD = (550, 551, 553, 554)


@dataclass(frozen=True)
class Attachment:
    """A file that travels with a mail."""

    name: str
    content: bytes
    mimetype: str


@dataclass(frozen=True)
class Alternative:
    """The same message in another form, beside text and HTML: an invitation, for example."""

    content: str
    mimetype: str


@dataclass(frozen=True)
class Held:
    """Mails that are only looked at, and what stands in them instead of the saved words."""

    messages: list[EmailMultiAlternatives]
    words: Words | None


_held: ContextVar[Held | None] = ContextVar("held", default=None)


def send(
    template: str,
    *,
    to: str,
    context: Mapping[str, Any],
    key: str,
    reply_to: str | None = None,
    attachments: Sequence[Attachment] = (),
    alternatives: Sequence[Alternative] = (),
    headers: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
) -> None:
    """Render and send one mail now. Raises Undeliverable, Deferred or OSError (nobody answered).

    `key` names the mail: the same key gives the same Message-ID, so a mail that had to be sent
    twice after a crash can be recognised as one (RFC 5322 section 3.6.4). `names` is what the
    coach's own words in it may name, see `pages.mail_wording`.
    """
    message = compose(
        template,
        to=to,
        context=context,
        key=key,
        reply_to=reply_to,
        headers=headers,
        names=names,
    )
    for form in alternatives:
        message.attach_alternative(form.content, form.mimetype)
    for file in attachments:
        message.attach(file.name, file.content, file.mimetype)
    held = _held.get()
    if held is None:
        hand_over(message)
    else:
        held.messages.append(message)


@contextmanager
def holding_back(words: Words | None = None) -> Iterator[list[EmailMultiAlternatives]]:
    """What this block sends is kept in the list instead, whole as it would leave: to look at it.

    With `words` as if they were the coach's own, whatever is saved.
    """
    held = Held([], words)
    before = _held.set(held)
    try:
        yield held.messages
    finally:
        _held.reset(before)


def compose(
    template: str,
    *,
    to: str,
    context: Mapping[str, Any],
    key: str,
    reply_to: str | None = None,
    headers: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
) -> EmailMultiAlternatives:
    """Render the three parts. The imprint stands in every mail (DDG § 5)."""
    practice = Practice.current()
    words = _words(template, {**(names or {}), "absender": practice.display_name})
    values = {
        **context,
        "practice": practice,
        "site_url": settings.SITE_URL,
        "greeting": words.greeting,
        "closing": words.closing,
    }
    subject = words.subject or render_to_string(f"{template}.subject.txt", values)
    values["subject"] = " ".join(subject.split())
    message = EmailMultiAlternatives(
        subject=values["subject"],
        body=render_to_string(f"{template}.txt", values).strip() + "\n",
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[to],
        reply_to=[reply_to or settings.COACH_EMAIL],
        headers={
            "Message-ID": message_id(key),
            # No holiday replies to machines (RFC 3834 section 5).
            "Auto-Submitted": "auto-generated",
            **({tracing.HEADER: asked_by} if (asked_by := tracing.request_id.get()) else {}),
            **(headers or {}),
        },
    )
    message.attach_alternative(render_to_string(f"{template}.html", values), "text/html")
    return message


def _words(template: str, names: Mapping[str, str]) -> Words:
    """What stands around the facts: nothing where the mail's own template says it all."""
    key = mail_wording.key_of(template)
    mail = mail_wording.OPEN.get(key)
    if mail is None:
        return Words()
    return mail_wording.filled(mail, _own_words(key), names)


def _own_words(key: str) -> Words:
    held = _held.get()
    if held is not None and held.words is not None:
        return held.words
    row = MailWording.objects.filter(key=key).first()
    return row.words if row else Words()


def message_id(key: str) -> str:
    """A Message-ID that depends on the key alone and tells nothing about it."""
    digest = hashlib.blake2b(key.encode(), key=settings.SECRET_KEY.encode()[:64], digest_size=16)
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    return f"<{digest.hexdigest()}@{domain}>"


def hand_over(message: EmailMessage) -> None:
    """Give a mail to the server. Raises Undeliverable, Deferred or OSError.

    A refusal is told by its code alone: the library's text contains the address.
    """
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as refused:
        code = max(code for code, _ in refused.recipients.values())
    except smtplib.SMTPResponseException as refused:
        code = refused.smtp_code
    else:
        return
    error = (
        Undeliverable(f"The mail server refused the mail with {code}.")
        if code in FOR_GOOD
        else Deferred(f"The mail server answered {code}.")
    )
    error.code = code
    raise error


class FolderBackend(BaseEmailBackend):
    """Writes each mail as an .eml file a mail program can open. For one's own machine."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = Path(settings.MAIL_FOLDER)
        folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            name = f"{time.strftime('%Y-%m-%d-%H%M%S')}-{uuid.uuid4().hex[:8]}.eml"
            unfinished = folder / f".{name}"
            unfinished.write_bytes(message.message().as_bytes())
            unfinished.rename(folder / name)
        return len(email_messages)
