"""HTTP/1.1 as a proxy speaks it to gunicorn: few connections, kept alive, one request at a time on each."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import brotli

# gunicorn closes a connection that has been idle for five.
IDLE_SECONDS = 4.0
PATIENCE_SECONDS = 10.0
# Whoever comes when all are in use waits for one, and the clock runs.
CONNECTIONS = 400


class Failed(Exception):
    """No answer; the message says what kind of failure it was."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def text(self) -> str:
        """The page, unpacked."""
        match self.headers.get("content-encoding"):
            case "br":
                return bytes(brotli.decompress(self.body)).decode()
            case "gzip":
                return gzip.decompress(self.body).decode()
            case _:
                return self.body.decode()


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter, float]


class Pool:
    """Connections to one port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._idle: deque[Line] = deque()
        self._room = asyncio.Semaphore(CONNECTIONS)

    async def ask(self, method: str, path: str, fields: Mapping[str, str], body: str) -> Answer:
        """One request and its answer. Raises Failed."""
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items())
        request = f"{head}\r\n{body}".encode()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._room:
                return await self._exchange(request, may_repeat=method == "GET")
        except TimeoutError:
            raise Failed("no answer in ten seconds") from None
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Failed(f"line lost: {type(error).__name__}") from None

    async def _exchange(self, request: bytes, *, may_repeat: bool) -> Answer:
        line = self._take()
        try:
            return await self._on(line or await self._connect(), request)
        except (asyncio.IncompleteReadError, ConnectionError):
            # The server may close a kept connection just when it is used; proxies repeat a GET then.
            if line is None or not may_repeat:
                raise
        return await self._on(await self._connect(), request)

    async def _on(self, line: Line, request: bytes) -> Answer:
        reader, writer, _ = line
        try:
            writer.write(request)
            answer = await _read(reader)
        except BaseException:
            writer.close()
            raise
        if answer.headers.get("connection") == "close":
            writer.close()
        else:
            self._idle.append((reader, writer, time.monotonic()))
        return answer

    def _take(self) -> Line | None:
        """The one that has been idle for longest, so that all processes of the server are asked."""
        while self._idle:
            line = self._idle.popleft()
            if time.monotonic() - line[2] < IDLE_SECONDS and not line[0].at_eof():
                return line
            line[1].close()
        return None

    async def _connect(self) -> Line:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        return reader, writer, 0.0


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    status = int(first.split(" ", 2)[1])
    pairs = [line.partition(": ") for line in lines]
    # Cookies come one a line; nothing else here comes twice.
    cookies = ", ".join(value for name, _, value in pairs if name.lower() == "set-cookie")
    headers = {name.lower(): value for name, _, value in pairs} | {"set-cookie": cookies}
    length = 0 if status in (204, 304) else int(headers["content-length"])
    return Answer(status, headers, await reader.readexactly(length))
