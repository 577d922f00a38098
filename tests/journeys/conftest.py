"""A real Chromium, with and without JavaScript, in front of the real site."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests import running_site
from tests.journeys.windows import window

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def site(smtp, tmp_path_factory) -> Iterator[running_site.Site]:
    box, host, port = smtp
    with running_site.running(box, host, port, tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium where there is one, else the one Playwright installed."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=[True, False], ids=["with_js", "without_js"])
def page(request, browser, site) -> Iterator[Page]:
    """A fresh phone-sized window; every journey is walked with and without JavaScript."""
    foreign: list[str] = []
    with window(browser, site.url, width=390, height=844, script=request.param) as page:
        page.on(
            "request",
            lambda sent: foreign.append(sent.url) if not sent.url.startswith(site.url) else None,
        )
        yield page
    assert foreign == [], "the page asked somebody else"


@pytest.fixture
def phone(browser, site) -> Iterator[Page]:
    """A small phone without JavaScript."""
    with window(browser, site.url, width=360, height=740, script=False) as page:
        yield page
