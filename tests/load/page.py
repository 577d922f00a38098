"""Tables, and the blocks of docs/scale.md that a run writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
PAGE, CHART = DOCS / "scale.md", DOCS / "load.svg"


def write_block(name: str, content: str, page: Path = PAGE) -> None:
    """Put `content` between the page's marks of that name; the rest stays as it is."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    assert found, f"{page} has no block „{name}“"
    assert closed, f"{page} has no end of „{name}“"
    page.write_text(f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}")


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; all but the first column hold numbers."""
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines) + "\n"


def _cell(cell: object) -> str:
    words = f"{cell:,.2f}" if isinstance(cell, float) else str(cell)
    return re.sub(r"\s+", " ", words)
