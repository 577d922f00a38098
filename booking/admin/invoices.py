"""Invoices to look at: what is open, what was cancelled, and each month's papers for the tax adviser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from booking import invoicing
from booking.admin import billing, links
from booking.errors import BookingError
from booking.models import Invoice
from booking.models.papers import InvoiceQuerySet
from coaching_site import german
from coaching_site.desk.csv_export import csv_response, may_export
from coaching_site.desk.read_only import ReadOnly
from coaching_site.desk.zip_export import Entry, zip_response

NOTHING = "–"

COLUMNS = (
    "Rechnungsnummer",
    "Datum",
    "Art",
    "Empfänger",
    "Leistung",
    "Leistungsdatum",
    "Zahlungseingang",
    "Umsatzsteuer",
    "Steuersatz in %",
    "Netto",
    "Steuer",
    "Brutto",
    "Bezug",
    "Zahlbar bis",
    "Überwiesen am",
    "Buchungsnummer",
    "Zahlung bei Stripe",
)


class Month(admin.SimpleListFilter):
    """The months in which something was written, the latest first."""

    title = "Monat"
    parameter_name = "monat"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(f"{month:%Y-%m}", german.month(month)) for month in _months()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> QuerySet[Invoice]:
        month = _month(self.value())
        if month is None:
            return queryset
        return queryset.filter(issued_on__year=month.year, issued_on__month=month.month)


class HowItStands(admin.SimpleListFilter):
    """What became of it."""

    title = "Stand"
    parameter_name = "stand"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, str(state.label)) for state in Invoice.State]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> QuerySet[Invoice]:
        wanted = self.value() or ""
        if wanted not in Invoice.State.values or not isinstance(queryset, InvoiceQuerySet):
            return queryset
        return queryset.in_state(Invoice.State(wanted))


class StornoForm(forms.Form):
    reason = forms.CharField(
        label="Grund",
        max_length=200,
        help_text="Ein Satz, der auf der Stornorechnung steht.",
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


class PaidForm(forms.Form):
    on = forms.DateField(
        label="Bezahlt am",
        # The browser's own calendar; Django's needs scripts that this page does without.
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="Der Tag, an dem das Geld auf deinem Konto war. Lässt sich nicht mehr ändern.",
    )


@admin.register(Invoice)
class InvoiceAdmin(ReadOnly, admin.ModelAdmin[Invoice]):
    list_display = ["number", "day", "kind", "gross", "state_word", "to_whom", "file"]
    list_filter = [HowItStands, Month, "kind"]
    list_select_related = ["payment", "booking__calendar"]
    search_fields = ["number", "recipient", "booking__reference", "booking__email"]
    search_help_text = "Rechnungsnummer, Empfänger, Buchungsnummer oder E-Mail-Adresse"
    actions = ["export", "export_files"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "kind",
                    "day",
                    "recipient",
                    "restriction",
                    "booking_link",
                    "state_word",
                    "file",
                ]
            },
        ),
        ("Beträge", {"fields": ["vat", "net", "tax", "gross"]}),
        ("Verlauf", {"fields": ["related", "due", "transferred", "keep", "sha256"]}),
    ]
    readonly_fields = [
        "restriction",
        "day",
        "booking_link",
        "state_word",
        "file",
        "net",
        "tax",
        "gross",
        "related",
        "due",
        "transferred",
        "keep",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invoice]:
        return Invoice.objects.with_state().without_files().select_related("booking")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Invoice], search_term: str
    ) -> tuple[QuerySet[Invoice], bool]:
        """Whoever was forgotten is found by a paper's number, as the tax office asks, not by name."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        if search_term:
            by_number = Q(number__icontains=search_term) | Q(
                booking__reference__icontains=search_term
            )
            found = found.filter(~Q(booking__email="") | by_number)
        return found, may_repeat

    @admin.display(description="Empfänger", ordering="recipient")
    def to_whom(self, invoice: Invoice) -> str:
        return "gesperrt" if invoice.booking.is_nameless else invoice.recipient

    @admin.display(description="Verarbeitung")
    def restriction(self, invoice: Invoice) -> str:
        """DSGVO Art. 18: kept because the law wants it, and for nothing else."""
        if invoice.booking.is_nameless:
            return "gesperrt: nur noch für Finanzamt und Steuerberatung verwenden"
        return "ohne Einschränkung"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<int:pk>/pdf/", view(self.pdf_view), name="booking_invoice_pdf"),
            path("<int:pk>/stornieren/", view(self.storno_view), name="booking_invoice_storno"),
            path("<int:pk>/bezahlt/", view(self.paid_view), name="booking_invoice_paid"),
            path("monat/", view(self.month_view), name="booking_invoice_month"),
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        may = {"has_issue_permission": self.has_issue_permission(request)}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **may})

    def has_issue_permission(self, request: HttpRequest) -> bool:
        """Who may write invoices and take them back."""
        may_look = self.has_view_permission(request)
        return bool(may_look and request.user.has_perm("booking.issue_invoice"))

    @admin.display(description="Datum", ordering="issued_on")
    def day(self, invoice: Invoice) -> str:
        return german.short_date(invoice.issued_on)

    @admin.display(description="Brutto", ordering="gross_cents")
    def gross(self, invoice: Invoice) -> str:
        return german.euros(invoice.gross_cents)

    @admin.display(description="Netto")
    def net(self, invoice: Invoice) -> str:
        return german.euros(invoice.net_cents)

    @admin.display(description="Umsatzsteuer in Euro")
    def tax(self, invoice: Invoice) -> str:
        return german.euros(invoice.vat_cents)

    @admin.display(description="Stand")
    def state_word(self, invoice: Invoice) -> str:
        word = str(invoice.state.label)
        return word if invoice.is_real else f"{word} (Test)"

    @admin.display(description="Datei")
    def file(self, invoice: Invoice) -> SafeString:
        address = reverse("admin:booking_invoice_pdf", args=[invoice.pk])
        return format_html(
            '<a href="{}">PDF<span class="visually-hidden">: {}</span></a>', address, invoice.number
        )

    @admin.display(description="Termin")
    def booking_link(self, invoice: Invoice) -> SafeString:
        link = links.to(invoice.booking)
        return format_html('<a href="{}">{}</a>', link.address, link.text)

    @admin.display(description="Bezug")
    def related(self, invoice: Invoice) -> SafeString | str:
        """What it cancels or replaces, and what cancels or replaces it."""
        others = Invoice.objects.without_files()
        found = [
            ("Storno zu", others.filter(cancelled_by=invoice)),
            ("Ersatz für", others.filter(replaced_by=invoice)),
            ("storniert durch", others.filter(cancels=invoice)),
            ("ersetzt durch", others.filter(replaces=invoice)),
        ]
        parts = [
            format_html('{} <a href="{}">{}</a>', words, links.to(other).address, other.number)
            for words, rows in found
            for other in rows
        ]
        return SafeString(", ".join(parts)) if parts else NOTHING

    @admin.display(description="Zahlbar bis")
    def due(self, invoice: Invoice) -> str:
        return german.short_date(invoice.due_on) if invoice.due_on else NOTHING

    @admin.display(description="Überwiesen am")
    def transferred(self, invoice: Invoice) -> str:
        return german.short_date(invoice.paid_on) if invoice.paid_on else NOTHING

    @admin.display(description="Aufzubewahren bis")
    def keep(self, invoice: Invoice) -> str:
        return german.short_date(invoice.keep_until)

    def pdf_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The paper itself, as it was written."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        invoice = get_object_or_404(Invoice, pk=pk)
        return HttpResponse(
            bytes(invoice.pdf),
            content_type="application/pdf",
            headers={"Content-Disposition": f'inline; filename="{invoice.file_name}"'},
        )

    def storno_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """For an invoice that is wrong; what goes back to a guest cancels its part by itself."""
        invoice = self._invoice_to_change(request, pk)
        form = StornoForm(request.POST or None)
        if form.is_valid():
            try:
                papers = invoicing.storno(
                    invoice, reason=form.cleaned_data["reason"], now=timezone.now()
                )
            except BookingError as error:
                self.message_user(request, error.message, messages.WARNING)
            else:
                said = " und ".join(map(str, papers))
                self.log_change(request, invoice, f"Storniert: {said}")
                self.message_user(request, f"Geschrieben: {said}. Der Gast bekommt sie per Mail.")
            return redirect(links.to(invoice).address)
        return billing.ask(
            request,
            self,
            title="Stornieren",
            about=invoice,
            intro=_before_storno(invoice),
            form=form,
            fields=["reason"],
            submit="Stornieren",
        )

    def paid_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Note that the transfer has come."""
        invoice, now = self._invoice_to_change(request, pk), timezone.now()
        today = timezone.localdate(now, invoice.booking.calendar.tz)
        form = PaidForm(request.POST or None, initial={"on": today})
        if form.is_valid():
            day, who = form.cleaned_data["on"], request.user.get_username()
            try:
                payment = invoicing.note_paid(invoice, on=day, by=who, now=now)
            except BookingError as error:
                form.add_error("on", error.message)
            else:
                said = f"Bezahlt am {german.short_date(payment.paid_on)}"
                self.log_change(request, invoice, said)
                self.message_user(request, f"{invoice}: {said}.")
                return redirect(links.to(invoice).address)
        return billing.ask(
            request,
            self,
            title="Als bezahlt vermerken",
            about=invoice,
            intro=[f"{german.euros(invoice.gross_cents)} von {invoice.recipient}."],
            form=form,
            fields=["on"],
            submit="Als bezahlt vermerken",
        )

    def _invoice_to_change(self, request: HttpRequest, pk: int) -> Invoice:
        if not self.has_issue_permission(request):
            raise PermissionDenied
        rows = Invoice.objects.with_state().select_related("booking__calendar", "deposit")
        return get_object_or_404(rows, pk=pk)

    def month_view(self, request: HttpRequest) -> HttpResponseBase:
        """A month's papers for the tax adviser: a table, and the files."""
        if not (self.has_view_permission(request) and self.has_export_permission(request)):
            raise PermissionDenied
        month, kind = _month(request.GET.get("monat")), request.GET.get("als")
        if month is not None and kind in ("csv", "zip"):
            papers = Invoice.objects.of_month(month)
            name = f"rechnungen-{month:%Y-%m}"
            return _table(name, papers) if kind == "csv" else _files(name, papers)
        months = [(f"{month:%Y-%m}", german.month(month)) for month in _months(only_real=True)]
        context = {
            **self.admin_site.each_context(request),
            "title": "Monat für die Steuerberatung",
            "opts": self.opts,
            "months": months,
        }
        return TemplateResponse(request, "admin/booking/invoice/month.html", context)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return may_export(request)

    @admin.action(description="Tabelle herunterladen (CSV)", permissions=["export"])
    def export(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponseBase:
        return _table("rechnungen", Invoice.objects.filter(pk__in=queryset.values("pk")))

    @admin.action(description="Dateien herunterladen (ZIP mit PDF)", permissions=["export"])
    def export_files(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponseBase:
        return _files("rechnungen", Invoice.objects.filter(pk__in=queryset.values("pk")))


def _before_storno(invoice: Invoice) -> Iterator[str]:
    standing = german.euros(invoice.standing_cents)
    yield f"{invoice}, {invoice.recipient}: Storniert wird, was davon noch steht, {standing}."
    if invoicing.has_money(invoice):
        yield (
            "Das Geld dafür ist noch da. Darum wird gleich eine neue Rechnung geschrieben, mit den "
            "Angaben, die jetzt in der Verwaltung stehen. Ändere sie also vorher."
        )
        yield "Willst du Geld zurückgeben, erstatte es beim Termin: Das storniert von selbst."
    elif invoice.deposit is None:
        yield "Eine neue schreibst du danach beim Termin."
    yield "Der Gast bekommt alles per Mail."


def _months(*, only_real: bool = False) -> Iterable[date]:
    rows = Invoice.objects.filter(series=Invoice.REAL) if only_real else Invoice.objects.all()
    return rows.dates("issued_on", "month", order="DESC")


def _month(text: str | None) -> date | None:
    """The first day of „2027-03“; None if it is nothing like that."""
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        return None


def _files(name: str, papers: InvoiceQuerySet) -> HttpResponseBase:
    # A few at a time: they hold their files.
    rows = papers.defer("data").order_by("year", "position").iterator(chunk_size=20)
    entries = (Entry(row.file_name, row.issued_on, bytes(row.pdf)) for row in rows)
    return zip_response(f"{name}.zip", entries)


def _table(name: str, papers: InvoiceQuerySet) -> HttpResponse:
    rows = papers.select_related("payment").defer("pdf").order_by("year", "position")
    lines = (_line(row) for row in rows.iterator(chunk_size=200))
    return csv_response(f"{name}.csv", COLUMNS, lines)


def _line(invoice: Invoice) -> list[object]:
    data = invoice.content
    return [
        invoice.number,
        _day(invoice.issued_on),
        invoice.get_kind_display(),
        invoice.recipient,
        data.lines[0].text,
        _day(data.service_on),
        _day(data.received_on),
        invoice.get_vat_display(),
        data.lines[0].percent,
        *map(german.cell_amount, (invoice.net_cents, invoice.vat_cents, invoice.gross_cents)),
        data.cancels.number if data.cancels else "",
        _day(invoice.due_on),
        _day(invoice.paid_on),
        data.booking_reference,
        data.payment_reference,
    ]


def _day(day: date | None) -> str:
    return german.plain_date(day) if day else ""
