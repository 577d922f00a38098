"""Markdown that people of the house write, as HTML that cannot harm a page.

HTML in the text is escaped, and nh3 looks at the result a second time: what is not on its short
list does not leave this module. A heading may name its anchor, `## Bezahlen {#stripe}`.
"""

from __future__ import annotations

import re

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

TAGS = {
    *("p", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "hr", "strong", "em"),
    *("a", "br", "code", "pre", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {
    "a": {"href"},
    "ol": {"start"},
    "table": {"aria-label"},
    "th": {"scope"},
    **{f"h{level}": {"id"} for level in range(2, 7)},
}
SCHEMES = {"http", "https", "mailto", "tel"}

_ANCHOR = re.compile(r"\s*\{#([a-z][a-z0-9-]*)\}\s*$")
_MARKS = re.compile(r"([\\`*_\[\]<>#|~&{}!])")
_OPENING = re.compile(r"^(\d+)([.)])(?=\s|$)|^([-+=])(?=[-+=\s]|$)")


def parse(text: str) -> list[Token]:
    """The text's tokens, with headings ranked from h2 down and their anchors in `attrs`."""
    return _PARSER.parse(text)


def html(text: str) -> str:
    rendered = _PARSER.renderer.render(parse(text), _PARSER.options, {})
    return nh3.clean(rendered, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, link_rel=None)


def literal(text: str) -> str:
    """Plain words as Markdown that says just these words, on one line."""
    escaped = _MARKS.sub(r"\\\1", " ".join(text.split()))
    return _OPENING.sub(lambda found: f"{found[1] or ''}\\{found[2] or found[3]}", escaped)


def links(text: str) -> list[str]:
    """Where the text's links lead, in reading order."""
    return [
        str(token.attrs["href"])
        for block in parse(text)
        for token in block.children or []
        if token.type == "link_open"
    ]


def anchors(text: str) -> set[str]:
    return {str(token.attrs["id"]) for token in parse(text) if "id" in token.attrs}


def rank_headings(state: StateCore) -> None:
    """A core rule: the page's title is its only h1, so the text's highest headings become h2.

    No level is left out on the way down, whichever the writer began with (WCAG 1.3.1).
    """
    headings = [each for each in state.tokens if each.type in ("heading_open", "heading_close")]
    levels = sorted({heading.tag for heading in headings})
    for heading in headings:
        heading.tag = f"h{min(2 + levels.index(heading.tag), 6)}"


def _name_anchors(state: StateCore) -> None:
    """A core rule, before the words are read: `{#name}` at a heading's end becomes its id."""
    for opening, words in zip(state.tokens, state.tokens[1:], strict=False):
        found = _ANCHOR.search(words.content) if opening.type == "heading_open" else None
        if found:
            words.content = words.content[: found.start()]
            opening.attrSet("id", found[1])


def _name_tables(state: StateCore) -> None:
    """A core rule: a table is called as the heading above it, its first row names the columns."""
    name = ""
    for token, words in zip(state.tokens, [*state.tokens[1:], None], strict=True):
        if token.type == "heading_open" and words:
            name = "".join(each.content for each in words.children or [])
        elif token.type == "table_open" and name:
            token.attrSet("aria-label", name)
        elif token.type == "th_open":
            token.attrSet("scope", "col")


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.core.ruler.after("block", "name_anchors", _name_anchors)
    parser.core.ruler.push("rank_headings", rank_headings)
    parser.core.ruler.push("name_tables", _name_tables)
    # The house has no picture in its papers; a link to one would ask a stranger's server.
    return parser.disable("image")


_PARSER = _parser()
