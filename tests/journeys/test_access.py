"""Every public page and what its forms answer, as axe, a phone, large letters and the Tab key find it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Browser, Page, Route, expect
from psycopg.types.json import Jsonb

from coaching_site import links
from tests.journeys.looking import keep_pictures, looking_window, problems
from tests.journeys.test_booking import choose_a_time, link_in, mail_for, send
from tests.journeys.test_newsletter import join, unsubscribe_link
from tests.journeys.test_paying import ORDER, fill_in_the_address, order, walk_to_the_review
from tests.running_site import Site

TO_READ = [
    "/",
    "/angebot/",
    "/newsletter/archiv/",
    "/newsletter/archiv/zum-nachlesen/",
    "/impressum/",
    "/datenschutz/",
    "/agb/",
    "/widerruf/",
    "/barrierefreiheit/",
    "/gibt-es-nicht/",
]
ISSUE = """
    INSERT INTO newsletter_issue SELECT (jsonb_populate_record(each, jsonb_build_object('id', 900,
        'slug', 'zum-nachlesen', 'status', 'sent', 'candidates', 0, 'started_at', now(),
        'finished_at', now(), 'body', body || %s))).* FROM newsletter_issue each
    WHERE status = 'draft' ORDER BY id LIMIT 1 ON CONFLICT DO NOTHING RETURNING id
"""
PORTRAIT = """
    UPDATE pages_practice SET portrait = %s, portrait_width = 640, portrait_height = 800 RETURNING id
"""
A_FACE = b"<svg xmlns='http://www.w3.org/2000/svg' width='640' height='800'/>"
REST_OF_MARKDOWN = """
### Code\n\n    eine lange Zeile, die auf keinem Telefon auf eine einzige Zeile passen kann\n
"""
# A type of call that is asked for, and that asks back in every way there is.
ASKED_FOR = """
    INSERT INTO booking_calltype SELECT (jsonb_populate_record(each, jsonb_build_object('id', 900,
        'slug', 'auf-anfrage', 'title', 'Auf Anfrage', 'is_hidden', true, 'needs_approval', true,
        'secret', 'nur-wer-ihn-kennt-22zz', 'follow_up_hours', 24, 'place_kind', 'phone'))).*
    FROM booking_calltype each WHERE slug = 'kennenlernen' ON CONFLICT DO NOTHING RETURNING id
"""
QUESTION = """
    INSERT INTO booking_question SELECT (jsonb_populate_record(null::booking_question, %s)).*
    ON CONFLICT DO NOTHING RETURNING id
"""
TOO_LATE = """
    UPDATE booking_booking SET cancel_until_hours = hours, move_until_hours = hours
    FROM (SELECT %s::int) AS since (hours) WHERE email = %s RETURNING id
"""
HOLD_RAN_OUT = """
    UPDATE booking_booking SET held_until = now() - interval '1 minute' WHERE email = %s RETURNING id
"""
UNREACHABLE = """
    UPDATE newsletter_subscriber SET unreachable_since = now() WHERE address = %s RETURNING id
"""
TOO_OFTEN = """
    INSERT INTO desk_hits (scope, key, count, ends_at)
    VALUES (%s, %s, 10000, now() + interval '1 hour')
    ON CONFLICT (scope, key) DO UPDATE SET count = excluded.count RETURNING id
