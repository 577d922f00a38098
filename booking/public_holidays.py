"""The public holidays of the German states, by the law as the `holidays` library knows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from coaching_site import on_demand

if TYPE_CHECKING:
    import holidays
else:
    holidays = on_demand.Module("holidays")


def between(state: str, first: date, last: date) -> dict[date, str]:
    """The holidays from `first` to `last` and their German names; none without a state."""
    if not state:
        return {}
    return {
        day: name
        for year in range(first.year, last.year + 1)
        for day, name in of_year(state, year).items()
        if first <= day <= last
    }


@lru_cache(maxsize=128)
def of_year(state: str, year: int) -> Mapping[date, str]:
    """A year's holidays in order, without a state those of all Germany.

    The law rarely changes while a process lives, so it is asked once.
    """
    found = holidays.country_holidays("DE", subdiv=state or None, years=year, language="de")
    return MappingProxyType(dict(sorted(found.items())))
