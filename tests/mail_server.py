"""A real SMTP server for the tests: what arrives is kept as parsed messages."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """What a mail server received, in order."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.refuse_with: str | None = None  # for example "451 4.3.0 later"
        self.answer_after = 0.0  # seconds

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(self.answer_after)
        if self.refuse_with:
            return self.refuse_with
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        message["X-Envelope-To"] = ", ".join(envelope.rcpt_tos)
        self.messages.append(message)
        return "250 2.0.0 accepted"

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.messages if mail["X-Envelope-To"] == address]

    def clear(self) -> None:
        self.messages.clear()
        self.refuse_with = None
        self.answer_after = 0.0


class FreePort(Controller):
    """A controller for port 0: it learns the real port before it knocks at its own door."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def text(message: EmailMessage) -> str:
    """The plain part, as a person reads it."""
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def html(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def attachments(message: EmailMessage) -> dict[str, Any]:
    """File names and contents of what is attached."""
    return {str(part.get_filename()): part.get_content() for part in message.iter_attachments()}


@contextmanager
def serve() -> Iterator[tuple[Mailbox, str, int]]:
    """Run the server on a free port of this machine; yields mailbox, host and port."""
    mailbox = Mailbox()
    controller = FreePort(mailbox, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        yield mailbox, controller.hostname, controller.port
    finally:
        controller.stop()
