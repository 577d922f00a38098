"""What was changed of one thing, for its page of history."""

from __future__ import annotations

from django import template
from django.db.models import Model
from django.template import Context

from coaching_site.desk import audit
from coaching_site.desk.models import Change

register = template.Library()


@register.simple_tag(takes_context=True)
def changes_of(context: Context, row: Model) -> list[tuple[Change, list[str]]]:
    """Each change with its fields in words, the newest first; sums for those who may see money."""
    may = context["request"].user.has_perm("booking.view_deposit")
    return [(change, audit.told(change, with_money=may)) for change in audit.of(row)]
