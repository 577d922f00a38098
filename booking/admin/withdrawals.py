"""„Widerrufe“: what was declared, until when the money must be back, and deciding about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from booking import invoicing, withdrawals
from booking.admin import billing, links
from booking.admin.fields import EurosField
from booking.errors import BookingError, MustGoBackWhole
from booking.models import Booking, Invoice, Withdrawal, WithdrawalMail
from booking.models.withdrawals import GERMAN_TIME
from coaching_site import german
from coaching_site.desk.open_first import OpenFirst
from coaching_site.desk.read_only import ReadOnly

NOTHING = "–"
ADDRESSES_SHOWN = 10
OVERDUE = "ueberfaellig"


class OpenOrOverdue(OpenFirst):
    """Among what is open, what should have been decided by now."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        undecided, *others = super().lookups(request, model_admin)
        return [undecided, (OVERDUE, "Überfällig"), *others]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        if self.value() == OVERDUE:
            late = Withdrawal.objects.overdue(timezone.now()).values("pk")
            return super().queryset(request, queryset).filter(pk__in=late)
        return super().queryset(request, queryset)


class AcceptForm(forms.Form):
    """How much goes back, and why it is less than all."""

    amount = EurosField(label="Es gehen zurück, in Euro")
    note = forms.CharField(
        label="Warum nicht alles?",
        required=False,
        max_length=2000,
        widget=AdminTextareaWidget(attrs={"rows": 4}),
        help_text="Nur nötig, wenn du etwas behältst. Steht in der Mail.",
    )
    # What the coach saw when they decided.
    left = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, left: int, may_keep_some: bool
    ) -> None:
        super().__init__(data, initial={"amount": left, "left": left})
        self.there, self.may_keep_some = left, may_keep_some
        self.fields["amount"].help_text = f"Bezahlt und noch da: {german.euros(left)}."

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        amount = cleaned.get("amount")
        if cleaned.get("left") != self.there:
            # Shown again, the page says what holds now.
            self.data = {**self.data, "left": str(self.there)}
            raise ValidationError(
                f"Inzwischen sind {german.euros(self.there)} da. Bitte prüfe den Betrag noch einmal."
            )
        if amount is not None and amount > self.there:
            self.add_error("amount", f"Höchstens {german.euros(self.there)}.")
        elif amount is not None and amount < self.there and not self.may_keep_some:
            self.add_error("amount", MustGoBackWhole.message)
        elif amount is not None and amount < self.there and not cleaned.get("note"):
            self.add_error("note", "Schreib, warum nicht alles zurückgeht.")
        return cleaned


class ReasonForm(forms.Form):
    note = forms.CharField(
        label="Grund",
        max_length=2000,
        widget=AdminTextareaWidget(attrs={"rows": 6}),
        help_text="Steht in der Mail. Schreib freundlich und so, dass man es nachprüfen kann.",
        error_messages={"required": "Schreib den Grund."},
    )


class MatchForm(forms.Form):
    """Which booking is meant, by its number."""

    reference = forms.CharField(
        label="Buchungsnummer",
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Gib die Buchungsnummer ein."},
    )

    def clean_reference(self) -> Booking:
        number = self.cleaned_data["reference"].strip().upper()
        booking = Booking.objects.with_its_type().filter(reference=number).first()
        if booking is None:
            raise ValidationError("Diese Buchungsnummer gibt es nicht.")
        return booking


