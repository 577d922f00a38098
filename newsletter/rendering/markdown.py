"""The coach's Markdown, read once and written as HTML for mails, HTML for the web, or text.

Markdown keeps HTML out by escaping it, and nh3 looks at the result a second time: what is not on
its short list does not leave this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import nh3
from django.conf import settings
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from coaching_site.markdown import SCHEMES, rank_headings
from newsletter.rendering import pictures, placeholders, plain_text
from newsletter.rendering.placeholders import Placeholder

TAGS = {
    *("p", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "hr"),
    *("strong", "em", "a", "code", "br", "img"),
    *("picture", "source"),
}
ATTRIBUTES = {
    "a": {"href", "title"},
    "ol": {"start"},
    "img": {"src", "alt", "width", "height"},
    "source": {"type", "srcset", "sizes"},
}
# How wide the archive shows a picture: its column, on a telephone most of the screen.
SIZES = "(min-width: 48em) 720px, 90vw"

# A dash between words or numbers; not the „--force“ of a command, nor „Vor- und Nachteile“.
_DASH = re.compile(r"(?<=\s)--?(?=\s)|(?<=\s)--$|^--(?=\s)|(?<=\d)--(?=\d)")
_PLACEHOLDER = "placeholder"


def to_html(body: str, *, site_url: str) -> str:
    """The body for a mail: marks where each person's words go, pictures no wider than the mail."""
    return _html(body, site_url=site_url, widest=pictures.MAIL_WIDTH, has_marks=True)


def for_the_web(body: str) -> str:
    """The body for the archive and the feed: absolute addresses, and nobody's words in it."""
    return _html(body, site_url=settings.SITE_URL, widest=pictures.WIDTH, has_marks=False)


def to_text(body: str) -> str:
    """The body as a text to be read, with marks where each person's words go."""
    return plain_text.written(parse(body))


def parse(body: str) -> list[Token]:
    """The body's tokens. A placeholder that is known and whole is one of type `placeholder`."""
    return _MARKDOWN.parse(placeholders.without_marks(body))


def inline(tokens: Sequence[Token]) -> list[Token]:
    """All that stands inside paragraphs and headings, in reading order, without its nesting."""
    found = []
    for token in tokens:
        if token.type != "inline":
            found.append(token)
        found += inline(token.children or [])
    return found


def words(tokens: Iterable[Token]) -> str:
    """The bare words in tokens; those of a picture are what it stands for."""
    found = (
        words(token.children or []) if token.type == "image" else token.content for token in tokens
    )
    return " ".join("".join(found).split())


def placeholder_of(token: Token) -> Placeholder | None:
    placeholder = token.meta.get(_PLACEHOLDER)
    return placeholder if isinstance(placeholder, Placeholder) else None


def _html(body: str, *, site_url: str, widest: int, has_marks: bool) -> str:
    tokens = parse(body)
    numbers = pictures.numbers_in(inline(tokens))
    env: dict[str, Any] = {
        "pictures": pictures.shown(
            numbers, site_url=site_url, widest=widest, has_sources=not has_marks
        ),
        "has_marks": has_marks,
    }
    rendered = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, env)
    return nh3.clean(rendered, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, link_rel=None)


# --- what our Markdown knows beyond CommonMark ------------------------------------------------


def _read_placeholder(state: StateInline, silent: bool) -> bool:
    """An inline rule: `{{ word | fallback }}` becomes one token; code keeps its braces."""
    found = placeholders.read(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        token = state.push(_PLACEHOLDER, "", 0)
        token.content = found.fallback if found.is_whole else found.written
        token.meta = {_PLACEHOLDER: found}
    state.pos += len(found.written)
    return True


def _set_dashes(state: StateCore) -> None:
    """A core rule: „ -- “ and „ - “ become dashes, „...“ an ellipsis; what is escaped stays."""
    previous = Token("", "", 0)
    for token in inline(state.tokens):
        if token.type == "text" and previous.info != "auto":
            token.content = _DASH.sub("–", token.content).replace("...", "…")
        previous = token


def _write_placeholder(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    placeholder = placeholder_of(tokens[index])
    if placeholder is None or not placeholder.is_whole:
        return escape(tokens[index].content)
    fallback = escape(placeholder.fallback)
    return placeholders.mark(placeholder.word, fallback) if env["has_marks"] else fallback


def _write_picture(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    """Our own picture, or its words: no mail asks a stranger's server for an image."""
    token = tokens[index]
    alt = escape(words(token.children or []))
    picture = env["pictures"].get(pictures.number(token))
    if picture is None:
        return f"[Bild: {alt}]"
    size = f'width="{picture.width}" height="{picture.height}"'
    image = f'<img src="{escape(picture.url)}" alt="{alt}" {size}>'
    if not picture.sources:
        return image
    sources = "".join(
        f'<source type="{kind}" srcset="{escape(files)}" sizes="{SIZES}">'
        for kind, files in picture.sources
    )
    return f"<picture>{sources}{image}</picture>"


def _our_markdown() -> MarkdownIt:
    md = MarkdownIt("commonmark", {"html": False, "typographer": True, "quotes": "„“‚‘"})
    md.enable("smartquotes")
    md.inline.ruler.after("backticks", _PLACEHOLDER, _read_placeholder)
    md.core.ruler.before("text_join", "dashes", _set_dashes)
    md.core.ruler.push("headings", rank_headings)
    md.add_render_rule(_PLACEHOLDER, _write_placeholder)
    md.add_render_rule("image", _write_picture)
    return md


_MARKDOWN = _our_markdown()
