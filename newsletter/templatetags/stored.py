"""How stored values are shown to the person they are about."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def in_words(value: object) -> object:
    """Yes and no, lists and small tables as one line of words; anything else as it is."""
    if isinstance(value, bool):
        return "ja" if value else "nein"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return "; ".join(f"{name}: {each}" for name, each in value.items())
    return value
