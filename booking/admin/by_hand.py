"""„Termin von Hand eintragen“ and „Termin verschieben“: for what was agreed on the phone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from booking import availability, by_hand, slots
from booking.admin import links
from booking.admin.forms import ByHandForm, MoveForm, TimeForm
from booking.by_hand import Objections
from booking.errors import BookingError
from booking.models import Booking
from booking.slots import Interval
from coaching_site import german

# Of so many days the free times stand side by side; the next ones are a link away.
DAYS_OFFERED = 7


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
        # A button of a free time says all that the fields would.
        slot = request.POST.get("slot")
        form = MoveForm(_typed(slot, booking) if slot else request.POST, booking=booking)
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
    return _page(request, desk, form, objections, words, **_offers(request, booking, now=now))


def _page(
    request: HttpRequest,
    desk: ModelAdmin[Booking],
    form: TimeForm,
    objections: Objections | None,
    words: dict[str, str],
    **more: object,
) -> HttpResponse:
    context: dict[str, Any] = {
        **desk.admin_site.each_context(request),
        **words,
        **more,
        "opts": desk.opts,
        "form": form,
        "admin_form": form.as_admin_form(),
        "objections": objections,
        "findings": links.with_links(objections.findings if objections else []),
    }
    return TemplateResponse(request, "admin/booking/booking/by_hand.html", context)


def _offers(request: HttpRequest, booking: Booking, *, now: datetime) -> dict[str, object]:
    """The free times of the next days that have some, from the day on the address asks for."""
    zone = booking.calendar.tz
    offers = availability.offered_slots(booking.call_type, now=now, besides=booking)
    days = slots.by_day(offers, zone)
    try:
        first = date.fromisoformat(request.GET.get("ab", ""))
    except ValueError:
        first = date.min
    coming = [day for day in days if day >= first]
    shown, later = coming[:DAYS_OFFERED], coming[DAYS_OFFERED:]
    return {
        "offers": [
            (day, [(slot.start, _clock(slot, zone)) for slot in days[day]]) for day in shown
        ],
        "later": later[0] if later else None,
        "is_later": len(coming) < len(days),
    }


def _clock(slot: Interval, zone: ZoneInfo) -> str:
    """„09:00 Uhr“, with the zone's mark where the clock shows it twice."""
    clock = german.clock(slot.start, zone)
    wall = slot.start.astimezone(zone).replace(tzinfo=None)
    is_doubled = len(slots.showings(wall, zone)) > 1
    return f"{clock} ({german.zone_mark(zone, slot.start)})" if is_doubled else clock


def _typed(slot: str, booking: Booking) -> dict[str, str]:
    """What somebody would have typed who means this instant; nothing if it is none."""
    try:
        start = datetime.fromisoformat(slot).astimezone(UTC)
        wall = start.astimezone(booking.calendar.tz).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return {}
    showing = slots.showings(wall, booking.calendar.tz).index(start) + 1
    return {
        "day": wall.date().isoformat(),
        "time": wall.time().isoformat("minutes"),
        "showing": str(showing),
    }


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
