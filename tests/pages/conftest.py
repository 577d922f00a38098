"""A practice whose papers can be published."""

from __future__ import annotations

from datetime import time

import pytest

from booking.models import Calendar, WeeklyHours
from pages.models import Practice


@pytest.fixture
def calendar(db) -> Calendar:
    """Open on weekday mornings."""
    calendar = Calendar.objects.create(name="Hauptkalender")
    WeeklyHours.objects.bulk_create(
        WeeklyHours(calendar=calendar, weekday=day, start=time(9), end=time(12))
        for day in range(1, 6)
    )
    return calendar


@pytest.fixture
def whole(db) -> Practice:
    """Everything a legal text asks for is there."""
    return Practice.objects.create(
        pk=1,
        first_name="Vorname",
        last_name="Nachname",
        street="Teststraße 1",
        postal_code="10115",
        city="Berlin",
        email="hallo@praxis.example",
        phone="+49 30 1234",
        vat_id="DE123456789",
        hosting_provider="Hoster, Ort",
        mail_provider="Versender, Ort",
        video_provider="Video, Ort",
        supervisory_authority="Aufsicht, Ort",
    )
