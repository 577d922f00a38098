"""The README's figures: a block between two marks, which is written anew and by nobody else."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from tests.bench import measure
from tests.bench.measure import Part

README = Path(__file__).resolve().parent.parent.parent / "README.md"
BEGIN = "<!-- figures: begin, written by make bench -->"
END = "<!-- figures: end -->"
WIDTH = 105
ABOUT = """\
Measured with `make bench` on {facts}. What is compared was measured in turns, in one run; numbers
are medians of several rounds, and only ratios travel to other machines. CPU is that of the site's
process alone; what Postgres and the mail server do meanwhile is in the wall time. Every calendar has
the same two months ahead: two calls on each working day.
"""


class NoMarks(Exception):
    """The text has no place for the figures."""


def figures(parts: Mapping[str, Part], facts: str) -> str:
    """The whole block: where it was measured, the overview, then each part."""
    pairs = [pair for part in parts.values() for pair in part.pairs]
    texts = [part.text for part in parts.values() if part.text]
    about = textwrap.fill(ABOUT.format(facts=facts), WIDTH, break_on_hyphens=False)
    return "\n".join([f"{about}\n", measure.overview(pairs), *texts]).strip()


def replaced(text: str, block: str) -> str:
    """The text with this block between the marks. Raises NoMarks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise NoMarks
    return f"{before}{begin}\n\n{block}\n\n{end}{after}"


def write(block: str, path: Path = README) -> None:
    """Put the block into the README."""
    path.write_text(replaced(path.read_text(), block))
