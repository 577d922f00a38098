"""How many read along, as the page may say it."""

from __future__ import annotations

from django import template

from newsletter import growth
from pages.models import Practice

register = template.Library()


@register.simple_tag
def readers_claim(practice: Practice) -> str:
    """The coach's own number, or the real one if they chose that; "" if there is nothing to claim."""
    return growth.claim() if practice.readers_counted else practice.readers_value
