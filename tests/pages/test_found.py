"""How the pages are found: by search engines, in a list of results, when shared, and by address."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as site
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from booking.models import CallType
from coaching_site.desk.models import Change
from newsletter.models import Issue
from pages.legal_models import LegalText
from pages.models import Practice
from pages.sitemaps import PublicSitemap
from tests.booking.conftest import new_type
from tests.test_house import ROOT

LAST_SUNDAY = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
LONG = "Warum ein Titel allein noch keine Rolle macht und was du morgen daran ändern kannst"
NOT_PAGES = re.compile(r"^/(static|media)/|\.(ico|pdf|xml|ics)$")
MOST_PAGES = 120


@dataclass
class Read:
    """A page as a search engine reads it."""

    path: str
    markup: str
    canonical: str
    is_indexed: bool
    is_for_everyone: bool
    cookies: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        body = re.sub(r"<(script|style|head)\b.*?</\1>", " ", self.markup, flags=re.DOTALL)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).replace("\u00ad", "").split())

    @property
    def title(self) -> str:
        return self._one(r"<title>([^<]*)</title>")

    def meta(self, name: str) -> str:
        return self._one(rf'<meta (?:name|property)="{name}"\s+content="([^"]*)"')

    @property
    def things(self) -> list[dict[str, Any]]:
        """What its structured data speaks of."""
        found = re.findall(r'<script type="application/ld\+json">(.*?)</script>', self.markup)
        return [thing for each in found for thing in json.loads(each)["@graph"]]

    def thing(self, kind: str) -> dict[str, Any]:
        (found,) = [thing for thing in self.things if thing["@type"] == kind]
        return found

    def _one(self, pattern: str) -> str:
        (found,) = re.findall(pattern, self.markup)
        return unescape(str(found)).strip()


def read(path: str) -> Read:
    answer = Client().get(path)
    assert answer.status_code == 200, path
    markup = answer.content.decode()
    canonical = re.search(r'<link rel="canonical" href="([^"]+)">', markup)
    held_back = answer.get("X-Robots-Tag", "") + " ".join(re.findall(r'"robots"[^>]*', markup))
    return Read(
        path,
        markup,
        canonical[1] if canonical else "",
        "noindex" not in held_back,
        "public" in answer.get("Cache-Control", ""),
        [*answer.cookies],
    )


@pytest.fixture
def public(whole, calendar, settings) -> None:
    """A practice with everything a visitor can read."""
    settings.STRIPE_SECRET_KEY = "sk_test_1"
    Practice.objects.update(headline="Ein Satz.", biography="Eins.\n\nZwei.")
    new_type(calendar, position=1)
    new_type(
        calendar,
        title="Sparring",
        slug="sparring",
        price_cents=30000,
        deposit_cents=15000,
        position=2,
    )
    for slug, subject, preheader in (
        ("eins", "Ausgabe eins", "Der Vorschautext"),
        ("zwei", LONG, ""),
    ):
        Issue.objects.create(
            subject=subject,
            preheader=preheader,
            slug=slug,
            body=f"Worum es in {slug} geht. " * 20,
            status="sent",
            created_at=LAST_SUNDAY,
            changed_at=LAST_SUNDAY,
            started_at=LAST_SUNDAY,
            finished_at=LAST_SUNDAY,
            candidates=0,
        )


def listed() -> dict[str, str]:
    """The sitemap: each path with its day of change."""
    markup = Client().get("/sitemap.xml").content.decode()
    found = re.findall(r"<loc>([^<]*)</loc>(?:<lastmod>([\d-]+)</lastmod>)?", markup)
    assert all(address.startswith(f"{site.SITE_URL}/") for address, _ in found)
    return {urlsplit(address).path: day for address, day in found}


@pytest.fixture(scope="module")
def known() -> dict[str, Read]:
    """What was read once: the pages are the same in each test."""
    return {}


@pytest.fixture
def linked(public, known) -> list[Read]:
    """Every page that links lead to from the landing page, the ways behind each slot left out."""
    waiting = [] if known else ["/"]
    while waiting and len(known) < MOST_PAGES:
        path = waiting.pop(0)
        known[path] = read(path)
        links = map(unescape, re.findall(r'href="(/[^"#]*)"', known[path].markup))
        new = (link for link in links if not NOT_PAGES.search(link) and "/zeit/" not in link)
        waiting += [link for link in dict.fromkeys(new) if link not in {*known, *waiting}]
    return [*known.values()]


# --- the sitemap ----------------------------------------------------------------------------------


def test_the_sitemap_holds_every_page_that_may_be_found_and_no_other(linked):
    found = {page.canonical for page in linked if page.is_indexed}

    assert len(linked) > 30
    assert found == {f"{site.SITE_URL}{path}" for path in listed()}


def test_each_page_of_the_sitemap_is_there_and_names_itself(public):
    for path in listed():
        page = read(path)
        assert page.canonical == f"{site.SITE_URL}{path}"
        assert page.is_indexed, path


def test_each_page_of_the_sitemap_says_when_it_changed(public):
    today = str(timezone.localdate())

    assert {path: day for path, day in listed().items() if day not in (today, "2026-11-22")} == {}
    assert listed()["/newsletter/archiv/eins/"] == "2026-11-22"


def changed_at() -> dict[str, datetime | None]:
    return {page.path: page.changed_at for page in PublicSitemap().items()}


@pytest.mark.parametrize(
    ("table", "moved"),
    [
        ("booking_calltype", {"/", "/angebot/", "/termin/sparring/"}),
        ("pages_testimonial", {"/"}),
    ],
)
def test_what_the_coach_changes_moves_the_day_of_the_pages_that_show_it(public, table, moved):
    before = changed_at()
    row = CallType.objects.get(slug="sparring").pk
    later = timezone.now() + timedelta(days=1)
    Change.objects.create(at=later, who="coach", what="update", table=table, row=row)

    after = changed_at()

    assert {path for path, at in after.items() if at != before[path]} == moved
    assert {after[path] for path in moved} == {later}


def test_a_paper_changes_when_it_comes_into_force(public):
    published = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)
    LegalText.objects.create(
        kind="terms",
        number=1,
        source="x",
        text="x",
        sha256="0" * 64,
        valid_from=date(2026, 10, 1),
        published_at=published,
        changed_at=published,
        created_by="coach",
    )

    assert listed()["/agb/"] == "2026-10-01"


def test_nobody_invents_a_day_before_anything_was_saved(db):
    assert set(listed().values()) == {""}


# --- in a list of results, and when shared --------------------------------------------------------


def test_titles_and_descriptions_are_unique_and_fit(public):
    pages = [read(path) for path in listed()]
    titles = [page.title for page in pages if page.title != LONG]

    assert len(titles) == len(pages) - 1
    assert {title for title in titles if not 15 <= len(title) <= 65} == set()
    descriptions = [page.meta("description") for page in pages]
    assert {words for words in descriptions if not 15 <= len(words) <= 160} == set()
    # Cut off may be what the coach wrote, not what we did.
    assert [words for words in descriptions if words.endswith("…")] == [
        read("/newsletter/archiv/zwei/").meta("description")
    ]
    assert len({*titles, LONG}) == len({*descriptions}) == len(pages)


def test_each_page_looks_like_itself_when_shared(public):
    for page in map(read, listed()):
        assert page.meta("og:url") == page.canonical
        assert page.title.startswith(page.meta("og:title"))
        assert page.meta("og:description") == page.meta("description")
        assert page.meta("og:image") == f"{site.SITE_URL}{static('social.png')}"
        assert page.meta("og:image:alt")


def test_the_picture_of_a_shared_page_has_the_size_it_says(public):
    path = finders.find("social.png")
    page = read("/")

    assert path
    with Image.open(path) as picture:
        assert picture.size == (int(page.meta("og:image:width")), int(page.meta("og:image:height")))


def test_every_page_announces_the_feed(linked):
    for page in linked:
        assert re.search(
            r'type="application/atom\+xml"[^>]*href="/newsletter/feed.xml"', page.markup
        )


def test_a_page_says_what_it_is_about_or_that_it_is_not_to_be_found():
    templates = ROOT / "templates"
    undecided = [
        str(path.relative_to(templates))
        for path in templates.rglob("*.html")
        if re.search(r'extends "(base|page)\.html"', text := path.read_text("utf-8"))
        and path.name != "page.html"
        and not re.search(r'page_meta|content="noindex"', text)
    ]

    assert undecided == []


# --- structured data ------------------------------------------------------------------------------

# What schema.org gives these types, as far as it is used here, and what nobody can do without.
VOCABULARY = {
    "WebSite": ("name url", "inLanguage publisher"),
    "Person": ("name url", "jobTitle image"),
    "Service": (
        "name provider url",
        "serviceType areaServed availableChannel offers",
    ),
    "ServiceChannel": ("serviceUrl", "availableLanguage"),
    "Offer": ("name price priceCurrency url", "availability priceSpecification"),
    "PriceSpecification": ("price priceCurrency valueAddedTaxIncluded", ""),
    "Article": (
        "headline author datePublished dateModified image",
        "description url mainEntityOfPage inLanguage publisher",
    ),
}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d")


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from nodes(each)


def test_structured_data_keeps_to_the_vocabulary_and_hangs_together(public):
    for page in map(read, listed()):
        every = list(nodes(page.things))
        named = {node["@id"] for node in every if "@type" in node and "@id" in node}
        for node in every:
            if "@type" not in node:
                assert [*node] == ["@id"]
                assert node["@id"] in named, page.path
                continue
            needed, allowed = (set(words.split()) for words in VOCABULARY[node["@type"]])
            assert needed <= node.keys() <= needed | allowed | {"@type", "@id"}, node
            for name, value in node.items():
                assert value not in (None, "", []), name
                if name in {"@id", "url", "image", "serviceUrl", "mainEntityOfPage"}:
                    assert value.startswith(f"{site.SITE_URL}/")
                if name.startswith("date"):
                    assert MOMENT.fullmatch(value)
                if name == "price":
                    assert re.fullmatch(r"\d+\.\d\d", value)


def test_which_page_speaks_of_what(public):
    kinds = {page.path: [thing["@type"] for thing in page.things] for page in map(read, listed())}

    assert {path: found for path, found in kinds.items() if found} == {
        "/": ["WebSite", "Person", "Service"],
        "/angebot/": ["Person", "Service"],
        "/newsletter/archiv/eins/": ["Person", "Article"],
        "/newsletter/archiv/zwei/": ["Person", "Article"],
    }


@pytest.mark.parametrize("path", ["/", "/angebot/"])
def test_offers_are_those_of_the_page_at_its_prices(public, path):
    page = read(path)
    offers = page.thing("Service")["offers"]

    shown = {"/": ["0.00"], "/angebot/": ["0.00", "300.00"]}
    assert [offer["price"] for offer in offers] == shown[path]
    for offer in offers:
        assert {"0.00": "kostenlos", "300.00": "300,00 € inkl. 19 % MwSt."}[
            offer["price"]
        ] in page.text
        assert offer["availability"].endswith("/InStock")
        assert read(urlsplit(offer["url"]).path).is_indexed
    assert [offer["name"] in page.text for offer in offers] == [True] * len(offers)


@pytest.mark.parametrize(("mode", "included"), [("regular", True), ("small_business", None)])
def test_a_price_says_whether_vat_is_in_it(public, mode, included):
    Practice.objects.update(vat_mode=mode)

    free, paid = read("/angebot/").thing("Service")["offers"]

    assert "priceSpecification" not in free
    assert paid.get("priceSpecification", {}).get("valueAddedTaxIncluded") is included


def test_what_cannot_be_booked_is_not_in_stock(public, settings):
    settings.STRIPE_SECRET_KEY = ""

    free, paid = read("/angebot/").thing("Service")["offers"]

    assert ("availability" in free, "availability" in paid) == (True, False)


def test_without_a_call_nothing_is_offered(public):
    CallType.objects.update(is_active=False)

    assert "offers" not in read("/").thing("Service")
    assert "offers" not in read("/angebot/").thing("Service")


def test_an_article_says_what_its_page_says(public):
    page = read("/newsletter/archiv/eins/")
    article, coach = page.thing("Article"), page.thing("Person")

    assert f"<h1>{article['headline']}</h1>" in page.markup
    assert article["description"] == page.meta("description")
    assert article["url"] == page.canonical
    assert coach["name"] == "Vorname Nachname"
    for told, name in (("datePublished", "published_time"), ("dateModified", "modified_time")):
        assert datetime.fromisoformat(article[told]) == datetime.fromisoformat(
            page.meta(f"article:{name}")
        )


def test_structured_data_cannot_break_out_of_its_script(public):
    Practice.objects.update(first_name="</script><script>alert(1)</script>")

    assert "<script>alert" not in read("/").markup


# --- addresses that last --------------------------------------------------------------------------

# Others link to these and keep them: an address may come, none may change or go.
PROMISED: dict[str, tuple[str, list[Any]]] = {
    "/": ("landing", []),
    "/angebot/": ("offer", []),
    "/impressum/": ("imprint", []),
    "/datenschutz/": ("privacy", []),
    "/datenschutz/fassung/1/": ("privacy_version", [1]),
    "/datenschutz/fassung/1.pdf": ("privacy_version_pdf", [1]),
    "/datenschutz/meine-daten/": ("people:ask", []),
    "/agb/": ("terms", []),
    "/agb.pdf": ("terms_pdf", []),
    "/agb/fassung/1/": ("terms_version", [1]),
    "/agb/fassung/1.pdf": ("terms_version_pdf", [1]),
    "/widerruf/": ("withdrawal_notice", []),
    "/widerrufsbelehrung.pdf": ("withdrawal_notice_pdf", []),
    "/widerruf/fassung/1/": ("withdrawal_notice_version", [1]),
    "/widerruf/fassung/1.pdf": ("withdrawal_notice_version_pdf", [1]),
    "/barrierefreiheit/": ("accessibility", []),
    "/vertrag-widerrufen/": ("withdraw", []),
    "/termin/": ("booking:days", []),
    "/termin/kennenlernen/": ("booking:days_of", ["kennenlernen"]),
    "/termin/kennenlernen/2026-11-24/": ("booking:times", ["kennenlernen", date(2026, 11, 24)]),
    "/termin/kennenlernen/zeit/20261124T080000Z/": (
        "booking:details",
        ["kennenlernen", datetime(2026, 11, 24, 8, tzinfo=UTC)],
    ),
    "/termin/gebucht/token/": ("booking:booked", ["token"]),
    "/termin/absagen/token/": ("booking:cancel", ["token"]),
    "/termin/verschieben/token/": ("booking:move", ["token"]),
    "/termin/anfrage/token/": ("booking:request", ["token"]),
    "/termin/kalender/token.ics": ("booking:calendar_file", ["token"]),
    "/termin/rechnung/token/RE-1.pdf": ("booking:invoice", ["token", "RE-1"]),
    "/termin/feed/secret.ics": ("booking:feed", ["secret"]),
    "/newsletter/": ("newsletter:subscribe", []),
    "/newsletter/archiv/": ("newsletter:archive", []),
    "/newsletter/archiv/eins/": ("newsletter:issue", ["eins"]),
    "/newsletter/feed.xml": ("newsletter:feed", []),
    "/newsletter/link/": ("newsletter:lost_link", []),
    "/newsletter/bestaetigen/token/": ("newsletter:confirm", ["token"]),
    "/newsletter/abmelden/token/": ("newsletter:unsubscribe", ["token"]),
    "/newsletter/einstellungen/token/": ("newsletter:preferences", ["token"]),
    "/newsletter/adresse/token/": ("newsletter:move", ["token"]),
    "/sitemap.xml": ("sitemap", []),
    "/robots.txt": ("robots", []),
    "/.well-known/security.txt": ("security_txt", []),
}


def test_addresses_last():
    assert {path: reverse(name, args=given) for path, (name, given) in PROMISED.items()} == {
        path: path for path in PROMISED
    }


def test_nothing_of_the_sitemap_is_closed_to_robots(public):
    rules = re.findall(r"^Disallow: (\S+)$", Client().get("/robots.txt").content.decode(), re.M)
    closed = re.compile("|".join(re.escape(rule).replace(r"\*", ".*") for rule in rules))

    assert rules
    assert [path for path in listed() if closed.match(path)] == []
    assert closed.match("/termin/kennenlernen/zeit/20261124T080000Z/")


# --- what caches may keep -------------------------------------------------------------------------


def test_a_page_is_the_same_for_everyone_or_kept_by_no_cache(linked):
    for page in linked:
        is_form = bool(re.search(r'<form[^>]*method="post"', page.markup))
        assert page.is_for_everyone != is_form, page.path
        assert not (page.is_for_everyone and page.cookies), page.path


@pytest.mark.parametrize(
    "path",
    ["/newsletter/", "/newsletter/link/", "/datenschutz/meine-daten/", "/vertrag-widerrufen/"],
)
def test_a_form_and_its_token_are_kept_by_no_cache(public, path):
    said = Client().get(path)["Cache-Control"]

    assert {"no-store", "private"} <= set(said.split(", "))
