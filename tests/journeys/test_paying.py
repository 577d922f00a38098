"""Pay for a call at the stand-in for Stripe, with and without JavaScript, and get the money back."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.test_booking import link_in, mail_for, send
from tests.journeys.windows import window
from tests.running_site import Site, wait_until

ORDER = "Zahlungspflichtig buchen"


@pytest.fixture(params=[True, False], ids=["with_js", "without_js"])
def page(request, browser, site) -> Iterator[Page]:
    """A phone on which only the site and the stand-in are asked, and nothing is blocked."""
    foreign: list[str] = []
    blocked: list[str] = []

    def note(url: str) -> None:
        if not url.startswith((site.url, site.stripe.base_url, "data:")):
            foreign.append(url)

    with window(browser, site.url, width=360, height=800, script=request.param) as page:
        page.on("request", lambda sent: note(sent.url))
        page.on(
            "console",
            lambda said: blocked.append(said.text) if "Content Security" in said.text else None,
        )
        yield page
    assert foreign == [], "the page asked somebody else"
    assert blocked == [], "the browser kept something back"


def new_guest() -> str:
    return f"zahlt-{secrets.token_hex(4)}@firma.example"


def walk_to_the_review(page: Page, guest: str, *, day: int = 4) -> None:
    page.goto("/termin/sparring/")
    page.locator(".days a").nth(day).click()
    page.locator(".times a").first.click()
    page.get_by_label("Name").fill("Jörg O’Müller-Straße")
    page.get_by_label("E-Mail-Adresse").fill(guest)
    page.get_by_label("Ich buche privat").check()
    fill_in_the_address(page)
    send(page, "Weiter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Prüfen und buchen")


def fill_in_the_address(page: Page) -> None:
    page.get_by_label("Straße und Hausnummer").fill("Rechenweg 1")
    page.get_by_label("Postleitzahl").fill("10115")
    page.get_by_label("Ort", exact=True).fill("Berlin")


def order(page: Page) -> None:
    """Ask for the early start, if it is one, and press the button."""
    box = page.get_by_label("Ich verlange ausdrücklich")
    if box.count():
        box.check()
    page.get_by_role("button", name=ORDER).click()


def heading(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(words)


def paid_rows(site: Site, guest: str) -> list[tuple[object, ...]]:
    return site.query("SELECT status, paid_cents FROM booking_booking WHERE email = %s", guest)


def test_from_the_landing_page_over_stripe_to_the_money_back(page, site):
    guest = new_guest()
    page.goto("/")
    page.get_by_role("link", name="Mehr über VP Engineering Coaching").click()
    page.get_by_role("link", name="Sparring buchen").click()
    expect(page.get_by_text("Beim Buchen zahlst du 150,00 € an")).to_be_visible()
    walk_to_the_review(page, guest)
    order(page)

    assert page.url.startswith(f"{site.stripe.base_url}/c/pay/")
    page.get_by_role("button", name="Bezahlen").click()
    heading(page, "Dein Termin ist gebucht")
    expect(page.locator(".summary")).to_contain_text("150,00 €, nach dem Gespräch auf Rechnung")
    assert paid_rows(site, guest) == [("confirmed", 15000)]

    mail = mail_for(site, guest, "Gespräch mit").replace("\u00a0", " ")
    assert "Bezahlt: 150,00 €, auf den Preis angerechnet" in mail
    page.goto(link_in(mail, "/termin/absagen/"))
    expect(page.get_by_text("Du bekommst 150,00 € zurück")).to_be_visible()
    page.get_by_role("button", name="Termin absagen").click()
    heading(page, "Dein Termin ist abgesagt")

    refund = mail_for(site, guest, "Erstattung").replace("\u00a0", " ")
    assert "deine Erstattung ist raus: 150,00 €" in refund
    page.goto(link_in(refund, "/termin/gebucht/"))
    expect(page.get_by_text("erstattet worden")).to_be_visible()
    assert paid_rows(site, guest) == [("cancelled", 15000)]


def test_the_order_and_its_button_fit_on_one_screen_of_a_phone(page):
    walk_to_the_review(page, new_guest(), day=5)

    summary = page.locator(".order").bounding_box()
    button = page.get_by_role("button", name=ORDER).bounding_box()

    assert summary
    assert button
    assert button["y"] + button["height"] - summary["y"] <= 800


def test_the_link_back_from_stripe_resumes_where_the_guest_was(page, site):
    guest = new_guest()
    walk_to_the_review(page, guest, day=6)
    order(page)
    at_stripe = page.url

    page.get_by_role("link", name="Zurück").click()
    expect(page.get_by_text("Nichts wurde abgebucht. Dein Termin ist noch bis")).to_be_visible()
    order(page)

    assert page.url == at_stripe
    page.get_by_role("button", name="Bezahlen").click()
    heading(page, "Dein Termin ist gebucht")
    assert paid_rows(site, guest) == [("confirmed", 15000)]


def test_the_browsers_back_button_shows_how_it_stands(page):
    walk_to_the_review(page, new_guest(), day=7)
    order(page)
    expect(page.get_by_role("button", name="Bezahlen")).to_be_visible()

    page.go_back()

    expect(page.get_by_text("Nichts wurde abgebucht. Dein Termin ist noch bis")).to_be_visible()


def test_the_browsers_back_button_after_paying_leads_to_the_booking(page, site):
    guest = new_guest()
    walk_to_the_review(page, guest, day=8)
    review = page.url
    order(page)
    page.get_by_role("button", name="Bezahlen").click()
    heading(page, "Dein Termin ist gebucht")

    page.goto(review)

    heading(page, "Dein Termin ist gebucht")
    assert paid_rows(site, guest) == [("confirmed", 15000)]


def test_a_declined_card_costs_nothing_and_can_be_tried_again(page, site):
    guest = new_guest()
    walk_to_the_review(page, guest, day=9)
    order(page)
    page.get_by_role("button", name="Karte ablehnen lassen").click()
    expect(page.get_by_text("Deine Karte wurde abgelehnt.")).to_be_visible()
    assert paid_rows(site, guest) == [("held", 0)]

    page.get_by_role("button", name="Bezahlen").click()

    heading(page, "Dein Termin ist gebucht")


def test_the_webhook_books_for_who_never_comes_back(page, site):
    guest = new_guest()
    walk_to_the_review(page, guest, day=3)
    order(page)

    site.stripe.pay(page.url.rpartition("/")[2])

    wait_until(lambda: paid_rows(site, guest) == [("confirmed", 15000)], seconds=15)