"""


class Looker:
    """Goes through the site like a visitor and notes what is wrong with what it sees."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page, self.site = page, site
        self.found: dict[str, list[str]] = {}

    def look(self, name: str) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()
        if wrong := problems(self.page):
            self.found[name] = wrong
        keep_pictures(self.page, name)

    def open(self, path: str) -> None:
        self.page.goto(path)
        self.look(path)

    def press(self, button: str, name: str) -> None:
        """Send the form and look at what comes."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=button).click()
        self.look(name)

    def beside(self, path: str) -> Looker:
        """Another tab, which writes into the same notes."""
        other = Looker(self.page.context.new_page(), self.site)
        other.found = self.found
        other.page.goto(path)
        return other

    def try_too_often(self, scope: str, key: str) -> None:
        self.site.query(TOO_OFTEN, scope, links.fingerprint(f"hits.{scope}", key))


@pytest.fixture
def looker(browser: Browser, site: Site) -> Iterator[Looker]:
    context = looking_window(browser, site.url)
    yield Looker(context.new_page(), site)
    context.close()


def _answering(body: str | bytes, kind: str = "text/html") -> Callable[[Route], None]:
    def answer(route: Route) -> None:
        route.fulfill(body=body, content_type=kind)

    return answer


def somebody() -> str:
    return f"jemand-{secrets.token_hex(4)}-mit-einer-ziemlich-langen-adresse@firma.example"


def test_pages_to_read_are_open_to_all(looker, site):
    site.query(ISSUE, REST_OF_MARKDOWN)
    for path in TO_READ:
        looker.open(path)

    looker.page.route("**/media/**", _answering(A_FACE, "image/svg+xml"))
    site.query(PORTRAIT, "portrait/a.webp")
    for path in TO_READ[:2]:
        looker.page.goto(path)
        expect(looker.page.get_by_role("img", name="Porträt von")).to_be_visible()
        looker.look(f"{path} with a portrait")
    site.query(PORTRAIT, "")

    assert looker.found == {}


def test_error_pages_are_open_to_all(looker):
    page = looker.page
    practice = {"brand": "Praxis", "email": "post@praxis.example"}
    for status in (400, 403, 500):
        body = render_to_string(f"{status}.html", {"practice": practice})
        page.route(f"**/{status}", _answering(body))
        looker.open(f"/{status}")
    page.goto("/newsletter/")
    page.context.clear_cookies()
    looker.press("Abonnieren", "a form whose cookie is gone")

    assert looker.found == {}


def test_the_newsletter_is_open_to_all(looker, site):
    page, reader = looker.page, somebody()
    looker.open("/newsletter/")
    looker.press("Abonnieren", "no address")
    page.get_by_label("E-Mail-Adresse").fill(reader)
    looker.try_too_often("newsletter.all", "")
    looker.press("Abonnieren", "too often")
    site.query("UPDATE desk_hits SET count = 0 WHERE scope = 'newsletter.all' RETURNING id")
    send(page, "Abonnieren")
    looker.look("look into your mailbox")
    page.goto(link_in(mail_for(site, reader, "Anmeldung"), "/newsletter/bestaetigen/"))
    looker.look("confirm")
    looker.press("Anmeldung bestätigen", "welcome")
    page.get_by_role("link", name="Newsletter-Einstellungen").click()
    settings = page.url
    for name in ("", "adresse/", "postfach/", "daten/", "loeschen/"):
        looker.open(settings + name)
    page.goto(f"{settings}adresse/")
    looker.press("Adresse ändern", "no new address")
    site.query(UNREACHABLE, reader)
    looker.open(settings)
    looker.press("Wieder zustellen", "reachable again")
    page.goto(unsubscribe_link(site, reader))
    looker.look("unsubscribe")
    looker.press("Abmelden", "unsubscribed")
    looker.press("Abmeldung zurücknehmen", "back")
    page.goto(f"{settings}loeschen/")
    looker.press("Alles löschen", "erased")
    for name in ("link/", "link/unterwegs/", "einstellungen/x/", "adresse/x/", "abmelden/x/"):
        looker.open(f"/newsletter/{name}")
    looker.open("/newsletter/bestaetigen/x/")

    assert looker.found == {}


def test_booking_is_open_to_all(looker, site):
    page, guest = looker.page, somebody()
    looker.open("/termin/?tz=Mond/Krater")
    looker.open("/termin/kennenlernen/?tz=America/New_York&ab=2031-01-01")
    looker.open("/termin/")
    page.locator(".days a").nth(1).click()
    looker.look("times")
    page.locator(".times a").first.click()
    looker.look("details")
    details = page.url
    looker.press("Weiter", "details with errors")
    page.get_by_label("Name").fill("Jörg O’Müller-Straße")
    page.get_by_label("E-Mail-Adresse").fill(guest)
    looker.try_too_often("booking.address", guest)
    looker.press("Weiter", "details too often")
    site.query("DELETE FROM desk_hits WHERE scope = 'booking.address' RETURNING id")
    late = looker.beside(details)
    send(page, "Weiter")
    looker.look("review")
    late.page.get_by_label("Name").fill("Ada")
    late.page.get_by_label("E-Mail-Adresse").fill(somebody())
    late.press("Weiter", "somebody was faster")
    late.page.close()
    review = page.url
    looker.open(details)
    page.goto(review)
    site.query(HOLD_RAN_OUT, guest)
    page.reload()
    looker.look("the hold ran out")
    looker.press("Kostenlos buchen", "booked")
    booked = page.url
    page.get_by_role("link", name="Termin verschieben").click()
    looker.look("another day")
    page.locator(".days a").nth(2).click()
    looker.look("another time")
    page.locator(".times a").first.click()
    looker.look("move")
    looker.open(re.sub(r"/zeit/\w+/", "/zeit/20260101T080000Z/", page.url))
    page.go_back()
    looker.press("Termin verschieben", "moved")
    looker.open(booked.replace("/gebucht/", "/absagen/"))
    site.query(TOO_LATE, 24 * 365, guest)
    late = looker.beside(booked.replace("/gebucht/", "/absagen/"))
    late.look("too late to cancel")
    late.page.goto(booked.replace("/gebucht/", "/verschieben/"))
    late.look("too late to move")
    late.page.close()
    site.query(TOO_LATE, 0, guest)
    looker.press("Termin absagen", "called off")
    looker.open(booked)
    looker.open(booked.replace("/gebucht/", "/absagen/"))
    for lost in ("gebucht/x/", "einmal/nur-wer-ihn-kennt-22zz/"):
        looker.open(f"/termin/{lost}")

    assert looker.found == {}


def test_asking_for_a_call_is_open_to_all(looker, site):
    page, guest = looker.page, somebody()
    site.query(ASKED_FOR)
    for number, kind in enumerate(("line", "text", "choice")):
        choices = "Ja\nNein" if kind == "choice" else ""
        question = {"id": 900 + number, "text": f"Eine Frage ({kind})?", "required": True}
        row = {"call_type_id": 900, "kind": kind, "choices": choices, "position": number}
        site.query(QUESTION, Jsonb(question | row))
    looker.open("/termin/privat/nur-wer-ihn-kennt-22zz/")
    choose_a_time(page)
    looker.look("details")
    looker.press("Weiter", "details with errors")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("E-Mail-Adresse").fill(guest)
    page.get_by_label("Telefonnummer").fill("+49 170 1234567")
    for kind in ("line", "text"):
        page.get_by_label(re.compile(rf"Frage \({kind}\)")).fill("Eine Antwort")
    page.get_by_label("Nein").check()
    send(page, "Weiter")
    looker.look("review of a request")
    looker.press("Kostenlos anfragen", "asked")
    looker.open(page.url.replace("/gebucht/", "/absagen/"))
    mail = mail_for(site, "coach@praxis.example", "Anfrage")
    page.goto(link_in(mail, "/termin/anfrage/"))
    looker.look("the request, as the coach sees it")
    looker.press("Annehmen", "the request, accepted")

    assert looker.found == {}


def test_paying_is_open_to_all(looker, site):
    page, guest = looker.page, somebody()
    looker.open("/termin/sparring/")
    page.locator(".days a").nth(2).click()
    looker.look("times of a paid call")
    page.locator(".times a").first.click()
    looker.look("details of a paid call")
    looker.press("Weiter", "details of a paid call with errors")
    page.get_by_label("Ich buche für ein Unternehmen").check()
    looker.press("Weiter", "a company with errors")
    page.get_by_label("Name", exact=True).fill("Ada")
    page.get_by_label("E-Mail-Adresse").fill(somebody())
    page.get_by_label("Firma").fill("Rechenwerk GmbH")
    fill_in_the_address(page)
    send(page, "Weiter")
    looker.look("order of a company")
    looker.press("Zeit wieder freigeben", "released")
    looker.open(page.url.replace("/freigeben/", "/bezahlt/"))
    walk_to_the_review(page, guest, day=2)
    looker.look("order")
    # Who goes from field to field hears the price, too.
    costs = re.compile("Gesamtpreis 300,00.*Jetzt zu zahlen 150,00")
    expect(page.get_by_role("button", name=ORDER)).to_have_accessible_description(costs)
    review = page.url
    page.get_by_role("link", name="Deine Angaben Ändern").click()
    looker.look("details, typed before")
    for kept in ("Jörg O’Müller-Straße", guest, "Rechenweg 1", "10115", "Berlin"):
        expect(page.locator(f'main input[value="{kept}"]')).to_be_visible()  # WCAG 3.3.7
    page.goto(review)
    looker.press(ORDER, "order without the declaration")
    looker.open(review.replace("/pruefen/", "/bezahlt/"))
    page.goto(review)
    order(page)
    page.get_by_role("link", name="Zurück").click()
    looker.look("back from Stripe")
    order(page)
    page.get_by_role("button", name="Bezahlen").click()
    looker.look("booked and paid")
    booked = page.url
    looker.open(booked.replace("/gebucht/", "/absagen/"))
    looker.press("Termin absagen", "called off, money on its way")
    looker.open(booked)

    assert looker.found == {}


def test_withdrawing_and_ones_own_data_are_open_to_all(looker, site):
    page, guest = looker.page, somebody()
    looker.open("/vertrag-widerrufen/")
    looker.press("Widerruf bestätigen", "withdrawal with errors")
    page.get_by_label("Dein Name").fill("Jörg O’Müller-Straße")
    page.get_by_label("Welchen Vertrag").fill("Das Gespräch am 3. März")
    page.get_by_label("E-Mail-Adresse").fill(guest)
    page.get_by_label("Nachricht").fill("Ich habe es mir anders überlegt.")
    send(page, "Widerruf bestätigen")
    looker.look("withdrawn")
    join(page, site, guest)
    looker.open("/datenschutz/meine-daten/")
    looker.press("Link schicken", "no address")
    page.get_by_label("E-Mail-Adresse").fill(guest)
    send(page, "Link schicken")
    looker.look("the link is on its way")
    own = link_in(mail_for(site, guest, "Daten"), "/datenschutz/meine-daten/")
    looker.open(own)
    looker.press("Alles ansehen", "everything")
    looker.open(f"{own}loeschen/")
    looker.press("Alles löschen", "erased")
    looker.open(own)

    assert looker.found == {}
