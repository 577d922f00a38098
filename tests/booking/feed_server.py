"""A server of calendar files on this machine that can be slow, wrong, huge, moved or dead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[[BaseHTTPRequestHandler], None]


def calendar_file(*events: str) -> bytes:
    """A calendar of these events, each given by its lines."""
    numbered = (
        event if "UID:" in event else f"UID:{number}@elsewhere.example\n{event}"
        for number, event in enumerate(events)
    )
    blocks = "".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT\n" for event in numbered)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//elsewhere//\n{blocks}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


@dataclass
class FeedServer:
    """What it answers to each path, and what it was asked."""

    address: str
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    patience: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"{self.address}/feed.ics"

    def serve(
        self, content: bytes, *, status: int = 200, path: str = "/feed.ics", **headers: str
    ) -> None:
        """Answer with this; a request that names the same ETag or date is told 304."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}

        def reply(request: BaseHTTPRequestHandler) -> None:
            known = request.headers.get("If-None-Match"), request.headers.get("If-Modified-Since")
            same = any(value and value in known for value in sent.values())
            request.send_response(304 if same else status)
            for name, value in {"Content-Length": str(len(content)), **sent}.items():
                if not (same and name == "Content-Length"):
                    request.send_header(name, value)
            request.end_headers()
            if not same:
                request.wfile.write(content)

        self.replies[path] = reply

    def redirect(self, target: str, *, path: str = "/feed.ics", status: int = 302) -> None:
        self.serve(b"", status=status, path=path, Location=target)

    def hang(self, beginning: bytes = b"") -> None:
        """Take the request, perhaps begin to answer, and say no more."""

        def reply(request: BaseHTTPRequestHandler) -> None:
            request.wfile.write(beginning)
            self.patience.wait(30)

        self.replies["/feed.ics"] = reply

    def drip(self) -> None:
        """One byte at a time, each soon enough for a plain time-out to start anew."""

        def reply(request: BaseHTTPRequestHandler) -> None:
            request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not self.patience.wait(0.02):
                request.wfile.write(b"z")

        self.replies["/feed.ics"] = reply


@contextmanager
def serve(wrap: Callable[[Any], Any] | None = None) -> Iterator[FeedServer]:
    """A running server; `wrap` puts TLS around its socket."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            feeds.asked.append((self.path, dict(self.headers)))
            path = self.path.partition("?")[0]
            feeds.replies.get(path, lambda request: request.send_error(404))(self)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:
            """Whoever asked has gone; that is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if wrap is not None:
        server.socket = wrap(server.socket)
    scheme = "https" if wrap else "http"
    feeds = FeedServer(f"{scheme}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield feeds
    finally:
        feeds.patience.set()
        server.shutdown()
        server.server_close()
        thread.join()
