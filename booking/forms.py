"""What a guest tells us, and how we ask for what is missing."""

from __future__ import annotations

import unicodedata
import uuid
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from email_validator import EmailNotValidError, validate_email

from booking.models import Booking, CallType
from booking.scheduling import Guest

BREAKS = ("Cc", "Cs", "Zl", "Zp")
PHONE_MARKS = frozenset("+()/.- \u00a0")
FEWEST_DIGITS = 5


def in_one_line(text: str) -> None:
    """Validator: no line breaks and no other control characters."""
    if any(unicodedata.category(letter) in BREAKS for letter in text):
        raise ValidationError("Schreib das in eine Zeile, ohne Umbrüche.")


def one_spelling(address: str) -> str:
    """The address as everybody writes it. Raises ValidationError if it is none."""
    try:
        checked = validate_email(
            address, allow_smtputf8=False, check_deliverability=False, strict=True
        )
    except EmailNotValidError:
        raise ValidationError("Gib eine E-Mail-Adresse wie name@firma.de ein.") from None
    return checked.normalized


class DetailsForm(forms.Form):
    """A guest's details for one type of call."""

    name = forms.CharField(
        label="Name",
        max_length=200,
        validators=[in_one_line],
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={
            "required": "Gib deinen Namen ein.",
            "max_length": "Kürze deinen Namen auf höchstens 200 Zeichen.",
        },
    )
    email = forms.CharField(
        label="E-Mail-Adresse",
        max_length=254,
        help_text="Dorthin schicke ich die Bestätigung.",
        widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
        error_messages={
            "required": "Gib deine E-Mail-Adresse ein.",
            "max_length": "Diese E-Mail-Adresse ist zu lang.",
        },
    )
    phone = forms.CharField(
        label="Telefonnummer",
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "tel", "type": "tel"}),
        error_messages={
            "required": "Gib deine Telefonnummer ein.",
            "max_length": "Kürze deine Telefonnummer auf höchstens 40 Zeichen.",
        },
    )
    company = forms.CharField(
        label="Firma",
        max_length=200,
        required=False,
        validators=[in_one_line],
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
        error_messages={"max_length": "Kürze den Namen der Firma auf höchstens 200 Zeichen."},
    )
    topic = forms.CharField(
        label="Worum geht es dir?",
        max_length=2000,
        required=False,
        help_text="Bitte keine Gesundheitsdaten und keine Geheimnisse deines Arbeitgebers.",
        widget=forms.Textarea(attrs={"rows": 5}),
        error_messages={"max_length": "Kürze deinen Text auf höchstens 2000 Zeichen."},
    )
    form_token = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, data: QueryDict | None = None, *, call_type: CallType, held: Booking | None = None
    ) -> None:
        super().__init__(
            None if data is None else _storable(data),
            initial=_typed_before(held) if held else {"form_token": uuid.uuid4()},
        )
        if call_type.asks_for_phone:
            self.fields["phone"].help_text = call_type.place_detail
        else:
            del self.fields["phone"]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if "://" in name:
            raise ValidationError("Schreib nur deinen Namen, ohne Link.")
        if not any(letter.isalnum() for letter in name):
            raise ValidationError("Gib deinen Namen ein.")
        return name

    def clean_email(self) -> str:
        return one_spelling(self.cleaned_data["email"])

    def clean_phone(self) -> str:
        phone: str = self.cleaned_data["phone"]
        digits = sum(letter in "0123456789" for letter in phone)
        others = {letter for letter in phone if letter not in "0123456789"}
        if digits < FEWEST_DIGITS or not others <= PHONE_MARKS:
            raise ValidationError("Gib eine Telefonnummer wie +49 170 1234567 ein.")
        return phone

    def clean_form_token(self) -> uuid.UUID:
        """The form's own mark. A mangled one is nobody's mistake: it gets a new one."""
        try:
            return uuid.UUID(self.cleaned_data["form_token"])
        except ValueError:
            return uuid.uuid4()

    def guest(self) -> Guest:
        """Who filled the form in."""
        fields = ("name", "email", "company", "phone", "topic")
        return Guest(**{field: self.cleaned_data.get(field, "") for field in fields})


def _typed_before(held: Booking) -> dict[str, Any]:
    fields = ("name", "email", "company", "phone", "topic", "form_token")
    return {field: getattr(held, field) for field in fields}


def _storable(data: QueryDict) -> QueryDict:
    """What Postgres can store and a page can show again: no NUL and no half surrogate pairs."""
    storable = QueryDict(mutable=True)
    for name, values in data.lists():
        storable.setlist(
            name,
            [value.replace("\0", "").encode(errors="replace").decode() for value in values],
        )
    return storable
