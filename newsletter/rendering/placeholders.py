"""The few words of an issue that differ from person to person.

The coach writes `{{ vorname | Hallo }}`: a name, and what stands there for whoever gave none. While
an issue is built once for everyone, marks keep their places; for each mail they are filled in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

# Two characters of Unicode's private use area: nobody writes them, nothing escapes them.
BEGIN, END = "\ue000", "\ue001"

# What the coach may write.
FIRST_NAME, NAME = "vorname", "name"
WORDS = (FIRST_NAME, NAME)
# What only the footer holds.
UNSUBSCRIBE, PREFERENCES = "abmelden", "einstellungen"

_MARK = re.compile(f"{BEGIN}([^|{BEGIN}{END}]*)[|]([^{BEGIN}{END}]*){END}")
_WRITTEN = re.compile(r"\{\{([^{}|]*)(?:\|([^{}]*))?\}\}")
_NEITHER = str.maketrans("", "", BEGIN + END)


@dataclass(frozen=True)
class Placeholder:
    """One `{{ word | fallback }}` as the coach wrote it."""

    word: str
    fallback: str
    written: str

    @property
    def is_known(self) -> bool:
        return self.word in WORDS

    @property
    def is_whole(self) -> bool:
        """Whether it can stand in a mail: a known word, and something to say without it."""
        return self.is_known and bool(self.fallback)


def mark(word: str, fallback: str = "") -> str:
    """The mark that keeps the place of a word; it passes Markdown, HTML and CSS unchanged.

    The fallback is written as it will stand there: escaped already, if the mark stands in HTML.
    """
    return f"{BEGIN}{word}|{without_marks(fallback)}{END}"


def fill(text: str, values: Mapping[str, str], *, escape: Callable[[str], str] = str) -> str:
    """Replace each mark by its escaped value or, where there is none, by its fallback."""

    def filled(found: re.Match[str]) -> str:
        value = values.get(found[1], "")
        return escape(value) if value else found[2]

    return _MARK.sub(filled, text)


def cut(text: str) -> Iterator[str | tuple[str, str]]:
    """The text cut at its marks: what is the same for everyone, and each mark's word and fallback."""
    pieces = _MARK.split(text)
    for place in range(0, len(pieces) - 1, 3):
        yield pieces[place]
        yield pieces[place + 1], pieces[place + 2]
    yield pieces[-1]


def values_of(name: str) -> dict[str, str]:
    """What stands for the words the coach may write, for somebody who gave this name or none."""
    words = name.split()
    return {NAME: " ".join(words), FIRST_NAME: words[0] if words else ""}


def without_marks(text: str) -> str:
    """The text without the characters marks are made of, so that nobody can write one by hand."""
    return text.translate(_NEITHER)


def read(text: str, start: int = 0) -> Placeholder | None:
    """The placeholder that begins exactly there, spaces and capitals aside, or None."""
    found = _WRITTEN.match(text, start)
    if found is None:
        return None
    word, fallback = (" ".join((part or "").split()) for part in found.groups())
    return Placeholder(word.lower(), fallback, found[0])