@admin.register(Withdrawal)
class WithdrawalAdmin(ReadOnly, admin.ModelAdmin[Withdrawal]):
    list_display = ["received", "name", "contract", "booking_link", "state", "due"]
    list_filter = [OpenOrOverdue]
    search_fields = ["name", "contract", "email", "booking__reference"]
    search_help_text = "Name, E-Mail-Adresse, Angaben zum Vertrag oder Buchungsnummer"
    readonly_fields = [
        *("what_to_do", "due", "state", "received", "booking_link", "match", "period"),
        *("early_start", "call", "money", "decision", "papers", "told"),
    ]
    fieldsets = [
        (None, {"fields": ["what_to_do", "due", "state"]}),
        ("Erklärung", {"fields": ["received", "name", "contract", "email", "message"]}),
        (
            "Vertrag",
            {"fields": ["booking_link", "match", "period", "early_start", "call", "money"]},
        ),
        ("Entscheidung", {"fields": ["decision", "note", "papers"]}),
        ("Mails", {"fields": ["told"]}),
    ]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<int:pk>/annehmen/", view(self.accept_view), name="booking_withdrawal_accept"),
            path(
                "<int:pk>/ohne-wirkung/",
                view(self.without_effect_view),
                name="booking_withdrawal_without_effect",
            ),
            path("<int:pk>/zuordnen/", view(self.match_view), name="booking_withdrawal_match"),
        ]
        return [*own, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Withdrawal]:
        return Withdrawal.objects.with_repetition().with_its_booking()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "title": "Widerrufe"})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        may = {"has_decide_permission": self.has_decide_permission(request)}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **may})

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("booking.decide_withdrawal"))

    # --- what the pages say -----------------------------------------------------------------------

    @admin.display(description="Eingegangen", ordering="received_at")
    def received(self, withdrawal: Withdrawal) -> str:
        return german.short_when(withdrawal.received_at, GERMAN_TIME)

    @admin.display(description="Stand", ordering="status")
    def state(self, withdrawal: Withdrawal) -> str:
        words = str(withdrawal.get_status_display())
        return f"{words}, Wiederholung" if withdrawal.is_repetition else words

    @admin.display(description="Erstatten bis", ordering="received_at")
    def due(self, withdrawal: Withdrawal) -> SafeString | str:
        """„Mo., 15.03.2027 (überfällig)“; a day, as the law counts them."""
        if not withdrawal.is_open:
            return NOTHING
        day = german.short_date(withdrawal.due_at.astimezone(GERMAN_TIME).date())
        if withdrawal.is_overdue(timezone.now()):
            return format_html("<strong>{} (überfällig)</strong>", day)
        return day

    @admin.display(description="Termin")
    def booking_link(self, withdrawal: Withdrawal) -> SafeString | str:
        if withdrawal.booking is None:
            return "nicht zugeordnet"
        link = links.to(withdrawal.booking)
        return format_html('<a href="{}">{}</a>', link.address, link.text)

    @admin.display(description="Zugeordnet")
    def match(self, withdrawal: Withdrawal) -> str:
        words = str(withdrawal.get_matched_display())
        if withdrawal.booking is None or withdrawal.is_own_address:
            return words
        return f"{words}; die Adresse ist nicht die der Buchung ({withdrawal.booking.email})"

    @admin.display(description="Frist")
    def period(self, withdrawal: Withdrawal) -> str:
        day = withdrawals.last_day(withdrawal.booking) if withdrawal.booking else None
        if day is None:
            return (
                "Zu diesem Termin gibt es kein Widerrufsrecht." if withdrawal.booking else NOTHING
            )
        inside = "in der Frist" if withdrawals.is_inside_period(withdrawal) else "nach der Frist"
        return f"Bis {german.end_of_day(day)}. Der Widerruf kam {inside}."

    @admin.display(description="Früher Beginn")
    def early_start(self, withdrawal: Withdrawal) -> str:
        booking = withdrawal.booking
        if booking is None or booking.early_start_at is None:
            return "nicht verlangt" if booking else NOTHING
        return f"verlangt: {german.short_when(booking.early_start_at, GERMAN_TIME)}"

    @admin.display(description="Gespräch")
    def call(self, withdrawal: Withdrawal) -> str:
        booking = withdrawal.booking
        if booking is None:
            return NOTHING
        if booking.is_cancelled:
            return "Der Termin ist abgesagt."
        if booking.no_show_at:
            return "Der Gast ist nicht erschienen."
        return "Hat stattgefunden." if _was_held(withdrawal) else "Steht noch bevor."

    @admin.display(description="Geld")
    def money(self, withdrawal: Withdrawal) -> str:
        if withdrawal.booking is None:
            return NOTHING
        paid = german.euros(withdrawal.booking.paid_cents)
        left = german.euros(withdrawals.refundable_cents(withdrawal.booking))
        return f"Bezahlt {paid}, noch da {left}.{_of_the_bill(withdrawal.booking)}"

    @admin.display(description="Was zu tun ist")
    def what_to_do(self, withdrawal: Withdrawal) -> str:
        return advice(withdrawal)

    @admin.display(description="Entschieden")
    def decision(self, withdrawal: Withdrawal) -> str:
        if withdrawal.decided_at is None:
            return NOTHING
        return f"{german.short_when(withdrawal.decided_at, GERMAN_TIME)}, {withdrawal.decided_by}"

    @admin.display(description="Erstattung und Stornorechnung")
    def papers(self, withdrawal: Withdrawal) -> SafeString | str:
        if withdrawal.refund is None:
            return NOTHING
        refund = withdrawal.refund
        said = f"{german.euros(refund.amount_cents)} {refund.get_status_display()}"
        found = [links.to(paper) for paper in Invoice.objects.filter(refund=refund).without_files()]
        papers = format_html_join("", ', <a href="{}">{}</a>', ((p.address, p.text) for p in found))
        return format_html("{}{}", said, papers)

    @admin.display(description="Verschickt")
    def told(self, withdrawal: Withdrawal) -> SafeString:
        rows = ((mail, _how_it_went(mail)) for mail in withdrawal.mails.all())
        return format_html_join("", "<div>{}: {}</div>", rows)

    # --- deciding ---------------------------------------------------------------------------------

    def accept_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The page names what will happen; its button does it."""
        withdrawal = self._to_decide(request, pk)
        back = links.to(withdrawal).address
        if not withdrawal.is_open or withdrawal.booking is None:
            sentence = advice(withdrawal) if withdrawal.is_open else "Das ist schon entschieden."
            messages.info(request, sentence)
            return redirect(back)
        left = withdrawals.refundable_cents(withdrawal.booking)
        form = AcceptForm(
            request.POST.dict() if request.method == "POST" else None,
            left=left,
            may_keep_some=withdrawals.may_keep_some(withdrawal),
        )
        if form.is_valid():
            asked = form.cleaned_data
            try:
                withdrawals.accept(
                    withdrawal,
                    back_cents=asked["amount"],
                    left_cents=asked["left"],
                    note=asked["note"],
                    by=request.user.get_username(),
                    now=timezone.now(),
                )
            except BookingError as error:
                messages.warning(request, error.message)
            else:
                amount = german.euros(asked["amount"])
                self.log_change(request, withdrawal, f"Angenommen, {amount} gehen zurück")
                messages.success(
                    request, f"Angenommen: {amount} gehen zurück. Die Mail ist unterwegs."
                )
            return redirect(back)
        return billing.ask(
            request,
            self,
            title="Widerruf annehmen",
            about=withdrawal,
            intro=_before_accepting(withdrawal, withdrawal.booking),
            form=form,
            fields=["amount", "note", "left"],
            submit="Annehmen",
        )

    def without_effect_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        withdrawal = self._to_decide(request, pk)
        back = links.to(withdrawal).address
        if not withdrawal.is_open:
            messages.info(request, "Das ist schon entschieden.")
            return redirect(back)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            withdrawals.find_without_effect(
                withdrawal,
                note=form.cleaned_data["note"],
                by=request.user.get_username(),
                now=timezone.now(),
            )
            self.log_change(request, withdrawal, "Ohne Wirkung")
            messages.success(request, "Vermerkt. Die Mail mit dem Grund ist unterwegs.")
            return redirect(back)
        intro = (
            "Der Widerruf bleibt gespeichert. Am Termin und am Geld ändert sich nichts.",
            f"{withdrawal.name} bekommt den Grund per Mail an {withdrawal.email}.",
        )
        return billing.ask(
            request,
            self,
            title="Widerruf ohne Wirkung",
            about=withdrawal,
            intro=intro,
            form=form,
            fields=["note"],
            submit="Ohne Wirkung, Mail schicken",
        )

    def match_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Which appointment is meant, in the coach's eyes."""
        withdrawal = self._to_decide(request, pk)
        form = MatchForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            booking = form.cleaned_data["reference"]
            try:
                withdrawals.match_by_hand(withdrawal, booking, now=timezone.now())
            except BookingError as error:
                messages.warning(request, error.message)
            else:
                self.log_change(request, withdrawal, f"Zugeordnet: {booking.reference}")
                messages.success(request, f"Zugeordnet: {links.to(booking).text}.")
            return redirect(links.to(withdrawal).address)
        return billing.ask(
            request,
            self,
            title="Termin zuordnen",
            about=withdrawal,
            intro=_before_matching(withdrawal),
            form=form,
            fields=["reference"],
            submit="Zuordnen",
        )

    def _to_decide(self, request: HttpRequest, pk: int) -> Withdrawal:
        if not self.has_decide_permission(request):
            raise PermissionDenied
        return get_object_or_404(Withdrawal.objects.with_repetition().with_its_booking(), pk=pk)


