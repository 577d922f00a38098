"""A door in front of a server, to be shut: refused, left without an answer, answered late."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

from tests.running_site import free_port

CHUNK = 65_536


class Gate:
    """Passes connections on to another port of this machine, as long as it is open.

    What is said by `shut`, `silence` and `slow` holds for new connections, and breaks those there are.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self._late = 0.0
        self._is_silent = False
        self._lines: list[socket.socket] = []
        self._listening: socket.socket | None = None
        self.open()

    def open(self) -> None:
        """As if there were no gate."""
        self._change(late=0.0, is_silent=False)

    def slow(self, seconds: float) -> None:
        """Each answer comes so much later."""
        self._change(late=seconds, is_silent=False)

    def silence(self) -> None:
        """Take connections, and never say a word."""
        self._change(late=0.0, is_silent=True)

    def shut(self) -> None:
        """Refuse connections."""
        if self._listening is not None:
            with suppress(OSError):
                self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
            self._listening = None
        self._hang_up()

    def _change(self, *, late: float, is_silent: bool) -> None:
        self._late, self._is_silent = late, is_silent
        self._hang_up()
        if self._listening is None:
            self._listening = socket.create_server(("127.0.0.1", self.port), backlog=128)
            threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def _hang_up(self) -> None:
        lines, self._lines = self._lines, []
        for line in lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                visitor, _ = listening.accept()
            except OSError:
                return
            self._lines.append(visitor)
            if not self._is_silent:
                threading.Thread(target=self._connect, args=(visitor,), daemon=True).start()

    def _connect(self, visitor: socket.socket) -> None:
        with (
            suppress(OSError),
            visitor,
            socket.create_connection(("127.0.0.1", self.target)) as server,
        ):
            there = threading.Thread(target=_pump, args=(visitor, server, 0.0), daemon=True)
            there.start()
            _pump(server, visitor, self._late)
            there.join()


def _pump(source: socket.socket, sink: socket.socket, late: float) -> None:
    with suppress(OSError):
        while data := source.recv(CHUNK):
            time.sleep(late)
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
