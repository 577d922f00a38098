"""The admin site with German titles and without the job queue's technical tables."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone

from booking.models import Alarm, Withdrawal, WithdrawalMail

TECHNICAL = {"procrastinate"}


class DeskSite(AdminSite):
    site_title = "Verwaltung"
    site_header = "Verwaltung"
    index_title = "Übersicht"
    empty_value_display = "–"
    enable_nav_sidebar = True

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """The first page says first whether something about money needs a person."""
        waits: dict[str, int] = {}
        if request.user.has_perm("booking.view_alarm"):
            waits["open_alarms"] = Alarm.objects.open().count()
        if request.user.has_perm("booking.view_withdrawal"):
            waits["open_withdrawals"] = Withdrawal.objects.open().count()
            waits["overdue_withdrawals"] = Withdrawal.objects.overdue(timezone.now()).count()
            waits["lost_withdrawal_mails"] = WithdrawalMail.objects.failed_of_open().count()
        return super().index(request, {**(extra_context or {}), **waits})

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        """The job queue's tables stay reachable by their address, but are nobody's Monday."""
        apps = super().get_app_list(request, app_label)
        return [app for app in apps if app["app_label"] not in TECHNICAL]
