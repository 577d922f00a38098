"""Step 4: everything at a glance, then one button."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from booking import feeds_sync, scheduling
from booking.errors import AlreadyCancelled, HoldRanOut, RequestOver, SlotRefused
from booking.views.visitor import find_booking, guest_of, kindly_if_over, unknown_link


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@kindly_if_over
def review(request: HttpRequest, token: str) -> HttpResponse:
    now = timezone.now()
    booking = find_booking(token)
    if booking is None:
        return unknown_link(request)
    page = {"booking": booking, "visitor": guest_of(booking), "token": token}
    is_sent = request.method == "POST"
    if not booking.is_unfinished:
        return redirect("booking:booked", token)
    try:
        if is_sent:
            again = "erneut" in request.POST
            if again:
                # Nothing kept the time free meanwhile, in other calendars neither.
                feeds_sync.freshen(booking.calendar, now=now)
            scheduling.confirm(booking, now=now, again=again)
            return redirect("booking:booked", token)
        scheduling.still_good(booking, now=now)
    except HoldRanOut as error:
        page["question"] = error.message
        return render(request, "booking/review.html", page, status=409 if is_sent else 200)
    except SlotRefused as error:
        page["refusal"] = error.message
        page["offers"] = scheduling.next_offers(
            booking.call_type, now=now, after=booking.start, besides=booking
        )
        return render(request, "booking/gone.html", page, status=409)
    except (AlreadyCancelled, RequestOver):
        return redirect("booking:booked", token)
    return render(request, "booking/review.html", page)


@never_cache
@require_POST
def release(request: HttpRequest, token: str) -> HttpResponse:
    """Give the held time back."""
    booking = find_booking(token)
    if booking is None:
        return unknown_link(request)
    booking = scheduling.release(booking, now=timezone.now())
    if not booking.is_unfinished:
        return redirect("booking:booked", token)
    return render(request, "booking/released.html", {"visitor": guest_of(booking)})
