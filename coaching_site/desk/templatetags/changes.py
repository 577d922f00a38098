"""What was changed of one thing, for its page of history."""

from __future__ import annotations

from django import template
from django.db.models import Model

from coaching_site.desk import audit
from coaching_site.desk.models import Change

register = template.Library()


@register.simple_tag
def changes_of(row: Model) -> list[tuple[Change, list[str]]]:
    """Each change with its fields in words, the newest first."""
    return [(change, audit.told(change)) for change in audit.of(row)]
