"""Offer, papers, small files and error pages."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from pages.models import Practice
from tests.conftest import OPERATOR

pytestmark = pytest.mark.django_db

PAPERS = ["/impressum/", "/datenschutz/", "/agb/", "/widerruf/", "/barrierefreiheit/"]
PUBLIC = ["/", "/angebot/", *PAPERS]


@pytest.fixture
def practice():
    return Practice.objects.create(pk=1, **OPERATOR)


@pytest.mark.parametrize("path", PUBLIC)
def test_a_page_one_only_reads_sets_no_cookie(client, path):
    response = client.get(path)

    assert response.status_code == 200
    assert not response.cookies


@pytest.mark.parametrize("path", [*PUBLIC, "/gibt-es-nicht/", "/verwaltung/login/"])
def test_the_imprint_is_one_click_away(client, path):
    assert b'href="/impressum/"' in client.get(path).content


@pytest.mark.parametrize("path", PUBLIC)
def test_a_page_names_its_own_address_and_how_it_looks_when_shared(client, path):
    markup = client.get(path).content.decode()

    assert f'<link rel="canonical" href="http://localhost:8000{path}">' in markup
    for tag in ("og:title", "og:description", "og:image", "og:url"):
        assert re.search(rf'property="{tag}" content="[^"]+"', markup)
    assert re.search(r'<meta name="description" content="[^"]{50,170}">', markup)


def test_the_imprint_shows_what_is_missing(client):
    assert (
        "<mark>[Straße und Hausnummer fehlt noch]</mark>"
        in client.get("/impressum/").content.decode()
    )


def test_a_complete_imprint_has_no_marks(client, practice):
    markup = client.get("/impressum/").content.decode()

    assert "<mark>" not in markup
    assert "Teststraße 1" in markup


def test_the_statutory_notice_stays_formal(client, practice):
    markup = client.get("/widerruf/").content.decode()

    assert "Sie haben das Recht, binnen vierzehn Tagen" in markup
    assert "Vorname Nachname, Teststraße 1, 10115 Berlin" in markup


def test_no_page_links_the_closed_complaint_platform(client):
    for path in PUBLIC:
        assert b"ec.europa.eu/consumers/odr" not in client.get(path).content


def test_going_live_without_imprint_is_an_error():
    with pytest.raises(SystemCheckError, match="Im Impressum fehlt"):
        call_command("check", deploy=True, databases=["default"])


def test_a_complete_imprint_passes_the_check(practice, capsys):
    call_command("check", databases=["default"], tags=["database"], deploy=True)

    assert "Impressum" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/robots.txt", "Disallow: /verwaltung/"),
        ("/.well-known/security.txt", "Contact: mailto:"),
        ("/sitemap.xml", "/angebot/</loc>"),
    ],
)
def test_files_for_machines(client, path, words):
    assert words in client.get(path).content.decode()


def test_the_icon_is_where_browsers_look(client):
    response = client.get("/favicon.ico")

    assert b"".join(response.streaming_content).startswith(b"\x00\x00\x01\x00")


def test_a_page_that_is_not_there_shows_ways_on(client):
    response = client.get("/gibt-es-nicht/")

    assert response.status_code == 404
    assert "Diese Seite gibt es nicht (mehr)." in response.content.decode()


def test_media_never_leaves_its_folder(client):
    for path in ("../../../etc/passwd", "%2e%2e/secret_key", "nichts.webp"):
        assert client.get(f"/media/{path}").status_code in (400, 404)


def test_media_of_an_endless_name_is_not_there(client):
    assert client.get(f"/media/{'x' * 300}").status_code == 404


def test_the_error_page_needs_no_database(client, monkeypatch, settings):
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("pages.models.Practice.current", broken)
    client.raise_request_exception = False

    response = client.get("/")

    assert response.status_code == 500
    assert "Es liegt an uns." in response.content.decode()


@pytest.mark.parametrize("path", ["/", "/angebot/"])
def test_the_browser_may_fetch_the_next_page_when_somebody_is_about_to_open_it(client, db, path):
    kind, rules = client.get(path)["Speculation-Rules"].strip('"').split(",", 1)
    [rule] = json.loads(unquote(rules))["prefetch"]

    assert kind == "data:application/speculationrules+json"
    # On hover or touch: what is fetched while the page still loads takes the line from it.
    assert rule["eagerness"] == "moderate"
    # Neither a form's page, which sets a cookie, nor anybody's own.
    assert rule["where"]["href_matches"] == ["/termin/", "/termin/:art/", "/angebot/"]
    # The rules have no address of their own that these could be read from.
    assert rule["where"]["relative_to"] == "document"
