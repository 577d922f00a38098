"""Appointments, read-only: rules change them. The coach calls them off and exports them here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from booking import cancellation
from booking.errors import BookingError
from booking.models import Booking, Notification
from coaching_site import german
from coaching_site.desk.csv_export import csv_response

COLUMNS = (
    "Buchungsnummer",
    "Datum",
    "Uhrzeit",
    "Gespräch",
    "Stand",
    "Name",
    "E-Mail-Adresse",
    "Firma",
    "Telefon",
    "Worum es geht",
    "Gebucht am",
    "Abgesagt am",
    "Abgesagt von",
)


class ReadOnly(admin.options.BaseModelAdmin[Any]):
    """What rules own can be looked at, not written."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class When(admin.SimpleListFilter):
    """What the coach asks of a calendar: what comes, what is today, what was."""

    title = "Zeitraum"
    parameter_name = "wann"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("kommend", "Kommende"), ("heute", "Heute"), ("vergangen", "Vergangene")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Booking]) -> QuerySet[Booking]:
        now = timezone.localtime()
        if self.value() == "kommend":
            return queryset.filter(end__gt=now)
        if self.value() == "heute":
            return queryset.filter(start__date=now.date())
        if self.value() == "vergangen":
            return queryset.filter(end__lte=now)
        return queryset


class NotificationInline(ReadOnly, admin.TabularInline[Notification, Booking]):
    model = Notification
    fields = ["kind", "audience", "created_at", "sent_at", "attempts", "last_error"]
    extra = 0


@admin.register(Booking)
class BookingAdmin(ReadOnly, admin.ModelAdmin[Booking]):
    list_display = ["when", "name", "call_type", "status", "mails", "reference"]
    list_display_links = ["when", "name"]
    list_filter = [When, "status", "call_type"]
    list_select_related = ["call_type", "calendar"]
    search_fields = ["name", "email", "reference"]
    search_help_text = "Name, E-Mail-Adresse oder Buchungsnummer"
    date_hierarchy = "start"
    ordering = ["-start"]
    inlines = [NotificationInline]
    actions = ["cancel", "export"]
    fieldsets = [
        (None, {"fields": ["reference", "status", "call_type", "when", "start", "end"]}),
        ("Gast", {"fields": ["name", "email", "phone", "company", "topic", "visitor_zone"]}),
        (
            "Verlauf",
            {
                "fields": [
                    "created_at",
                    "held_until",
                    "confirmed_at",
                    "cancelled_at",
                    "cancelled_by",
                    "cancellation_note",
                ]
            },
        ),
    ]
    readonly_fields = ["when"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Booking]:
        return super().get_queryset(request).prefetch_related("notifications")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Who may change appointments may call them off."""
        return bool(request.user.has_perm("booking.change_booking"))

    @admin.display(description="Termin", ordering="start")
    def when(self, booking: Booking) -> str:
        zone = booking.calendar.tz
        day = german.short_date(booking.start.astimezone(zone).date())
        return f"{day}, {german.clock_range(booking.start, booking.end, zone)}"

    @admin.display(description="Mails")
    def mails(self, booking: Booking) -> str:
        """How the ledger stands: sent, under way, or what the server said."""
        rows = list(booking.notifications.all())
        now = timezone.now()
        owed = [row for row in rows if row.is_owed_at(now)]
        failed = [row for row in owed if row.last_error]
        if failed:
            return f"Fehler: {failed[-1].last_error}"
        if owed:
            return "unterwegs"
        return "verschickt" if rows else ""

    @admin.action(description="Absagen", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Booking]) -> HttpResponse | None:
        """Ask first, with room for a word to the guests; then call off what can be called off."""
        if "yes" not in request.POST:
            context = {
                **self.admin_site.each_context(request),
                "title": "Termine absagen",
                "opts": self.opts,
                "bookings": [(booking, self.when(booking)) for booking in queryset],
                "checkbox_name": ACTION_CHECKBOX_NAME,
            }
            return TemplateResponse(request, "admin/booking/booking/cancel.html", context)
        done = 0
        for booking in queryset:
            try:
                cancellation.cancel_by_coach(
                    booking, now=timezone.now(), note=request.POST.get("note", "").strip()[:1000]
                )
            except BookingError:
                self.message_user(
                    request, f"{booking}: Hier gibt es nichts abzusagen.", messages.WARNING
                )
            else:
                done += 1
        if done:
            self.message_user(request, f"Abgesagt: {done}. Beide Seiten bekommen eine Mail.")
        return None

    @admin.action(description="CSV-Export", permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[Booking]) -> HttpResponse:
        return csv_response("termine.csv", COLUMNS, map(_row, queryset))


def _row(booking: Booking) -> list[object]:
    zone = booking.calendar.tz

    def local(moment: Any) -> str:
        return f"{moment.astimezone(zone):%d.%m.%Y %H:%M}" if moment else ""

    return [
        booking.reference,
        f"{booking.start.astimezone(zone):%d.%m.%Y}",
        f"{booking.start.astimezone(zone):%H:%M}",
        booking.call_type.title,
        booking.get_status_display(),
        booking.name,
        booking.email,
        booking.company,
        booking.phone,
        booking.topic,
        local(booking.confirmed_at),
        local(booking.cancelled_at),
        booking.get_cancelled_by_display(),
    ]
