"""Step 4: everything at a glance, then one button, which books or leads to the payment."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from booking import availability, checkout, feeds_sync, scheduling
from booking.errors import (
    AlreadyCancelled,
    BeingPaid,
    EarlyStartMissing,
    HoldRanOut,
    OrderChanged,
    PaymentsAway,
    PaymentsRefused,
    PaymentUnclear,
    RequestOver,
    SlotRefused,
)
from booking.models import Booking
from booking.views.ordering import Ordering, ordering
from booking.views.visitor import find_booking, guest_of, kindly_if_over, unknown_link


class SeeOther(HttpResponseRedirect):
    """To Stripe with GET, whatever the browser makes of a redirect; it must not send the form on."""

    status_code = HTTPStatus.SEE_OTHER


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@kindly_if_over
def review(request: HttpRequest, token: str) -> HttpResponse:
    now = timezone.now()
    booking = find_booking(token)
    if booking is None:
        return unknown_link(request)
    is_sent = request.method == "POST"
    is_known = is_sent or _ask_about_payment(booking, now=now)
    if not booking.is_unfinished:
        return redirect("booking:booked", token)
    if not is_sent and booking.has_unclear_money:
        return redirect("booking:paid", token)
    order = None
    if booking.needs_payment:
        order = ordering(booking, sent=request.POST if is_sent else None, now=now)
    page = _page(booking, token, order)
    try:
        if order is not None and is_sent:
            if not order.form.is_valid():
                return render(request, "booking/review.html", page, status=422)
            order.keep(booking, request, now=now)
        if is_sent:
            return _go_on(booking, token, again="erneut" in request.POST, now=now)
        scheduling.still_good(booking, now=now)
    except HoldRanOut as error:
        page["question"] = error.message
        return render(request, "booking/review.html", page, status=409 if is_sent else 200)
    except (OrderChanged, EarlyStartMissing) as error:
        # Shown as it is now; what was declared to the old page does not count for it.
        booking.refresh_from_db()
        page["order"] = ordering(booking, now=now)
        return _review_with(request, page, booking, problem=error.message, status=409)
    except SlotRefused as error:
        page["refusal"] = error.message
        page["offers"] = availability.next_offers(
            booking.call_type, now=now, after=booking.start, besides=booking
        )
        return render(request, "booking/gone.html", page, status=409)
    except (AlreadyCancelled, RequestOver):
        return redirect("booking:booked", token)
    except (BeingPaid, PaymentUnclear) as error:
        return _review_with(request, page, booking, problem=error.message, status=409)
    except (PaymentsAway, PaymentsRefused) as error:
        return _review_with(request, page, booking, problem=error.message, status=503)
    page["is_unsure"] = not is_known
    page["is_being_paid"] = booking.needs_payment and booking.is_being_paid
    return render(request, "booking/review.html", page)


@never_cache
@require_POST
def release(request: HttpRequest, token: str) -> HttpResponse:
    """Give the held time back."""
    booking = find_booking(token)
    if booking is None:
        return unknown_link(request)
    try:
        booking = checkout.give_up(booking, now=timezone.now())
    except (BeingPaid, PaymentsAway, PaymentsRefused):
        order = ordering(booking, now=timezone.now()) if booking.needs_payment else None
        page = _page(booking, token, order)
        problem = (
            "Der Zahlungsdienst antwortet gerade nicht, deshalb lässt sich die Zeit nicht freigeben. "
            "Sie wird von selbst wieder frei."
        )
        return _review_with(request, page, booking, problem=problem, status=503)
    if not booking.is_unfinished:
        return redirect("booking:booked", token)
    return render(request, "booking/released.html", {"visitor": guest_of(booking)})


def _page(booking: Booking, token: str, order: Ordering | None) -> dict[str, object]:
    return {
        "booking": booking,
        "order": order,
        "visitor": guest_of(booking),
        "token": token,
        "is_test_money": not settings.STRIPE_IS_LIVE,
    }


def _ask_about_payment(booking: Booking, *, now: datetime) -> bool:
    """See how a payment that runs stands, for who comes back from Stripe; whether Stripe said so."""
    try:
        if booking.is_unfinished and booking.needs_payment:
            checkout.look(booking, now=now)
    except (PaymentsAway, PaymentsRefused):
        return False
    return True


def _go_on(booking: Booking, token: str, *, again: bool, now: datetime) -> HttpResponse:
    """Book what is free of charge; for the rest the way leads over Stripe."""
    if again:
        # Nothing kept the time free meanwhile, in other calendars neither.
        feeds_sync.freshen(booking.calendar, now=now)
    if booking.needs_payment:
        there = checkout.begin(booking, now=now, again=again)
        if there:
            return SeeOther(there)
    else:
        scheduling.confirm(booking, now=now, again=again)
    return redirect("booking:booked", token)


def _review_with(
    request: HttpRequest, page: dict[str, object], booking: Booking, *, problem: str, status: int
) -> HttpResponse:
    """The same page with what went wrong; how long the time is held is read anew."""
    booking.refresh_from_db()
    page["problem"] = problem
    # Who never got an address at Stripe cannot have paid.
    page["is_untouched"] = not booking.deposits.exclude(session_id="").exists()
    return render(request, "booking/review.html", page, status=status)
