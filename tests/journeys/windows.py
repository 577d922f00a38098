"""A browser's window as people here have it: German, by the clock of Berlin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page


@contextmanager
def window(
    browser: Browser, url: str, *, width: int, height: int, script: bool = True
) -> Iterator[Page]:
    """A fresh one of that size in CSS pixels, with cookies of its own; closed with the block."""
    context = browser.new_context(
        base_url=url,
        viewport={"width": width, "height": height},
        java_script_enabled=script,
        locale="de-DE",
        timezone_id="Europe/Berlin",
    )
    context.set_default_timeout(8000)
    yield context.new_page()
    context.close()
