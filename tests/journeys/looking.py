"""What axe, a small phone, large letters and the Tab key find on the page that is open.

The page is loaded once and then looked at in every way, so that a state that only a sent form
shows (an error, a conflict) is looked at like any other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Django's own frame of the admin, its search, filters and rows in tables are not ours to judge; nor is a mail.
DJANGO = [
    "#header",
    ".breadcrumbs",
    "#changelist-search",
    "#changelist-filter",
    ".toplinks",
    ".inline-group",
    "iframe",
]

# Its bundle takes a moment to be read, and all that it finds in order a moment to be handed over.
AXE = """async ([tags, outside]) => {
  const rules = { iframes: false, resultTypes: ["violations"], runOnly: { type: "tag", values: tags } };
  const { violations } = await axe.run({ exclude: outside }, rules);
  return violations.map((each) => `${each.id}: ${each.nodes[0].html}`);
}"""
# Colours that are still on their way from one scheme to the other cannot be judged.
STILL = "*, ::before, ::after { transition: none !important }"

# 320 is the width of WCAG 1.4.10: a small phone, or 1280 pixels at 400 %.
PHONE: ViewportSize = {"width": 320, "height": 640}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
TWICE_THE_LETTERS = "html { font-size: 200% !important }"
# WCAG 1.4.12, to the letter; above, letters of twice the size for 1.4.4.
SPACED = """
    * { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
    p { margin-block-end: 2em !important }
"""

# The innermost, for they push the others out; a scroll bar shows what has no element of its own.
TOO_WIDE = """() => {
  const room = document.documentElement.clientWidth;
  const hidden = (node) => node.closest(".visually-hidden, .skip, thead");
  const wide = [...document.body.querySelectorAll("*")]
    .filter((node) => node.getBoundingClientRect().right > room + 1 && !hidden(node));
  return wide.filter((node) => !wide.some((other) => other !== node && node.contains(other)))
    .map((node) => `${node.tagName.toLowerCase()} „${node.textContent.trim().slice(0, 40)}“`).slice(0, 3)
    .concat(document.documentElement.scrollWidth > room ? ["the page"] : []);
}"""

# What can be pressed is 44 pixels high where it stands alone; 24 is the least (WCAG 2.5.8).
TOO_SMALL = """() => {
  const buttons = "button, .button, .button-quiet, .days a, .times a, .site-header a, .site-footer a";
  const found = [];
  for (const node of document.querySelectorAll(`${buttons}, summary, .change a, .pager a, input, select`)) {
    const box = node.getBoundingClientRect();
    const least = node.matches(buttons) ? 44 : 24;
    if (box.height && !node.closest(".visually-hidden") && (box.height < least || box.width < 24))
      found.push(`${node.textContent.trim() || node.name}: ${box.width} x ${box.height}`);
  }
  return found;
}"""

# After a key was pressed: every stop of the Tab key shows a ring, and nothing lies over it.
WITHOUT_FOCUS = """() => {
  const stops = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  const found = [];
  for (const node of document.querySelectorAll(stops)) {
    if (node.tabIndex < 0 || node.disabled || !node.checkVisibility()) continue;
    node.focus();
    const style = getComputedStyle(node);
    const box = node.getClientRects()[0];
    // Of a long text field the browser brings only the cursor into view.
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height / 2, 20));
    const name = `${node.tagName.toLowerCase()} „${(node.textContent.trim() || node.name).slice(0, 40)}“`;
    if (document.activeElement !== node) found.push(`${name} takes no focus`);
    if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) found.push(`${name} shows no focus`);
    if (!node.contains(top)) found.push(`${name} is covered`);
  }
  return found;
}"""

# What a sent form brought about has the focus, and an error is in the title too (WCAG 3.3.1, 4.1.3).
# A browser gives the focus once it draws, which on a busy machine is a moment after it has loaded.
UNSAID = """async () => {
  const told = document.querySelector("[role=alert], [role=status]");
  for (let look = 0; look < 60 && told && document.activeElement !== told; look++)
    await new Promise(drawn => setTimeout(drawn, 50));
  const isError = Boolean(document.querySelector("[role=alert]"));
  const found = [];
  if (isError !== /^(Fehler|Haltezeit um): /.test(document.title)) found.push(`the title: ${document.title}`);
  if (told && document.activeElement !== told) found.push("the message has not got the focus");
  for (const link of document.querySelectorAll(".error-summary a"))
    if (!document.querySelector(link.hash)?.matches("input, select, textarea")) found.push(`${link.hash} is no field`);
  return found;
}"""


# Where colours are the reader's own, a button and a field are told by their border (forced colours).
WITHOUT_BORDER = """() => [...document.querySelectorAll("button, .button, input:not([type=hidden]), select, textarea")]
  .filter((node) => node.checkVisibility() && !node.closest(".visually-hidden"))
  .filter((node) => !node.matches("[type=checkbox], [type=radio]") || getComputedStyle(node).appearance === "none")
  .filter((node) => parseFloat(getComputedStyle(node).borderTopWidth) < 1)
  .map((node) => node.textContent.trim() || node.name)"""

# Ways through the site and to help, the same on every page and in the same order (WCAG 3.2.3, 3.2.6).
FRAME = """() => [...document.querySelectorAll("body > :is(header, footer) a[href^='/']")]
  .map((node) => node.getAttribute("href"))"""
SAME_EVERYWHERE = [
    "/",
    "/angebot/",
    "/termin/",
    "/newsletter/",
    "/vertrag-widerrufen/",
    "/impressum/",
    "/datenschutz/",
    "/agb/",
    "/widerruf/",
    "/barrierefreiheit/",
    "/newsletter/feed.xml",
]


def looking_window(browser: Browser, url: str) -> BrowserContext:
    """A window in which axe may run in spite of the site's policy, and nothing moves."""
    context = browser.new_context(
        base_url=url,
        viewport=DESKTOP,
        bypass_csp=True,
        reduced_motion="reduce",
        locale="de-DE",
        timezone_id="Europe/Berlin",
    )
    context.set_default_timeout(8000)
    return context


