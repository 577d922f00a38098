"""The sandbox's HTTP: /v1 is the API, /c/pay the hosted page, /sandbox the remote control."""

from __future__ import annotations

import ipaddress
import json
import re
import select
import socket
import struct
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.stripe_sandbox import checkout_page, control
from tests.stripe_sandbox.errors import StripeError
from tests.stripe_sandbox.faults import Fault
from tests.stripe_sandbox.gate import Reply, Request

if TYPE_CHECKING:
    from tests.stripe_sandbox.sandbox import Sandbox

HOME = "127.0.0.1"
LARGEST_BODY = 1_000_000
PAGE = re.compile(r"/c/pay/(cs_test_\w+)")
# Closing with this option says "reset" instead of "goodbye".
LINGER_NOT = struct.pack("ii", 1, 0)
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "Content-Type": "text/html; charset=utf-8",
    "Referrer-Policy": "no-referrer",
}


class Server(ThreadingHTTPServer):
    """Reached from this machine only, whatever anybody asks for."""

    # Closing waits for the threads that answer; none outlives the server.
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, port: int, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        super().__init__((HOME, port), Handler)

    def server_bind(self) -> None:
        if not ipaddress.ip_address(str(self.server_address[0])).is_loopback:
            raise ValueError("The sandbox only listens on the loopback address.")
        super().server_bind()

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked has gone; that is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = 30

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, *args: object) -> None:
        """Say nothing: the requests are in the sandbox's own log."""

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        body = self._body()
        page = PAGE.fullmatch(parts.path)
        if page:
            self._page(page[1], body)
        elif parts.path.startswith(control.PREFIX):
            self._control(parts.path, body)
        else:
            self._api(parts.path, parts.query if self.command == "GET" else body)

    def _body(self) -> str:
        length = min(int(self.headers.get("Content-Length") or 0), LARGEST_BODY)
        return self.rfile.read(length).decode(errors="replace")

    # The API

    def _api(self, path: str, text: str) -> None:
        sandbox = self.server.sandbox
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, path, text, headers, sandbox.now)
        sandbox.gate.note(request)
        faults = sandbox.faults.take(self.command, path)
        if self._breaks(faults, after=False):
            return
        reply = sandbox.gate.answer(request, faults)
        for fault in faults:
            if fault.kind == "delay" and fault.after:
                sandbox.gate.stopping.wait(fault.seconds)
        if not self._breaks(faults, after=True):
            self._send(reply)

    def _breaks(self, faults: list[Fault], *, after: bool) -> bool:
        """Whether the connection ends here without an answer."""
        kinds = {fault.kind for fault in faults if fault.after == after}
        if "silence" in kinds:
            self._wait_until_given_up()
        if kinds & {"silence", "reset"}:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            self.connection.close()
            return True
        return False

    def _wait_until_given_up(self) -> None:
        stopping = self.server.sandbox.gate.stopping
        while not stopping.is_set():
            # Whoever hangs up makes the connection readable: with nothing.
            readable, _, _ = select.select([self.connection], [], [], 0.05)
            if readable:
                return

    # The page

    def _page(self, reference: str, body: str) -> None:
        sandbox = self.server.sandbox
        ends = parse_qs(body).get("ende", [""])[0] if self.command == "POST" else ""
        try:
            if ends == "bezahlen":
                sandbox.pay_and_wait(reference)
            elif ends == "ablehnen":
                sandbox.decline(reference)
        except StripeError:
            # Too late, or the second click: the page tells how it stands.
            ends = ""
        with sandbox.account.at_work():
            session = sandbox.account.state.sessions.get(reference)
            if session is None:
                self._send(Reply(404, checkout_page.unknown().encode(), dict(PAGE_HEADERS)))
            elif ends == "bezahlen":
                self._redirect(checkout_page.return_url(session))
            elif ends == "ablehnen":
                self._redirect(self.path)
            else:
                text = checkout_page.render(sandbox.account, session)
                self._send(Reply(200, text.encode(), dict(PAGE_HEADERS)))

    def _redirect(self, url: str) -> None:
        self._send(Reply(303, b"", {**PAGE_HEADERS, "Location": url}))

    # The remote control

    def _control(self, path: str, body: str) -> None:
        status, answer = control.answer(
            self.server.sandbox, self.command, path, body, self.headers.get("Authorization", "")
        )
        self._send(Reply(status, json.dumps(answer, default=asdict).encode()))

    def _send(self, reply: Reply) -> None:
        headers = {"Content-Type": "application/json", **reply.headers}
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)
