"""The admin site with German titles and without the job queue's technical tables."""

from __future__ import annotations

from django.contrib.admin import AdminSite


class DeskSite(AdminSite):
    site_title = "Verwaltung"
    site_header = "Verwaltung"
    index_title = "Übersicht"
    empty_value_display = "–"
    enable_nav_sidebar = True
