"""The admin site with German titles and without the job queue's technical tables."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest

TECHNICAL = {"procrastinate"}


class DeskSite(AdminSite):
    site_title = "Verwaltung"
    site_header = "Verwaltung"
    index_title = "Übersicht"
    empty_value_display = "–"
    enable_nav_sidebar = True

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        """The job queue's tables stay reachable by their address, but are nobody's Monday."""
        apps = super().get_app_list(request, app_label)
        return [app for app in apps if app["app_label"] not in TECHNICAL]
