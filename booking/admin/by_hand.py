"""„Termin von Hand eintragen“: for the call agreed on the phone."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from booking import by_hand
from booking.admin import links
from booking.admin.forms import ByHandForm
from booking.by_hand import Objections
from booking.errors import BookingError
from booking.models import Booking


def enter(request: HttpRequest, desk: ModelAdmin[Booking]) -> HttpResponse:
    """Ask for call, time and guest; name what speaks against it; book."""
    now = timezone.now()
    form = ByHandForm(request.POST) if request.method == "POST" else _prefilled(request)
    objections: Objections | None = None
    if form.is_valid():
        try:
            booking = by_hand.book(
                form.cleaned_data["call_type"],
                start=form.start,
                guest=form.guest(),
                form_token=form.cleaned_data["form_token"],
                override=form.cleaned_data["override"],
                tell_guest=form.cleaned_data["tell_guest"],
                now=now,
            )
        except Objections as error:
            objections = error
        except BookingError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, _done(booking))
            return redirect(links.to(booking).address)
    context: dict[str, Any] = {
        **desk.admin_site.each_context(request),
        "title": "Termin von Hand eintragen",
        "opts": desk.opts,
        "form": form,
        "admin_form": form.as_admin_form(),
        "objections": objections,
        "findings": links.with_links(objections.findings if objections else []),
    }
    return TemplateResponse(request, "admin/booking/booking/by_hand.html", context)


def _prefilled(request: HttpRequest) -> ByHandForm:
    """An empty form, with the call and the time the address asks for."""
    fields = ("call_type", "day", "time", "showing")
    return ByHandForm(initial={name: request.GET[name] for name in fields if name in request.GET})


def _done(booking: Booking) -> str:
    told = any(booking.notifications.all())
    mail = "Die Bestätigung geht an den Gast." if told else "Es geht keine Bestätigung an den Gast."
    return f"Eingetragen: {booking.name}, {links.when(booking)}. {mail}"
