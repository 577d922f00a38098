"""Appointments, read-only: rules change them. The coach enters, calls off and exports them here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html_join, linebreaks
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.views.decorators.http import require_POST

from booking import attendance, invoicing, scheduling
from booking.admin import billing, by_hand, cancelling, links, money, refunding, why
from booking.errors import BookingError, RequestOver
from booking.models import Booking, Deposit, Invoice, Notification, Order, Withdrawal
from booking.models.withdrawals import GERMAN_TIME
from coaching_site import german
from coaching_site.desk import downloads
from coaching_site.desk.read_only import ReadOnly

# So much of it fits beside the rest.
TOPIC_LENGTH = 60

# What becomes of an appointment, in the order it happens.
HISTORY = [
    "made_by",
    "overridden",
    "created_at",
    "held_until",
    "requested_until",
    "confirmed_at",
    "moved_at",
    "moved_by",
    "moved_from",
    "cancelled_at",
    "cancelled_by",
    "cancellation_note",
    "no_show_at",
    "followup_consent_text",
    "followup_consent_at",
    "early_start_at",
]


def asked_time(request: HttpRequest) -> str:
    """Which time the list shows: what comes, unless somebody or some date is looked for."""
    by_date = any(name.startswith("start__") for name in request.GET)
    looked_for = by_date or request.GET.get("q")
    return request.GET.get("wann") or ("alle" if looked_for else "kommend")


class When(admin.SimpleListFilter):
    """What the coach asks of a calendar: what comes, what is today, what was."""

    title = "Zeitraum"
    parameter_name = "wann"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("kommend", "Kommende"),
            ("heute", "Heute"),
            ("vergangen", "Vergangene"),
            ("alle", "Alle"),
        ]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Without Django's own „Alle“, which would be the default."""
        choices = super().choices(changelist)
        next(choices)
        wanted = asked_time(self.request)
        for (value, _), choice in zip(self.lookup_choices, choices, strict=True):
            yield {**choice, "selected": value == wanted}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Booking]) -> QuerySet[Booking]:
        now = timezone.localtime()
        value = self.value() or asked_time(request)
        if value == "kommend":
            coming = queryset.filter(end__gt=now)
            # What ran out while somebody was typing is nobody's appointment, unless asked for.
            if "status__exact" in request.GET:
                return coming
            ran_out = Q(status=Booking.Status.HELD, held_until__lte=now)
            return coming.exclude(Q(status=Booking.Status.EXPIRED) | ran_out)
        if value == "heute":
            return queryset.filter(start__date=now.date())
        if value == "vergangen":
            return queryset.filter(end__lte=now)
        return queryset


class Attendance(admin.SimpleListFilter):
    """Who did not come."""

    title = "Erschienen"
    parameter_name = "erschienen"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("nein", "Nicht erschienen")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Booking]) -> QuerySet[Booking]:
        missed = self.value() == "nein"
        return queryset.filter(no_show_at__isnull=False) if missed else queryset


class NotificationInline(ReadOnly, admin.TabularInline[Notification, Booking]):
    model = Notification
    fields = ["kind", "audience", "created_at", "sent_at", "attempts", "last_error"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notification]:
        """That money went back or was billed is for those who may see it."""
        rows = Notification.objects.all()
        return rows if money.may_see(request.user) else rows.not_about_money()


class OrderInline(ReadOnly, admin.StackedInline[Order, Booking]):
    """What the guest saw and declared: the proof, should anybody ask."""

    model = Order
    fields = ["ordered_at", "customer", "button", "words", "declared", "versions", "network"]
    readonly_fields = ["words", "declared", "versions"]
    extra = 0
    verbose_name_plural = "Bestellung"

    @admin.display(description="Über dem Knopf stand")
    def words(self, order: Order) -> SafeString:
        return SafeString(linebreaks(order.summary, autoescape=True))

    @admin.display(description="Erklärt wurde")
    def declared(self, order: Order) -> SafeString | str:
        return format_html_join("", "<p>{}</p>", ([each["text"]] for each in order.declarations))

    @admin.display(description="Es galten")
    def versions(self, order: Order) -> str:
        return ", ".join(order.versions)


