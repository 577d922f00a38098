"""Turns a template folder into one mail and hands it to the mail server.

A mail is a trio of templates: `<name>.subject.txt`, `<name>.txt` and `<name>.html`.
"""

from __future__ import annotations

import hashlib
import smtplib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string

from coaching_site.jobs import Hopeless
from pages.models import Practice


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
) -> None:
    """Render and send one mail now. Raises Undeliverable, Deferred or OSError (nobody answered).

    `key` names the mail: the same key gives the same Message-ID, so a mail that had to be sent
    twice after a crash can be recognised as one (RFC 5322 section 3.6.4).
    """
    message = compose(template, to=to, context=context, key=key, reply_to=reply_to, headers=headers)
    for form in alternatives:
        message.attach_alternative(form.content, form.mimetype)
    for file in attachments:
        message.attach(file.name, file.content, file.mimetype)
    _hand_over(message)


def compose(
    template: str,
    *,
    to: str,
    context: Mapping[str, Any],
    key: str,
    reply_to: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> EmailMultiAlternatives:
    """Render the three parts. The imprint stands in every mail (DDG § 5)."""
    values = {**context, "practice": Practice.current(), "site_url": settings.SITE_URL}
    subject = render_to_string(f"{template}.subject.txt", values)
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
            **(headers or {}),
        },
    )
    message.attach_alternative(render_to_string(f"{template}.html", values), "text/html")
    return message


def message_id(key: str) -> str:
    """A Message-ID that depends on the key alone and tells nothing about it."""
    digest = hashlib.blake2b(key.encode(), key=settings.SECRET_KEY.encode()[:64], digest_size=16)
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    return f"<{digest.hexdigest()}@{domain}>"


def _hand_over(message: EmailMessage) -> None:
    """Send, and tell a refusal by its code alone: the library's text contains the address."""
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
