"""„Termin von Hand eintragen“ and „Termin verschieben“: for what was agreed on the phone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from booking import by_hand
from booking.admin import links
from booking.admin.forms import ByHandForm, MoveForm, TimeForm
from booking.by_hand import Objections
from booking.errors import BookingError
from booking.models import Booking


def enter(request: HttpRequest, desk: ModelAdmin[Booking]) -> HttpResponse:
    """Ask for call, time and guest; name what speaks against it; book."""
    now = timezone.now()
    is_filled_in = request.method == "POST" and "prefill" not in request.POST
    form = ByHandForm(request.POST) if is_filled_in else _prefilled(request)
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
    words = {
        "title": "Termin von Hand eintragen",
        "not_yet": "Noch nicht eingetragen",
        "button": "Eintragen",
        "back": reverse("admin:booking_booking_changelist"),
    }
    return _page(request, desk, form, objections, words)


def move(request: HttpRequest, desk: ModelAdmin[Booking], booking: Booking) -> HttpResponse:
    """Ask for another time; name what speaks against it; move."""
    now = timezone.now()
    there = links.to(booking).address
    if request.method == "POST":
        form = MoveForm(request.POST, booking=booking)
    else:
        local = booking.start.astimezone(booking.calendar.tz)
        form = MoveForm(booking=booking, initial={"day": local.date(), "time": local.time()})
    objections: Objections | None = None
    if form.is_valid():
        try:
            moved = by_hand.move(
                booking, start=form.start, override=form.cleaned_data["override"], now=now
            )
        except Objections as error:
            objections = error
        except BookingError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, _moved(booking, moved, now=now))
            return redirect(there)
    words = {
        "title": "Termin verschieben",
        "lead": f"{booking.name}, bisher {links.when(booking)}.",
        "not_yet": "Noch nicht verschoben",
        "button": "Verschieben",
        "back": there,
    }
    return _page(request, desk, form, objections, words)


def _page(
    request: HttpRequest,
    desk: ModelAdmin[Booking],
    form: TimeForm,
    objections: Objections | None,
    words: dict[str, str],
) -> HttpResponse:
    context: dict[str, Any] = {
        **desk.admin_site.each_context(request),
        **words,
        "opts": desk.opts,
        "form": form,
        "admin_form": form.as_admin_form(),
        "objections": objections,
        "findings": links.with_links(objections.findings if objections else []),
    }
    return TemplateResponse(request, "admin/booking/booking/by_hand.html", context)


def _prefilled(request: HttpRequest) -> ByHandForm:
    """An empty form, with the call and the time the address asks for, or a guest who is known.

    Who it is comes in a form with a button `prefill`: names and addresses do not belong into URLs.
    """
    times = ("call_type", "day", "time", "showing")
    guest = ("name", "email", "phone", "company")
    known = {name: request.GET[name] for name in times if name in request.GET}
    known |= {name: request.POST[name] for name in guest if name in request.POST}
    return ByHandForm(initial=known)


def _moved(before: Booking, moved: Booking, *, now: datetime) -> str:
    if before.start == moved.start:
        return "Der Termin ist schon zu dieser Zeit."
    mail = "Beide Seiten bekommen eine Mail." if moved.start > now else "Es geht keine Mail hinaus."
    return f"Verschoben: {moved.name}, {links.when(moved)}. {mail}"


def _done(booking: Booking) -> str:
    told = any(booking.notifications.all())
    mail = "Die Bestätigung geht an den Gast." if told else "Es geht keine Bestätigung an den Gast."
    waived = " Ohne Online-Zahlung." if booking.deposit_waived else ""
    return f"Eingetragen: {booking.name}, {links.when(booking)}.{waived} {mail}"
