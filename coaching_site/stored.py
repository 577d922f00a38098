"""What is stored about somebody, as they may ask to see it (DSGVO Art. 15, 20)."""

from __future__ import annotations

import json
from datetime import datetime

from django.db.models import Model


def fields(row: Model, *, leave_out: tuple[str, ...]) -> dict[str, object]:
    """A row's values under the names people read. New fields come by themselves."""
    values: dict[str, object] = {}
    for field in row._meta.concrete_fields:
        if field.name not in leave_out:
            value = field.value_from_object(row)
            shown = getattr(row, f"get_{field.name}_display", None)
            values[str(field.verbose_name)] = shown() if shown else value
    for many in row._meta.many_to_many:
        values[str(many.verbose_name)] = sorted(str(each) for each in getattr(row, many.name).all())
    return values


def as_json(everything: dict[str, object]) -> str:
    return json.dumps(everything, default=_plain, ensure_ascii=False, indent=2)


def _plain(value: object) -> str:
    """What JSON does not know; times to the second, in UTC."""
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)