def problems(page: Page) -> list[str]:
    """All that is wrong with this public page (WCAG 2.2 A and AA, as far as a machine can tell)."""
    found = [*page.evaluate(UNSAID)]
    found += [f"{name} (wide)" for name in axe(page, DESKTOP, "dark")]
    found += axe(page, PHONE, "light")
    found += [f"too wide at 320: {each}" for each in page.evaluate(TOO_WIDE)]
    found += [f"too small: {each}" for each in page.evaluate(TOO_SMALL)]
    page.keyboard.press("Tab")
    found += page.evaluate(WITHOUT_FOCUS)
    found += [f"no border: {each}" for each in _in_forced_colours(page)]
    frame = page.evaluate(FRAME)
    # The page for the worst case has nothing but the footer.
    if frame != SAME_EVERYWHERE[-len(frame) :]:
        found.append(f"other ways on: {frame}")
    found += [f"too wide with WCAG’s spacing: {each}" for each in _styled(page, SPACED)]
    page.set_viewport_size(DESKTOP)
    return found + [f"too wide at 200 %: {each}" for each in _styled(page, TWICE_THE_LETTERS)]


def keep_pictures(page: Page, name: str) -> None:
    """For people to look at: the page on a phone, a tablet and a laptop, in light and in dark."""
    folder = os.environ.get("PICTURES")
    if not folder:
        return
    stem = re.sub(r"[^a-zäöüß0-9]+", "-", name.lower()).strip("-")[:60] or "start"
    for width in (360, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=Path(folder) / f"{stem}-{width}-{scheme}.png", full_page=True)
    page.set_viewport_size(DESKTOP)


def problems_at_the_desk(page: Page) -> list[str]:
    """What axe finds on a page of the admin, and whether it fits on a phone."""
    found = axe(page, DESKTOP, "dark", tags=TAGS[:-1], outside=DJANGO)
    found += axe(page, {"width": 360, "height": 800}, "light", tags=TAGS[:-1], outside=DJANGO)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("too wide")
    return found


def axe(
    page: Page,
    size: ViewportSize,
    scheme: Literal["light", "dark"],
    *,
    tags: list[str] = TAGS,
    outside: Sequence[str] = (),
) -> list[str]:
    """The rules this page breaks, each with the first place."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
        page.add_style_tag(content=STILL)
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme)
    broken: list[str] = page.evaluate(AXE, [tags, outside])
    return broken


def _styled(page: Page, style: str) -> list[str]:
    """What is too wide with this style on top."""
    added = page.add_style_tag(content=style)
    wide: list[str] = page.evaluate(TOO_WIDE)
    added.evaluate("node => node.remove()")
    return wide


def _in_forced_colours(page: Page) -> list[str]:
    page.emulate_media(forced_colors="active")
    unseen: list[str] = page.evaluate(WITHOUT_BORDER)
    page.emulate_media(forced_colors="none")
    return unseen
