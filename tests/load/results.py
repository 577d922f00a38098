"""What was measured at one rate, and where the knee is. Nothing here needs a site."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

SLOWEST_P95 = 500.0  # milliseconds
MOST_ERRORS = 0.001
# Arrivals the generator itself was later with than this, it cannot make.
LATEST_START = 250.0  # milliseconds, of all but one in a hundred
# The knee lies between the last good rate and the first bad one: so often is looked in between.
LOOKS_BETWEEN = 3


@dataclass(frozen=True)
class Step:
    """Some seconds at one rate. Milliseconds count from the moment a request was due; CPU in cores."""

    asked: float
    answered: float
    requests: int
    p50: float
    p95: float
    p99: float
    late: float = 0.0
    connections: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    cpu: dict[str, float] = field(default_factory=dict)
    # kind of visit: (requests, p50, p95)
    kinds: dict[str, tuple[int, float, float]] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Whether guests would call it fast and nobody was turned away."""
        return not self.troubles

    @property
    def troubles(self) -> list[str]:
        """What is wrong at this rate, in words."""
        found = []
        if self.p95 > SLOWEST_P95:
            found.append(f"p95 above {SLOWEST_P95:.0f} ms")
        if self.errors.total() > MOST_ERRORS * self.requests:
            found.append(f"errors above {MOST_ERRORS:.1%}")
        if self.late > LATEST_START:
            found.append("the generator was late")
        return found


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all (0 to 1) do not exceed; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def climb(measure: Callable[[float], Step], rates: Iterator[float]) -> list[Step]:
    """Measure at rising rates until one is too much, then between the last two; sorted by rate."""
    steps: list[Step] = []
    for rate in rates:
        steps.append(measure(rate))
        if not steps[-1].is_good:
            break
    good = steps[-2].asked if len(steps) > 1 else 0.0
    bad = steps[-1].asked
    if good and not steps[-1].is_good:
        for _ in range(LOOKS_BETWEEN):
            between = round(math.sqrt(good * bad))
            steps.append(measure(between))
            good, bad = (between, bad) if steps[-1].is_good else (good, between)
    return sorted(steps, key=lambda step: step.asked)


def knee(steps: Sequence[Step]) -> Step | None:
    """The highest rate that was borne, with no lower one that was not; None if the first was too much."""
    borne = None
    for step in sorted(steps, key=lambda each: each.asked):
        if not step.is_good:
            break
        borne = step
    return borne
