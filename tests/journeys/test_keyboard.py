"""Booking, subscribing and withdrawing with nothing but a keyboard, and every stop can be seen."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.journeys.test_booking import link_in, mail_for
from tests.journeys.test_paying import ORDER, heading, paid_rows
from tests.journeys.windows import window
from tests.running_site import TYPING_SECONDS, Site

ADDRESS = {
    "address-line1": "Rechenweg 1",
    "postal-code": "10115",
    "address-level2": "Berlin",
}
HAS_FOCUS = "node => node === document.activeElement"
# WCAG 2.4.7 and 2.4.11: a ring, on what lies in the window.
CAN_BE_SEEN = """() => {
  const node = document.activeElement, style = getComputedStyle(node), box = node.getBoundingClientRect();
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return ring && box.bottom > 0 && box.top < innerHeight;
}"""


class Keyboard:
    """Somebody without a mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def go_to(self, wanted: Locator) -> None:
        """Press Tab until this has the focus."""
        for _ in range(80):
            self.page.keyboard.press("Tab")
            stop = self.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
            assert self.page.evaluate(CAN_BE_SEEN), f"not to be seen: {stop}"
            if wanted.evaluate(HAS_FOCUS):
                return
        raise AssertionError(f"{wanted} cannot be reached by keyboard")

    def follow(self, name: str | re.Pattern[str]) -> None:
        self.go_to(self.page.get_by_role("link", name=name).first)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def press(self, name: str) -> None:
        self.go_to(self.page.get_by_role("button", name=name))
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def write(self, label: str, words: str) -> None:
        self.go_to(self.page.get_by_label(label))
        self.page.keyboard.type(words)

    def fill_in(self, known: dict[str, str]) -> None:
        """What a browser knows of its user, by what the fields say they are for (WCAG 1.3.5)."""
        for field in self.page.locator("main input[autocomplete]").all():
            if words := known.get(field.get_attribute("autocomplete") or ""):
                self.go_to(field)
                self.page.keyboard.type(words)

    def tick(self, boxes: Locator) -> None:
        for box in boxes.all():
            self.go_to(box)
            self.page.keyboard.press("Space")
            expect(box).to_be_checked()

    def mend_the_first_mistake(self, words: str) -> None:
        """The error has the focus; its link leads to the field."""
        error = self.page.locator(".error-summary")
        expect(error).to_be_focused()
        self.page.keyboard.press("Tab")
        self.page.keyboard.press("Enter")
        expect(self.page.locator("[aria-invalid=true]").first).to_be_focused()
        self.page.keyboard.type(words)

    def take_ones_time(self) -> None:
        self.page.wait_for_timeout(1000 * TYPING_SECONDS)


@pytest.fixture
def keyboard(browser: Browser, site: Site) -> Iterator[Keyboard]:
    with window(browser, site.url, width=1000, height=700) as page:
        yield Keyboard(page)


def somebody() -> str:
    return f"tastatur-{secrets.token_hex(4)}@firma.example"


def test_a_paid_call_from_the_landing_page_to_the_booking(keyboard, site):
    page, guest = keyboard.page, somebody()
    page.goto("/")
    keyboard.go_to(page.get_by_role("link", name="Zum Inhalt"))
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    keyboard.follow("Mehr über VP Engineering Coaching")
    keyboard.follow("Sparring buchen")
    keyboard.go_to(page.locator("summary"))
    page.keyboard.press("Enter")
    keyboard.go_to(page.get_by_label("Zeitzone"))
    keyboard.follow(re.compile("freie Zeit"))
    keyboard.follow(re.compile("Uhr"))
    keyboard.fill_in({"name": "Ada Beispiel", "email": guest})
    keyboard.tick(page.get_by_label("Ich buche privat"))
    keyboard.fill_in(ADDRESS)
    keyboard.take_ones_time()
    keyboard.press("Weiter")
    heading(page, "Prüfen und buchen")
    keyboard.tick(page.locator("main input[type=checkbox]"))
    keyboard.press(ORDER)
    page.wait_for_url(re.compile("/c/pay/"))
    pay = page.get_by_role("button", name="Bezahlen")
    for _ in range(10):  # that page is Stripe's, and not ours to judge
        page.keyboard.press("Tab")
        if pay.evaluate(HAS_FOCUS):
            break
    page.keyboard.press("Enter")

    heading(page, "Dein Termin ist gebucht")
    assert paid_rows(site, guest) == [("confirmed", 15000)]


def test_joining_the_newsletter_after_a_mistake(keyboard, site):
    page, reader = keyboard.page, somebody()
    page.goto("/newsletter/")
    keyboard.press("Abonnieren")
    keyboard.take_ones_time()
    keyboard.mend_the_first_mistake(reader)
    keyboard.press("Abonnieren")
    heading(page, "Schau in dein Postfach")
    page.goto(link_in(mail_for(site, reader, "Anmeldung"), "/newsletter/bestaetigen/"))
    keyboard.press("Anmeldung bestätigen")

    heading(page, "Du bist dabei")


def test_withdrawing_after_a_mistake(keyboard):
    page = keyboard.page
    page.goto("/")
    keyboard.follow("Vertrag widerrufen")
    keyboard.take_ones_time()
    keyboard.press("Widerruf bestätigen")
    keyboard.mend_the_first_mistake("Grace")
    keyboard.write("Welchen Vertrag", "Das Gespräch am 3. März")
    keyboard.write("E-Mail-Adresse", somebody())
    keyboard.press("Widerruf bestätigen")

    heading(page, "Dein Widerruf ist eingegangen")
