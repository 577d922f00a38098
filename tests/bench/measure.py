"""Stop watches and tables. Whatever is compared is measured in turns, in one run."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Cost:
    """Milliseconds for one of many: this process's CPU, and by the clock."""

    cpu: float
    wall: float

    def shared_by(self, count: int) -> Cost:
        """What of it falls to each."""
        return Cost(self.cpu / count, self.wall / count)


@dataclass(frozen=True)
class Pair:
    """A path through the site, and what it would cost without the site."""

    path: str
    ours: Cost
    limit: str
    bare: Cost


@dataclass(frozen=True)
class Part:
    """Tables with the words around them, and what of it stands in the overview."""

    text: str
    pairs: Sequence[Pair] = ()


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


def peak_megabytes() -> float:
    """How large this process was at its largest, since it runs its program.

    What `getrusage` tells counts from before: the process that started it.
    """
    told = Path("/proc/self/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0]) / 1024


def overview(pairs: Sequence[Pair]) -> str:
    """One row a path: what it costs here, what bounds it, and how far that is."""
    heads = [
        "path",
        "CPU ms",
        "wall ms",
        "the limit",
        "CPU ms",
        "wall ms",
        "CPU ratio",
        "wall ratio",
    ]
    return table(heads, [_compared(pair) for pair in pairs])


def _compared(pair: Pair) -> list[object]:
    ours, bare = pair.ours, pair.bare
    ratios = [_ratio(ours.cpu, bare.cpu), _ratio(ours.wall, bare.wall)]
    return [pair.path, ours.cpu, ours.wall, pair.limit, bare.cpu, bare.wall, *ratios]


def _ratio(ours: float, bare: float) -> str:
    """Nothing where the limit costs this process next to nothing."""
    return f"{ours / bare:.2f}" if bare >= 0.005 else ""


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [_line(heads), _line(["---", *["--:"] * (len(heads) - 1)]), *map(_line, rows)]
    return "\n".join([*lines, ""])


def _line(cells: Sequence[object]) -> str:
    words = [_word(cell) for cell in cells]
    return f"| {' | '.join(words)} |"


def _word(cell: object) -> str:
    """Two digits behind the point; of what is tiny, three that count."""
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.2f}" if cell >= 0.1 or cell == 0 else f"{cell:.4f}"
