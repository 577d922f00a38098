"""A mail server that counts what it accepts for whom, and that can refuse, delay and hang up.

`python -m tests.smtp_relay [SECONDS]` runs one in a process of its own: it prints its port, answers
each command after so many seconds, and tells its counts when its input ends.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

# What a rule may say besides an answer: close the connection without one, with the mail accepted or not.
LOST_BEFORE, LOST_AFTER = "lost before it was accepted", "lost after it was accepted"

Rule = Callable[[str], str | None]


def _nothing(recipient: str) -> str | None:
    return None


@dataclass
class Relay:
    """How the server behaves, and what it saw. Rules get the recipient and may give an answer."""

    pipelining: bool = True
    offers_login: bool = False  # which is not looked at
    keeps: bool = True
    answer_after: float = 0.0
    greeting: str = "220 relay.example ESMTP"
    on_sender: Rule = _nothing
    on_recipient: Rule = _nothing
    on_message: Rule = _nothing
    close_after: int | None = None
    limit: int | None = None  # of connections at once
    accepted: Counter[str] = field(default_factory=Counter)
    messages: dict[str, bytes] = field(default_factory=dict)
    senders: dict[str, str] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    connections: int = 0
    open_now: int = 0
    most_open: int = 0
    port: int = 0

    @property
    def total(self) -> int:
        return sum(self.accepted.values())

    @property
    def duplicates(self) -> int:
        return self.total - len(self.accepted)

    def accept(self, sender: str, recipient: str, message: bytes) -> None:
        self.accepted[recipient] += 1
        self.times.append(time.monotonic())
        if self.keeps:
            self.messages[recipient], self.senders[recipient] = message, sender


class Session(asyncio.Protocol):
    """One connection. Answers come in order, each a while after its command."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.buffer = b""
        self.sender = self.recipient = ""
        self.accepted = 0
        self.in_message = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        relay = self.relay
        relay.connections += 1
        relay.open_now += 1
        relay.most_open = max(relay.most_open, relay.open_now)
        too_many = relay.limit is not None and relay.open_now > relay.limit
        greeting = "421 4.7.0 too many connections" if too_many else relay.greeting
        self.answer(greeting)
        if not greeting.startswith("220"):
            self.hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        self.relay.open_now -= 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while self.buffer and not self.transport.is_closing():
            end, size = (b"\r\n.\r\n", 5) if self.in_message else (b"\r\n", 2)
            # An empty message begins with its end.
            whole = b"\r\n" + self.buffer if self.in_message else self.buffer
            found = whole.find(end)
            if found < 0:
                return
            piece, rest = whole[:found], whole[found + size :]
            self.buffer = rest
            if self.in_message:
                self.in_message = False
                self.end_message(piece[2:] + b"\r\n")
            else:
                self.command(piece.decode("ascii", "replace"))

    def command(self, line: str) -> None:
        verb, _, argument = line.partition(" ")
        match verb.upper():
            case "EHLO":
                self.answer("250-relay.example")
                if self.relay.pipelining:
                    self.answer("250-PIPELINING")
                if self.relay.offers_login:
                    self.answer("250-AUTH PLAIN")
                self.answer("250 ENHANCEDSTATUSCODES")
            case "AUTH" if self.relay.offers_login:
                self.answer("235 2.7.0 welcome")
            case "MAIL":
                self.sender, self.recipient = _address(argument), ""
                refusal = self.relay.on_sender(self.sender)
                self.sender = "" if refusal else self.sender
                self.say(refusal or "250 2.1.0 ok")
            case "RCPT":
                recipient = _address(argument)
                refusal = self.relay.on_recipient(recipient) if self.sender else "503 5.5.1 MAIL"
                self.recipient = "" if refusal else recipient
                self.say(refusal or "250 2.1.5 ok")
            case "DATA":
                self.in_message = bool(self.recipient)
                self.answer("354 go on" if self.recipient else "554 5.5.1 no valid recipients")
            case "RSET":
                self.sender = self.recipient = ""
                self.answer("250 2.0.0 ok")
            case "QUIT":
                self.answer("221 2.0.0 bye")
                self.hang_up()
            case _:
                self.answer("500 5.5.2 what?")

    def end_message(self, message: bytes) -> None:
        sender, recipient, self.recipient = self.sender, self.recipient, ""
        verdict = self.relay.on_message(recipient)
        if verdict in (None, LOST_AFTER):
            self.relay.accept(sender, recipient, message.replace(b"\r\n..", b"\r\n."))
            self.accepted += 1
        self.say(verdict or "250 2.0.0 accepted")
        if self.accepted == self.relay.close_after:
            self.hang_up()

    def say(self, answer: str) -> None:
        if answer in (LOST_BEFORE, LOST_AFTER):
            self.transport.abort()
            return
        self.answer(answer)
        if answer.startswith("421"):
            self.hang_up()

    def answer(self, text: str) -> None:
        self.later(lambda: self.transport.write(f"{text}\r\n".encode()))

    def hang_up(self) -> None:
        self.later(self.transport.close)

    def later(self, action: Callable[[], None]) -> None:
        if self.relay.answer_after:
            asyncio.get_running_loop().call_later(self.relay.answer_after, action)
        else:
            action()


def _address(argument: str) -> str:
    return argument.partition("<")[2].partition(">")[0]


class RunningRelay:
    """The server in a thread of its own; it can go down and come back at the same port."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.loop = asyncio.new_event_loop()
        self.server: asyncio.Server | None = None
        self.sessions: set[Session] = set()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.up()

    def up(self) -> None:
        self._do(self._listen())

    def down(self) -> None:
        """Refuse connections, and break those that are there."""
        self._do(self._break())

    def close(self) -> None:
        self.down()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _do(self, what) -> None:
        asyncio.run_coroutine_threadsafe(what, self.loop).result(timeout=30)

    async def _listen(self) -> None:
        def session() -> Session:
            made = Session(self.relay)
            self.sessions.add(made)
            return made

        self.server = await self.loop.create_server(
            session, "127.0.0.1", self.relay.port, family=socket.AF_INET, reuse_address=True
        )
        self.relay.port = self.server.sockets[0].getsockname()[1]

    async def _break(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None
        for session in self.sessions:
            session.transport.abort()
        self.sessions.clear()
        await asyncio.sleep(0)


@contextmanager
def running(relay: Relay | None = None) -> Iterator[RunningRelay]:
    server = RunningRelay(relay or Relay())
    try:
        yield server
    finally:
        server.close()


def main(answer_after: float) -> None:
    relay = Relay(answer_after=answer_after, keeps=False)
    with running(relay):
        sys.stdout.write(f"{relay.port}\n")
        sys.stdout.flush()
        for _ in sys.stdin:  # a line asks for the counts
            told = {"total": relay.total, "duplicates": relay.duplicates, "times": relay.times[-1:]}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)
