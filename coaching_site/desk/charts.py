"""Charts as SVG: numbers in, markup out. Colours and patterns are classes of static/desk/figures.css.

What is told apart by colour is told apart by place as well: one kind stands on the line, the others
hang below it, the last of them hatched. Names and numbers stand in titles, for pointers, and in the
table beneath each chart, for everybody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from coaching_site import german

# The drawing's own units; a phone shows about one of them as one CSS pixel, so letters stay readable.
WIDTH, HEIGHT = 360, 220
LETTER = 7.4  # how wide a letter of 12 units is, at most
TOP, BOTTOM, RIGHT, GAP = 28, 22, 18, 6
WIDEST_BAR = 28
# What is there is seen, however small it is beside the others.
THINNEST = 1.0
MOST_STEPS = 4
STEP_HEIGHT, TRACK_HEIGHT = 46, 16


@dataclass(frozen=True)
class Words:
    """What a chart is called, what its kinds are, and how its numbers are written."""

    name: str  # of its parts in the page, so it must be its own
    title: str
    text: str
    up: str
    down: tuple[str, ...] = ()
    number: Callable[[int], str] = german.number
    scale: Callable[[int], str] = german.number
    # The smallest step of the scale: 1 of things, 100 of cents.
    unit: int = 1


@dataclass(frozen=True)
class Column:
    """What stands above and hangs below one place of the line; `short` is written beneath it."""

    short: str
    name: str
    up: int
    down: tuple[int, ...] = ()


@dataclass(frozen=True)
class Step:
    """One of the steps that fewer and fewer take; `share` of the step before, in words."""

    name: str
    count: int
    share: str = ""


@dataclass(frozen=True)
class _Frame:
    """Where things are: from values to places."""

    left: float
    step: int
    up: int
    down: int

    @property
    def scale(self) -> float:
        return (HEIGHT - TOP - BOTTOM) / (self.up + self.down)

    @property
    def zero(self) -> float:
        return TOP + self.up * self.scale

    @property
    def ticks(self) -> range:
        return range(-(self.down // self.step) * self.step, self.up + 1, self.step)

    @property
    def width(self) -> float:
        return WIDTH - RIGHT - self.left


def columns(words: Words, shown: Sequence[Column]) -> SafeString:
    """Columns on a line, beside each other, and what takes away from them below it."""
    frame = _frame(words, shown)
    slot = frame.width / max(1, len(shown))
    parts = [
        _pattern(words),
        _legend(words),
        *_scale(words, frame),
        *(
            _column(words, frame, column, middle=frame.left + (at + 0.5) * slot, slot=slot)
            for at, column in enumerate(shown)
        ),
        *_names(frame, shown, slot),
    ]
    return _picture(words, HEIGHT, parts)


def funnel(words: Words, steps: Sequence[Step]) -> SafeString:
    """Bars below each other, each as long as so many took the step."""
    most = max((step.count for step in steps), default=0) or 1
    parts = [_step(words, step, at * STEP_HEIGHT, most) for at, step in enumerate(steps)]
    return _picture(words, max(1, len(steps)) * STEP_HEIGHT, parts)


def _picture(words: Words, height: float, parts: Iterable[str]) -> SafeString:
    return format_html(
        '<svg class="figure" viewBox="0 0 {w} {h}" role="img" aria-labelledby="{n}-title {n}-text">'
        '<title id="{n}-title">{title}</title><desc id="{n}-text">{text}</desc>{parts}</svg>',
        w=WIDTH,
        h=height,
        n=words.name,
        title=words.title,
        text=words.text,
        parts=format_html_join("", "{}", ((part,) for part in parts)),
    )


def _frame(words: Words, shown: Sequence[Column]) -> _Frame:
    up = max((column.up for column in shown), default=0)
    down = max((sum(column.down) for column in shown), default=0)
    step = _nice(max(up, down) / MOST_STEPS, words.unit)
    top = step * max(1, math.ceil(up / step))
    widest = max(len(words.scale(value)) for value in (top, down))
    return _Frame(round(widest * LETTER + GAP, 1), step, top, down)


def _nice(least: float, unit: int) -> int:
    """The smallest 1, 2 or 5 times a power of ten, in units, that is not below `least`."""
    needed = max(1, math.ceil(least / unit))
    power: int = 10 ** (len(str(needed)) - 1)
    return unit * next(nice * power for nice in (1, 2, 5, 10) if nice * power >= needed)


def _column(
    words: Words, frame: _Frame, column: Column, *, middle: float, slot: float
) -> SafeString:
    width = min(slot * 0.72, WIDEST_BAR)
    x = round(middle - width / 2, 1)
    parts = [_bar(x, frame.zero - frame.scale * column.up, width, frame.scale * column.up, "up")]
    ends = accumulate(column.down, initial=0)
    for kind, (begin, end) in enumerate(pairwise(ends)):
        hatch = _hatch(words) if kind else ""
        height = frame.scale * (end - begin)
        parts.append(_bar(x, frame.zero + frame.scale * begin, width, height, "down", hatch))
    kinds = zip((words.up, *words.down), (column.up, *column.down), strict=False)
    said = ", ".join(f"{words.number(value)} {kind}" for kind, value in kinds)
    bars = format_html_join("", "{}", ((part,) for part in parts))
    return format_html("<g><title>{}: {}</title>{}</g>", column.name, said, bars)


def _bar(
    x: float, y: float, width: float, height: float, kind: str, hatch: str = ""
) -> SafeString | str:
    if not (width and height):
        return ""
    if height < THINNEST:
        y, height = (y - THINNEST + height if kind == "up" else y), THINNEST
    place = (x, round(y, 1), round(width, 1), round(height, 1))
    bar = '<rect x="{}" y="{}" width="{}" height="{}" '
    if hatch:
        return format_html(bar + 'fill="url(#{})"/>', *place, hatch)
    return format_html(bar + 'class="figure-{}"/>', *place, kind)


def _hatch(words: Words) -> str:
    return f"{words.name}-hatch"


def _pattern(words: Words) -> SafeString | str:
    """Stripes for the second kind below the line."""
    if len(words.down) < 2:
        return ""
    return format_html(
        '<defs><pattern id="{}" width="4" height="4" patternUnits="userSpaceOnUse">'
        '<path class="figure-stripe" d="M-1 1l2-2M0 4l4-4M3 5l2-2"/></pattern></defs>',
        _hatch(words),
    )


def _legend(words: Words) -> SafeString | str:
    """Which kind looks how; a chart of one kind is named by its heading."""
    if not words.down:
        return ""
    parts, x = [], 0.0
    for at, kind in enumerate((words.up, *words.down)):
        parts.append(_bar(x, 3, 10, 10, "down" if at else "up", _hatch(words) if at > 1 else ""))
        parts.append(_text(x + 14, 12, kind))
        x += 14 + len(kind) * LETTER + 14
    return format_html_join("", "{}", ((part,) for part in parts))


def _scale(words: Words, frame: _Frame) -> Iterator[SafeString]:
    for value in frame.ticks:
        y = round(frame.zero - frame.scale * value, 1)
        kind = "figure-line" if value else "figure-zero"
        line = '<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        yield format_html(line, kind, frame.left, WIDTH - RIGHT, y, y)
        yield _text(frame.left - GAP, y + 4, words.scale(abs(value)), anchor="end")


def _names(frame: _Frame, shown: Sequence[Column], slot: float) -> Iterator[SafeString]:
    """As many of the short names as stand beside each other, counted from the last."""
    widest = max((len(column.short) for column in shown), default=0) * LETTER + GAP
    every = max(1, math.ceil(widest / slot))
    for at in range(len(shown) - 1, -1, -every):
        middle = round(frame.left + (at + 0.5) * slot, 1)
        # The first and the last stay in the picture.
        inside = min(max(middle, widest / 2), WIDTH - widest / 2 + GAP)
        yield _text(round(inside, 1), HEIGHT - 6, shown[at].short, anchor="middle")


def _step(words: Words, step: Step, y: float, most: int) -> SafeString:
    length = WIDTH * step.count / most
    said = f"{words.number(step.count)} ({step.share})" if step.share else words.number(step.count)
    return format_html(
        '<g>{}{}<rect class="figure-track" x="0" y="{}" width="{}" height="{}"/>{}</g>',
        _text(0, y + 14, step.name),
        _text(WIDTH, y + 14, said, anchor="end"),
        y + 20,
        WIDTH,
        TRACK_HEIGHT,
        _bar(0, y + 20, max(length, THINNEST) if step.count else 0, TRACK_HEIGHT, "up"),
    )


def _text(x: float, y: float, said: str, *, anchor: str = "start") -> SafeString:
    return format_html('<text x="{}" y="{}" text-anchor="{}">{}</text>', x, y, anchor, said)
