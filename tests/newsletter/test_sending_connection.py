"""One line to a mail server that answers strangely, breaks off, or waits for what it refused."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from newsletter.rendering.mould import Mail
from newsletter.sending.connection import SmtpConnection
from newsletter.sending.replies import Reply, Stage, Verdict

MAIL = Mail("coach@praxis.example", "ada@leser.example", b"Subject: Hallo\r\n\r\nText\r\n")
SENDER, RECIPIENT = b"250 2.1.0 ok\r\n", b"250 2.1.5 ok\r\n"
REFUSED = b"550 5.1.1 no such user\r\n"
GO_ON = b"354 go on\r\n"
ACCEPTED = b"250 2.0.0 accepted\r\n"


@contextmanager
def server(settings, *lines: list[bytes], pipelining: bool = True) -> Iterator[list[bytes]]:
    """Each line gives its answers in turn, one a packet that comes, and breaks off after the last.

    Yields what came after EHLO, packet by packet.
    """
    heard: list[bytes] = []

    def serve() -> None:
        for answers in lines:
            line, _ = listener.accept()
            with line:
                line.sendall(b"220 relay.example\r\n")
                line.recv(4096)
                line.sendall(b"250-relay.example\r\n" * pipelining)
                line.sendall(b"250 PIPELINING\r\n" if pipelining else b"250 relay.example\r\n")
                for answer in answers:
                    heard.append(line.recv(4096))
                    line.sendall(answer)

    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_TIMEOUT = 5
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.EMAIL_HOST, settings.EMAIL_PORT = listener.getsockname()
        thread = threading.Thread(target=serve)
        thread.start()
        yield heard
        thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def line() -> Iterator[SmtpConnection]:
    connection = SmtpConnection(verdict_timeout=5)
    yield connection
    connection.close(politely=False)


def test_a_server_that_waits_for_a_message_it_refused_gets_an_empty_end_and_no_mail(settings, line):
    """RFC 2920 section 3.1: DATA may be answered 354 although no recipient is left."""
    answers = [SENDER + REFUSED + GO_ON, b"554 5.5.1 no valid recipients\r\n"]
    with server(settings, [*answers, SENDER + RECIPIENT + GO_ON, ACCEPTED]) as heard:
        verdict, _ = line.send(MAIL)
        again, _ = line.send(MAIL)

    assert (verdict, again) == (Verdict.NO_MAILBOX, Verdict.ACCEPTED)
    assert heard[1] == b".\r\n"
    assert heard[3] == MAIL.data + b".\r\n"


@pytest.mark.parametrize(
    ("answers", "stage"),
    [
        ([b""], Stage.SENDER),
        ([SENDER, b""], Stage.RECIPIENT),
        ([SENDER, RECIPIENT, b""], Stage.DATA),
        ([SENDER, RECIPIENT, b"what?\r\n"], Stage.DATA),
    ],
    ids=["sender", "recipient", "data", "no answer at all"],
)
def test_a_line_that_breaks_before_the_message_leaves_it_for_another_try(
    settings, line, answers, stage
):
    with server(settings, answers, pipelining=False):
        assert line.send(MAIL) == (Verdict.SERVER, Reply(stage, 0))

    assert not line.is_open


@pytest.mark.parametrize("last", [b"", b"what?\r\n"], ids=["silence", "no answer at all"])
def test_a_line_that_breaks_after_the_message_is_never_sent_again_by_itself(settings, line, last):
    with server(settings, [SENDER + RECIPIENT + GO_ON, last]):
        assert line.send(MAIL) == (Verdict.UNCERTAIN, Reply(Stage.MESSAGE, 0))

    assert not line.is_open


def test_a_server_that_hangs_up_after_refusing_one_is_called_again_for_the_next(settings, line):
    """RSET finds nobody any more: the refusal still counts, the next mail gets a line of its own."""
    refusing = [SENDER, REFUSED]
    taking = [SENDER, RECIPIENT, GO_ON, ACCEPTED]
    with server(settings, refusing, taking, pipelining=False):
        verdicts = [line.send(MAIL)[0] for _ in range(2)]

    assert verdicts == [Verdict.NO_MAILBOX, Verdict.ACCEPTED]
