"""How far long work is and how long the rest takes: one estimate and one wording for all of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from coaching_site import german

# A step takes about a second. Whoever is silent for this long has nobody working at it.
SILENCE = timedelta(minutes=2)
# An estimate from less than this says nothing.
FIRST_GUESS = timedelta(seconds=1)


@dataclass(frozen=True)
class Progress:
    """`done` of `total` at `now`; work began (or went on) at `started`, `before` were done by then.

    `moved` is when the last step ended; without it the work counts as moving.
    """

    done: int
    total: int
    started: datetime | None
    now: datetime
    before: int = 0
    moved: datetime | None = None

    @property
    def is_finished(self) -> bool:
        return self.done >= self.total

    @property
    def share(self) -> float:
        """From 0 to 1; nothing to do is all done."""
        return min(1.0, max(0, self.done) / self.total) if self.total > 0 else 1.0

    @property
    def percent(self) -> int:
        """Whole per cent, and 100 only when all is done."""
        return int(self.share * 100)

    @property
    def is_silent(self) -> bool:
        """Whether it should move and does not."""
        last = self.moved or self.started
        return not self.is_finished and last is not None and self.now - last > SILENCE

    @property
    def per_second(self) -> float:
        """How many a second since it began, up to now: while it stands still this falls."""
        if self.started is None or self.now - self.started < FIRST_GUESS:
            return 0.0
        return max(0, self.done - self.before) / (self.now - self.started).total_seconds()

    @property
    def left(self) -> timedelta | None:
        """How long the rest takes at this speed; None where nobody can tell."""
        if self.is_finished:
            return timedelta()
        rate = self.per_second
        if not rate or self.is_silent:
            return None
        return timedelta(seconds=round((self.total - self.done) / rate))


def in_words(found: Progress, unit: str, *, total_is_known: bool = True) -> str:
    """„12.000 von 100.000 Zeilen, 8.000 in der Sekunde, noch etwa 11 Sekunden.“

    What is finished is only counted: „100.000 Zeilen.“
    """
    if found.is_finished:
        return f"{german.number(found.total)} {unit}."
    total = f" von {german.number(found.total)}" if total_is_known else ""
    told = [f"{german.number(found.done)}{total} {unit}"]
    if found.left:
        told += [*_speed(found.per_second), remaining(found.left)]
    return ", ".join(told) + "."


def remaining(left: timedelta) -> str:
    """„noch etwa 40 Sekunden“, „noch etwa 3 Minuten“, „noch etwa 2 Stunden“."""
    return f"noch etwa {german.roughly(left)}"


def _speed(per_second: float) -> list[str]:
    if per_second >= 1:
        return [f"{german.number(round(per_second))} in der Sekunde"]
    per_minute = round(per_second * 60)
    return [f"{german.number(per_minute)} in der Minute"] if per_minute else []
