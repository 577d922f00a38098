"""Legal texts as visitors find them: on pages, as files, in old versions; and the cookies they tell of."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from pages import legal, legal_facts
from pages.legal_models import LegalText
from pages.models import Practice
from tests.booking.conftest import new_type
from tests.pages.test_legal import Kind, publish, write
from tests.pages.test_views import PAPERS

pytestmark = pytest.mark.django_db

FILE = re.compile(r"^/(static|media)/|\.(pdf|ico|xml|txt|ics)$")
DRAFT = "Entwurf, bitte von einer Anwältin oder einem Anwalt prüfen lassen."
CHECKED = ["/datenschutz/", "/agb/", "/widerruf/"]


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def today(now):
    return timezone.localdate(now)


def page(client, path):
    return client.get(path).content.decode()


@pytest.mark.parametrize("path", CHECKED)
def test_a_start_text_says_that_it_is_a_draft(client, whole, path):
    assert DRAFT in page(client, path)


@pytest.mark.parametrize("path", ["/impressum/", "/barrierefreiheit/"])
def test_what_needs_no_lawyer_is_no_draft_once_it_is_whole(client, whole, path):
    assert DRAFT not in page(client, path)


@pytest.mark.parametrize("kind", [Kind.TERMS, Kind.PRIVACY, Kind.WITHDRAWAL])
def test_a_published_text_tells_its_day(client, whole, now, today, kind):
    publish(kind, now=now, valid_from=today)

    markup = page(client, reverse(legal.PAGES[kind]))

    assert DRAFT not in markup
    assert f"Stand: {today:%d.%m.%Y}, Fassung 1." in markup


def test_an_unchecked_text_stays_marked(client, whole, now, today):
    publish(now=now, valid_from=today, is_checked=False)

    assert DRAFT in page(client, "/agb/")


def test_an_old_version_stays_where_old_mails_link_to(client, whole, now, today):
    write("Alte Bedingungen", now=now)
    publish(now=now, valid_from=today)
    write("Neue Bedingungen", now=now)
    publish(now=now, valid_from=today)

    old = page(client, "/agb/fassung/1/")

    assert "Alte Bedingungen" in old
    assert "Das ist Fassung 1." in old
    assert 'content="noindex"' in old
    assert "Neue Bedingungen" in page(client, "/agb/")
    assert "Neue Bedingungen" in page(client, "/agb/fassung/2/")


@pytest.mark.parametrize("path", ["/agb/fassung/1/", "/agb/fassung/1.pdf", "/impressum/fassung/1/"])
def test_a_version_that_never_was_is_not_there(client, whole, now, today, path):
    publish(Kind.IMPRINT, now=now, valid_from=today)

    assert client.get(path).status_code == 404


def test_an_old_imprint_with_an_old_address_is_nobodys_business(client, whole, now, today):
    publish(Kind.IMPRINT, now=now, valid_from=today)
    Practice.objects.update(street="Neue Straße 2")
    publish(Kind.IMPRINT, now=now, valid_from=today)

    assert "Neue Straße 2" in page(client, "/impressum/")
    assert client.get("/impressum/fassung/1/").status_code == 404


@pytest.mark.parametrize("path", ["/agb.pdf", "/widerrufsbelehrung.pdf"])
def test_the_papers_are_files_as_well(client, whole, path):
    response = client.get(path)

    assert response.content.startswith(b"%PDF")
    assert response["Content-Type"] == "application/pdf"
    assert "public" in response["Cache-Control"]
    assert not response.cookies
    assert f'href="{path}"' in page(client, {"/agb.pdf": "/agb/"}.get(path, "/widerruf/"))


def test_the_file_of_a_version_is_what_is_attached_to_mails(client, whole, now, today):
    publish(now=now, valid_from=today)

    assert client.get("/agb/fassung/1.pdf").content == legal.pdf(Kind.TERMS)
    assert client.get("/agb.pdf").content == legal.pdf(Kind.TERMS)


def test_a_change_of_the_practice_shows_at_once_in_a_start_text(client, whole):
    page(client, "/impressum/")
    Practice.objects.update(street="Neue Straße 2")

    assert "Neue Straße 2" in page(client, "/impressum/")


def test_a_version_of_tomorrow_does_not_hold_today(client, whole, now, today):
    write("Bedingungen von morgen", now=now)
    publish(now=now, valid_from=today + timedelta(days=1))

    assert "Bedingungen von morgen" not in page(client, "/agb/")
    assert "Bedingungen von morgen" in page(client, "/agb/fassung/1/")


# --- cookies ----------------------------------------------------------------------------------


def crawl(client, *more):
    """Every page of the site a visitor can reach by links, files left out."""
    waiting = ["/", *more]
    seen: set[str] = set()
    while waiting and len(seen) < 80:
        path = waiting.pop(0)
        seen.add(path)
        response = client.get(path, follow=True)
        yield path, response
        if "text/html" in response.headers["Content-Type"]:
            hrefs = re.findall(r'href="(/[^"#?]*)"', response.content.decode())
            new = dict.fromkeys(href for href in hrefs if not FILE.search(href))
            waiting += [href for href in new if href not in {*seen, *waiting}]


def test_no_page_sets_a_cookie_the_privacy_notice_does_not_name(whole, calendar):
    new_type(calendar)
    client = Client()
    told = {cookie.name for cookie in legal_facts.cookies()}

    visited: set[str] = set()
    met: set[str] = set()
    for path, response in crawl(client, "/verwaltung/login/", "/gibt-es-nicht/"):
        visited.add(path)
        met |= set(response.cookies)
    client.post("/newsletter/", {"email": "kim@praxis.example"})

    assert {"/newsletter/", "/termin/"} <= visited
    assert met
    assert met | set(client.cookies) <= told
    for name in told:
        assert f"<td>{name}</td>" in page(client, "/datenschutz/")


def test_working_in_the_admin_sets_no_other_cookie_either(admin_client, whole):
    response = admin_client.post(
        "/verwaltung/pages/legaltext/terms/bearbeiten/", {"source": "Neu"}, follow=True
    )

    assert "Der Entwurf ist gesichert." in response.content.decode()
    assert set(admin_client.cookies) <= {cookie.name for cookie in legal_facts.cookies()}


LIVES = {"": "bis du den Browser schließt", 14 * 24 * 3600: "zwei Wochen"}


def test_each_cookie_lives_as_long_as_the_notice_says(whole, calendar, admin_user):
    """Every cookie of the site, by what it sets when a form, the sign-in and the desk are used."""
    told = {cookie.name: cookie.lifetime for cookie in legal_facts.cookies()}
    visitor = Client()
    for path, _ in crawl(visitor, "/verwaltung/login/", "/datenschutz/meine-daten/"):
        visitor.get(path)
    coach = Client()
    coach.post("/verwaltung/login/", {"username": "admin", "password": "password"})
    messages = coach.post(
        "/verwaltung/desk/personrequest/person/", {"email": "kim@praxis.example", "confirm": "1"}
    ).cookies
    set_cookies = {**visitor.cookies, **coach.cookies, **messages}

    assert set(set_cookies) == set(told)
    for name, cookie in set_cookies.items():
        assert LIVES[cookie["max-age"]] == told[name], name


@pytest.mark.parametrize("path", [*PAPERS, "/agb.pdf", "/widerrufsbelehrung.pdf"])
def test_a_paper_sets_no_cookie(client, whole, path):
    assert not client.get(path).cookies


# --- the imprint, from everywhere -------------------------------------------------------------


def test_the_imprint_is_linked_from_every_page_a_visitor_can_reach(client, whole, calendar):
    new_type(calendar)
    visited = 0

    for path, response in crawl(client, "/gibt-es-nicht/", "/verwaltung/login/", "/newsletter/x/"):
        if "text/html" in response.headers["Content-Type"]:
            visited += 1
            markup = response.content.decode()
            assert 'href="/impressum/"' in markup, path
            assert "ec.europa.eu/consumers/odr" not in markup, path

    assert visited > 10


def test_even_the_error_page_links_the_imprint(client, monkeypatch):
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("pages.models.Practice.current", broken)
    client.raise_request_exception = False

    assert b'href="/impressum/"' in client.get("/").content


def test_texts_of_the_house_link_no_closed_platform():
    assert all("consumers/odr" not in legal.start_source(kind) for kind in LegalText.Kind)
