"""The coach's other calendars: add one by its address, see how fresh it is, read it now."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from booking import busy_feeds, feeds_sync
from booking.models import BusyFeed
from coaching_site import german


class BusyFeedForm(forms.ModelForm[BusyFeed]):
    class Meta:
        model = BusyFeed
        fields = ["calendar", "name", "url", "is_active"]
        widgets = {"url": forms.TextInput(attrs={"size": 100, "autocomplete": "off"})}

    def clean_url(self) -> str:
        """The address as it will be asked; whether it answers shows in a moment, from a job."""
        try:
            return busy_feeds.checked_url(self.cleaned_data["url"])
        except busy_feeds.FeedFailed as failure:
            raise forms.ValidationError(str(failure)) from failure


@admin.register(BusyFeed)
class BusyFeedAdmin(admin.ModelAdmin[BusyFeed]):
    form = BusyFeedForm
    list_display = ["name", "calendar", "how_it_stands", "busy_ahead", "notes"]
    list_select_related = ["calendar"]
    readonly_fields = ["how_it_stands", "busy_ahead", "notes"]
    fieldsets = [
        (None, {"fields": ["calendar", "name", "url", "is_active"]}),
        ("Stand", {"fields": ["how_it_stands", "busy_ahead", "notes"]}),
    ]
    actions = ["read_now"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[BusyFeed]:
        ahead = Count("busy_times", filter=Q(busy_times__end__gt=timezone.now()))
        return super().get_queryset(request).annotate(ahead=ahead)

    def save_model(self, request: HttpRequest, obj: BusyFeed, form: Any, change: bool) -> None:
        if "url" in form.changed_data:
            # What another address said about its file says nothing about this one.
            obj.etag = obj.last_modified = ""
        super().save_model(request, obj, form, change)
        if obj.is_active:
            feeds_sync.read_soon(obj)
            self.message_user(request, f"„{obj}“ wird gleich gelesen.")

    @admin.display(description="Stand")
    def how_it_stands(self, feed: BusyFeed) -> str:
        """„aktuell, vor 3 Minuten“, „gestört seit 2 Stunden …“: how far its times can be trusted."""
        now = timezone.now()
        state = feed.state(now)
        failing = f"gestört seit {_age(feed.failing_since, now)}" if feed.failing_since else ""
        good = f"vor {_age(feed.fetched_at, now)}" if feed.fetched_at else ""
        match state:
            case BusyFeed.State.UNREAD:
                words = [state.label, "blockiert noch nichts", failing]
            case BusyFeed.State.FAILING:
                words = [failing, f"Stand: {good}"]
            case BusyFeed.State.OFF:
                words = [state.label, "blockiert nichts"]
            case _:
                words = [state.label, good]
        text = ", ".join(word for word in words if word)
        is_loud = state in (BusyFeed.State.UNREAD, BusyFeed.State.FAILING, BusyFeed.State.OLD)
        return format_html("<strong>{}</strong>", text) if is_loud else text

    @admin.display(description="Belegte Zeiten ab jetzt")
    def busy_ahead(self, feed: BusyFeed) -> int:
        return getattr(feed, "ahead", 0)

    @admin.display(description="Hinweise")
    def notes(self, feed: BusyFeed) -> str:
        return "\n".join(filter(None, [feed.last_error, feed.warnings])) or "–"

    @admin.action(description="Jetzt lesen", permissions=["change"])
    def read_now(self, request: HttpRequest, queryset: QuerySet[BusyFeed]) -> None:
        for feed in queryset.filter(is_active=True):
            feeds_sync.read_soon(feed)
        self.message_user(request, "Wird gleich gelesen. Lade die Seite in ein paar Sekunden neu.")


def _age(since: datetime, now: datetime) -> str:
    return german.age(now - since)
