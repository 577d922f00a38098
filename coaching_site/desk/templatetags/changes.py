"""What was changed of one thing, for its page of history."""

from __future__ import annotations

from django import template
from django.db.models import Model
from django.template import Context

from coaching_site.desk import audit
from coaching_site.desk.models import Change

register = template.Library()


@register.simple_tag(takes_context=True)
def changes_of(context: Context, row: Model) -> list[tuple[Change, str, list[str]]]:
    """Each change, what of, and its fields in words, the newest first; sums for whom they are meant."""
    may = context["request"].user.has_perm("booking.view_deposit")
    return [
        (change, _part(change, row), audit.told(change, with_money=may))
        for change in audit.of(row, with_money=may)
    ]


def _part(change: Change, row: Model) -> str:
    """What was changed, if it is a part of the thing and not the thing itself."""
    model = audit.model_of(change.table)
    return "" if model is None or isinstance(row, model) else audit.called(model)
