"""What the coach asks of the calendar and changes in it, with native fields for day and time."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.widgets import AdminTextInputWidget

from booking import slots
from booking.slots import Interval
from coaching_site.native_fields import day_field, time_field

DAY = timedelta(days=1)
LONGEST = 400 * DAY


def note_field() -> forms.CharField:
    return forms.CharField(
        label="Notiz",
        required=False,
        max_length=120,
        help_text="Nur für dich, zum Beispiel „Urlaub“.",
        widget=AdminTextInputWidget,
    )


class JumpForm(forms.Form):
    """Which day to look at."""

    tag = day_field("Tag")


class PlanForm(forms.Form):
    """A form drawn as the admin draws its own."""

    def as_admin_form(self) -> AdminForm:
        """Call it after checking the form."""
        fieldsets: Any = [(None, {"fields": list(self.fields)})]
        # The stubs ask for a ModelForm; the class itself shows any form.
        return AdminForm(cast("Any", self), fieldsets, {})


class BlockForm(PlanForm):
    """From one day and time to another; without times whole days."""

    first_day = day_field("Erster Tag")
    start = time_field("Ab Uhrzeit", required=False, help_text="Leer: von Mitternacht an.")
    last_day = day_field("Letzter Tag", required=False, help_text="Leer: derselbe Tag.")
    end = time_field("Bis Uhrzeit", required=False, help_text="Leer oder 00:00: bis Mitternacht.")
    note = note_field()

    def __init__(self, *args: Any, zone: ZoneInfo, **options: Any) -> None:
        super().__init__(*args, **options)
        self.zone = zone

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not {"first_day", "start", "last_day", "end"} <= cleaned.keys():
            return cleaned
        first, last = cleaned["first_day"], cleaned["last_day"] or cleaned["first_day"]
        if last < first:
            self.add_error("last_day", "Der letzte Tag liegt vor dem ersten.")
            return cleaned
        if last - first > LONGEST:
            self.add_error("last_day", "Sperr höchstens ein Jahr auf einmal.")
            return cleaned
        start = datetime.combine(first, cleaned["start"] or time())
        end = datetime.combine(last, cleaned["end"] or time())
        if end.time() == time():  # midnight is the one that ends the day
            end += DAY
        if end <= start:
            self.add_error("end", "Das Ende liegt nicht nach dem Anfang.")
            return cleaned
        cleaned["span"] = slots.wall_span(start, end, self.zone)
        return cleaned

    @property
    def span(self) -> Interval:
        span: Interval = self.cleaned_data["span"]
        return span


class OpenForm(PlanForm):
    """Times of one day that are open besides its hours."""

    day = day_field("Tag")
    start = time_field("von")
    end = time_field(
        "bis",
        help_text="00:00 ist Mitternacht. Liegt das Ende vor dem Anfang, gilt der nächste Tag.",
    )
    note = note_field()

    @property
    def first_day(self) -> date:
        day: date = self.cleaned_data["day"]
        return day
