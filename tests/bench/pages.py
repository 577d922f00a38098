"""What the month costs, as gunicorn would call it: the WSGI handler with every middleware."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from tests.bench import measure, scenes
from tests.bench.measure import Cost

ROUNDS = 15
REQUESTS = 40
MONTH = "/termin/kennenlernen/"
BARE = "/bare/"


class Site:
    """The application, called in this process."""

    def __init__(self) -> None:
        settings.ROOT_URLCONF = "tests.bench.urls"
        self.handler = WSGIHandler()

    def get(self, path: str) -> bytes:
        headers = {"host": "localhost", "accept-encoding": "gzip"}
        environ = RequestFactory(headers=headers).get(path).environ
        said: list[str] = []

        def begin(status: str, *_: object) -> Callable[[bytes], object]:
            said.append(status)
            return lambda data: None

        answer = self.handler(environ, begin)
        body = b"".join(answer)
        answer.close()
        assert said == ["200 OK"], (path, said)
        return body


def month(rounds: int = ROUNDS) -> str:
    """The month at every length of history, beside a bare view over the same rows."""
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
    heads = ["month view", "queries", "CPU ms", "wall ms", "CPU to first row", "CPU to bare view"]
    return measure.table("Month view", heads, [[*row] for row in _rows(costs, queries)])


def _rows(
    costs: dict[tuple[str, str], list[Cost]], queries: dict[str, int]
) -> Iterator[list[object]]:
    first = measure.middle(costs[next(iter(scenes.SCENES)), MONTH])
    for scene in scenes.SCENES:
        month, bare = (measure.middle(costs[scene, path]) for path in (MONTH, BARE))
        yield [
            scene,
            queries[scene],
            month.cpu,
            month.wall,
            month.cpu / first.cpu,
            month.cpu / bare.cpu,
        ]


def _queries(site: Site) -> int:
    with CaptureQueriesContext(connection) as captured:
        site.get(MONTH)
        return len(captured)
