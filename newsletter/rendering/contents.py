"""What a body holds besides its words: links, pictures and placeholders, for whoever looks it over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from markdown_it.token import Token

from newsletter.rendering import markdown, pictures
from newsletter.rendering.placeholders import Placeholder


@dataclass(frozen=True)
class Link:
    """A link by its words, which are its address if it was written bare: <https://…>."""

    text: str
    url: str


@dataclass(frozen=True)
class Image:
    """A picture by its words; without a number it is not one of ours."""

    alt: str
    source: str
    number: int | None


@dataclass
class Contents:
    """All that was found, in reading order. `prose` are the words outside of code and links."""

    links: list[Link] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    placeholders: list[Placeholder] = field(default_factory=list)
    # Those in the words for a picture, where none is filled in.
    stray: list[Placeholder] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)


def of(body: str) -> Contents:
    """Look a body over."""
    found = Contents()
    for token in markdown.parse(body):
        if token.children:
            _look_over(token.children, found)
    return found


def _look_over(tokens: list[Token], found: Contents) -> None:
    link_began: int | None = None
    for at, token in enumerate(tokens):
        match token.type:
            case "link_open":
                link_began = at
            case "link_close":
                assert link_began is not None
                url = str(tokens[link_began].attrs["href"])
                found.links.append(Link(markdown.words(tokens[link_began:at]), url))
                link_began = None
            case "image":
                found.images.append(_image(token))
                found.stray += _placeholders(token.children or [])
            case "text" if link_began is None:
                found.prose.append(token.content)
    found.placeholders += _placeholders(tokens)


def _image(token: Token) -> Image:
    alt = markdown.words(token.children or [])
    return Image(alt, str(token.attrs.get("src", "")), pictures.number(token))


def _placeholders(tokens: Iterable[Token]) -> list[Placeholder]:
    found = map(markdown.placeholder_of, tokens)
    return [each for each in found if each is not None]
