"""An issue from the first word to the last mail, at the coach's desk, with and without JavaScript."""

from __future__ import annotations

import re
import secrets

import pytest
from django.contrib.auth.hashers import make_password
from PIL import Image
from playwright.sync_api import Page, expect

from tests import mail_server
from tests.journeys.looking import looking_window, problems_at_the_desk
from tests.journeys.test_import import MAKE_COACH
from tests.running_site import wait_until

PASSWORD = secrets.token_urlsafe(12)
ISSUES = "/verwaltung/newsletter/issue/"
IMPRINT = """
    UPDATE pages_practice SET first_name = 'Vera', last_name = 'Probe', street = 'Weg 1',
        postal_code = '10115', city = 'Berlin', email = 'post@praxis.example', phone = '030 1234567'
    RETURNING id
"""
READER = """
    WITH consent AS (
        INSERT INTO newsletter_consent (address, kind, text, text_version, text_sha256, page,
            requested_at, confirmed_at, evidence)
        VALUES (%s, 'newsletter', 'Ja', '1', encode(sha256('Ja'), 'hex'), '/newsletter/', now(),
            now(), '{}') RETURNING id, address
    ), person AS (
        INSERT INTO newsletter_subscriber (public_id, address, address_key, name, status,
            consent_id, created_at, confirmed_at)
        SELECT gen_random_uuid(), address, address, %s, 'confirmed', id, now(), now() FROM consent
        RETURNING id
    )
    INSERT INTO newsletter_subscriber_tags (subscriber_id, tag_id) SELECT id, %s FROM person
    RETURNING id
"""
# A minute is long for a test, so its end is brought near.
SOON = "UPDATE newsletter_issue SET send_at = now() WHERE id = %s AND status = 'scheduled' RETURNING id"
SOON_ENOUGH = """
    UPDATE procrastinate_jobs SET scheduled_at = now()
    WHERE task_name = 'newsletter.start_issue' AND status = 'todo' RETURNING id
"""


def sign_in(page: Page, site) -> Page:
    """The desk, with somebody at it who may do everything."""
    name = f"coach-{secrets.token_hex(4)}"
    site.query(MAKE_COACH, name, make_password(PASSWORD, hasher="argon2"))
    page.goto(ISSUES)
    page.get_by_label("Benutzername").fill(name)
    page.get_by_label("Passwort").fill(PASSWORD)
    page.get_by_role("button", name="Anmelden").click()
    expect(page.get_by_role("link", name="Neue Ausgabe")).to_be_visible()
    return page


@pytest.fixture
def coach(page: Page, site) -> Page:
    return sign_in(page, site)


def number_of(page: Page) -> int:
    found = re.search(r"/issue/(\d+)/", page.url)
    assert found is not None, page.url
    return int(found[1])


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def audience(site, tag: str, *addresses: str) -> None:
    [(number,)] = site.query("INSERT INTO newsletter_tag (name) VALUES (%s) RETURNING id", tag)
    for address in addresses:
        site.query(READER, address, "Ada" if address.startswith("ada") else "", number)


