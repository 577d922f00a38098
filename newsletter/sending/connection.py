"""One connection to the mail server, used for many mails.

Where the server allows it, sender, recipient and DATA travel in one packet (RFC 2920): a mail takes
two journeys there and back instead of four.
"""

from __future__ import annotations

import contextlib
import email
import smtplib
import socket
from email.message import EmailMessage as ParsedMessage
from email.policy import SMTP
from typing import cast

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.smtp import EmailBackend

from newsletter.rendering.mould import Mail
from newsletter.sending.replies import Reply, Stage, Verdict, read

END = b".\r\n"
# What stands for an answer when there was none.
NO_ANSWER = 0
FAREWELL_SECONDS = 2.0


class Lost(Exception):
    """The connection broke at that stage. Before the final dot nothing can have been accepted."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        super().__init__(stage.value)


class SmtpConnection:
    """Opens when it is needed, and again after the server closed it."""

    def __init__(self, *, verdict_timeout: float) -> None:
        self._verdict_timeout = verdict_timeout
        self._smtp: smtplib.SMTP | None = None
        self._used = 0
        self._pipelines = False

    @property
    def is_open(self) -> bool:
        return self._smtp is not None

    def send(self, mail: Mail) -> tuple[Verdict, Reply]:
        """Hand one mail over, and say what became of it. Never raises for what a server does."""
        while True:
            if self._smtp is None and (refused := self._open()):
                return Verdict.SERVER, refused
            was_used = self._used > 0
            try:
                reply = self._hand_over(mail)
            except Lost as lost:
                self.close(politely=False)
                if lost.stage is Stage.MESSAGE:
                    return Verdict.UNCERTAIN, Reply(lost.stage, NO_ANSWER)
                reply = Reply(lost.stage, NO_ANSWER)
            if reply.verdict is not Verdict.SERVER:
                self._used += 1
                return reply.verdict, reply
            self.close(politely=False)
            # Servers close after so many mails or so long a silence, with 421 or without a word.
            if not (was_used and reply.code in (NO_ANSWER, 421)):
                return Verdict.SERVER, reply

    def close(self, *, politely: bool = True) -> None:
        smtp, self._smtp, self._used = self._smtp, None, 0
        if smtp is None:
            return
        with contextlib.suppress(smtplib.SMTPException, OSError):
            if politely and smtp.sock is not None:
                smtp.sock.settimeout(FAREWELL_SECONDS)
                smtp.quit()
        smtp.close()

    def _open(self) -> Reply | None:
        """Connect and sign in as Django would; returns the refusal if there is one."""
        backend = cast("EmailBackend", get_connection(fail_silently=False))
        try:
            backend.open()
            smtp = backend.connection
            assert isinstance(smtp, smtplib.SMTP)
            smtp.ehlo_or_helo_if_needed()
        except smtplib.SMTPResponseException as refused:
            words = refused.smtp_error
            told = words if isinstance(words, bytes) else str(words).encode()
            self._drop(backend)
            return read(Stage.GREETING, refused.smtp_code, told)
        except (smtplib.SMTPException, OSError, ValueError):
            # ValueError: host, user or password hold signs that none can (RFC 4954, RFC 1034).
            self._drop(backend)
            return Reply(Stage.GREETING, NO_ANSWER)
        self._smtp, self._used = smtp, 0
        self._pipelines = smtp.has_extn("pipelining")
        if isinstance(smtp.sock, socket.socket):
            smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return None

    @staticmethod
    def _drop(backend: EmailBackend) -> None:
        # Only the backend itself knows of a connection that could not be signed in.
        with contextlib.suppress(smtplib.SMTPException, OSError):
            backend.close()

    def _hand_over(self, mail: Mail) -> Reply:
        commands = [
            (Stage.SENDER, f"MAIL FROM:<{mail.sender}>\r\n".encode("ascii")),
            (Stage.RECIPIENT, f"RCPT TO:<{mail.recipient}>\r\n".encode("ascii")),
            (Stage.DATA, b"DATA\r\n"),
        ]
        refused = self._at_once(commands) if self._pipelines else self._one_by_one(commands)
        if refused is not None:
            return refused
        self._write(Stage.DATA, mail.data + END)
        return self._read(Stage.MESSAGE, timeout=self._verdict_timeout)

    def _one_by_one(self, commands: list[tuple[Stage, bytes]]) -> Reply | None:
        for stage, command in commands:
            self._write(stage, command)
            reply = self._read(stage)
            if not _goes_on(reply):
                self._reset()
                return reply
        return None

    def _at_once(self, commands: list[tuple[Stage, bytes]]) -> Reply | None:
        """All commands in one packet, then all the answers; returns the first refusal."""
        self._write(Stage.SENDER, b"".join(command for _, command in commands))
        replies = [self._read(stage) for stage, _ in commands]
        refused = next((reply for reply in replies if not _goes_on(reply)), None)
        if refused is None:
            return None
        if _goes_on(replies[-1]):
            # It waits for a message although nobody is to get it (RFC 2920 section 3.1): a lone dot
            # ends it, and whatever it answers, no mail was accepted for a refused recipient.
            self._write(Stage.DATA, END)
            self._read(Stage.DATA)
        else:
            self._reset()
        return refused

    def _reset(self) -> None:
        """Forget the mail that was begun. A server that is gone needs no telling."""
        with contextlib.suppress(Lost):
            self._write(Stage.DATA, b"RSET\r\n")
            self._read(Stage.DATA)
            return
        self.close(politely=False)

    def _write(self, stage: Stage, data: bytes) -> None:
        try:
            self._socket().sendall(data)
        except OSError:
            raise Lost(stage) from None

    def _read(self, stage: Stage, *, timeout: float | None = None) -> Reply:
        assert self._smtp is not None
        try:
            self._socket().settimeout(timeout or settings.EMAIL_TIMEOUT)
            code, words = self._smtp.getreply()
        except (smtplib.SMTPException, OSError, ValueError):
            raise Lost(stage) from None
        if code < 0:  # what came back is no answer at all
            raise Lost(stage)
        return read(stage, code, words)

    def _socket(self) -> socket.socket:
        sock = self._smtp.sock if self._smtp is not None else None
        if sock is None:
            raise OSError("not connected")
        return sock


class BackendConnection:
    """For a site without a mail server: hands each mail to Django's backend (the mail folder)."""

    is_open = True

    def send(self, mail: Mail) -> tuple[Verdict, Reply]:
        try:
            _Ready(mail).send()
        except OSError:
            return Verdict.SERVER, Reply(Stage.GREETING, NO_ANSWER)
        return Verdict.ACCEPTED, Reply(Stage.MESSAGE, 250)

    def close(self, *, politely: bool = True) -> None:
        """Nothing is held open."""


class _Ready(EmailMessage):
    """A mail whose bytes are there already."""

    def __init__(self, mail: Mail) -> None:
        super().__init__(to=[mail.recipient], from_email=mail.sender)
        self.ready = mail.data

    def message(self) -> ParsedMessage:  # type: ignore[override]
        parsed = email.message_from_bytes(self.ready, policy=SMTP)
        assert isinstance(parsed, ParsedMessage)
        return parsed


Connection = SmtpConnection | BackendConnection


def connect(*, verdict_timeout: float) -> Connection:
    """A connection that opens with its first mail. In the way mail leaves this site at all."""
    if isinstance(get_connection(), EmailBackend):
        return SmtpConnection(verdict_timeout=verdict_timeout)
    return BackendConnection()


def _goes_on(reply: Reply) -> bool:
    return reply.code == 354 if reply.stage is Stage.DATA else 200 <= reply.code < 300
