"""The coach's answer to a request, from the link in the mail. Only the buttons answer."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from booking import cancellation, scheduling
from booking.errors import BookingError, RequestOver
from booking.views.visitor import find_request, unknown_link


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest, token: str) -> HttpResponse:
    now = timezone.now()
    booking = find_request(token)
    if booking is None:
        return unknown_link(request)
    page = {"booking": booking, "is_open": booking.can_be_accepted(now)}
    if request.method != "POST":
        return render(request, "booking/request.html", page)
    try:
        if "accept" in request.POST:
            scheduling.accept(booking, now=now)
        elif "decline" in request.POST:
            if not booking.can_be_accepted(now):
                raise RequestOver
            note = request.POST.get("note", "").replace("\0", "").strip()[:1000]
            cancellation.cancel_by_coach(booking, now=now, note=note)
    except BookingError as error:
        page["refusal"] = error.message
        return render(request, "booking/request.html", page, status=409)
    return redirect("booking:request", token)
