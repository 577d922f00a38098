"""The page on threats names tests that exist."""

from __future__ import annotations

import re

from tests.test_house import ROOT

PAGE = ROOT / "docs" / "threats.md"


def test_every_guard_named_is_held_by_a_test():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text("utf-8"))

    missing = [
        f"{path}::{test}"
        for path, test in named
        if not (ROOT / path).exists() or f"def {test}(" not in (ROOT / path).read_text("utf-8")
    ]

    assert missing == []
    assert len(named) > 40
