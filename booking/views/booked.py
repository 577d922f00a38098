"""After booking: the appointment's own page, its calendar file, and calling it off."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from booking import cancellation, mail, withdrawals
from booking.errors import BookingError, NotBooked
from booking.models import Booking, Invoice, Refund
from booking.views.visitor import find_booking, guest_of, unknown_link


@never_cache
@require_safe
def booked(request: HttpRequest, token: str) -> HttpResponse:
    """A page to bookmark: it always shows how the appointment stands."""
    booking = find_booking(token)
    if booking is None:
        return unknown_link(request)
    if booking.is_unfinished:
        return redirect("booking:review", token)
    now = timezone.now()
    withdraw_until = withdrawals.last_day(booking)
    return render(
        request,
        "booking/booked.html",
        {
            "booking": booking,
            "visitor": guest_of(booking),
            "token": token,
            "refunds": Refund.objects.of_booking(booking),
            "invoices": Invoice.objects.of_booking(booking).without_files().with_state(),
            "is_over": booking.start <= now,
            "may_move": booking.guest_may_move(now),
            "may_cancel": booking.guest_may_cancel(now),
            "withdraw_until": withdraw_until,
            "withdraw_url": mail.withdraw_url(booking),
            "withdrawing_is_over": withdraw_until is not None
            and now >= withdrawals.end_of(withdraw_until),
        },
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, token: str) -> HttpResponse:
    """Opening the link changes nothing (mail scanners open links); only its button does.

    The button brings along the sum the page promised: should it have changed since, because the
    time for a free cancellation ended, nothing happens before the guest has read the new one.
    """
    booking = find_booking(token)
    if booking is None:
        return unknown_link(request)
    now = timezone.now()
    money = _money_if_cancelled(booking, now=now)
    page: dict[str, object] = {
        "booking": booking,
        "visitor": guest_of(booking),
        "token": token,
        "money": money,
        "refunds": Refund.objects.of_booking(booking),
    }
    if request.method != "POST":
        if not (booking.is_cancelled or booking.can_be_called_off):
            page["refusal"] = NotBooked.message
        elif not (booking.is_cancelled or booking.guest_may_cancel(now)):
            page["refusal"] = cancellation.too_late(booking, now=now).message
        return render(request, "booking/cancel.html", page)
    if money is not None and request.POST.get("zurueck") != str(money["back_cents"]):
        page["has_changed"] = True
        return render(request, "booking/cancel.html", page, status=409)
    try:
        cancellation.cancel_by_guest(booking, now=now)
    except BookingError as error:
        page["refusal"] = error.message
        return render(request, "booking/cancel.html", page, status=409)
    return redirect("booking:cancel", token)


def _money_if_cancelled(booking: Booking, *, now: datetime) -> dict[str, int] | None:
    """What goes back and what stays if the guest calls it off at `now`; None where no money is."""
    there = sum(deposit.refundable_cents for deposit in booking.deposits.paid())
    if not there or not booking.guest_may_cancel(now):
        return None
    back = cancellation.refund_if_cancelled(booking, now=now)
    return {"back_cents": back, "kept_cents": there - back}


@never_cache
@require_safe
def calendar_file(request: HttpRequest, token: str) -> HttpResponse:
    booking = find_booking(token)
    if booking is None or booking.confirmed_at is None:
        return unknown_link(request)
    return HttpResponse(
        mail.calendar_file(booking),
        content_type="text/calendar; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="termin.ics"'},
    )


@never_cache
@require_safe
def invoice(request: HttpRequest, token: str, number: str) -> HttpResponse:
    """An invoice of this appointment, as it was written."""
    booking = find_booking(token)
    paper = booking and Invoice.objects.of_booking(booking).filter(number=number).first()
    if not paper:
        return unknown_link(request)
    return HttpResponse(
        bytes(paper.pdf),
        content_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{paper.file_name}"'},
    )
