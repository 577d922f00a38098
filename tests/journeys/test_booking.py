"""Read, look at the offer, book, open the mail, cancel."""

from __future__ import annotations

import re
import secrets
from email.message import EmailMessage

import pytest
from playwright.sync_api import Page, expect

from tests.mail_server import attachments, text
from tests.running_site import TYPING_SECONDS, Site, wait_until


def mail_for(site: Site, address: str, subject: str) -> str:
    """The text of the newest mail to this address with that subject, once it has come."""
    found: list[EmailMessage] = []

    def arrived() -> bool:
        found[:] = [mail for mail in site.mailbox.to(address) if subject in mail["Subject"]]
        return bool(found)

    wait_until(arrived, seconds=15)
    return text(found[-1])


def link_in(words: str, path: str) -> str:
    found = re.search(rf"https?://\S*{path}\S*", words)
    assert found, f"no link to {path} in the mail"
    return found[0]


def send(page: Page, button: str) -> None:
    """Send a form as a person does, who needs a moment to fill it in."""
    page.wait_for_timeout(1000 * TYPING_SECONDS)
    page.get_by_role("button", name=button).click()


def choose_a_time(page: Page) -> None:
    # Not the first day: its next time may come too close while one is still typing.
    page.locator(".days a").nth(1).click()
    page.locator(".times a").first.click()


def test_from_the_landing_page_to_a_cancelled_call(page, site):
    guest = f"gast-{secrets.token_hex(4)}@firma.example"
    opened: list[str] = []
    page.goto("/")
    page.on("framenavigated", lambda frame: opened.append(frame.url))

    page.get_by_role("link", name="Mehr über VP Engineering Coaching").click()
    page.get_by_role("link", name=re.compile("gespräch buchen")).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcher Tag passt dir?")
    choose_a_time(page)
    page.get_by_label("Name").fill("Jörg O’Müller-Straße")
    page.get_by_label("E-Mail-Adresse").fill(guest)
    page.get_by_label(re.compile("Worum geht es dir")).fill("Die CTO-Frage")
    send(page, "Weiter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Prüfen und buchen")
    page.get_by_role("button", name="Kostenlos buchen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dein Termin ist gebucht")
    # A page a tap, even for who reads the offer first; the form comes on top.
    assert len(opened) <= 6

    mail = mail_for(site, guest, "Gespräch mit")
    assert "Hallo Jörg," in mail
    assert "termin.ics" in attachments(site.mailbox.to(guest)[-1])
    coach = mail_for(site, "coach@praxis.example", "")
    assert "Verwaltung" in coach

    page.goto(link_in(mail, "/termin/absagen/"))
    page.get_by_role("button", name="Termin absagen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dein Termin ist abgesagt")
    wait_until(lambda: len(site.mailbox.to(guest)) == 2, seconds=15)
    state = site.query("SELECT status FROM booking_booking WHERE email = %s", guest)
    assert state == [("cancelled",)]


def test_a_wrong_address_keeps_what_was_typed_and_names_the_field(page, site):
    page.goto("/termin/")
    choose_a_time(page)
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("E-Mail-Adresse").fill("ada@")
    send(page, "Weiter")

    expect(page.get_by_role("heading", name="Es gibt ein Problem")).to_be_visible()
    expect(page).to_have_title(re.compile("^Fehler: "))
    expect(page.get_by_label("Name")).to_have_value("Ada")
    expect(page.get_by_label("E-Mail-Adresse")).to_have_value("ada@")
    page.locator(".error-summary a").click()
    assert page.url.endswith("#id_email")


def test_going_back_after_booking_does_not_book_twice(page, site):
    guest = f"zurueck-{secrets.token_hex(4)}@firma.example"
    page.goto("/termin/")
    choose_a_time(page)
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("E-Mail-Adresse").fill(guest)
    send(page, "Weiter")
    review = page.url
    page.get_by_role("button", name="Kostenlos buchen").click()

    page.goto(review)

    expect(page.get_by_role("heading", level=1)).to_have_text("Dein Termin ist gebucht")
    rows = site.query("SELECT status FROM booking_booking WHERE email = %s", guest)
    assert rows == [("confirmed",)]


