"""What a page one only reads does to the browser that reads it: nothing."""

from __future__ import annotations

import pytest


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
