"""A list's filter „Stand“ that shows what is still to be done, unless one asks for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

OPEN, DONE, ALL = "offen", "erledigt", "alle"


class OpenFirst(admin.SimpleListFilter):
    """The model's queryset has `open()`."""

    title = "Stand"
    parameter_name = "stand"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(OPEN, "Offen"), (DONE, "Erledigt"), (ALL, "Alle")]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Without Django's own „Alle“, which would be the default."""
        choices = super().choices(changelist)
        next(choices)
        wanted = self.value() or OPEN
        for (value, _), choice in zip(self.lookup_choices, choices, strict=True):
            yield {**choice, "selected": value == wanted}

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = queryset
        still_open = queryset.model.objects.open().values("pk")
        if self.value() == ALL:
            return rows
        return (rows.exclude if self.value() == DONE else rows.filter)(pk__in=still_open)
