"""Money in the coach's eyes: euros to read and to type, whole cents behind."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from coaching_site import german

# What Stripe takes for one payment (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts).
LEAST_CENTS = 50
MOST_CENTS = 999_999_99


class EurosField(forms.Field):
    """„47,50“ in the page, 4750 in the code."""

    default_error_messages = {"required": "Gib einen Betrag ein, zum Beispiel 47,50."}
    widget = forms.TextInput

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.widget.attrs |= {"inputmode": "decimal", "autocomplete": "off", "size": 10}

    def prepare_value(self, value: Any) -> Any:
        """What the page shows: cents as an amount, and what somebody typed as they typed it."""
        return german.amount(value) if isinstance(value, int) else value

    def to_python(self, value: Any) -> int | None:
        if isinstance(value, int):
            return value
        text = str(value or "").strip()
        if not text:
            return None
        try:
            found = german.cents(text)
        except german.NoAmount as error:
            raise ValidationError(str(error)) from None
        if found > MOST_CENTS:
            raise ValidationError(f"Höchstens {german.euros(MOST_CENTS)}.")
        return found