def advice(withdrawal: Withdrawal) -> str:
    """What the coach does next, in one or two sentences."""
    booking = withdrawal.booking
    if not withdrawal.is_open:
        return "Nichts mehr, es ist entschieden."
    if booking is None:
        return (
            "Ordne den Widerruf einem Termin zu. Findest du keinen, frag nach; "
            "gibt es wirklich keinen Vertrag, entscheide „Ohne Wirkung“."
        )
    if not withdrawals.is_inside_period(withdrawal):
        return (
            "Der Widerruf kam nicht in der Frist, oder es gibt kein Widerrufsrecht. "
            "Du darfst ihn trotzdem annehmen; sonst entscheide „Ohne Wirkung“."
        )
    if _was_held(withdrawal) and booking.early_start_at is None:
        return (
            "Nimm ihn an. Das Gespräch hat schon stattgefunden, aber der Gast hatte nicht verlangt, "
            "dass du vor Ablauf der Frist beginnst: Es geht alles zurück."
        )
    if _was_held(withdrawal):
        return (
            "Das Gespräch hat schon stattgefunden, und der Gast hatte verlangt, dass du vor Ablauf der "
            "Frist beginnst. Was du erbracht hast, darfst du anteilig behalten; war es ganz erbracht, "
            "kann das Widerrufsrecht erloschen sein. Frag im Zweifel nach."
        )
    return "Nimm ihn an: Der Termin wird abgesagt, und das Geld geht zurück."


