"""Two hundred visitors send the form for one time at once, over HTTP, to the real gunicorn."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from tests import running_site
from tests.running_site import TYPING_SECONDS, Page, Visitor

# One after the other: each of them wants the machine for itself.
pytestmark = pytest.mark.xdist_group("faults")

# A thread and a connection for each; gunicorn answers them with the four threads it has.
VISITORS = 200


@pytest.fixture
def site(smtp, tmp_path):
    box, host, port = smtp
    with running_site.running(box, host, port, tmp_path) as running:
        yield running


def first_time(site: running_site.Site) -> str:
    visitor = Visitor(site.url)
    day = visitor.get("/termin/kennenlernen/").links(r"^/termin/kennenlernen/2\d{3}-")[1]
    return visitor.get(day).links("/zeit/")[0]


def rush(site: running_site.Site, address: str) -> list[Page]:
    """Everybody reads the form in peace, then all press the button together."""
    start = Barrier(VISITORS)

    def want(number: int) -> Page:
        visitor = Visitor(site.url)
        form = visitor.get(address)
        time.sleep(TYPING_SECONDS)
        start.wait(timeout=120)
        return visitor.post(form, name=f"Gast {number}", email=f"gast{number}@firma.example")

    with ThreadPoolExecutor(VISITORS) as crowd:
        return list(crowd.map(want, range(VISITORS)))


def test_one_holds_the_time_and_all_others_are_offered_three_more(site):
    pages = rush(site, first_time(site))

    assert Counter(page.status for page in pages) == {200: 1, 409: VISITORS - 1}
    assert "/termin/pruefen/" in next(page.url for page in pages if page.status == 200)
    refused = [page.text for page in pages if page.status == 409]
    assert all("Dieser Termin wurde gerade vergeben." in text for text in refused)
    assert {text.count('formaction="') for text in refused} == {3}
    assert held(site) == [("held", 1)]


def held(site: running_site.Site) -> list[tuple[Any, ...]]:
    return site.query("SELECT status, count(*) FROM booking_booking GROUP BY status")
