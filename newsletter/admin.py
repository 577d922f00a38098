"""The list on the coach's desk: to look at, to export, and to take someone off."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from coaching_site.desk.csv_export import csv_response
from newsletter import import_admin as import_admin  # registers its own pages
from newsletter import subscriptions
from newsletter.models import Consent, Subscriber


class ReadOnly:
    """Rows the rules own: nobody adds, changes or deletes them by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False


@admin.register(Subscriber)
class SubscriberAdmin(ReadOnly, admin.ModelAdmin[Subscriber]):
    list_display = ["address", "status", "created_at", "confirmed_at", "unsubscribed_at"]
    list_filter = ["status", "created_at", "confirmed_at", "unsubscribed_at"]
    search_fields = ["address", "address_key"]
    search_help_text = "Suche nach der E-Mail-Adresse"
    ordering = ["-created_at"]
    actions = ["export", "unsubscribe"]
    fields = [
        "address",
        "address_key",
        "status",
        "consent",
        "created_at",
        "confirmed_at",
        "unsubscribed_at",
        "mail_requested_at",
        "mail_sent_at",
    ]

    def has_unsubscribe_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("newsletter.change_subscriber")

    @admin.action(description="CSV-Export", permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> HttpResponse:
        return csv_response(
            "newsletter-abos.csv",
            ["E-Mail-Adresse", "Status", "eingetragen", "bestätigt", "abgemeldet", "Fassung"],
            (
                [
                    row.address,
                    row.get_status_display(),
                    _local(row.created_at),
                    _local(row.confirmed_at),
                    _local(row.unsubscribed_at),
                    row.consent.text_version if row.consent else "",
                ]
                for row in queryset.select_related("consent")
            ),
        )

    @admin.action(description="Abmelden", permissions=["unsubscribe"])
    def unsubscribe(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        now = timezone.now()
        gone = sum(subscriptions.unsubscribe(row.public_id, now=now) for row in queryset)
        self.message_user(request, f"Abgemeldet: {gone}.", messages.SUCCESS)


@admin.register(Consent)
class ConsentAdmin(ReadOnly, admin.ModelAdmin[Consent]):
    list_display = ["address", "text_version", "requested_at", "confirmed_at", "withdrawn_at"]
    list_filter = [
        ("confirmed_at", admin.EmptyFieldListFilter),
        ("withdrawn_at", admin.EmptyFieldListFilter),
        "text_version",
        "requested_at",
    ]
    search_fields = ["address", "subscriber__address_key"]
    search_help_text = "Suche nach der E-Mail-Adresse"
    ordering = ["-requested_at"]
    actions = ["export"]
    fields = [
        "address",
        "subscriber",
        "kind",
        "text",
        "text_version",
        "text_sha256",
        "page",
        "requested_at",
        "confirmed_at",
        "withdrawn_at",
    ]

    @admin.action(description="CSV-Export", permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[Consent]) -> HttpResponse:
        return csv_response(
            "newsletter-einwilligungen.csv",
            [
                "E-Mail-Adresse",
                "Wortlaut",
                "Fassung",
                "SHA-256",
                "Seite",
                "eingetragen",
                "bestätigt",
                "widerrufen",
            ],
            (
                [
                    row.address,
                    row.text,
                    row.text_version,
                    row.text_sha256,
                    row.page,
                    _local(row.requested_at),
                    _local(row.confirmed_at),
                    _local(row.withdrawn_at),
                ]
                for row in queryset
            ),
        )


def _local(moment: datetime | None) -> str:
    """„2027-03-01 09:00:00“ in the practice's zone: sorts, and spreadsheets know it as a time."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}" if moment else ""
