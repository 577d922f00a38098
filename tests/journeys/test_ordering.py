"""Order a paid call as a consumer and as a company, on a phone without JavaScript; open the mail and its files."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.booking.papers import words_in
from tests.journeys.test_booking import mail_for, send
from tests.journeys.test_paying import ORDER, fill_in_the_address, heading, new_guest
from tests.journeys.test_withdrawing import WHOLE
from tests.mail_server import attachments
from tests.running_site import Site

BOX = "Ich verlange ausdrücklich"


def choose(page: Page, site: Site, *, day: int) -> str:
    site.query(WHOLE)
    page.goto("/termin/sparring/")
    page.locator(".days a").nth(day).click()
    page.locator(".times a").first.click()
    guest = new_guest()
    page.get_by_label("Name").fill("Jörg O’Müller-Straße")
    page.get_by_label("E-Mail-Adresse").fill(guest)
    fill_in_the_address(page)
    return guest


def files_for(site: Site, guest: str) -> dict[str, bytes]:
    mail_for(site, guest, "Gespräch mit")
    [message] = [mail for mail in site.mailbox.to(guest) if "Gespräch mit" in mail["Subject"]]
    return attachments(message)


def test_a_consumer_declares_the_early_start_and_gets_every_paper(phone, site):
    page, guest = phone, choose(phone, site, day=3)
    send(page, "Weiter")
    expect(
        page.get_by_text("Wähle, ob du privat oder für ein Unternehmen buchst.").first
    ).to_be_visible()
    page.get_by_label("Ich buche privat").check()
    expect(page.get_by_label("Firma")).to_be_hidden()
    send(page, "Weiter")

    button = page.get_by_role("button", name=ORDER)
    button.click()
    expect(page.get_by_role("alert").get_by_text("Setz den Haken")).to_be_visible()
    page.get_by_label(BOX).check()
    button.scroll_into_view_if_needed()
    expect(page.locator(".order")).to_be_in_viewport()
    expect(button).to_be_in_viewport()
    button.click()
    page.get_by_role("button", name="Bezahlen").click()
    heading(page, "Dein Termin ist gebucht")

    mail = mail_for(site, guest, "Gespräch mit")
    assert f"Beim Buchen hast du erklärt: „{BOX}" in mail
    files = files_for(site, guest)
    invoice, *papers = files
    assert invoice.startswith("Anzahlungsrechnung-TEST-")
    assert papers == ["AGB.pdf", "Widerrufsbelehrung.pdf", "termin.ics"]
    assert "Jörg O’Müller-Straße" in words_in(files[invoice])
    assert "binnen vierzehn Tagen" in words_in(files["Widerrufsbelehrung.pdf"])
    assert "Für wen und wofür" in words_in(files["AGB.pdf"])
    kept = "SELECT o.button, o.declarations->0->>'text' FROM booking_order o"
    of_guest = " JOIN booking_booking b ON b.id = o.booking_id WHERE b.email = %s"
    [(label, declared)] = site.query(kept + of_guest, guest)
    assert label == ORDER
    assert str(declared).startswith(BOX)


def test_a_company_is_named_on_the_invoice_and_asked_for_no_early_start(phone, site):
    page, guest = phone, choose(phone, site, day=3)
    page.get_by_label("Ich buche für ein Unternehmen").check()
    send(page, "Weiter")
    expect(page.get_by_role("alert").get_by_text("Nenn das Unternehmen")).to_be_visible()
    page.get_by_label("Firma").fill("Rechenwerk GmbH")
    page.get_by_label("USt-IdNr.").fill("DE 123456789")
    send(page, "Weiter")
    expect(page.get_by_label(BOX)).to_have_count(0)
    page.get_by_role("button", name=ORDER).click()
    page.get_by_role("button", name="Bezahlen").click()
    heading(page, "Dein Termin ist gebucht")

    files = files_for(site, guest)
    invoice, *papers = files
    assert papers == ["AGB.pdf", "termin.ics"]
    words = words_in(files[invoice])
    assert "Rechenwerk GmbH" in words
    assert "Rechenweg 1" in words
    assert "DE123456789" in words
    assert "Vertrag widerrufen" not in mail_for(site, guest, "Gespräch mit")
