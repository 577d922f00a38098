"""What public pages cost, as gunicorn would call them: the WSGI handler with every middleware."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from coaching_site import news
from tests.bench import measure, scenes
from tests.bench.measure import Cost

ROUNDS = 15
REQUESTS = 40
MONTH = "/termin/kennenlernen/"
BARE = "/bare/"
READY = "/ready/"
PAGES = ("/", "/angebot/", MONTH, "/newsletter/archiv/", "/datenschutz/")
LISTENING_SECONDS = 10
# A person's visit is counted, and that is part of what a page costs.
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Site:
    """The application, called in this process."""

    def __init__(self) -> None:
        settings.ROOT_URLCONF = "tests.bench.urls"
        self.handler = WSGIHandler()

    def get(self, path: str, *, status: str = "200 OK", **headers: str) -> dict[str, str]:
        """Asks for a page, expects that status and returns the answer's header fields."""
        asked = {
            "host": "localhost",
            "accept-encoding": "br, gzip",
            "user-agent": BROWSER,
            **headers,
        }
        environ = RequestFactory(headers=asked).get(path).environ
        said: list[str] = []
        fields: dict[str, str] = {}

        def begin(
            status: str, given: list[tuple[str, str]], *_: object
        ) -> Callable[[bytes], object]:
            said.append(status)
            fields.update(given)
            return lambda data: None

        answer = self.handler(environ, begin)
        b"".join(answer)
        answer.close()
        assert said == [status], (path, said)
        return fields

    def again(self, path: str, etag: str) -> None:
        self.get(path, status="304 Not Modified", **{"if-none-match": etag})


def month(rounds: int = ROUNDS) -> str:
    """The month at every length of history, made anew and kept, beside a bare view over the same rows."""
    site = Site()
    costs: defaultdict[tuple[str, str], list[Cost]] = defaultdict(list)
    queries = {}
    for _ in range(rounds):
        for scene in scenes.SCENES:
            with scenes.entered(scene):
                queries[scene] = _queries(site)
                for path in (MONTH, BARE):
                    site.get(path)
                    costs[scene, path].append(measure.cost(partial(site.get, path), REQUESTS))
    first = measure.middle(costs[next(iter(scenes.SCENES)), MONTH])
    rows: list[list[object]] = []
    for scene in scenes.SCENES:
        month, bare = (measure.middle(costs[scene, path]) for path in (MONTH, BARE))
        ratios = [month.cpu / first.cpu, month.cpu / bare.cpu]
        rows.append([scene, queries[scene], month.cpu, month.wall, *ratios])
    heads = ["made anew", "queries", "CPU ms", "wall ms", "CPU to first row", "CPU to bare view"]
    return measure.table("Month view", heads, rows)


def kept(rounds: int = ROUNDS) -> str:
    """Public pages, made anew and kept, beside a view that answers bytes it had before."""
    site = Site()
    costs: defaultdict[tuple[str, str], list[Cost]] = defaultdict(list)
    with scenes.entered("1,000 past bookings"):
        for path in PAGES:
            for _ in range(rounds):
                costs["anew", path].append(measure.cost(partial(site.get, path), REQUESTS))
        _listen()
        for _ in range(rounds):
            for path in PAGES:
                etag = site.get(path)["ETag"]
                for kind, ask in (
                    ("ready", partial(site.get, READY)),
                    ("kept", partial(site.get, path)),
                    ("304", partial(site.again, path, etag)),
                ):
                    costs[kind, path].append(measure.cost(ask, REQUESTS))
    heads = [
        "page",
        "made anew, CPU ms",
        "kept, CPU ms",
        "304, CPU ms",
        "bare response",
        "kept to bare",
        "304 to bare",
    ]
    rows: list[list[object]] = []
    for path in PAGES:
        anew, kept, known, ready = (
            measure.middle(costs[kind, path]).cpu for kind in ("anew", "kept", "304", "ready")
        )
        rows.append([path, anew, kept, known, ready, kept / ready, known / ready])
    return measure.table("Public pages", heads, rows)


def _listen() -> None:
    settings.LISTENS_FOR_NEWS = True
    deadline = time.monotonic() + LISTENING_SECONDS
    while news.edition() is None:
        assert time.monotonic() < deadline, "nobody listens"
        time.sleep(0.05)


def _queries(site: Site) -> int:
    with CaptureQueriesContext(connection) as captured:
        site.get(MONTH)
        return len(captured)
