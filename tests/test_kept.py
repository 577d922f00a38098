"""Public pages kept until something they show changes."""

from __future__ import annotations

import gzip
import re
from datetime import time, timedelta

import brotli
import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from booking.models import Calendar, CallType, WeeklyHours
from coaching_site import kept, news

PUBLIC = [
    "/",
    "/angebot/",
    "/termin/",
    "/termin/kennenlernen/",
    "/newsletter/archiv/",
    "/newsletter/feed.xml",
    "/impressum/",
    "/datenschutz/",
    "/agb/",
    "/widerruf/",
    "/barrierefreiheit/",
]


class Counting:
    """A view that says how often it was asked."""

    def __init__(self, answer: HttpResponse | None = None) -> None:
        self.asked = 0
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.asked += 1
        return self.answer or HttpResponse(f"Fassung {self.asked}")


@pytest.fixture(autouse=True)
def empty(monkeypatch) -> None:
    monkeypatch.setattr(kept, "_pages", type(kept._pages)())


@pytest.fixture
def offered(db) -> CallType:
    """A call that can be booked, so that the pages read all they ever read."""
    calendar = Calendar.objects.create(name="Hauptkalender")
    WeeklyHours.objects.create(calendar=calendar, weekday=1, start=time(9), end=time(12))
    return CallType.objects.create(calendar=calendar, title="Kennenlernen", slug="kennenlernen")


@pytest.fixture
def edition(monkeypatch):
    """Sets the edition that Postgres has told of last; None: nobody listens."""

    def holds(number: int | None) -> None:
        monkeypatch.setattr(news, "edition", lambda: number)

    holds(1)
    return holds


def get(view, path: str = "/seite/", *, query_counts: bool = True, **headers: str) -> HttpResponse:
    request = RequestFactory(headers={key.replace("_", "-"): headers[key] for key in headers})
    # functools.wraps wants a name.
    view.__name__ = "view"
    return kept.until_it_changes(query_counts=query_counts)(view)(request.get(path))


def test_a_page_is_made_once_for_an_edition(edition):
    view = Counting()

    assert [get(view).content for _ in range(3)] == [b"Fassung 1"] * 3


def test_a_new_edition_shows_at_once(edition):
    view = Counting()
    get(view)

    edition(2)

    assert get(view).content == b"Fassung 2"


def test_nothing_is_kept_while_nobody_listens(edition):
    edition(None)
    view = Counting()

    assert [get(view).content for _ in range(2)] == [b"Fassung 1", b"Fassung 2"]


def test_what_was_kept_before_the_line_went_down_is_not_shown_after(edition):
    view = Counting()
    get(view)
    edition(None)

    assert get(view).content == b"Fassung 2"


def test_what_comes_with_time_shows_with_the_next_minute(edition, monkeypatch):
    view = Counting()
    get(view)

    later = timezone.now() + timedelta(minutes=1)
    monkeypatch.setattr(timezone, "now", lambda: later)

    assert get(view).content == b"Fassung 2"


def test_each_address_has_its_own_page(edition):
    view = Counting()

    assert get(view, "/a/?zone=x").content != get(view, "/a/?zone=y").content


def test_pages_that_ask_nothing_there_are_the_same_behind_the_question_mark(edition):
    view = Counting()

    first = get(view, "/a/?utm=1", query_counts=False)

    assert get(view, "/a/?utm=2", query_counts=False).content == first.content


def _with_cookie() -> HttpResponse:
    answer = HttpResponse("deins")
    answer.set_cookie("csrftoken", "x")
    return answer


@pytest.mark.parametrize(
    "answer",
    [
        _with_cookie(),
        HttpResponse("deins", headers={"Cache-Control": "no-store"}),
        HttpResponse("deins", headers={"Cache-Control": "private"}),
        HttpResponse("weg", status=404),
    ],
    ids=["cookie", "no-store", "private", "missing"],
)
def test_what_is_not_for_everyone_is_never_kept(edition, answer):
    view = Counting(answer)
    get(view)
    get(view)

    assert (view.asked, kept._pages) == (2, {})


def test_the_oldest_pages_make_room(edition, monkeypatch):
    monkeypatch.setattr(kept, "MOST_PAGES", 2)
    for number in range(5):
        get(Counting(), f"/{number}/")

    assert [address for address, _ in kept._pages] == ["/3/", "/4/"]


def test_pages_of_an_edition_that_is_over_take_no_room(edition):
    for number in range(3):
        get(Counting(), f"/{number}/")

    edition(2)
    get(Counting(), "/neu/")

    assert [address for address, _ in kept._pages] == ["/neu/"]


def test_what_nobody_may_see_again_takes_no_room(edition):
    edition(None)
    get(Counting())

    assert kept._pages == {}


@pytest.mark.parametrize(
    ("accepted", "packing"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("br; q=0.000", ""),
        ("identity", ""),
        ("", ""),
    ],
)
def test_each_browser_gets_the_best_packing_it_takes(edition, accepted, packing):
    answer = get(Counting(), accept_encoding=accepted)
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}[packing]

    assert answer.get("Content-Encoding", "") == packing
    assert unpack(answer.content) == b"Fassung 1"
    assert answer["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("spelled", ["{}", "W/{}", '"other", W/{}'])
def test_who_has_the_page_is_told_so(edition, spelled):
    view = Counting()
    tag = get(view)["ETag"].removeprefix("W/")

    again = get(view, if_none_match=spelled.format(tag))

    assert (again.status_code, again.content) == (304, b"")
    assert (again["ETag"], again["Cache-Control"]) == (f"W/{tag}", "public, no-cache")


def test_who_has_an_old_page_gets_the_new_one(edition):
    view = Counting()
    tag = get(view)["ETag"]
    edition(2)

    assert get(view, if_none_match=tag).content == b"Fassung 2"


def test_who_has_a_kept_page_is_told_before_anything_is_made_ready(client, offered, edition):
    first = client.get("/")
    asked = {"if-none-match": first["ETag"]}

    again = client.get("/", headers=asked)

    assert (again.status_code, again.content) == (304, b"")
    # RFC 9110, 15.4.5: the fields the page has, and of the others none.
    for name in ("ETag", "Cache-Control", "Vary"):
        assert again[name] == first[name]
    assert "Content-Security-Policy" in first
    assert "Content-Security-Policy" not in again
    assert client.get("/angebot/", headers=asked).status_code == 200
    edition(2)
    WeeklyHours.objects.all().delete()
    assert client.get("/", headers=asked).status_code == 200


def test_even_that_word_is_given_to_our_own_hosts_alone(client, offered, edition):
    asked = {"if-none-match": client.get("/")["ETag"]}

    assert client.get("/", headers={**asked, "host": "elsewhere.example"}).status_code == 400


@pytest.mark.parametrize("path", PUBLIC)
def test_every_table_a_public_page_reads_tells_of_its_changes(client, offered, path):
    """A page that reads a table without the trigger would be shown old for up to a minute."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'tell_of_change'"
            )
            telling = {name for (name,) in cursor.fetchall()}
    asked = " ".join(query["sql"] for query in captured.captured_queries[:-1])
    read = set(re.findall(r'(?:FROM|JOIN)\s+"?([a-z]+_[a-z_]+)"?', asked))

    assert read
    assert read <= telling
