"""Subscribe, confirm, leave."""

from __future__ import annotations

import re
import secrets

from playwright.sync_api import expect

from coaching_site import links
from tests.journeys.test_booking import choose_a_time, link_in, mail_for, send
from tests.running_site import wait_until


def test_subscribe_confirm_unsubscribe(page, site):
    reader = f"leserin-{secrets.token_hex(4)}@firma.example"

    page.goto("/")
    page.get_by_role("link", name="Abonnieren").click()
    page.get_by_label("E-Mail-Adresse").fill(reader)
    send(page, "Abonnieren")
    expect(page.get_by_text("Fast geschafft: Schau in dein Postfach")).to_be_visible()

    mail = mail_for(site, reader, "")
    page.goto(link_in(mail, "/newsletter/bestaetigen/"))
    assert site.query("SELECT status FROM newsletter_subscriber") != [("confirmed",)]
    page.get_by_role("button", name="Anmeldung bestätigen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Du bist dabei")
    state = "SELECT status FROM newsletter_subscriber WHERE address = %s"
    assert site.query(state, reader) == [("confirmed",)]

    page.goto(unsubscribe_link(site, reader))
    page.get_by_role("button", name="Abmelden").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Du bist abgemeldet")
    assert site.query(state, reader) == [("unsubscribed",)]


def unsubscribe_link(site, reader: str) -> str:
    """As an issue will carry it: signed anew from the subscriber's public id."""
    [(public_id,)] = site.query(
        "SELECT public_id FROM newsletter_subscriber WHERE address = %s", reader
    )
    return f"/newsletter/abmelden/{links.sign('newsletter.unsubscribe', str(public_id))}/"


def test_a_wrong_address_is_named_in_german(page):
    page.goto("/newsletter/")
    page.get_by_label("E-Mail-Adresse").fill("max@")
    send(page, "Abonnieren")

    expect(page).to_have_title(re.compile("^Fehler: "))
    expect(page.get_by_label("E-Mail-Adresse")).to_have_value("max@")


def test_the_same_answer_whether_or_not_the_address_is_known(page, site):
    reader = f"bekannt-{secrets.token_hex(4)}@firma.example"
    answers = []
    for _ in range(2):
        page.goto("/newsletter/")
        page.get_by_label("E-Mail-Adresse").fill(reader)
        send(page, "Abonnieren")
        answers.append(page.locator("main").inner_html())
        wait_until(lambda: len(site.mailbox.to(reader)) == 1)

    assert answers[0] == answers[1]


STATE = "SELECT status FROM newsletter_subscriber WHERE address = %s"


def join(page, site, reader: str) -> None:
    """From the form to the page that says one is in."""
    page.goto("/newsletter/")
    page.get_by_label("E-Mail-Adresse").fill(reader)
    send(page, "Abonnieren")
    page.goto(link_in(mail_for(site, reader, "Anmeldung"), "/newsletter/bestaetigen/"))
    page.get_by_role("button", name="Anmeldung bestätigen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Du bist dabei")


def test_join_move_look_leave_and_come_back(page, site):
    reader, newer = (f"{name}-{secrets.token_hex(4)}@firma.example" for name in ("alt", "neu"))
    headline = page.get_by_role("heading", level=1)
    join(page, site, reader)

    page.get_by_role("link", name="Newsletter-Einstellungen").click()
    expect(page.get_by_text(reader)).to_be_visible()
    page.get_by_role("link", name="Ändern").click()
    page.get_by_label("Neue E-Mail-Adresse").fill(newer)
    page.get_by_role("button", name="Adresse ändern").click()
    expect(headline).to_have_text("Schau in dein neues Postfach")
    assert site.query(STATE, reader) == [("confirmed",)]
    page.goto(link_in(mail_for(site, newer, "neue Adresse"), "/newsletter/adresse/"))
    page.get_by_role("button", name="Neue Adresse bestätigen").click()
    expect(headline).to_have_text("Deine Adresse ist geändert")
    assert (site.query(STATE, reader), site.query(STATE, newer)) == ([], [("confirmed",)])

    page.get_by_role("link", name="Newsletter-Einstellungen").click()
    page.get_by_role("link", name="Alles ansehen").click()
    expect(page.get_by_text("Mit „Abonnieren“ willigst du ein").first).to_be_visible()
    page.get_by_role("link", name="Zurück zu den Einstellungen").click()
    page.get_by_role("link", name="Abmelden").click()
    page.get_by_role("button", name="Abmelden").click()
    expect(headline).to_have_text("Du bist abgemeldet")
    assert site.query(STATE, newer) == [("unsubscribed",)]
    page.get_by_role("button", name="Abmeldung zurücknehmen").click()
    expect(headline).to_have_text("Du bist wieder dabei")
    assert site.query(STATE, newer) == [("confirmed",)]


def test_a_lost_link_comes_back_and_erases_everything(page, site):
    reader = f"weg-{secrets.token_hex(4)}@firma.example"
    join(page, site, reader)

    page.goto("/newsletter/")
    page.get_by_role("link", name="Link zu deinen Einstellungen anfordern").click()
    page.get_by_label("E-Mail-Adresse").fill(reader)
    send(page, "Link schicken")
    expect(page.get_by_text("Wenn wir diese Adresse kennen")).to_be_visible()
    link = link_in(mail_for(site, reader, "Dein Link"), "/newsletter/einstellungen/")
    page.goto(link)
    page.get_by_role("link", name="Daten löschen").click()
    page.get_by_role("button", name="Alles löschen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Deine Daten sind gelöscht")
    assert site.query(STATE, reader) == []

    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("Dieser Link öffnet nichts mehr")


def test_a_ticked_box_on_the_booking_form_starts_the_same_way(page, site):
    guest = f"kaestchen-{secrets.token_hex(4)}@firma.example"
    page.goto("/termin/")
    choose_a_time(page)
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("E-Mail-Adresse").fill(guest)
    box = page.get_by_label(re.compile("darf mir den Newsletter"))
    expect(box).not_to_be_checked()
    box.check()
    send(page, "Weiter")
    page.get_by_role("button", name="Kostenlos buchen").click()

    page.goto(link_in(mail_for(site, guest, "Newsletter"), "/newsletter/bestaetigen/"))
    page.get_by_role("button", name="Anmeldung bestätigen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Du bist dabei")