def _of_the_bill(booking: Booking) -> str:
    """What becomes of an invoice for the rest: an unpaid one falls away, a paid one needs a person."""
    bill = invoicing.unpaid_bill(booking)
    if bill is not None:
        return f" {bill} ist unbezahlt und wird storniert, sobald du den Widerruf annimmst."
    if invoicing.is_billed(booking):
        return (
            " Der Rest ist überwiesen: Überweise ihn zurück und storniere seine Rechnung von Hand."
        )
    return ""


def _was_held(withdrawal: Withdrawal) -> bool:
    booking = withdrawal.booking
    return (
        booking is not None
        and booking.is_confirmed
        and booking.no_show_at is None
        and booking.start <= withdrawal.received_at
    )


def _before_accepting(withdrawal: Withdrawal, booking: Booking) -> Iterator[str]:
    yield f"{booking.name}, {links.when(booking)} ({booking.get_status_display()})."
    yield advice(withdrawal)
    yield (
        "Der Termin wird abgesagt und die Zeit frei. Das Geld geht auf dem Weg zurück, auf dem es kam; "
        "die Stornorechnung wird geschrieben, sobald Stripe die Erstattung bestätigt."
    )
    yield f"{withdrawal.name} bekommt die Mail dazu an {withdrawal.email}. Das lässt sich nicht zurückholen."
    if booking.is_disputed:
        yield "Die Zahlung wird gerade bestritten: So lange geht von ihr nichts zurück."


def _before_matching(withdrawal: Withdrawal) -> Iterator[str]:
    yield f"Angegeben ist: {withdrawal.contract}"
    known = Booking.objects.with_its_type().of_address(withdrawal.email)[:ADDRESSES_SHOWN]
    for booking in known:
        state = booking.get_status_display()
        yield f"Mit dieser Adresse gebucht: {booking.reference}, {links.when(booking)} ({state})"
    if not known:
        yield f"Mit der Adresse {withdrawal.email} gibt es keine Buchung."


def _how_it_went(mail: WithdrawalMail) -> str:
    if mail.sent_at:
        return f"verschickt, {german.short_when(mail.sent_at, GERMAN_TIME)}"
    if mail.failed_at:
        return f"nicht zustellbar ({mail.last_error})"
    return "wird verschickt"
