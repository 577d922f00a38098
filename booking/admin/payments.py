"""Payments to look at: what was asked for, what came, what went back."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from booking.admin import links, money
from booking.models import Deposit, Refund
from coaching_site import german
from coaching_site.desk.csv_export import csv_response, may_export
from coaching_site.desk.read_only import ReadOnly

NOTHING = "–"
BOOKING = ("booking__call_type", "booking__calendar")

COLUMNS = (
    "Begonnen",
    "Buchungsnummer",
    "Name",
    "E-Mail-Adresse",
    "Gespräch",
    "Stand",
    "Betrag",
    "Bezahlt",
    "Bezahlt am",
    "Erstattet",
    "Behalten",
    "Streitfall",
    "Echtes Geld",
    "Checkout-Sitzung",
    "Zahlung bei Stripe",
)


class Quarrel(admin.SimpleListFilter):
    """Which payments the guest's bank fights over."""

    title = "Bestritten"
    parameter_name = "bestritten"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("ja", "Bestritten, auch früher")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Deposit]) -> QuerySet[Deposit]:
        return queryset.exclude(dispute_id="") if self.value() == "ja" else queryset


class MoneyBack(admin.SimpleListFilter):
    """Where money went back, and where that is not certain or went wrong."""

    title = "Erstattung"
    parameter_name = "erstattung"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("zurück", "Etwas ging zurück"),
            ("unterwegs", "Noch unterwegs"),
            ("gescheitert", "Gescheitert"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Deposit]) -> QuerySet[Deposit]:
        states = {
            "zurück": Q(status=Refund.Status.SUCCEEDED),
            "unterwegs": Q(status__in=Refund.UNFINISHED),
            "gescheitert": Q(status__in=Refund.GONE_WRONG),
        }
        wanted = states.get(self.value() or "")
        if wanted is None:
            return queryset
        return queryset.filter(pk__in=Refund.objects.filter(wanted).values("deposit"))


class RefundInline(ReadOnly, admin.TabularInline[Refund, Deposit]):
    model = Refund
    fields = ["amount", "state", "reason", "asked_by", "created_at", "settled_at", "failure"]
    readonly_fields = ["amount", "state"]
    extra = 0

    @admin.display(description="Betrag")
    def amount(self, refund: Refund) -> str:
        return german.euros(refund.amount_cents)

    @admin.display(description="Stand")
    def state(self, refund: Refund) -> str:
        return money.refund_state(refund)


@admin.register(Deposit)
class DepositAdmin(ReadOnly, admin.ModelAdmin[Deposit]):
    list_display = ["started", "booking_link", "state", "amount", "paid", "back", "kept", "stripe"]
    list_filter = ["status", MoneyBack, Quarrel, "livemode", "booking__call_type"]
    list_select_related = BOOKING
    search_fields = [
        "booking__reference",
        "booking__name",
        "booking__email",
        "session_id",
        "payment_intent",
    ]
    search_help_text = "Buchungsnummer, Name, E-Mail-Adresse, Checkout-Sitzung oder Zahlung (pi_…)"
    date_hierarchy = "created_at"
    inlines = [RefundInline]
    actions = ["export"]
    fieldsets = [
        (None, {"fields": ["booking_link", "state", "amount", "paid", "back", "kept"]}),
        ("Verlauf", {"fields": ["created_at", "expires_at", "paid_at", "closed_at", "quarrel"]}),
        ("Bei Stripe", {"fields": ["livemode", "session_id", "payment_intent", "stripe"]}),
    ]
    readonly_fields = [
        "booking_link",
        "state",
        "amount",
        "paid",
        "back",
        "kept",
        "quarrel",
        "stripe",
    ]

    @admin.display(description="Begonnen", ordering="created_at")
    def started(self, deposit: Deposit) -> str:
        return german.short_when(deposit.created_at, deposit.booking.calendar.tz)

    @admin.display(description="Termin", ordering="booking__start")
    def booking_link(self, deposit: Deposit) -> SafeString:
        link = links.to(deposit.booking)
        return format_html('<a href="{}">{}</a>', link.address, link.text)

    @admin.display(description="Stand", ordering="status")
    def state(self, deposit: Deposit) -> str:
        return money.state(deposit)

    @admin.display(description="Betrag", ordering="amount_cents")
    def amount(self, deposit: Deposit) -> str:
        return german.euros(deposit.amount_cents)

    @admin.display(description="Bezahlt", ordering="paid_cents")
    def paid(self, deposit: Deposit) -> str:
        return _euros(deposit.paid_cents)

    @admin.display(description="Zurück", ordering="refunded_cents")
    def back(self, deposit: Deposit) -> str:
        return _euros(deposit.refunded_cents)

    @admin.display(description="Behalten", ordering="kept_cents")
    def kept(self, deposit: Deposit) -> str:
        return _euros(deposit.kept_cents)

    @admin.display(description="Streitfall")
    def quarrel(self, deposit: Deposit) -> str:
        return money.dispute(deposit, deposit.booking.calendar.tz) or NOTHING

    @admin.display(description="Stripe")
    def stripe(self, deposit: Deposit) -> SafeString | str:
        return stripe_link(deposit)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return may_export(request)

    @admin.action(description="CSV-Export", permissions=["export"])
    def export(self, request: HttpRequest, queryset: QuerySet[Deposit]) -> HttpResponse:
        payments = queryset.select_related(*BOOKING)
        return csv_response("zahlungen.csv", COLUMNS, map(_row, payments))


def stripe_link(deposit: Deposit) -> SafeString | str:
    """The payment at Stripe's, in its own words."""
    address = money.stripe_url(deposit)
    if not address:
        return NOTHING
    return format_html('<a href="{}" rel="noreferrer">Bei Stripe ansehen</a>', address)


def _euros(cents: int) -> str:
    return german.euros(cents) if cents else NOTHING


def _row(deposit: Deposit) -> list[object]:
    booking, zone = deposit.booking, deposit.booking.calendar.tz
    return [
        german.cell(deposit.created_at, zone),
        booking.reference,
        booking.name,
        booking.email,
        booking.call_type.title,
        deposit.get_status_display(),
        german.amount(deposit.amount_cents),
        german.amount(deposit.paid_cents),
        german.cell(deposit.paid_at, zone),
        german.amount(deposit.refunded_cents),
        german.amount(deposit.kept_cents),
        money.dispute(deposit, zone),
        "ja" if deposit.livemode else "nein",
        deposit.session_id,
        deposit.payment_intent,
    ]
