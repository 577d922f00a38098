"""What changed between two versions of a text, paragraph by paragraph and word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import NamedTuple

SAME, OUT, IN = "same", "out", "in"

_WORDS = re.compile(r"\s+|[^\s]+")
# Below this two paragraphs have so little in common that a mix of both would be unreadable.
_ALIKE = 0.4


class Part(NamedTuple):
    """Words that stayed (`same`), went (`out`) or came (`in`)."""

    text: str
    change: str


def compare(old: str, new: str) -> list[list[Part]]:
    """The changed paragraphs in reading order. Nothing changed: an empty list."""
    before, after = _paragraphs(old), _paragraphs(new)
    matcher = SequenceMatcher(a=before, b=after, autojunk=False)
    found: list[list[Part]] = []
    for change, a, b, c, d in matcher.get_opcodes():
        if change != "equal":
            found += _changed(before[a:b], after[c:d])
    return found


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


def _changed(old: list[str], new: list[str]) -> Iterator[list[Part]]:
    """Pairs in order, as far as there are two of them; the rest came or went whole."""
    for number in range(max(len(old), len(new))):
        was = old[number] if number < len(old) else ""
        now = new[number] if number < len(new) else ""
        if was and now and SequenceMatcher(a=was, b=now, autojunk=False).ratio() >= _ALIKE:
            yield list(_words(was, now))
            continue
        if was:
            yield [Part(was, OUT)]
        if now:
            yield [Part(now, IN)]


def _words(was: str, now: str) -> Iterator[Part]:
    a, b = _WORDS.findall(was), _WORDS.findall(now)
    for change, i, j, k, n in SequenceMatcher(a=a, b=b, autojunk=False).get_opcodes():
        if change == "equal":
            yield Part("".join(a[i:j]), SAME)
            continue
        if i < j:
            yield Part("".join(a[i:j]), OUT)
        if k < n:
            yield Part("".join(b[k:n]), IN)
