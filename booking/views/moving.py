"""Another time for an appointment: the same days and times, then one question with one button."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from functools import wraps
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from booking import availability, feeds_sync, mail, orders, scheduling
from booking.errors import NotMovable, SlotRefused, TooLateToMove
from booking.forms import EarlyStartForm
from booking.models import Booking
from booking.slots import Interval
from booking.views import choosing
from booking.views.visitor import find_booking, mover_of, unknown_link


def _of_an_appointment(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Opens the view to whoever may move; everybody else reads how the appointment stands."""

    @never_cache
    @wraps(view)
    def open_it(request: HttpRequest, token: str, **asked: Any) -> HttpResponse:
        booking = find_booking(token)
        if booking is None:
            return unknown_link(request)
        if not booking.is_confirmed:
            return redirect("booking:booked", token)
        try:
            scheduling.still_movable(booking, by=Booking.Side.GUEST, now=timezone.now())
        except (NotMovable, TooLateToMove) as error:
            page = {"token": token, "refusal": error.message}
            status = 409 if request.method == "POST" else 200
            return render(request, "booking/move.html", page, status=status)
        return view(request, booking, **asked)

    return open_it


@require_safe
@_of_an_appointment
def days(request: HttpRequest, booking: Booking) -> HttpResponse:
    visitor, now = mover_of(request, booking), timezone.now()
    return choosing.days_page(request, booking.call_type, visitor, now=now)


@require_safe
@_of_an_appointment
def times(request: HttpRequest, booking: Booking, day: date) -> HttpResponse:
    visitor, now = mover_of(request, booking), timezone.now()
    return choosing.times_page(request, booking.call_type, visitor, day=day, now=now)


@require_http_methods(["GET", "HEAD", "POST"])
@_of_an_appointment
def review(request: HttpRequest, booking: Booking, start: datetime) -> HttpResponse:
    """Opening the page changes nothing; its button moves."""
    now, call_type, token = timezone.now(), booking.call_type, mail.token(booking)
    if start == booking.start:
        return redirect("booking:booked", token)
    page: dict[str, object] = {
        "booking": booking,
        "call_type": call_type,
        "slot": Interval(start, start + call_type.duration),
        "visitor": mover_of(request, booking),
        "token": token,
    }
    is_sent = request.method == "POST"
    asks = booking.early_start_at is None and orders.must_ask_for_early_start(
        booking, start=start, now=now
    )
    form = EarlyStartForm(request.POST if is_sent else None) if asks else None
    page["form"] = form
    try:
        if is_sent:
            if form is not None and not form.is_valid():
                return render(request, "booking/move.html", page, status=422)
            feeds_sync.freshen(booking.calendar, now=now)
            with transaction.atomic():
                scheduling.move(booking, start=start, by=Booking.Side.GUEST, now=now)
                if form is not None:
                    orders.ask_for_early_start(booking, now=now)
            return redirect("booking:booked", token)
        availability.check(call_type, start=start, now=now, besides=booking)
    except SlotRefused as error:
        page["refusal"] = error.message
        page["offers"] = availability.next_offers(call_type, now=now, after=start, besides=booking)
        return render(request, "booking/move.html", page, status=409)
    except (NotMovable, TooLateToMove):
        # Called off or begun since the page was opened: its own page says how it stands.
        return redirect("booking:booked", token)
    return render(request, "booking/move.html", page)
