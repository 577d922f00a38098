"""Stop watches and tables. Whatever is compared is measured in turns, in one run."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Cost:
    """Milliseconds for one of many: this process's CPU, and by the clock."""

    cpu: float
    wall: float


def cost(action: Callable[[], object], times: int) -> Cost:
    """What doing it costs on average."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        action()
    return Cost(
        (time.process_time() - cpu) * 1000 / times, (time.perf_counter() - wall) * 1000 / times
    )


def middle(costs: Sequence[Cost]) -> Cost:
    """The medians of several rounds."""
    return Cost(median(each.cpu for each in costs), median(each.wall for each in costs))


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table under a bold title."""
    lines = [f"**{title}**", "", _line(heads), _line(["---", *["--:"] * (len(heads) - 1)])]
    return "\n".join([*lines, *(_line(row) for row in rows), ""])


def _line(cells: Sequence[object]) -> str:
    words = [f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells]
    return f"| {' | '.join(words)} |"
