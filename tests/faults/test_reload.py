"""Code is read anew and workers are replaced while people are on the site: nobody notices."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import pytest
from django.db import connection

from tests.running_site import ROOT, START_SECONDS, free_port, wait_until

VISITORS = 4
RELOADS = 2


class Server:
    """gunicorn as in production, on the tests' own database.

    When it reloads, old workers stop accepting at once: until the new ones have read the code,
    whoever comes waits. So nobody here is impatient.
    """

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.port = free_port()
        name = connection.settings_dict["NAME"]
        environment = {
            **os.environ,
            "SITE_PROFILE": "local",
            "SITE_URL": f"http://localhost:{self.port}",
            "DATABASE_URL": re.sub(r"/[^/]*$", f"/{name}", os.environ["DATABASE_URL"]),
            "PORT": str(self.port),
            "WEB_WORKERS": "2",
            "LOG_FORMAT": "json",
            "GUNICORN_LOG_LEVEL": "info",
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "coaching_site/gunicorn.py"],
                cwd=ROOT,
                env=environment,
                stderr=log,
            )

    def get(self, path: str) -> int:
        with urlopen(f"http://localhost:{self.port}{path}", timeout=START_SECONDS) as answer:
            answer.read()
            return int(answer.status)

    def lines(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def started(self) -> int:
        return sum("Booting worker" in line["message"] for line in self.lines())

    @contextmanager
    def visited(self) -> Iterator[Counter[str]]:
        """Visitors ask for one page after the other until the block ends; what they got."""
        seen: Counter[str] = Counter()
        is_over = threading.Event()

        def visit() -> None:
            while not is_over.is_set():
                try:
                    seen[str(self.get("/"))] += 1
                except (OSError, HTTPException) as error:
                    seen[repr(error)] += 1

        visitors = [threading.Thread(target=visit) for _ in range(VISITORS)]
        for visitor in visitors:
            visitor.start()
        try:
            yield seen
        finally:
            is_over.set()
            for visitor in visitors:
                visitor.join()


@pytest.fixture
def server(transactional_db, tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path)
    wait_until(lambda: running.get("/") == 200)
    yield running
    running.process.terminate()
    running.process.wait(timeout=40)


def test_reloading_under_load_fails_nobody(server):
    with server.visited() as seen:
        for _ in range(RELOADS):
            before, answered = server.started(), seen["200"]
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: server.started() >= before + 2 and seen["200"] > answered + 20)  # noqa: B023

    assert set(seen) == {"200"}, seen


def test_visitors_would_notice_workers_that_are_killed(server):
    """So the test above can fail."""
    with server.visited() as seen:
        wait_until(lambda: seen["200"] > 4)
        for line in server.lines():
            if booted := re.search(r"Booting worker with pid: (\d+)", line["message"]):
                os.kill(int(booted[1]), signal.SIGKILL)
        wait_until(lambda: set(seen) != {"200"})


def test_a_stop_lets_a_request_that_has_begun_go_on(server):
    """As when a container is replaced: it gets a signal and half a minute."""
    with socket.create_connection(("localhost", server.port)) as visitor:
        visitor.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        visitor.sendall(b"Connection: close\r\n\r\n")

        assert visitor.recv(100).startswith(b"HTTP/1.1 200")
    assert server.process.wait(timeout=10) == 0


def test_the_server_names_nobody_who_sends_nonsense(server):
    with socket.create_connection(("127.0.0.1", server.port)) as visitor:
        visitor.sendall(b"GET /?email=ada@example.org HTTP/9.9\r\nHost: x\r\n\r\n")
        visitor.recv(1000)

    wait_until(lambda: any("Invalid request" in line["message"] for line in server.lines()), 5)
    written = server.log.read_text()
    assert "127.0.0.1" not in written
    assert "ada@example.org" not in written
