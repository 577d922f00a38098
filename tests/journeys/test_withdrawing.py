"""Withdraw from a paid booking on a phone without JavaScript, and see it through to the money and the papers."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.looking import looking_window, problems_at_the_desk
from tests.journeys.test_booking import link_in, mail_for, send
from tests.journeys.test_issues import sign_in
from tests.journeys.test_paying import heading, new_guest, order, walk_to_the_review

WHOLE = """
    UPDATE pages_practice SET first_name = 'Jana', last_name = 'Hart', street = 'Am Markt 1',
        postal_code = '10115', city = 'Berlin', tax_number = '12/345/67890' RETURNING id
"""


def book_and_pay(page: Page, guest: str, *, day: int) -> None:
    walk_to_the_review(page, guest, day=day)
    order(page)
    page.get_by_role("button", name="Bezahlen").click()
    heading(page, "Dein Termin ist gebucht")


def withdraw(page: Page) -> str:
    """Declare it on the form that is open; returns the address of the proof."""
    page.get_by_label("Nachricht").fill("Ich habe es mir anders überlegt.\nhttps://example.org")
    send(page, "Widerruf bestätigen")
    heading(page, "Dein Widerruf ist eingegangen")
    return page.url


def test_from_the_paid_booking_to_the_refund_and_the_storno(phone, browser, site):
    site.query(WHOLE)
    page, guest = phone, new_guest()
    book_and_pay(page, guest, day=7)
    expect(page.get_by_text("ohne Angabe von Gründen widerrufen")).to_be_visible()

    confirmation = mail_for(site, guest, "Gespräch mit")
    page.goto(link_in(confirmation, "/vertrag-widerrufen/"))
    heading(page, "Vertrag widerrufen")
    expect(page.get_by_label("E-Mail-Adresse")).to_have_value(guest)
    withdraw(page)
    expect(page.get_by_text("https://example.org")).to_be_visible()

    receipt = mail_for(site, guest, "Dein Widerruf ist eingegangen").replace("\u00a0", " ")
    assert "Ich habe es mir anders überlegt." in receipt
    assert re.search(r"Eingegangen: .*\d\d:\d\d Uhr, Berliner Zeit \(ME", receipt)

    desk = sign_in(browser.new_page(base_url=site.url, locale="de-DE"), site)
    desk.goto("/verwaltung/booking/withdrawal/?q=" + guest)
    desk.locator("#result_list tbody th a").first.click()
    expect(desk.get_by_text("Nimm ihn an")).to_be_visible()
    desk.get_by_role("link", name="Annehmen").click()
    desk.get_by_role("button", name="Annehmen").click()
    expect(desk.get_by_text("Angenommen: 150,00")).to_be_visible()

    accepted = mail_for(site, guest, "Dein Widerruf ist angenommen").replace("\u00a0", " ")
    assert "150,00 € gehen zurück" in accepted
    refunded = mail_for(site, guest, "Erstattung")
    assert "Die Stornorechnung dazu findest du im Anhang." in refunded
    [message] = [each for each in site.mailbox.to(guest) if "Erstattung" in each["Subject"]]
    names = [part.get_filename() for part in message.iter_attachments()]
    assert [name for name in names if name.startswith("Stornorechnung")]
    money = "SELECT d.status, d.refunded_cents, d.kept_cents FROM booking_deposit d"
    of_guest = " JOIN booking_booking b ON b.id = d.booking_id WHERE b.email = %s"
    assert site.query(money + of_guest, guest) == [("paid", 15000, 0)]
    desk.reload()
    expect(desk.get_by_role("link", name="Stornorechnung")).to_be_visible()
    desk.close()

    page.goto(link_in(refunded, "/termin/gebucht/"))
    heading(page, "Dein Termin ist abgesagt")
    expect(page.get_by_text("erstattet worden")).to_be_visible()


def test_the_coachs_pages_about_withdrawals_are_open_to_all(browser, site):
    context = looking_window(browser, site.url)
    page = context.new_page()
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        if wrong := problems_at_the_desk(page):
            found[name] = wrong

    page.goto("/vertrag-widerrufen/")
    page.get_by_label("Dein Name").fill("Jörg O’Müller-Straße")
    page.get_by_label("Welchen Vertrag").fill("Das Gespräch am 3. März")
    page.get_by_label("E-Mail-Adresse").fill(new_guest())
    withdraw(page)
    sign_in(page, site)
    page.goto("/verwaltung/booking/withdrawal/")
    look("list")
    with page.expect_navigation():
        page.locator("#result_list tbody th a").first.click()
    look("page")
    with page.expect_navigation():
        page.get_by_role("link", name="Ohne Wirkung").click()
    look("without_effect")
    page.go_back()
    with page.expect_navigation():
        page.get_by_role("link", name="Termin zuordnen").click()
    look("match")
    for name in ("personrequest", "personrequest/person", "change"):
        page.goto(f"/verwaltung/desk/{name}/")
        look(name.replace("/", "_"))
    context.close()

    assert found == {}


@pytest.mark.parametrize("path", ["/", "/gibt-es-nicht/"])
def test_the_button_is_big_enough_everywhere(phone, path):
    phone.goto(path)
    button = phone.locator(".site-footer").get_by_role("link", name="Vertrag widerrufen")

    for width in (320, 1280):
        phone.set_viewport_size({"width": width, "height": 800})
        box = button.bounding_box()
        assert box
        assert min(box["height"], box["width"]) >= 44
