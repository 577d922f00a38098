"""Fields for a day and a time of day that need no script: the browser brings its own picker."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)
OUT_OF_REACH = "Wähle einen Tag zwischen 2000 und 2999."


def day_field(label: str, **options: Any) -> forms.DateField:
    """A date that calendars can be asked about."""
    return forms.DateField(
        label=label,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        validators=[
            MinValueValidator(FIRST_DAY, OUT_OF_REACH),
            MaxValueValidator(LAST_DAY, OUT_OF_REACH),
        ],
        error_messages={
            "required": "Wähle einen Tag.",
            "invalid": "Schreib den Tag wie 24.11.2026.",
        },
        **options,
    )


def time_field(label: str, **options: Any) -> forms.TimeField:
    """A time of day, as a clock on the wall shows it."""
    return forms.TimeField(
        label=label,
        widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
        error_messages={
            "required": "Gib eine Uhrzeit ein.",
            "invalid": "Schreib die Uhrzeit wie 14:30.",
        },
        **options,
    )
