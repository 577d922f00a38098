"""Every public page, in light and dark, wide and narrow, as axe and a person without a mouse see it."""

from __future__ import annotations

from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe

PATHS = [
    "/",
    "/angebot/",
    "/termin/",
    "/termin/kennenlernen/",
    "/newsletter/",
    "/newsletter/postfach/",
    "/newsletter/link/",
    "/newsletter/link/unterwegs/",
    "/newsletter/bestaetigen/x/",
    "/newsletter/abmelden/x/",
    "/newsletter/adresse/x/",
    "/newsletter/einstellungen/x/",
    "/impressum/",
    "/datenschutz/",
    "/datenschutz/meine-daten/",
    "/datenschutz/meine-daten/unterwegs/",
    "/datenschutz/meine-daten/x/",
    "/agb/",
    "/widerruf/",
    "/barrierefreiheit/",
    "/gibt-es-nicht/",
    "/verwaltung/login/",
]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.mark.parametrize(("scheme", "width"), list(product(["light", "dark"], [360, 1280])))
def test_axe_finds_nothing_on_any_page(browser, site, scheme, width):
    context = browser.new_context(
        base_url=site.url,
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
        bypass_csp=True,
        reduced_motion="reduce",
    )
    page = context.new_page()
    found = {}
    for path in PATHS:
        # Django's own sign-in page marks its content as "main" twice; that one is not ours to judge.
        tags = TAGS[:-1] if path.startswith("/verwaltung") else TAGS
        page.goto(path)
        result = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}})
        if result.violations_count:
            found[path] = [violation["id"] for violation in result.response["violations"]]
    context.close()

    assert found == {}


@pytest.mark.parametrize("path", PATHS[:-1])
def test_nothing_is_wider_than_a_small_phone(browser, site, path):
    context = browser.new_context(base_url=site.url, viewport={"width": 320, "height": 640})
    page = context.new_page()
    page.goto(path)

    width = page.evaluate("document.documentElement.scrollWidth")

    context.close()
    assert width <= 320


@pytest.mark.parametrize("path", ["/", "/angebot/", "/termin/", "/impressum/"])
def test_a_page_one_only_reads_leaves_nothing_behind(browser, site, path):
    context = browser.new_context(base_url=site.url)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(path)

    stored = page.evaluate("localStorage.length + sessionStorage.length")

    assert context.cookies() == []
    assert stored == 0
    assert [url for url in asked if not url.startswith(site.url)] == []
    context.close()
