"""What somebody types to sign in or to change how they do."""

from __future__ import annotations

from typing import Any

from django import forms

NEEDS_DIGITS = "Gib den sechsstelligen Code aus der App ein."


class DigitsField(forms.RegexField):
    """Six digits, with or without the space that apps show between them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            r"^[0-9]{3}\s?[0-9]{3}$",
            label="Code aus der App",
            widget=forms.TextInput(
                attrs={
                    "autocomplete": "one-time-code",
                    "inputmode": "numeric",
                    "class": "code",
                }
            ),
            error_messages={"required": NEEDS_DIGITS, "invalid": NEEDS_DIGITS},
            **options,
        )


class PasswordForm(forms.Form):
    """Whoever changes how to sign in shows once more who they are."""

    password = forms.CharField(
        label="Dein Passwort",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        error_messages={"required": "Gib dein Passwort ein."},
    )


class CodeForm(forms.Form):
    """One of two: the app's digits, or a recovery code."""

    digits = DigitsField(required=False)
    recovery = forms.CharField(
        label="Wiederherstellungscode",
        help_text="Einer der zehn, die du beim Einrichten notiert hast. Jeder gilt einmal.",
        required=False,
        max_length=60,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "class": "code",
            }
        ),
    )

    def clean(self) -> dict[str, Any]:
        typed = self.cleaned_data
        if not self.errors and not typed.get("digits") and not typed.get("recovery"):
            self.add_error("digits", NEEDS_DIGITS)
        return typed


class SetUpForm(forms.Form):
    """The first digits of a new app show that it holds the key."""

    digits = DigitsField()


class ReplaceForm(PasswordForm, SetUpForm):
    """The same in place of an app that is there."""

    field_order = ["digits", "password"]
