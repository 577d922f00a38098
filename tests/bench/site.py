"""The application as gunicorn would call it: the WSGI handler with every middleware."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory
from django.utils import timezone

from coaching_site import spam

# A person's visit is counted, and that is part of what a page costs.
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)"[^>]*? value="([^"]*)"')
TYPING = timedelta(seconds=10)


class Answer(NamedTuple):
    status: str
    fields: list[tuple[str, str]]
    body: bytes

    def field(self, name: str) -> str:
        return dict(self.fields)[name]


class Site:
    """The application, called in this process."""

    def __init__(self) -> None:
        settings.ROOT_URLCONF = "tests.bench.urls"
        self.handler = WSGIHandler()

    def get(self, path: str, *, status: int = 200, **headers: str) -> Answer:
        """Asks for a page and expects that status."""
        asked = {"accept-encoding": "br, gzip", **headers}
        return self.ask("GET", path, status=status, headers=asked)

    def again(self, path: str, etag: str) -> None:
        self.get(path, status=304, **{"if-none-match": etag})

    def ask(
        self, method: str, path: str, *, status: int, headers: dict[str, str], **given: Any
    ) -> Answer:
        known = {"host": "localhost", "user-agent": BROWSER, **headers}
        environ = RequestFactory(headers=known).generic(method, path, **given).environ
        said: list[tuple[str, list[tuple[str, str]]]] = []

        def begin(
            status: str, fields: list[tuple[str, str]], *_: object
        ) -> Callable[[bytes], object]:
            said.append((status, fields))
            return lambda data: None

        answer = self.handler(environ, begin)
        body = b"".join(answer)
        answer.close()
        [(told, fields)] = said
        assert told.startswith(str(status)), (path, told, body)
        return Answer(told, fields, body)


class Visitor:
    """Somebody with a browser's cookies, in a network of their own, who types without JavaScript."""

    def __init__(self, site: Site, number: int) -> None:
        self.site = site
        self.network = f"93.{number // 250}.{number % 250}.7"
        self.cookies: SimpleCookie = SimpleCookie()

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, status=200)

    def post(self, path: str, page: Answer, *, status: int, **typed: str) -> Answer:
        """Sends the page's form, as if it had been made some seconds ago."""
        hidden = dict(HIDDEN.findall(page.body.decode()))
        stamp = {"stamp": spam.stamp(timezone.now() - TYPING)} if "stamp" in hidden else {}
        body = urlencode({**hidden, **stamp, **typed})
        kind = "application/x-www-form-urlencoded"
        return self._ask("POST", path, status=status, data=body, content_type=kind)

    def _ask(self, method: str, path: str, *, status: int, **given: Any) -> Answer:
        cookies = "; ".join(f"{name}={each.value}" for name, each in self.cookies.items())
        headers = {"cookie": cookies} if cookies else {}
        answer = self.site.ask(
            method, path, status=status, headers=headers, REMOTE_ADDR=self.network, **given
        )
        for name, value in answer.fields:
            if name == "Set-Cookie":
                self.cookies.load(value)
        return answer
