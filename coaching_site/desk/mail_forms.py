"""What the coach types to word a mail."""

from __future__ import annotations

import re
from typing import Any

from django import forms

from pages import mail_wording
from pages.mail_wording import Open, Words
from pages.mail_wording_models import CLOSING_LENGTH, GREETING_LENGTH, SUBJECT_LENGTH

TOO_LONG = "Das sind %(show_value)d Zeichen; höchstens %(limit_value)d haben Platz."
# What would begin another header, and whatever else nobody can see.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class LineField(forms.CharField):
    """One line of plain words."""

    def clean(self, value: Any) -> str:
        line: str = super().clean(value)
        if CONTROL.search(line):
            raise forms.ValidationError("Das muss in eine Zeile passen, ohne Umbrüche.")
        return line


class WordingForm(forms.Form):
    """Subject, greeting and closing of one mail. Whatever stays empty is the house's."""

    subject = LineField(
        label="Betreff",
        required=False,
        max_length=SUBJECT_LENGTH,
        error_messages={"max_length": TOO_LONG},
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )
    greeting = LineField(
        label="Anrede",
        required=False,
        max_length=GREETING_LENGTH,
        error_messages={"max_length": TOO_LONG},
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )
    closing = forms.CharField(
        label="Schluss",
        required=False,
        max_length=CLOSING_LENGTH,
        error_messages={"max_length": TOO_LONG},
        widget=forms.Textarea(attrs={"class": "vLargeTextField", "rows": 4}),
    )

    def __init__(self, *args: Any, mail: Open, **options: Any) -> None:
        super().__init__(*args, **options)
        self.mail = mail
        for name in self.fields:
            # The browser would cut what is pasted; the sentence tells how much there is too much.
            self.fields[name].widget.attrs.pop("maxlength", None)

    def tell_house(self, subject: str) -> None:
        """Say beside each field what stands there while it is empty; no subject if that is unknown."""
        house = self.mail.house
        words = {
            "subject": subject,
            "greeting": house.greeting,
            "closing": house.closing or "keine",
        }
        for name, text in words.items():
            told = f"Unsere Worte: {text}" if text else "Leer gelassen gilt unser Betreff."
            self[name].help_text = told

    def clean_subject(self) -> str:
        return self._plain("subject", self.mail.in_subject)

    def clean_greeting(self) -> str:
        return self._plain("greeting", self.mail.placeholders)

    def clean_closing(self) -> str:
        return self._plain("closing", self.mail.placeholders).replace("\r\n", "\n")

    @property
    def words(self) -> Words:
        """What was typed, once it is valid."""
        return Words(**self.cleaned_data)

    def _plain(self, field: str, allowed: tuple[str, ...]) -> str:
        text: str = self.cleaned_data[field]
        refusal = mail_wording.refusal(text, allowed)
        if refusal:
            raise forms.ValidationError(refusal)
        return text
