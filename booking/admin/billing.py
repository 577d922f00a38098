"""From a booking's page to its papers: whom to bill, what is left to bill, what a kept sum is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.widgets import AdminRadioSelect
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from booking import invoice_drafts, invoicing
from booking.admin import links
from booking.errors import BookingError
from booking.models import BillingAddress, Booking, Invoice, Withdrawal
from coaching_site import german
from pages.models import Practice


class AddressForm(forms.ModelForm[BillingAddress]):
    class Meta:
        model = BillingAddress
        fields = ("name", "company", "street", "postal_code", "city", "country", "vat_id")


class KeptForm(forms.Form):
    """What the kept money is in law; the page says who knows."""

    kind = forms.ChoiceField(
        label="Der behaltene Betrag ist",
        widget=AdminRadioSelect(attrs={"class": "radiolist"}),
        choices=Practice.KeptDeposit.choices,
    )


def address(request: HttpRequest, desk: ModelAdmin[Booking], booking: Booking) -> HttpResponse:
    """Whom the booking's invoices are made out to from now on."""
    known = BillingAddress.objects.filter(booking=booking).first()
    row = known or BillingAddress(booking=booking, name=booking.name, company=booking.company)
    form = AddressForm(request.POST or None, instance=row)
    if form.is_valid():
        form.save()
        desk.log_change(request, booking, "Rechnungsanschrift geändert")
        messages.success(request, "Die Anschrift ist gespeichert. Sie gilt für neue Rechnungen.")
        return redirect(links.to(booking).address)
    intro = (
        "Ab 250,00 € muss sie auf der Rechnung stehen. Was schon geschrieben ist, ändert sich nicht.",
    )
    return ask(
        request,
        desk,
        title="Rechnungsanschrift",
        about=booking,
        intro=intro,
        form=form,
        fields=AddressForm.Meta.fields,
        submit="Speichern",
    )


def final(request: HttpRequest, desk: ModelAdmin[Booking], booking: Booking) -> HttpResponse:
    """Name the amounts first; the button bills what the page has named."""
    now, back = timezone.now(), links.to(booking).address
    try:
        if request.method == "POST":
            seen = request.POST.get("gross", "")
            cents = int(seen) if seen.isdecimal() else -1
            invoice = invoicing.issue_final(booking, gross_cents=cents, now=now)
            messages.success(request, f"Geschrieben: {invoice}. Der Gast bekommt sie per Mail.")
            desk.log_change(request, booking, f"{invoice} geschrieben")
            return redirect(back)
        draft = invoicing.draft_final(booking, now=now)
    except BookingError as error:
        messages.warning(request, error.message)
        return redirect(back)
    context = {
        **desk.admin_site.each_context(request),
        "title": f"{draft.title} erstellen",
        "opts": desk.opts,
        "booking": booking,
        "when": links.when(booking),
        "draft": draft,
        "back": back,
    }
    return TemplateResponse(request, "admin/booking/booking/final.html", context)


def kept(
    request: HttpRequest, desk: ModelAdmin[Booking], booking: Booking, invoice: Invoice
) -> HttpResponse:
    """A sum that was kept after a cancellation or a no-show: price or damages."""
    back = links.to(booking).address
    form = KeptForm(request.POST or None, initial={"kind": Practice.current().kept_deposit})
    if form.is_valid():
        if form.cleaned_data["kind"] == Practice.KeptDeposit.PRICE:
            messages.info(request, f"{invoice} bleibt, wie sie ist.")
            return redirect(back)
        try:
            papers = invoicing.bill_as_damages(invoice, now=timezone.now())
        except BookingError as error:
            messages.warning(request, error.message)
        else:
            said = " und ".join(map(str, papers))
            messages.success(request, f"Geschrieben: {said}. Der Gast bekommt sie per Mail.")
            desk.log_change(request, booking, f"{said} geschrieben")
        return redirect(back)
    standing = german.euros(invoice_drafts.standing_of(invoice).gross)
    intro = (
        f"{standing} sind nach {invoice} noch da.",
        "Als Entgelt bleibt die Rechnung mit ihrer Umsatzsteuer. Als Schadensersatz wird sie "
        "storniert und eine Rechnung ohne Umsatzsteuer geschrieben.",
        "Was richtig ist, hängt von deinem Vertrag ab: Frag deine Steuerberatung.",
    )
    return ask(
        request,
        desk,
        title="Behaltenes Geld abrechnen",
        about=booking,
        intro=intro,
        form=form,
        fields=["kind"],
        submit="Abrechnen",
    )


def kept_invoice(booking: Booking) -> Invoice | None:
    """The taxed invoice of money that was kept although no call took place; None if there is none."""
    if not (booking.is_cancelled or booking.no_show_at):
        return None
    papers = Invoice.objects.filter(booking=booking, deposit__isnull=False).live()
    return papers.exclude(vat=Invoice.Vat.NOT_TAXABLE).without_files().first()


def ask(
    request: HttpRequest,
    desk: ModelAdmin[Any],
    *,
    title: str,
    about: Booking | Invoice | Withdrawal,
    intro: Iterable[str],
    form: forms.BaseForm,
    fields: Sequence[str],
    submit: str,
) -> HttpResponse:
    """A page of its own with a few sentences, a form and one button."""
    context: dict[str, Any] = {
        **desk.admin_site.each_context(request),
        "title": title,
        "opts": desk.opts,
        "about": links.to(about),
        "intro": list(intro),
        "form": form,
        # The stubs ask for a ModelForm; the class itself shows any form.
        "admin_form": AdminForm(cast("Any", form), [(None, {"fields": list(fields)})], {}),
        "submit": submit,
    }
    return TemplateResponse(request, "admin/booking/ask.html", context)