def walk_on_and_compare(page: Page, site: Site, guest: str, zone: str) -> None:
    """From a day's times to the mail: everything speaks of the same instant."""
    chosen = page.locator(".times a").first
    clock = chosen.locator(".choice").inner_text().replace("\u00a0", " ")
    address = chosen.get_attribute("href") or ""
    chosen.click()
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("E-Mail-Adresse").fill(guest)
    send(page, "Weiter")
    for button in ("Kostenlos buchen", None):
        summary = page.locator(".summary")
        expect(summary).to_contain_text(clock.removesuffix(" Uhr"))
        expect(summary).to_contain_text(zone)
        expect(summary).to_contain_text("Berliner Zeit")
        if button:
            page.get_by_role("button", name=button).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dein Termin ist gebucht")
    assert f"/zeit/{mailed_instant(site, guest)}/" in address
    words = mail_for(site, guest, "Gespräch mit").replace("\u00a0", " ")
    assert f"{clock}, {zone}" in words


def mailed_instant(site: Site, guest: str) -> str:
    mail_for(site, guest, "Gespräch mit")
    file = str(attachments(site.mailbox.to(guest)[-1])["termin.ics"])
    found = re.search(r"DTSTART:(\d{8}T\d{6}Z)", file)
    assert found
    return found[1]


def test_a_visitor_in_new_york_is_offered_their_own_clock_and_never_switched(browser, site):
    guest = f"new-york-{secrets.token_hex(4)}@firma.example"
    context = browser.new_context(base_url=site.url, locale="de-DE", timezone_id="America/New_York")
    page = context.new_page()
    page.goto("/termin/")
    hint = page.get_by_role("link", name="Zeiten für New York umrechnen")
    expect(hint).to_be_visible()
    expect(page.get_by_text("Alle Zeiten in Berliner Zeit")).to_be_visible()

    hint.click()
    expect(page.get_by_text("Alle Zeiten in Ortszeit New York")).to_be_visible()
    expect(hint).to_be_hidden()
    page.locator(".days a").nth(1).click()
    walk_on_and_compare(page, site, guest, "Ortszeit New York")
    context.close()


SHIFTS = """
  window.shifted = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((shift) => { window.shifted += shift.value; }))
    .observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.parametrize(
    ("before", "offers"), [("", 1), ("Intl.DateTimeFormat = null;", 0)], ids=["works", "fails"]
)
def test_the_script_moves_nothing_whether_it_works_or_fails(browser, site, before, offers):
    context = browser.new_context(
        base_url=site.url,
        viewport={"width": 360, "height": 740},
        locale="de-DE",
        timezone_id="America/New_York",
    )
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(error.message))
    page.add_init_script(SHIFTS + before)
    page.goto("/termin/")

    expect(page.get_by_role("link", name="Zeiten für New York umrechnen")).to_have_count(offers)
    assert len(failures) == 1 - offers
    page.evaluate("() => new Promise((shown) => requestAnimationFrame(() => setTimeout(shown)))")
    assert page.evaluate("shifted") == 0
    page.locator(".days a").nth(1).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Wann am")
    context.close()


def test_a_visitor_in_kathmandu_without_a_script_chooses_their_zone(browser, site):
    guest = f"kathmandu-{secrets.token_hex(4)}@firma.example"
    context = browser.new_context(
        base_url=site.url,
        locale="de-DE",
        timezone_id="Asia/Kathmandu",
        java_script_enabled=False,
    )
    page = context.new_page()
    page.goto("/termin/")
    expect(page.get_by_text("Zeiten für")).to_be_hidden()
    page.get_by_text("Zeitzone ändern").click()
    page.get_by_label("Zeitzone").select_option("Asia/Kathmandu")
    page.get_by_role("button", name="Zeiten umrechnen").click()
    expect(page.get_by_text("Alle Zeiten in Ortszeit Kathmandu (UTC+5:45)")).to_be_visible()
    page.locator(".days a").nth(1).click()
    walk_on_and_compare(page, site, guest, "Ortszeit Kathmandu (UTC+5:45)")
    context.close()
