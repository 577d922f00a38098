"""Two guards for public forms, without riddles: a field only robots see, and a signed time.

A form declares both fields, `website = spam.Honeypot()` and `stamp = spam.Stamp()`, and calls
`spam.check(self.data)` in its `clean`. Whoever answers robots otherwise asks `spam.is_caught` first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from coaching_site import links

PURPOSE = "form"
SHORTEST = timedelta(seconds=2)
LONGEST = timedelta(hours=24)
SEND_AGAIN = (
    "Das Formular kam nicht richtig an. Was du eingegeben hast, ist noch da: "
    "Bitte schick es noch einmal ab."
)


class Honeypot(forms.CharField):
    """People neither see nor hear nor reach it; robots fill it in."""

    is_honeypot = True

    def __init__(self) -> None:
        super().__init__(
            label="Website (bitte leer lassen)",
            required=False,
            widget=forms.TextInput(attrs={"autocomplete": "off", "tabindex": "-1"}),
        )

    def bound_data(self, data: Any, initial: Any) -> str:
        """Empty again, so that whoever filled it by mistake gets through the next time."""
        return ""


class Stamp(forms.CharField):
    """When the page was made, signed."""

    def __init__(self) -> None:
        super().__init__(required=False, widget=forms.HiddenInput, initial=fresh_stamp)

    def bound_data(self, data: Any, initial: Any) -> str:
        """The stamp that was sent while it is of use, else a new one.

        One from the future comes from a host whose clock is ahead: here it would be refused until then.
        """
        made = _read(data)
        is_of_use = made is not None and timedelta(0) <= timezone.now() - made <= LONGEST
        return str(data) if is_of_use else fresh_stamp()


def fresh_stamp() -> str:
    return stamp(timezone.now())


def stamp(made: datetime) -> str:
    """The signed time of a page."""
    return links.sign(PURPOSE, f"{made.timestamp() * 1000:.0f}")


def is_caught(data: Mapping[str, Any]) -> bool:
    """Whether the field was filled in that people do not see."""
    return bool(data.get("website"))


def check(data: Mapping[str, Any]) -> None:
    """Raise ValidationError for what no person sends: the hidden field, or a form too fast or too old."""
    made = _read(data.get("stamp"))
    if is_caught(data) or made is None or not SHORTEST <= timezone.now() - made <= LONGEST:
        raise ValidationError(SEND_AGAIN, code="spam")


def _read(stamp: object) -> datetime | None:
    """The time in the stamp, None if it is not ours."""
    signed = links.read(PURPOSE, str(stamp or ""))
    return None if signed is None else datetime.fromtimestamp(int(signed) / 1000, UTC)
