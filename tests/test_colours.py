"""Colours of the stylesheet keep the contrast of WCAG 2.2, in light and dark."""

from __future__ import annotations

import re

import pytest

from coaching_site.inlined import STATIC

# Text needs 4.5 (1.4.3); borders of what one uses and the ring of the focus need 3 (1.4.11).
TEXT, SHAPE = 4.5, 3.0
PAIRS = [
    *((ink, paper, TEXT) for ink in ("ink", "muted", "accent", "accent-strong") for paper in ("ground", "surface", "tint")),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-strong", TEXT),
    ("error", "error-ground", TEXT),
    ("error", "ground", TEXT),
    ("ink", "error-ground", TEXT),
    ("ink", "success-ground", TEXT),
    ("accent", "error-ground", TEXT),
    ("accent", "success-ground", TEXT),
    ("edge", "surface", SHAPE),
    ("edge", "ground", SHAPE),
    ("error", "surface", SHAPE),
    *(("focus", paper, SHAPE) for paper in ("ground", "surface", "tint", "error-ground", "success-ground")),
]  # fmt: skip


def schemes() -> dict[str, dict[str, str]]:
    """The tokens of both schemes; the dark one replaces what it names."""
    light, dark = (STATIC / "css" / "tokens.css").read_text("utf-8").split("@media")
    found = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", part)) for part in (light, dark)]
    return {"light": found[0], "dark": {**found[0], **found[1]}}


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` or `#rgb` (WCAG 2.2, definitions)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_borders_and_focus_can_be_told_from_what_is_behind_them(scheme):
    tokens = schemes()[scheme]

    weak = [
        f"{front} on {back}: {ratio:.2f}"
        for front, back, least in PAIRS
        if (ratio := contrast(tokens[front], tokens[back])) < least
    ]

    assert weak == []
    assert contrast("#fff", "#000000") == pytest.approx(21)
