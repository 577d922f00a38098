"""„Absagen“: who calls it off, and what goes back of the money. The page names the sum first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME, AdminForm
from django.contrib.admin.widgets import AdminRadioSelect, AdminTextareaWidget
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from booking import cancellation
from booking.admin import links, money
from booking.admin.fields import EurosField
from booking.errors import BookingError, NotBooked
from booking.models import Booking, Deposit
from coaching_site import german

COACH, GUEST = "coach", "guest"
ALL, TERMS, OTHER, NONE = "all", "terms", "other", "none"


class CancelForm(forms.Form):
    """A word to the guest; for a paid appointment also who calls it off and what goes back."""

    who = forms.ChoiceField(
        label="Wer sagt ab?",
        widget=AdminRadioSelect(attrs={"class": "radiolist"}),
        initial=COACH,
    )
    back = forms.ChoiceField(
        label="Wenn der Gast absagt, geht zurück",
        widget=AdminRadioSelect(attrs={"class": "radiolist"}),
        initial=TERMS,
        required=False,
    )
    amount = EurosField(label="Anderer Betrag in Euro", required=False)
    # What the page said goes back by the terms; they change as time goes by.
    terms = forms.IntegerField(widget=forms.HiddenInput, required=False)
    note = forms.CharField(
        label="Nachricht (optional)",
        required=False,
        max_length=1000,
        widget=AdminTextareaWidget(attrs={"rows": 4}),
        help_text="Steht in der Mail an den Gast.",
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        booking: Booking,
        may_choose: bool,
        sees_money: bool,
        now: datetime,
    ) -> None:
        self.sees_money = sees_money
        self.left = money.refundable_cents(booking)
        self.is_disputed = money.is_disputed(booking)
        self.by_terms = min(self.left, cancellation.refund_if_cancelled(booking, now=now))
        super().__init__(data, initial={"terms": self.by_terms})
        if not any(each.is_paid for each in booking.deposits.all()):
            self._keep_only(["note"])
        elif not self.left:
            self._keep_only(["who", "note"])
        if not sees_money:
            self.fields.pop("terms", None)
        self._offer(may_choose and sees_money)

    def _keep_only(self, names: list[str]) -> None:
        self.fields = {name: self.fields[name] for name in names}

    def _offer(self, may_choose: bool) -> None:
        """The choices, each with its exact sum for those who may know it."""
        everything = german.euros(self.left)
        goes_back = "stehen dem Gast zu" if self.is_disputed else "gehen zurück"
        by_coach = f"Ich sage ab: {everything} {goes_back}"
        by_terms = f"nach den Bedingungen: {german.euros(self.by_terms)}"
        if not self.sees_money:
            by_coach, by_terms = "Die Praxis sagt ab: Es geht alles zurück", "nach den Bedingungen"
        if "who" in self.fields:
            self._choices("who", [(COACH, by_coach), (GUEST, "Der Gast hat abgesagt")])
        if "back" not in self.fields:
            return
        if may_choose:
            others = [(OTHER, "ein anderer Betrag"), (NONE, "nichts")]
            self._choices("back", [(TERMS, by_terms), (ALL, f"alles: {everything}"), *others])
            self.fields[
                "amount"
            ].help_text = f"Nur für „ein anderer Betrag“, höchstens {everything}."
        else:
            self._choices("back", [(TERMS, by_terms)])
            del self.fields["amount"]

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    @property
    def asks_about_money(self) -> bool:
        return "back" in self.fields

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("who") != GUEST or not self.asks_about_money or "back" in self.errors:
            return cleaned
        back, amount = cleaned.get("back"), cleaned.get("amount")
        if not back:
            self.add_error("back", "Wähle, was zurückgeht.")
        elif back == TERMS and self.sees_money and cleaned.get("terms") != self.by_terms:
            self.add_error(
                "back", f"Inzwischen sind es {german.euros(self.by_terms)}. Bitte bestätige das."
            )
        elif back == OTHER and "amount" not in self.errors:
            if not amount:
                self.add_error("amount", "Gib den Betrag ein, der zurückgeht.")
            elif amount > self.left:
                self.add_error(
                    "amount", f"Höchstens {german.euros(self.left)} lassen sich erstatten."
                )
        return cleaned

    @property
    def is_by_guest(self) -> bool:
        return self.cleaned_data.get("who") == GUEST

    @property
    def refund_cents(self) -> int:
        """What goes back when the guest called it off."""
        amounts = {ALL: self.left, TERMS: self.by_terms, OTHER: self.cleaned_data.get("amount")}
        return amounts.get(self.cleaned_data.get("back", NONE)) or 0

    def as_admin_form(self) -> AdminForm:
        shown = [name for name, field in self.fields.items() if not field.widget.is_hidden]
        # The stubs ask for a ModelForm; the class itself shows any form.
        return AdminForm(cast("Any", self), [(None, {"fields": shown})], {})


def one(
    request: HttpRequest, desk: ModelAdmin[Booking], booking: Booking, *, may_choose: bool
) -> HttpResponse:
    """From the booking's own page: who, how much, and a word."""
    back, now = links.to(booking).address, timezone.now()
    data = request.POST if request.method == "POST" else None
    form = CancelForm(
        data,
        booking=booking,
        may_choose=may_choose,
        sees_money=money.may_see(request.user),
        now=now,
    )
    if form.is_valid():
        call_off(request, desk, [booking], note=form.cleaned_data["note"], form=form)
        return redirect(back)
    if form.is_bound:
        # Shown again, the page says what holds now.
        shown = request.POST.copy()
        shown["terms"] = str(form.by_terms)
        form.data = shown
    return _page(request, desk, [booking], back, form=form)


