"""„Erstatten“: how much, then once more what will happen, then it is done once."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import AdminForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from booking import deposits
from booking.admin import links, money
from booking.admin.fields import EurosField
from booking.errors import BookingError
from booking.models import Booking, Deposit
from coaching_site import german


class RefundForm(forms.Form):
    """How much goes back, and what the coach saw when they decided that."""

    amount = EurosField(label="Betrag in Euro")
    # The form's own mark: one form is one refund. A mangled one is refused.
    key = forms.UUIDField(widget=forms.HiddenInput)
    left = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(self, deposit: Deposit, data: Mapping[str, Any] | None = None) -> None:
        left = deposit.refundable_cents
        super().__init__(data, initial={"amount": left, "key": uuid.uuid4(), "left": left})
        self.fields[
            "amount"
        ].help_text = f"Höchstens {german.euros(left)}. Der Termin bleibt, wie er ist."

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        left, amount = cleaned.get("left"), cleaned.get("amount")
        if left is None or "key" not in cleaned:
            self.add_error(None, "Diese Seite ist veraltet. Bitte öffne sie noch einmal.")
        elif amount == 0:
            self.add_error("amount", "Gib einen Betrag über 0,00 ein.")
        elif amount is not None and amount > left:
            self.add_error("amount", f"Höchstens {german.euros(left)} lassen sich erstatten.")
        return cleaned

    def as_admin_form(self) -> AdminForm:
        # The stubs ask for a ModelForm; the class itself shows any form.
        return AdminForm(cast("Any", self), [(None, {"fields": ["amount"]})], {})


def refund(
    request: HttpRequest, desk: ModelAdmin[Booking], booking: Booking, deposit: Deposit
) -> HttpResponse:
    """Ask how much, name what will happen, do it once."""
    back, now = links.to(booking).address, timezone.now()
    form = RefundForm(deposit, request.POST if request.method == "POST" else None)
    is_sure = form.is_valid() and "yes" in request.POST
    if is_sure and _send(request, desk, booking, deposit, form, now=now):
        return redirect(back)
    why_not = money.why_no_refund(deposit)
    if why_not:
        messages.warning(request, f"Nichts erstattet: {why_not}")
        return redirect(back)
    if form.is_valid() and not is_sure and "change" not in request.POST:
        return _page(request, desk, booking, form, "confirm_refund", back)
    return _page(request, desk, booking, _fresh(request, form, deposit), "refund", back)


def _send(
    request: HttpRequest,
    desk: ModelAdmin[Booking],
    booking: Booking,
    deposit: Deposit,
    form: RefundForm,
    *,
    now: datetime,
) -> bool:
    """Whether it is on its way; if not, the form says why."""
    asked = form.cleaned_data
    try:
        deposits.refund_by_hand(
            deposit,
            asked["amount"],
            by=request.user.get_username(),
            key=asked["key"],
            left_cents=asked["left"],
            now=now,
        )
    except BookingError as error:
        deposit.refresh_from_db()
        form.add_error("amount", error.message)
        return False
    amount = german.euros(asked["amount"])
    desk.log_change(request, booking, f"Erstattung von {amount} beauftragt")
    messages.success(
        request,
        f"Beauftragt: {amount} gehen an {booking.name} zurück. "
        "Sobald Stripe es bestätigt, bekommt der Gast eine Mail.",
    )
    return True


def _fresh(request: HttpRequest, form: RefundForm, deposit: Deposit) -> RefundForm:
    """The form to be shown again: what was typed stays, what was seen is what is there now."""
    again = RefundForm(deposit)
    if not form.is_bound:
        return again
    shown = request.POST.copy()
    for name in ("left", "key"):
        shown[name] = str(again.initial[name])
    form.data = shown
    form.fields["amount"].help_text = again.fields["amount"].help_text
    return form


def _page(
    request: HttpRequest,
    desk: ModelAdmin[Booking],
    booking: Booking,
    form: RefundForm,
    template: str,
    back: str,
) -> HttpResponse:
    context = {
        **desk.admin_site.each_context(request),
        "title": "Erstatten",
        "opts": desk.opts,
        "booking": booking,
        "when": links.when(booking),
        "form": form,
        "admin_form": form.as_admin_form(),
        "amount": form.cleaned_data.get("amount") if form.is_bound else None,
        "back": back,
    }
    return TemplateResponse(request, f"admin/booking/booking/{template}.html", context)
