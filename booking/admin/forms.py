"""What the coach asks for and enters, without a script: native fields for day and time."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from django import forms
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.widgets import AdminRadioSelect, AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import ValidationError

from booking import slots
from booking.forms import in_one_line, one_spelling
from booking.models import Booking, CallType
from booking.scheduling import Guest
from coaching_site import german
from coaching_site.native_fields import day_field, time_field


class TimeForm(forms.Form):
    """A call at a time, as the clock in its calendar's zone shows it."""

    call_type = forms.ModelChoiceField(
        CallType.objects.select_related("calendar"),
        label="Gesprächsart",
        empty_label=None,
        error_messages={"required": "Wähle eine Gesprächsart."},
    )
    day = day_field("Tag")
    time = time_field("Uhrzeit", help_text="Wie die Uhr am Ort des Kalenders zeigt.")
    showing = forms.ChoiceField(
        label="Welche der beiden?",
        required=False,
        choices=[("1", "die erste"), ("2", "die zweite")],
        widget=AdminRadioSelect(attrs={"class": "radiolist"}),
        error_messages={"invalid_choice": "Wähle eine der beiden Uhrzeiten."},
    )
    # The clock shows this time twice, so the form has to ask which one is meant.
    is_doubled = False

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not {"call_type", "day", "time"} <= cleaned.keys():
            return cleaned
        zone = cleaned["call_type"].calendar.tz
        wall = datetime.combine(cleaned["day"], cleaned["time"])
        instants = slots.showings(wall, zone)
        if not instants:
            self.add_error(
                "time",
                f"{german.wall_clock(wall.time())} gibt es an diesem Tag nicht: "
                "Die Uhr wird vorgestellt und überspringt diese Zeit. Wähle eine andere.",
            )
            return cleaned
        if len(instants) > 1:
            self._ask_which(instants, [german.zone_name(zone, instant) for instant in instants])
        which = int(cleaned.get("showing") or 1) if self.is_doubled else 1
        cleaned["start"] = instants[which - 1]
        return cleaned

    def _ask_which(self, instants: list[datetime], names: list[str]) -> None:
        self.is_doubled = True
        clocks = german.wall_clock(self.cleaned_data["time"])
        field = self.fields["showing"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(str(n), f"{clocks}, {name}") for n, name in enumerate(names, start=1)]
        if not self.cleaned_data.get("showing") and "showing" not in self.errors:
            self.add_error(
                "showing",
                "Die Uhr wird zurückgestellt und zeigt diese Zeit zweimal. Wähle eine der beiden.",
            )

    @property
    def start(self) -> datetime:
        start: datetime = self.cleaned_data["start"]
        return start.astimezone(UTC)

    def when_fields(self) -> list[str]:
        fields = ["call_type", "day", "time"]
        return [*fields, "showing"] if self.is_doubled else fields

    def question(self) -> dict[str, str]:
        """The same call and time as an address asks for them."""
        cleaned = self.cleaned_data
        asked = {
            "call_type": str(cleaned["call_type"].pk),
            "day": cleaned["day"].isoformat(),
            "time": cleaned["time"].isoformat("minutes"),
        }
        return asked | ({"showing": cleaned["showing"]} if self.is_doubled else {})

    def groups(self) -> list[tuple[str | None, list[str]]]:
        """The fields in groups, as the admin shows them."""
        return [(None, self.when_fields())]

    def as_admin_form(self) -> AdminForm:
        """This form the way the admin renders its own; call it after checking the form."""
        fieldsets: Any = [(name, {"fields": fields}) for name, fields in self.groups()]
        # The stubs ask for a ModelForm; the class itself shows any form.
        return AdminForm(cast("Any", self), fieldsets, {})


class MoveForm(TimeForm):
    """Another time for an appointment; its type of call stays."""

    # What the coach has read and puts aside.
    override = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        booking: Booking,
        initial: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=initial)
        self.booking = booking
        del self.fields["call_type"]

    def clean(self) -> dict[str, Any]:
        self.cleaned_data["call_type"] = self.booking.call_type
        return super().clean()

    def when_fields(self) -> list[str]:
        return [name for name in super().when_fields() if name != "call_type"]


class ByHandForm(TimeForm):
    """An appointment the coach enters for somebody."""

    name = forms.CharField(
        label="Name",
        max_length=200,
        validators=[in_one_line],
        widget=AdminTextInputWidget,
        error_messages={"required": "Gib einen Namen ein."},
    )
    email = forms.CharField(
        label="E-Mail-Adresse",
        max_length=254,
        widget=forms.EmailInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        error_messages={"required": "Gib eine E-Mail-Adresse ein."},
    )
    phone = forms.CharField(
        label="Telefonnummer",
        max_length=40,
        required=False,
        validators=[in_one_line],
        widget=AdminTextInputWidget,
    )
    company = forms.CharField(
        label="Firma",
        max_length=200,
        required=False,
        validators=[in_one_line],
        widget=AdminTextInputWidget,
    )
    topic = forms.CharField(
        label="Worum es geht",
        max_length=2000,
        required=False,
        widget=AdminTextareaWidget(attrs={"rows": 4}),
    )
    tell_guest = forms.BooleanField(
        label="Bestätigung an den Gast schicken", required=False, initial=True
    )
    # What the coach has read and puts aside: the text itself, so that nothing else slips in.
    override = forms.CharField(required=False, widget=forms.HiddenInput)
    form_token = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial={"form_token": uuid.uuid4(), **(initial or {})})
        priced = CallType.objects.filter(price_cents__gt=0).values_list("title", flat=True)
        if titles := ", ".join(f"„{title}“" for title in priced):
            self.fields[
                "call_type"
            ].help_text = (
                f"Ohne Online-Zahlung eingetragen wird {titles}; über das Geld sprecht ihr euch ab."
            )

    def clean_email(self) -> str:
        return one_spelling(self.cleaned_data["email"])

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not any(letter.isalnum() for letter in name):
            raise ValidationError("Gib einen Namen ein.")
        return name

    def clean_form_token(self) -> uuid.UUID:
        """The form's own mark. A mangled one is nobody's mistake: it gets a new one."""
        try:
            return uuid.UUID(self.cleaned_data["form_token"])
        except ValueError:
            return uuid.uuid4()

    def guest(self) -> Guest:
        fields = ("name", "email", "company", "phone", "topic")
        return Guest(**{field: self.cleaned_data[field] for field in fields})

    def groups(self) -> list[tuple[str | None, list[str]]]:
        return [
            ("Termin", self.when_fields()),
            ("Gast", ["name", "email", "phone", "company", "topic"]),
            ("Mail", ["tell_guest"]),
        ]
