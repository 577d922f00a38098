"""What became of every mail, what came back, and how fast mails leave, on the coach's desk."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import cached_property

from coaching_site.desk.read_only import ReadOnly
from newsletter.issue_forms import PaceForm
from newsletter.issue_pages import short
from newsletter.models import Delivery, Feedback, Pace

# Lists count so far and no further: nobody turns to the ten-thousandth row.
COUNTED = 10_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts to ten thousand at most: counting a ledger of years takes longer than showing it."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        assert isinstance(rows, QuerySet)
        return rows[: COUNTED + 1].count()


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly, admin.ModelAdmin[Delivery]):
    list_display = ["subscriber", "issue", "state", "why", "code", "when", "bounce"]
    list_filter = [
        "state",
        "why",
        "bounce",
        ("complained_at", admin.EmptyFieldListFilter),
        ("left_at", admin.EmptyFieldListFilter),
        "issue",
    ]
    list_select_related = ["issue", "subscriber"]
    search_fields = ["subscriber__address_key"]
    search_help_text = "Suche nach der E-Mail-Adresse oder einem Teil davon"
    ordering = ["-pk"]
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    paginator = CappedPaginator
    fields = [
        "issue",
        "subscriber",
        "state",
        "why",
        "code",
        "attempts",
        "first_tried_at",
        "next_try_at",
        "sent_at",
        "bounce",
        "bounced_at",
        "complained_at",
        "left_at",
    ]

    @admin.display(description="wann")
    def when(self, delivery: Delivery) -> str:
        moment = delivery.sent_at or delivery.next_try_at or delivery.first_tried_at
        return short(moment) if moment else "–"


@admin.register(Pace)
class PaceAdmin(admin.ModelAdmin[Pace]):
    form = PaceForm

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the one row is made by saving it

    def has_delete_permission(self, request: HttpRequest, obj: Pace | None = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """There is one row, so the list leads straight to it."""
        return redirect("admin:newsletter_pace_change", 1)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Pace | None:
        return Pace.current() if object_id == "1" else None

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        one_button = {"show_save_and_continue": False, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, one_button)

    def save_model(self, request: HttpRequest, obj: Pace, form: Any, change: bool) -> None:
        obj.pk = 1
        super().save_model(request, obj, form, change)

    def response_change(self, request: HttpRequest, obj: Pace) -> HttpResponse:
        self.message_user(request, "Gespeichert. Es gilt ab sofort.", messages.SUCCESS)
        return redirect("admin:newsletter_pace_change", 1)


@admin.register(Feedback)
class FeedbackAdmin(ReadOnly, admin.ModelAdmin[Feedback]):
    list_display = ["at", "kind", "code", "subscriber", "of_issue", "source"]
    list_filter = ["kind", "source", "at"]
    list_select_related = ["subscriber", "delivery__issue"]
    search_fields = ["subscriber__address_key"]
    search_help_text = "Suche nach der E-Mail-Adresse oder einem Teil davon"
    ordering = ["-pk"]
    list_per_page = 50
    show_full_result_count = False
    paginator = CappedPaginator
    fields = ["at", "noted_at", "kind", "code", "source", "event_id", "subscriber", "delivery"]

    @admin.display(description="Ausgabe")
    def of_issue(self, row: Feedback) -> str:
        return row.delivery.issue.subject if row.delivery else "–"