def test_an_issue_is_written_tested_scheduled_taken_back_sent_and_looked_at(coach, site, tmp_path):
    word = f"wort{secrets.token_hex(4)}"
    ada, bob = f"ada@{word}.example", f"bob@{word}.example"
    audience(site, word, ada, bob)
    site.query(IMPRINT)

    Image.new("RGB", (300, 150), "teal").save(tmp_path / "tafel.png")
    coach.goto("/verwaltung/newsletter/picture/add/")
    coach.get_by_label("Bild").set_input_files(tmp_path / "tafel.png")
    coach.get_by_label("Alternativtext").fill("Eine Tafel")
    press(coach, "Speichern")
    line = coach.locator("code.paste").inner_text()

    coach.goto(ISSUES)
    coach.get_by_role("link", name="Neue Ausgabe").click()
    coach.get_by_label("Betreff").fill(f"Über {word}")
    body = coach.locator("#id_body")
    body.fill(f"Hallo {{{{ nachname | du }}}},\n\n## Heute\n\n{line}\n\nBis bald")
    coach.get_by_label(re.compile(rf"{word} \(2\)")).check()
    press(coach, "Speichern")
    issue = number_of(coach)
    expect(coach.get_by_text("Den Platzhalter „{{ nachname | du }}“ gibt es nicht")).to_be_visible()
    coach.goto(f"{ISSUES}{issue}/senden/")
    expect(coach.get_by_text("So geht die Ausgabe noch nicht hinaus")).to_be_visible()
    expect(coach.get_by_role("button", name="Senden", exact=True)).to_have_count(0)

    coach.get_by_role("link", name="Weiterschreiben").click()
    body.fill(f"Hallo {{{{ vorname | du }}}},\n\n## Heute\n\n{line}\n\nBis bald")
    press(coach, "Speichern und ansehen")
    expect(coach.get_by_text("Geht zurzeit an 2 Personen")).to_be_visible()
    narrow = coach.frame_locator("iframe").first
    expect(narrow.get_by_text("Hallo Vera,")).to_be_visible()
    expect(narrow.get_by_role("img", name="Eine Tafel")).to_have_js_property("naturalWidth", 300)

    coach.get_by_role("link", name="Test an mich").click()
    coach.get_by_label("E-Mail-Adresse").fill(f"ich@{word}.example")
    press(coach, "Test verschicken")
    expect(coach.get_by_text(f"Die Testmail ist an ich@{word}.example unterwegs")).to_be_visible()
    (test,) = site.mailbox.to(f"ich@{word}.example")
    assert word in test["Subject"]

    coach.get_by_role("link", name="Senden …").click()
    coach.get_by_label("Zu dieser Zeit").check()
    coach.get_by_label("Tag").fill("2027-03-28")
    coach.get_by_label("Uhrzeit").fill("02:30")
    press(coach, "Senden")
    expect(coach.get_by_text("02:30 Uhr gibt es an diesem Tag nicht")).to_be_visible()
    coach.get_by_label("Uhrzeit").fill("09:30")
    press(coach, "Senden")
    expect(coach.get_by_text("Sonntag, 28. März 2027, 09:30 Uhr")).to_be_visible()
    press(coach, "Zurücknehmen")
    expect(coach.get_by_text("Die Ausgabe ist wieder ein Entwurf")).to_be_visible()

    press(coach, "Speichern und weiter zum Senden")
    press(coach, "Senden")
    expect(coach.get_by_text(re.compile(r"Wird in \d+ Sekunden verschickt"))).to_be_visible()
    assert site.query(SOON, issue)
    assert site.query(SOON_ENOUGH)
    state = "SELECT status FROM newsletter_issue WHERE id = %s"
    wait_until(lambda: site.query(state, issue) == [("sent",)], 60)

    # The page was watching, so nobody has to reload it.
    expect(coach.get_by_role("heading", name="Verschickt", exact=True)).to_be_visible(
        timeout=15_000
    )
    accepted = coach.get_by_role("row", name=re.compile("vom Mailserver angenommen"))
    expect(accepted.get_by_role("cell").last).to_have_text("2")
    (mail,), (other,) = site.mailbox.to(ada), site.mailbox.to(bob)
    assert "Hallo Ada," in mail_server.text(mail)
    assert "Hallo du," in mail_server.text(other)
    accepted.get_by_role("link").click()
    expect(coach.get_by_role("link", name=ada)).to_be_visible()
    coach.goto(ISSUES)
    expect(coach.get_by_role("row", name=re.compile(word))).to_contain_text("2 von 2")


def test_what_was_typed_in_a_second_tab_is_not_lost(coach):
    coach.goto(f"{ISSUES}add/")
    coach.get_by_label("Betreff").fill(f"Zwei Tabs {secrets.token_hex(4)}")
    press(coach, "Speichern")
    second = coach.context.new_page()
    second.goto(coach.url)
    coach.locator("#id_body").fill("Aus dem ersten Tab")
    press(coach, "Speichern")
    expect(coach.get_by_text("Gespeichert.")).to_be_visible()

    second.locator("#id_body").fill("Aus dem zweiten Tab")
    press(second, "Speichern")

    expect(second.get_by_text("inzwischen an anderer Stelle gespeichert")).to_be_visible()
    expect(second.locator("#id_newer")).to_have_value("Aus dem ersten Tab")
    expect(second.locator("#id_body")).to_have_value("Aus dem zweiten Tab")
    press(second, "Speichern")
    expect(second.get_by_text("Gespeichert.")).to_be_visible()


def test_the_desk_for_issues_is_open_to_all(browser, site):
    context = looking_window(browser, site.url)
    page = context.new_page()
    found: dict[str, list[str]] = {}

    def look() -> None:
        if wrong := problems_at_the_desk(page):
            found[page.url] = wrong

    page.goto("/verwaltung/login/")
    look()
    sign_in(page, site)
    look()
    page.goto(f"{ISSUES}add/")
    look()
    page.get_by_label("Betreff").fill("")
    press(page, "Speichern")
    expect(page.get_by_text("Schreib einen Betreff.")).to_be_visible()
    look()
    page.get_by_label("Betreff").fill(f"Axe {secrets.token_hex(4)}")
    press(page, "Speichern")
    expect(page.get_by_text("Gespeichert.")).to_be_visible()
    look()
    issue = number_of(page)
    for name in ("vorschau", "test", "links", "senden", "ungewiss"):
        page.goto(f"{ISSUES}{issue}/{name}/")
        look()
    for name in ("picture", "picture/add", "pace/1/change", "delivery", "feedback"):
        page.goto(f"/verwaltung/newsletter/{name}/")
        look()
    context.close()

    assert found == {}
