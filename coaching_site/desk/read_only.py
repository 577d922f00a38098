"""For what rules own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


class ReadOnly(admin.options.BaseModelAdmin[Any]):
    """What rules own can be looked at: nobody adds, changes or deletes it by hand."""

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """The row, asked once a request: our pages look at it before Django does."""
        known = vars(request).setdefault("_rows_of_the_desk", {})
        key = (self.model, object_id, from_field)
        if key not in known:
            # What stands beside this class in an admin is a ModelAdmin.
            known[key] = super().get_object(request, object_id, from_field)  # type: ignore[misc]
        return known[key]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