def several(
    request: HttpRequest, desk: ModelAdmin[Booking], bookings: QuerySet[Booking]
) -> HttpResponse | None:
    """From the list: the coach calls them off, and everything goes back."""
    if "yes" in request.POST:
        call_off(request, desk, bookings, note=request.POST.get("note", "").strip()[:1000])
        return None
    back = reverse("admin:booking_booking_changelist")
    return _page(request, desk, bookings, back)


def call_off(
    request: HttpRequest,
    desk: ModelAdmin[Booking],
    bookings: Iterable[Booking],
    *,
    note: str,
    form: CancelForm | None = None,
) -> None:
    """Call off what can be called off, and say what goes back."""
    done = back = 0
    for booking in bookings:
        before = _gone_back(booking)
        try:
            _cancel(booking, note=note, who=request.user.get_username(), form=form)
        except NotBooked:
            desk.message_user(
                request, f"{booking}: Hier gibt es nichts abzusagen.", messages.WARNING
            )
        except BookingError as error:
            desk.message_user(request, f"{booking}: {error.message}", messages.WARNING)
        else:
            done += 1
            back += _gone_back(booking) - before
    if done:
        says_how_much = back and money.may_see(request.user)
        money_back = f" Es gehen {german.euros(back)} zurück." if says_how_much else ""
        desk.message_user(
            request, f"Abgesagt: {done}. Beide Seiten bekommen eine Mail.{money_back}"
        )


def _cancel(booking: Booking, *, note: str, who: str, form: CancelForm | None) -> None:
    now = timezone.now()
    if form is not None and form.is_by_guest:
        cancellation.cancel_for_guest(
            booking, refund_cents=form.refund_cents, note=note, who=who, now=now
        )
    else:
        cancellation.cancel_by_coach(booking, note=note, who=who, now=now)


def _gone_back(booking: Booking) -> int:
    # Asked anew, as what was prefetched is from before.
    return money.sums(Deposit.objects.filter(booking=booking))[1]


def _page(
    request: HttpRequest,
    desk: ModelAdmin[Booking],
    bookings: Iterable[Booking],
    back: str,
    form: CancelForm | None = None,
) -> HttpResponse:
    sees_money = money.may_see(request.user)
    rows = [
        (each, links.when(each), money.sendable_cents(each) if sees_money else 0)
        for each in bookings
    ]
    context = {
        **desk.admin_site.each_context(request),
        "title": "Absagen",
        "opts": desk.opts,
        "rows": rows,
        "total": sum(cents for *_, cents in rows),
        "disputed": any(money.is_disputed(each) for each, *_ in rows),
        "back": back,
        "form": form,
        "admin_form": form.as_admin_form() if form else None,
        "checkbox_name": "" if form else ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/booking/booking/cancel.html", context)
