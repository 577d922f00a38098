"""Forms with one address, and proof of which consent text stood beside the button."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from coaching_site import spam
from newsletter import addresses
from newsletter.addresses import Address
from pages.consent import ConsentText


class AddressField(forms.Field):
    """Reads one bare e-mail address; its value is an Address."""

    widget = forms.EmailInput(
        attrs={"autocomplete": "email", "autocapitalize": "off", "spellcheck": "false"}
    )
    default_error_messages = {
        "required": "Gib deine E-Mail-Adresse ein.",
        "invalid": "Gib eine E-Mail-Adresse wie name@firma.de ein.",
    }

    def to_python(self, value: Any) -> Address | None:
        text = str(value or "").strip()
        if not text:
            return None
        try:
            return addresses.parse(text)
        except addresses.NotAnAddress:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        # What was typed is shown again; half a surrogate pair could not be encoded.
        return str(data or "").encode(errors="replace").decode()


class ShownConsent(forms.Form):
    """Proves by its hash which consent text stood beside the button."""

    consent = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, consent_text: ConsentText, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.consent_text = consent_text

    def clean(self) -> dict[str, Any]:
        """Refuse consent to a text that was not the one on the page."""
        if self.cleaned_data.get("consent") != self.consent_text.sha256:
            raise ValidationError(
                "Der Text über dem Knopf hat sich geändert. "
                "Bitte lies ihn noch einmal und schick das Formular dann ab."
            )
        return self.cleaned_data


class SignUpForm(ShownConsent):
    email = AddressField(label="E-Mail-Adresse", help_text="Kein Spam. Abmelden mit einem Klick.")
    website = spam.Honeypot()
    stamp = spam.Stamp()

    def clean(self) -> dict[str, Any]:
        """Refuse what no person sends."""
        if not self.errors:  # else the fields have something better to say
            spam.check(self.data)
        return super().clean()


class MoveForm(ShownConsent):
    email = AddressField(label="Neue E-Mail-Adresse")


class LostLinkForm(forms.Form):
    email = AddressField(label="E-Mail-Adresse")
    website = spam.Honeypot()
    stamp = spam.Stamp()

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            spam.check(self.data)
        return self.cleaned_data
