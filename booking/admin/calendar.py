"""Hours and types of call: what the coach decides."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from booking.models import Calendar, CallType, DateOverride, WeeklyHours
from coaching_site import german


class WeeklyHoursInline(admin.TabularInline[WeeklyHours, Calendar]):
    model = WeeklyHours
    extra = 1


class DateOverrideInline(admin.TabularInline[DateOverride, Calendar]):
    model = DateOverride
    extra = 1


@admin.register(Calendar)
class CalendarAdmin(admin.ModelAdmin[Calendar]):
    list_display = ["name", "zone"]
    inlines = [WeeklyHoursInline, DateOverrideInline]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A calendar without appointments may go; Postgres protects the others."""
        if obj is not None and obj.bookings.exists():
            return False
        return super().has_delete_permission(request, obj)


@admin.register(CallType)
class CallTypeAdmin(admin.ModelAdmin[CallType]):
    list_display = ["title", "duration_in_minutes", "price", "place_kind", "is_active", "position"]
    list_editable = ["is_active", "position"]
    list_filter = ["is_active", "place_kind"]
    search_fields = ["title", "description"]
    prepopulated_fields = {"slug": ["title"]}
    fieldsets = [
        (None, {"fields": ["title", "slug", "description", "is_active", "position"]}),
        ("Zeit", {"fields": ["calendar", "length", "step", "buffer_before", "buffer_after"]}),
        ("Grenzen", {"fields": ["notice", "horizon_days", "max_per_day", "max_per_week"]}),
        ("Ort und Preis", {"fields": ["place_kind", "place_detail", "preparation", "price_cents"]}),
    ]

    @admin.display(description="Dauer", ordering="length")
    def duration_in_minutes(self, call_type: CallType) -> str:
        return german.minutes(call_type.duration)

    @admin.display(description="Preis", ordering="price_cents")
    def price(self, call_type: CallType) -> str:
        return "kostenlos" if call_type.is_bookable else german.euros(call_type.price_cents)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A type that was booked stays; take it out of the offer instead."""
        if obj is not None and obj.bookings.exists():
            return False
        return super().has_delete_permission(request, obj)
