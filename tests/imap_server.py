"""A small IMAP server for the tests (RFC 3501, as far as a reader needs it), with its faults."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_CRLF = b"\r\n"


@dataclass
class Mailbox:
    """One folder, and how its server behaves."""

    user: str = "post@praxis.example"
    password: str = 'ge"heim'
    folder: str = "INBOX"
    uid_validity: int = 1
    next_uid: int = 1
    messages: dict[int, bytes] = field(default_factory=dict)
    arrived: dict[int, date] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    commands: list[str] = field(default_factory=list)  # what was asked, without the password
    # Faults: hang up at this command, once so many of it were answered; wait before each answer.
    drop_at: str = ""
    drop_after: int = 0
    seconds: float = 0.0

    def receive(self, message: bytes, *, on: date = date(2027, 3, 1)) -> int:
        """Put a message in; returns its number."""
        uid = self.next_uid
        self.messages[uid], self.arrived[uid] = message, on
        self.next_uid += 1
        return uid

    def renumber(self, first: int = 1) -> None:
        """What a server does that has lost its numbers: other numbers for the same messages."""
        kept = [(self.messages[uid], self.arrived[uid]) for uid in sorted(self.messages)]
        self.messages.clear()
        self.arrived.clear()
        self.uid_validity, self.next_uid = self.uid_validity + 1, first
        for message, on in kept:
            self.receive(message, on=on)

    def asked(self, command: str) -> list[str]:
        return [line for line in self.commands if line.upper().startswith(command)]


class Session:
    """One connection."""

    def __init__(
        self, box: Mailbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.box, self.reader, self.writer = box, reader, writer
        self.is_known = self.is_open = self.is_read_only = False

    async def talk(self) -> None:
        self._say(b"* OK ready")
        await self.writer.drain()
        while line := await self.reader.readline():
            tag, _, command = line.decode("ascii").strip().partition(" ")
            words = command.upper()
            self.box.commands.append("LOGIN" if words.startswith("LOGIN") else command)
            await asyncio.sleep(self.box.seconds)
            if self._is_dropped(words):
                return
            self._say(f"{tag} {self._answer(command)}".encode())
            await self.writer.drain()
            if words == "LOGOUT":
                return

    def _is_dropped(self, words: str) -> bool:
        if not self.box.drop_at or not words.startswith(self.box.drop_at):
            return False
        self.box.drop_after -= 1
        return self.box.drop_after < 0

    def _say(self, line: bytes) -> None:
        self.writer.write(line + _CRLF)

    def _answer(self, command: str) -> str:
        words = command.upper()
        if words == "CAPABILITY":
            self._say(b"* CAPABILITY IMAP4rev1")
            return "OK done"
        if words == "NOOP":
            return "OK done"
        if words == "LOGOUT":
            self._say(b"* BYE see you")
            return "OK done"
        if words.startswith("LOGIN"):
            return self._log_in(command)
        if not self.is_known:
            return "BAD log in first"
        if words.startswith(("EXAMINE", "SELECT")):
            return self._open(command)
        if not self.is_open:
            return "BAD open a mailbox first"
        if words.startswith("UID SEARCH"):
            return self._search(words)
        if words.startswith("UID FETCH"):
            return self._fetch(command)
        return "BAD unknown command"

    def _log_in(self, command: str) -> str:
        found = re.fullmatch(r'LOGIN (\S+) "((?:[^"\\]|\\.)*)"', command)
        said = (found[1].strip('"'), re.sub(r"\\(.)", r"\1", found[2])) if found else None
        self.is_known = said == (self.box.user, self.box.password)
        return "OK done" if self.is_known else f"NO {self.box.user} is not let in"

    def _open(self, command: str) -> str:
        verb, _, name = command.partition(" ")
        if name.strip('"') != self.box.folder:
            return "NO no such mailbox"
        self.is_open, self.is_read_only = True, verb.upper() == "EXAMINE"
        self._say(f"* {len(self.box.messages)} EXISTS".encode())
        self._say(f"* OK [UIDVALIDITY {self.box.uid_validity}] numbers".encode())
        self._say(f"* OK [UIDNEXT {self.box.next_uid}] next".encode())
        return "OK [READ-ONLY] done" if self.is_read_only else "OK [READ-WRITE] done"

    def _search(self, words: str) -> str:
        found = re.fullmatch(r"UID SEARCH UID (\d+):\*(?: SINCE (\d\d-\w{3}-\d{4}))?", words)
        if found is None:
            return "BAD I only know UID n:* SINCE"
        uids = sorted(self.box.messages)
        above = [uid for uid in uids if uid >= int(found[1])] or uids[-1:]  # „*“ is the last one
        if found[2]:
            day, month, year = found[2].split("-")
            since = date(int(year), MONTHS.index(month) + 1, int(day))
            above = [uid for uid in above if self.box.arrived[uid] >= since]
        self._say(" ".join(["* SEARCH", *map(str, above)]).encode())
        return "OK done"

    def _fetch(self, command: str) -> str:
        found = re.fullmatch(r"UID FETCH (\d+) \(BODY(\.PEEK)?\[\]<0\.(\d+)>\)", command)
        if found is None:
            return "BAD I only know BODY[]<0.n>"
        uid = int(found[1])
        if uid not in self.box.messages:
            return "OK nothing there"
        if not found[2] and not self.is_read_only:
            self.box.seen.add(uid)
        part = self.box.messages[uid][: int(found[3])]
        self._say(f"* 1 FETCH (UID {uid} BODY[]<0> {{{len(part)}}}".encode())
        self.writer.write(part + b")" + _CRLF)
        return "OK done"


@contextmanager
def serve() -> Iterator[tuple[Mailbox, str, int]]:
    """Run the server on a free port of this machine; yields mailbox, host and port."""
    box = Mailbox()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="imap", daemon=True)
    thread.start()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Session(box, reader, writer).talk()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(handle, "127.0.0.1", 0)

    async def stop() -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(5)
    try:
        yield box, "127.0.0.1", server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
