"""A list of five thousand walks in over the coach's desk, out again, and back in."""

from __future__ import annotations

import csv
import io
import json
import random
import secrets
from pathlib import Path

import pytest
from django.contrib.auth.hashers import make_password
from playwright.sync_api import Page, expect

from tests.running_site import wait_until

PASSWORD = secrets.token_urlsafe(12)
ROWS = 5_000
IMPORTS = "/verwaltung/newsletter/import/"
MAKE_COACH = """
    INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name,
        last_name, email, date_joined)
    VALUES (%s, %s, true, true, true, '', '', '', now()) RETURNING id
"""


@pytest.fixture
def coach(page: Page, site) -> Page:
    """The desk, with somebody at it who may do everything."""
    name = f"coach-{secrets.token_hex(4)}"
    site.query(MAKE_COACH, name, make_password(PASSWORD, hasher="argon2"))
    page.goto(IMPORTS)
    page.get_by_label("Benutzername").fill(name)
    page.get_by_label("Passwort").fill(PASSWORD)
    page.get_by_role("button", name="Anmelden").click()
    return page


def dirty_list(domain: str) -> tuple[str, dict[str, int]]:
    """Five thousand lines as they come out of a drawer, and what must become of them."""
    chance = random.Random(5000)
    lines, expected = (
        ["E-Mail;Vorname;Nachname;Status;Schlagwörter"],
        dict.fromkeys(("new", "left", "barred", "unproven", "duplicate", "invalid"), 0),
    )
    for number in range(ROWS):
        address, status = f"leser{number}@{domain}", "active"
        outcome = "new"
        kind = chance.randrange(50)
        if kind == 0:
            address, outcome = chance.choice(["foo@", "", "a b@c", '"offen']), "invalid"
        elif kind == 1 and number > 100:
            address, outcome = f"LESER7@{domain.upper()}", "duplicate"
        elif kind == 2:
            status, outcome = "unsubscribed", "left"
        elif kind == 3:
            status, outcome = "bounced", "barred"
        elif kind == 4:
            status, outcome = "cold", "unproven"
        name = chance.choice(["Jörg", '"Ann ""die"" Große"', "=1+1", '"Zwei\r\nZeilen"', ""])
        if address == '"offen':  # of two broken lines each would be counted
            name = ""
        if number == 7:
            address, status, outcome = f"leser7@{domain}", "active", "new"
        lines.append(f"{address};{name};Müller;{status};berlin")
        expected[outcome] += 1
    return "\r\n".join(lines) + "\r\n", expected


def through_the_desk(coach: Page, path: Path, *, with_proof: bool) -> str:
    """Upload, map, check, start; the result's page as text."""
    coach.goto(f"{IMPORTS}add/")
    coach.get_by_label("Datei").set_input_files(path)
    coach.get_by_role("button", name="Hochladen und ansehen").click()
    if with_proof:
        coach.get_by_label("Woher ist die Liste?").fill("Alte Website")
        coach.get_by_label("Wann haben die Leute eingewilligt?").fill("2024-05-04")
        coach.get_by_label("Welchem Wortlaut haben sie zugestimmt?").fill("Ja, gern.")
    coach.get_by_role("button", name="Liste prüfen").click()
    start = coach.get_by_role("button", name="Jetzt übernehmen")
    _reload_until(coach, lambda: start.count() == 1)
    promised = _results(coach)
    start.click()
    _reload_until(coach, lambda: coach.get_by_role("heading", name="Fertig").count() == 1)
    assert _results(coach) == promised
    expect(coach.get_by_text("Es ging keine Mail hinaus")).to_be_visible()
    return promised


def _results(coach: Page) -> str:
    return coach.locator("table").first.inner_text()


def _reload_until(coach: Page, true) -> None:
    def look() -> bool:
        if true():
            return True
        again = coach.get_by_role("link", name="Aktualisieren")
        if again.count():
            again.click()
        else:
            coach.reload()
        return bool(true())

    wait_until(look, 60)


def _export(coach: Page, folder: Path) -> Path:
    coach.goto(IMPORTS)
    coach.get_by_role("link", name="Liste exportieren").click()
    coach.get_by_role("button", name="CSV für Tabellen und Import").click()
    expect(coach.get_by_text("sie entsteht im Hintergrund")).to_be_visible()
    # Leaving the page changes nothing: the file is found where all work stands.
    coach.goto("/verwaltung/arbeiten/")
    finished = coach.get_by_role("link", name="Herunterladen")
    _reload_until(coach, lambda: finished.count() > 0)
    with coach.expect_download() as download:
        finished.first.click()
    path = folder / "export.csv"
    download.value.save_as(path)
    return path


def test_a_list_comes_in_goes_out_and_comes_back(coach, site, tmp_path):
    domain = f"{secrets.token_hex(4)}.example"
    text, expected = dirty_list(domain)
    path = tmp_path / "liste.csv"
    path.write_bytes(text.encode("cp1252"))

    through_the_desk(coach, path, with_proof=True)

    [(counts,)] = site.query("SELECT counts FROM newsletter_import ORDER BY id DESC LIMIT 1")
    assert counts == expected
    confirmed = (
        "SELECT count(*) FROM newsletter_subscriber WHERE status = 'confirmed' AND address LIKE %s"
    )
    assert site.query(confirmed, f"%@{domain}") == [(expected["new"],)]
    assert not site.mailbox.to(f"leser7@{domain}")
    everything = "SELECT json_agg(s ORDER BY id), (SELECT count(*) FROM newsletter_consent) FROM newsletter_subscriber s"
    before = site.query(everything)

    exported = _export(coach, tmp_path)
    rows = list(csv.DictReader(io.StringIO(exported.read_text("utf-8-sig")), delimiter=";"))
    (seven,) = [row for row in rows if row["E-Mail-Adresse"] == f"leser7@{domain}"]
    assert json.loads(seven["Einwilligungen"])[0]["text"] == "Ja, gern."
    through_the_desk(coach, exported, with_proof=False)

    assert site.query(everything) == before


def test_back_and_a_second_press_do_no_harm(coach, site, tmp_path):
    domain = f"{secrets.token_hex(4)}.example"
    path = tmp_path / "liste.csv"
    path.write_text(f"E-Mail\nada@{domain}\n", "utf-8")
    through_the_desk(coach, path, with_proof=True)
    latest = "SELECT id, status, counts FROM newsletter_import ORDER BY id DESC LIMIT 1"
    before = site.query(latest)

    coach.go_back()
    coach.go_forward()
    coach.goto(f"{IMPORTS}{before[0][0]}/spalten/")

    expect(coach.get_by_text("Sieh nach, wie er steht")).to_be_visible()
    assert site.query(latest) == before
    count = "SELECT count(*) FROM newsletter_subscriber WHERE address LIKE %s"
    assert site.query(count, f"%@{domain}") == [(1,)]
