"""What public pages cost, made anew and kept, at every length of history."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial

from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from booking import availability
from booking.models import CallType
from coaching_site import news
from tests.bench import holds, measure, scenes
from tests.bench.measure import Cost, Pair, Part
from tests.bench.replay import recorded, replay
from tests.bench.site import Site

ROUNDS = 15
REQUESTS = 40
MONTH = "/termin/kennenlernen/"
BARE = "/bare/"
READY = "/ready/"
ASKING = "/asking/"
PAGES = {
    "/": "landing",
    "/angebot/": "offer",
    MONTH: "the month of days",
    "/newsletter/archiv/": "archive",
    "/datenschutz/": "privacy notice",
}
LISTENING_SECONDS = 10
ABOUT_KEPT = """
The bare response is a view that answers bytes it had before, under the same middleware. A kept page
asks Postgres nothing. It is made anew once in each process after a change to something it shows, and
with each full minute in which somebody asks for it.
"""
ABOUT_MONTH = """
The bare view asks one query and answers thirty days of half hours as plain text. The month asks
for its types, for the weekly plan together with what is taken, and for the practice's row.
"""


def month(rounds: int = ROUNDS) -> Part:
    """The month made anew, beside a bare view over the same rows, and its slots beside their statements."""
    site = Site()
    costs: defaultdict[tuple[str, str], list[Cost]] = defaultdict(list)
    queries = {}
    for _ in range(rounds):
        for scene in scenes.SCENES:
            with scenes.entered(scene):
                queries[scene] = _queries(site)
                heard = recorded(_slots)
                for name, action in (
                    ("month", partial(site.get, MONTH)),
                    ("bare", partial(site.get, BARE)),
                    ("slots", _slots),
                    ("raw", partial(replay, heard)),
                ):
                    action()
                    costs[name, scene].append(measure.cost(action, REQUESTS))
    middles = {key: measure.middle(each) for key, each in costs.items()}
    first = middles["month", next(iter(scenes.SCENES))]
    rows: list[list[object]] = []
    for scene in scenes.SCENES:
        ours, bare = middles["month", scene], middles["bare", scene]
        rows.append([scene, queries[scene], ours.cpu, ours.cpu / first.cpu, ours.cpu / bare.cpu])
    heads = [
        "the month of days, made anew",
        "queries",
        "CPU ms",
        "CPU to first row",
        "CPU to a bare view",
    ]
    pairs = [
        Pair(f"slots, {scene}", middles["slots", scene], holds.LIMIT, middles["raw", scene])
        for scene in scenes.SCENES
    ]
    return Part(measure.table(heads, rows) + ABOUT_MONTH, pairs)


def _slots() -> object:
    """All that a guest can book, as a page asks for it."""
    call_type = CallType.objects.offered().select_related("calendar").get(slug=holds.SLUG)
    return availability.offered_slots(call_type, now=timezone.now())


def kept(rounds: int = ROUNDS) -> Part:
    """Public pages, made anew and kept, beside a view that answers bytes it had before."""
    site = Site()
    costs: defaultdict[tuple[str, str], list[Cost]] = defaultdict(list)
    with scenes.entered("1,000 past bookings"):
        for _ in range(rounds):
            for path in PAGES:
                for kind, asked in (("asking", ASKING), ("anew", path)):
                    cost = measure.cost(partial(site.get, asked), REQUESTS)
                    costs[kind, path].append(cost)
        _listen()
        for _ in range(rounds):
            for path in PAGES:
                etag = site.get(path).field("ETag")
                asks: tuple[tuple[str, Callable[[], object]], ...] = (
                    ("ready", partial(site.get, READY)),
                    ("kept", partial(site.get, path)),
                    ("304", partial(site.again, path, etag)),
                )
                for kind, ask in asks:
                    costs[kind, path].append(measure.cost(ask, REQUESTS))
    middles = {key: measure.middle(each) for key, each in costs.items()}
    heads = [
        "public pages, whole answer with every middleware",
        "made anew, CPU ms",
        "kept, CPU ms",
        "304, CPU ms",
        "kept to a bare response",
        "304 to a bare response",
    ]
    rows: list[list[object]] = []
    for path, name in PAGES.items():
        anew, kept, known, ready = (
            middles[kind, path].cpu for kind in ("anew", "kept", "304", "ready")
        )
        rows.append([name, anew, kept, known, kept / ready, known / ready])
    pairs = [
        Pair("landing, kept", middles["kept", "/"], "a bare view", middles["ready", "/"]),
        Pair(
            "landing, made anew",
            middles["anew", "/"],
            "a bare view with one query",
            middles["asking", "/"],
        ),
    ]
    return Part(measure.table(heads, rows) + ABOUT_KEPT, pairs)


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
