"""The real site for browser and fault tests: gunicorn and worker as processes, a database of its own."""

from __future__ import annotations

import os
import random
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, Request, build_opener

import psycopg
from django.conf import settings

from coaching_site.local.supervisor import WEB, WORKER, Child
from tests.mail_server import Mailbox
from tests.stripe_sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 90
# Forms refuse what is sent within two seconds: nobody types that fast.
TYPING_SECONDS = 2.1


@dataclass
class Site:
    """Where the running site is, what it mails, its database, and where its guests pay."""

    url: str
    mailbox: Mailbox
    dsn: str
    stripe: Sandbox

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(sql, values).fetchall()


@contextmanager
def running(mailbox: Mailbox, mail_host: str, mail_port: int, folder: Path) -> Iterator[Site]:
    """Serve a fresh site with demo data until the block ends."""
    database_url = new_database("site")
    port = free_port()
    stripe = Sandbox(mode="automatic", webhook_url=f"http://localhost:{port}/stripe/webhook/")
    stripe.start()
    environment = {
        **os.environ,
        "SITE_PROFILE": "local",
        "SITE_URL": f"http://localhost:{port}",
        "DATABASE_URL": database_url,
        "PORT": str(port),
        "WEB_WORKERS": "1",
        "EMAIL_HOST": mail_host,
        "EMAIL_PORT": str(mail_port),
        "EMAIL_SECURITY": "none",
        "DATA_FOLDER": str(folder),
        "STRIPE_SECRET_KEY": stripe.api_key,
        "STRIPE_WEBHOOK_SECRET": stripe.webhook_secret,
        "STRIPE_API_BASE": stripe.base_url,
    }
    # The tests have collected them already, which takes several seconds.
    (folder / "static_collected").symlink_to(settings.STATIC_ROOT)
    for command in (["prepare_database"], ["demo_data"]):
        subprocess.run(
            [sys.executable, "manage.py", *command, "-v0"],
            cwd=ROOT,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    children = [Child("web", WEB, environment), Child("worker", WORKER, environment)]
    for child in children:
        child.start()
    try:
        url = f"http://localhost:{port}"
        wait_until(lambda: Visitor(url).get("/readyz").status == 200)
        yield Site(url, mailbox, database_url, stripe)
    finally:
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.wait(time.monotonic() + 20)
        stripe.stop()


def new_database(kind: str) -> str:
    """The address of an empty database beside the one of the tests."""
    name = f"{kind}_{secrets.token_hex(6)}"
    maintenance = os.environ["DATABASE_URL"]
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return re.sub(r"/[^/]*$", f"/{name}", maintenance)


def free_port() -> int:
    """A port nobody listens on, below the range the system gives to outgoing connections."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def wait_until(true: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Look again and again; a refused connection counts as not yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if true():
                return
        except (OSError, psycopg.OperationalError):
            pass
        time.sleep(0.1)
    raise AssertionError(f"still not true after {seconds} seconds")


@dataclass(frozen=True)
class Page:
    """An answer of the site."""

    status: int
    url: str
    text: str

    def links(self, pattern: str) -> list[str]:
        return [
            link for link in re.findall(r'href="([^"]+)"', self.text) if re.search(pattern, link)
        ]


class Visitor:
    """A person with a browser's cookies and no JavaScript."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def get(self, path: str) -> Page:
        return self._open(Request(urljoin(self.url, path)))

    def post(self, page: Page, action: str | None = None, **fields: str) -> Page:
        """Send the page's form: its hidden fields, and what is typed into it."""
        hidden = dict(
            re.findall(r'<input type="hidden" name="([^"]+)"[^>]*? value="([^"]*)"', page.text)
        )
        body = urlencode({**hidden, **fields}).encode()
        return self._open(Request(urljoin(page.url, action or page.url), data=body))

    def book(self, details_path: str, name: str, email: str) -> Page:
        """From a slot's address to the booked page, or to whatever came instead."""
        form = self.get(details_path)
        time.sleep(TYPING_SECONDS)
        held = self.post(form, name=name, email=email)
        if "/pruefen/" not in held.url:
            return held
        return self.post(held)

    def _open(self, request: Request) -> Page:
        try:
            with self.opener.open(request, timeout=30) as answer:
                return Page(answer.status, answer.url, answer.read().decode())
        except HTTPError as error:
            return Page(error.code, error.url or "", error.read().decode())
