"""What a coach does on a Monday morning, on a phone without a script, in few clicks from „Heute“."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.test_issues import sign_in
from tests.journeys.windows import window

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = "/verwaltung/"
# So far ahead that no other journey books there.
LATER = timedelta(days=21)
# Before everything else that is booked, so that it is the next call.
NEARER = """
    UPDATE booking_booking SET start = midnight + interval '28 hours', "end" = midnight + interval '28.5 hours'
    FROM date_trunc('day', now()) AS midnight WHERE email = %s RETURNING id
"""
OPEN_AGAIN = "DELETE FROM booking_block WHERE id = %s RETURNING id"


class Hand:
    """A hand on a phone: what it taps counts, and so does a field that has to be tapped first."""

    def __init__(self, page: Page) -> None:
        self.page, self.taps = page, 0

    def from_today(self) -> None:
        self.page.goto(TODAY)
        self.taps = 0

    def tap(self, what: Locator) -> None:
        what.first.click()
        self.taps += 1

    def link(self, name: str | re.Pattern[str]) -> None:
        self.tap(self.page.get_by_role("link", name=name, exact=True))

    def button(self, name: str) -> None:
        self.tap(self.page.get_by_role("button", name=name, exact=True))

    def find(self, words: str) -> None:
        """The field has the focus, the words are typed."""
        self.link("Menschen")
        expect(self.page.get_by_role("searchbox")).to_be_focused()
        self.page.keyboard.type(words)
        self.button("Suchen")
        self.tap(self.page.locator(".people-list tbody th a"))


@pytest.fixture
def hand(browser, site) -> Iterator[Hand]:
    with window(browser, site.url, width=390, height=844, script=False) as page:
        yield Hand(sign_in(page, site))


def test_monday_morning_takes_few_clicks(hand, site):
    page, word = hand.page, secrets.token_hex(4)
    guest, name = f"montag-{word}@firma.example", f"Karla Montag-{word}"
    day = datetime.now(BERLIN).date() + LATER
    day -= timedelta(days=max(day.weekday() - 4, 0))
    taps = {}

    hand.from_today()
    hand.link("Termin von Hand eintragen")
    for label, words in (("Tag", day.isoformat()), ("Uhrzeit", "11:00")):
        page.get_by_label(label).first.fill(words)
    page.get_by_label("Name").first.fill(name)
    page.get_by_label("E-Mail-Adresse").first.fill(guest)
    hand.taps += 2  # into the day; into the name, from which the keyboard leads on
    hand.button("Eintragen")
    expect(page.get_by_text(f"Eingetragen: {name}")).to_be_visible()
    taps["by hand"] = hand.taps

    assert site.query(NEARER, guest)
    hand.from_today()
    hand.tap(
        page.locator(".calls li").filter(has_text=name).get_by_role("link", name="Verschieben")
    )
    hand.tap(page.locator(".offers .offer").last.get_by_role("button"))
    expect(page.get_by_text(f"Verschoben: {name}")).to_be_visible()
    taps["move"] = hand.taps

    hand.from_today()
    hand.link("Kalender")
    hand.link(re.compile("^Nächste Woche"))
    hand.link("Diese Woche sperren")
    hand.button("Sperren")
    expect(page.locator(".messagelist")).to_contain_text("esperrt")
    taps["block"] = hand.taps
    [(block,)] = site.query("SELECT max(id) FROM booking_block")
    assert site.query(OPEN_AGAIN, block)

    hand.from_today()
    hand.find(word[2:])
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    taps["find"] = hand.taps

    with page.expect_download() as file:
        hand.button("Daten als Datei")
    assert guest in json.dumps(json.loads(file.value.path().read_text()))
    taps["export"] = hand.taps

    hand.from_today()
    hand.link("Zahlen")
    last_month = re.compile(r"^\s*\w+ \d{4}:\s+[\d.,]+\s€ eingenommen")
    expect(page.locator("#content-main")).to_have_text(last_month)
    taps["revenue"] = hand.taps

    assert taps == {"by hand": 4, "move": 2, "block": 4, "find": 3, "export": 4, "revenue": 1}
