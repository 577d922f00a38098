"""A practice whose papers can be published."""

from __future__ import annotations

from datetime import time

import pytest

from booking.models import Calendar, WeeklyHours


@pytest.fixture
def calendar(db) -> Calendar:
    """Open on weekday mornings."""
    calendar = Calendar.objects.create(name="Hauptkalender")
    WeeklyHours.objects.bulk_create(
        WeeklyHours(calendar=calendar, weekday=day, start=time(9), end=time(12))
        for day in range(1, 6)
    )
    return calendar
