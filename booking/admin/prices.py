"""The price of a type of call and what calling it off costs, typed in euros."""

from __future__ import annotations

from typing import Any

from django import forms

from booking.admin.fields import LEAST_CENTS, EurosField
from booking.models import CallType
from coaching_site import german


class CallTypeForm(forms.ModelForm[CallType]):
    price_cents = EurosField(
        initial=0,
        label="Preis in Euro",
        help_text="Gesamtpreis inkl. Steuer; 0,00 heißt kostenlos. Mit Preis wird beim Buchen über "
        "Stripe bezahlt.",
    )
    deposit_cents = EurosField(
        initial=0,
        label="Anzahlung in Euro",
        help_text="Der Teil des Preises, der beim Buchen bezahlt und später angerechnet wird. "
        "0,00: der ganze Preis.",
    )
    cancel_keep_cents = EurosField(
        initial=0,
        label="Danach behalten: fester Betrag in Euro",
        help_text="Kommt zum Prozentsatz dazu.",
    )

    class Meta:
        model = CallType
        fields = "__all__"  # noqa: DJ007, the admin's fieldsets choose

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        price, deposit = cleaned.get("price_cents"), cleaned.get("deposit_cents")
        if price is None or deposit is None:
            return cleaned
        if deposit > price:
            self.add_error("deposit_cents", "Die Anzahlung ist höher als der Preis.")
        elif 0 < (deposit or price) < LEAST_CENTS:
            name = "deposit_cents" if deposit else "price_cents"
            self.add_error(name, f"Stripe nimmt Zahlungen ab {german.euros(LEAST_CENTS)}.")
        if price and cleaned.get("needs_approval"):
            self.add_error("needs_approval", "Anfragen gibt es nur bei kostenlosen Gesprächen.")
        return cleaned
