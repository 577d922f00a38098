"""Subscribe, confirm, leave."""

from __future__ import annotations

import re
import secrets

from playwright.sync_api import expect

from coaching_site import links
from tests.journeys.test_booking import link_in, mail_for, send
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