@admin.register(Booking)
class BookingAdmin(ReadOnly, admin.ModelAdmin[Booking]):
    list_display = ["when", "name", "call_type", "about", "status", "paid", "mails"]
    list_display_links = ["when", "name"]
    list_filter = [When, "status", Attendance, "call_type"]
    list_select_related = ["call_type", "calendar"]
    search_fields = ["name", "email", "reference"]
    search_help_text = "Name, E-Mail-Adresse oder Buchungsnummer"
    date_hierarchy = "start"
    inlines = [OrderInline, NotificationInline]
    actions = ["accept", "cancel", "mark_no_show", "take_no_show_back", "export"]
    fieldsets = [
        (None, {"fields": ["reference", "status", "call_type", "when", "withdrawn"]}),
        (
            "Gast",
            {
                "fields": [
                    "name",
                    "email",
                    "phone",
                    "customer",
                    "company",
                    "topic",
                    "answered",
                    "visitor_zone",
                ]
            },
        ),
        ("Verlauf", {"fields": [*HISTORY]}),
    ]
    readonly_fields = ["when", "withdrawn", "answered"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Booking]:
        rows: QuerySet[Booking] = super().get_queryset(request)
        rows = rows.select_related("call_type__calendar", "calendar").prefetch_related("deposits")
        asked_for = request.resolver_match.url_name if request.resolver_match else None
        if asked_for == "booking_booking_changelist":
            return rows.prefetch_related("notifications__refund")
        # The page of one shows its mails in rows of their own, which ask for themselves.
        orders = Order.objects.filter(booking=OuterRef("pk"))
        return cast("QuerySet[Booking]", rows.annotate(is_ordered=Exists(orders)))

    def get_ordering(self, request: HttpRequest) -> list[str | Combinable]:
        """What comes in the order it comes; what was with the latest first."""
        return ["start"] if asked_time(request) in ("kommend", "heute") else ["-start"]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """What was paid is not for everybody."""
        may = money.may_see(request.user)
        return [name for name in self.list_display if may or name != "paid"]

    def get_fieldsets(self, request: HttpRequest, obj: Booking | None = None) -> Any:
        """Withdrawals are money's business as well; and only what was asked and has happened."""
        hidden = set() if request.user.has_perm("booking.view_withdrawal") else {"withdrawn"}
        if obj:
            hidden |= {name for name in HISTORY if not getattr(obj, name)}
            hidden |= set() if obj.answers else {"answered"}
        return [
            (name, {"fields": [field for field in group["fields"] if field not in hidden]})
            for name, group in self.fieldsets
        ]

    def get_inlines(self, request: HttpRequest, obj: Booking | None) -> Any:
        """A call that nobody ordered for money has no order to show."""
        ordered = obj is None or vars(obj).get("is_ordered", True)
        return [inline for inline in self.inlines if ordered or inline is not OrderInline]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("warum-belegt/", view(self.why_view), name="booking_booking_why"),
            path("<int:pk>/absagen/", view(self.cancel_view), name="booking_booking_cancel"),
            path(
                "<int:pk>/erstatten/<int:deposit_pk>/",
                view(self.refund_view),
                name="booking_booking_refund",
            ),
            path("<int:pk>/anschrift/", view(self.address_view), name="booking_booking_address"),
            path("<int:pk>/schlussrechnung/", view(self.final_view), name="booking_booking_final"),
            path("<int:pk>/behalten/", view(self.kept_view), name="booking_booking_kept"),
            path("<int:pk>/anfrage/", view(self.answer_view), name="booking_booking_answer"),
            path("<int:pk>/verschieben/", view(self.move_view), name="booking_booking_move"),
            path(
                "<int:pk>/nicht-erschienen/",
                view(require_POST(self.no_show_view)),
                name="booking_booking_no_show",
            ),
        ]
        return [*own, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Adding is entering by hand, on a page that asks the rules."""
        return admin.ModelAdmin.has_add_permission(self, request)

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return by_hand.enter(request, self)

    def why_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return why.why(request, self)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        booking = self.get_object(request, object_id)
        may = {
            "has_cancel_permission": self.has_cancel_permission(request),
            "has_refund_permission": self.has_refund_permission(request),
            "missable": booking is not None and booking.can_be_missed(timezone.now()),
            "money": money.box(booking) if booking and money.may_see(request.user) else None,
            "has_issue_permission": self.has_issue_permission(request),
            "papers": self._papers(booking) if self.has_papers_permission(request) else None,
            "is_billed": booking and invoicing.is_billed(booking),
            "kept_invoice": booking and billing.kept_invoice(booking),
        }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **may})

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Who may change appointments may call them off."""
        return bool(request.user.has_perm("booking.change_booking"))

    def has_refund_permission(self, request: HttpRequest) -> bool:
        """Who may decide how much money goes back."""
        may_look = self.has_view_permission(request)
        return bool(may_look and request.user.has_perm("booking.refund_deposit"))

    def has_issue_permission(self, request: HttpRequest) -> bool:
        """Who may write invoices."""
        may_look = self.has_view_permission(request)
        return bool(may_look and request.user.has_perm("booking.issue_invoice"))

    def has_papers_permission(self, request: HttpRequest) -> bool:
        """Who may read invoices; who writes them reads them."""
        may = request.user.has_perm("booking.view_invoice")
        return bool(may or self.has_issue_permission(request))

    def _papers(self, booking: Booking | None) -> QuerySet[Invoice]:
        rows = Invoice.objects.of_booking(booking) if booking else Invoice.objects.none()
        return rows.with_state().without_files()

    @admin.display(description="Termin", ordering="start")
    def when(self, booking: Booking) -> str:
        return links.when(booking)

    @admin.display(description="Widerrufe")
    def withdrawn(self, booking: Booking) -> SafeString | str:
        """Each declaration about this contract, with the way to it."""
        rows = booking.withdrawals.order_by("received_at", "pk")
        return (
            format_html_join(
                "",
                '<div><a href="{}">{}</a></div>',
                ((link.address, link.text) for link in map(_told, rows)),
            )
            or "keine"
        )

    @admin.display(description="Worum es geht", ordering="topic")
    def about(self, booking: Booking) -> str:
        return Truncator(booking.topic).chars(TOPIC_LENGTH)

    @admin.display(description="Antworten")
    def answered(self, booking: Booking) -> str | SafeString:
        """What was asked, as it was asked then, and the answers."""
        return render_to_string("admin/booking/booking/answers.html", {"answers": booking.answers})

    @admin.display(description="Zahlung")
    def paid(self, booking: Booking) -> str:
        return money.word(booking)

    @admin.display(description="Mails")
    def mails(self, booking: Booking) -> str:
        """How the ledger stands, in a word; the booking's own page tells the rest."""
        rows = list(booking.notifications.all())
        now = timezone.now()
        owed = [row for row in rows if row.is_owed_at(now)]
        if any(row.last_error for row in owed):
            return "Fehler"
        if owed:
            return "offen"
        return "verschickt" if rows else "keine"

    @admin.action(description="Absagen", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Booking]) -> HttpResponse | None:
        """Ask first, with room for a word to the guests; then call off what can be called off."""
        return cancelling.several(request, self, queryset)

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The same question and the same deed, from the booking's own page."""
        if not self.has_cancel_permission(request):
            raise PermissionDenied
        booking = get_object_or_404(self.get_queryset(request), pk=pk)
        return cancelling.one(
            request, self, booking, may_choose=self.has_refund_permission(request)
        )

    def refund_view(self, request: HttpRequest, pk: int, deposit_pk: int) -> HttpResponse:
        """Money back for whatever reason; the appointment stays as it is."""
        if not self.has_refund_permission(request):
            raise PermissionDenied
        booking = get_object_or_404(self.get_queryset(request), pk=pk)
        deposit = get_object_or_404(Deposit, pk=deposit_pk, booking=booking)
        return refunding.refund(request, self, booking, deposit)

    def address_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Whom the booking's invoices are made out to."""
        return billing.address(request, self, self._booking_to_bill(request, pk))

    def final_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Bill what is left to pay."""
        return billing.final(request, self, self._booking_to_bill(request, pk))

    def kept_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Whether what was kept is a price or damages."""
        booking = self._booking_to_bill(request, pk)
        invoice = billing.kept_invoice(booking)
        if invoice is None:
            return redirect(links.to(booking).address)
        return billing.kept(request, self, booking, invoice)

    def _booking_to_bill(self, request: HttpRequest, pk: int) -> Booking:
        if not self.has_issue_permission(request):
            raise PermissionDenied
        return get_object_or_404(Booking.objects.with_its_type(), pk=pk)

    def move_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Another time, for whoever may change appointments."""
        if not self.has_cancel_permission(request):
            raise PermissionDenied
        booking = get_object_or_404(Booking.objects.with_its_type(), pk=pk)
        return by_hand.move(request, self, booking)

    def answer_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Yes or no to a request; the same two buttons as behind the link in the mail."""
        if not self.has_cancel_permission(request):
            raise PermissionDenied
        booking = get_object_or_404(Booking.objects.with_its_type(), pk=pk)
        back, now = links.to(booking).address, timezone.now()
        if not booking.can_be_accepted(now):
            self.message_user(request, RequestOver.message, messages.WARNING)
            return redirect(back)
        if request.method == "POST":
            if "decline" in request.POST:
                note = request.POST.get("note", "").strip()[:1000]
                cancelling.call_off(request, self, [booking], note=note)
            else:
                self._accept(request, [booking])
            return redirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": "Anfrage",
            "opts": self.opts,
            "booking": booking,
            "when": self.when(booking),
            "until": booking.requested_until
            and german.when(booking.requested_until, booking.calendar.tz),
            "back": back,
        }
        return TemplateResponse(request, "admin/booking/booking/answer.html", context)

    @admin.action(description="Anfragen annehmen", permissions=["cancel"])
    def accept(self, request: HttpRequest, queryset: QuerySet[Booking]) -> None:
        self._accept(request, queryset)

    def _accept(self, request: HttpRequest, bookings: Iterable[Booking]) -> None:
        for booking in bookings:
            try:
                scheduling.accept(booking, now=timezone.now())
            except BookingError as error:
                self.message_user(request, f"{booking}: {error.message}", messages.WARNING)
            else:
                self.message_user(
                    request, f"{booking}: angenommen. Beide Seiten bekommen eine Mail."
                )

    @admin.action(description="Nicht erschienen", permissions=["cancel"])
    def mark_no_show(self, request: HttpRequest, queryset: QuerySet[Booking]) -> None:
        for booking in queryset:
            self._note_no_show(request, booking, missed=True)

    @admin.action(description="Doch erschienen", permissions=["cancel"])
    def take_no_show_back(self, request: HttpRequest, queryset: QuerySet[Booking]) -> None:
        for booking in queryset:
            self._note_no_show(request, booking, missed=False)

    def no_show_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The button on the booking's own page, which notes it or takes it back."""
        if not self.has_cancel_permission(request):
            raise PermissionDenied
        booking = get_object_or_404(self.get_queryset(request), pk=pk)
        self._note_no_show(request, booking, missed="missed" in request.POST)
        return redirect(links.to(booking).address)

    def _note_no_show(self, request: HttpRequest, booking: Booking, *, missed: bool) -> None:
        if not missed:
            attendance.take_no_show_back(booking)
            self.message_user(request, f"{booking}: doch erschienen.")
            return
        try:
            attendance.mark_no_show(booking, now=timezone.now())
        except BookingError as error:
            self.message_user(request, f"{booking}: {error.message}", messages.WARNING)
        else:
            self.message_user(request, f"{booking}: nicht erschienen.")

    def has_export_permission(self, request: HttpRequest) -> bool:
        return downloads.may_have(request, "bookings")

    @admin.action(description="CSV-Export", permissions=["export"])
    def export(self, request: HttpRequest, queryset: QuerySet[Booking]) -> HttpResponse:
        return downloads.hand_out(request, "bookings", "termine.csv", queryset)


def _told(withdrawal: Withdrawal) -> links.Link:
    """„Mo., 01.03.2027, 09:00 Uhr: offen“."""
    received = german.short_when(withdrawal.received_at, GERMAN_TIME)
    return links.Link(
        links.to(withdrawal).address, f"{received}: {withdrawal.get_status_display()}"
    )
