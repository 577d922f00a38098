"""„Braucht Aufmerksamkeit“: what a person must look at, what to do about it, and that it is done."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from booking.admin import links, money
from booking.admin.payments import stripe_link
from booking.models import Alarm
from coaching_site import german
from coaching_site.desk.open_first import OpenFirst
from coaching_site.desk.read_only import ReadOnly

LIST = "admin:booking_alarm_changelist"


@admin.register(Alarm)
class AlarmAdmin(ReadOnly, admin.ModelAdmin[Alarm]):
    list_display = ["kind", "what_to_do", "booking_link", "stripe", "since", "done"]
    list_filter = [OpenFirst, "kind"]
    list_select_related = ["deposit__booking__call_type", "deposit__booking__calendar"]
    search_fields = ["deposit__booking__reference", "deposit__booking__name", "about", "detail"]
    search_help_text = "Buchungsnummer, Name oder Nummer bei Stripe"
    actions = ["resolve"]
    change_form_template = "admin/booking/alarm/change_form.html"
    readonly_fields = ["what_to_do", "booking_link", "payment_link", "stripe", "since"]
    fieldsets = [
        (None, {"fields": ["kind", "what_to_do", "detail", "about"]}),
        ("Termin und Zahlung", {"fields": ["booking_link", "payment_link", "stripe"]}),
        ("Verlauf", {"fields": ["since", "resolved_at", "resolved_by"]}),
    ]

    def get_urls(self) -> list[URLPattern]:
        resolve = self.admin_site.admin_view(require_POST(self.resolve_view))
        own = path("<int:pk>/erledigt/", resolve, name="booking_alarm_resolve")
        return [own, *super().get_urls()]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """The button is for those who may press it."""
        may = self.has_resolve_permission(request)
        return [name for name in self.list_display if may or name != "done"]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = {"title": "Was Aufmerksamkeit braucht"}
        return super().changelist_view(request, {**(extra_context or {}), **title})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        may = {"has_resolve_permission": self.has_resolve_permission(request)}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **may})

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("booking.change_alarm"))

    @admin.display(description="Was zu tun ist")
    def what_to_do(self, alarm: Alarm) -> str:
        return money.advice(alarm, alarm.deposit.booking.calendar.tz)

    @admin.display(description="Termin", ordering="deposit__booking__start")
    def booking_link(self, alarm: Alarm) -> SafeString:
        link = links.to(alarm.deposit.booking)
        return format_html('<a href="{}">{}</a>', link.address, link.text)

    @admin.display(description="Zahlung")
    def payment_link(self, alarm: Alarm) -> SafeString:
        address = reverse("admin:booking_deposit_change", args=[alarm.deposit.pk])
        return format_html('<a href="{}">{}</a>', address, money.state(alarm.deposit))

    @admin.display(description="Stripe")
    def stripe(self, alarm: Alarm) -> SafeString | str:
        return stripe_link(alarm.deposit)

    @admin.display(description="Seit", ordering="created_at")
    def since(self, alarm: Alarm) -> str:
        return german.short_when(alarm.created_at, alarm.deposit.booking.calendar.tz)

    @admin.display(description="Erledigt")
    def done(self, alarm: Alarm) -> SafeString | str:
        """The list is a form already; its button may lead elsewhere."""
        if alarm.resolved_at is not None:
            zone = alarm.deposit.booking.calendar.tz
            return f"{german.short_when(alarm.resolved_at, zone)}, {alarm.resolved_by}"
        return format_html(
            '<button type="submit" class="button" formaction="{}">Erledigt'
            '<span class="visually-hidden">: {}</span></button>',
            reverse("admin:booking_alarm_resolve", args=[alarm.pk]),
            alarm.deposit.booking.name,
        )

    def resolve_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The button in the list and on the alarm's own page."""
        if not self.has_resolve_permission(request):
            raise PermissionDenied
        get_object_or_404(Alarm, pk=pk)
        self._resolve(request, Alarm.objects.filter(pk=pk))
        return redirect(LIST)

    @admin.action(description="Erledigt", permissions=["resolve"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[Alarm]) -> None:
        self._resolve(request, queryset)

    def _resolve(self, request: HttpRequest, alarms: QuerySet[Alarm]) -> None:
        """Who was first stays written down."""
        waiting = alarms.filter(resolved_at__isnull=True)
        done = waiting.update(resolved_at=timezone.now(), resolved_by=request.user.get_username())
        if done:
            self.message_user(request, f"Erledigt: {done}.", messages.SUCCESS)
        else:
            self.message_user(request, "Das war schon erledigt.")
