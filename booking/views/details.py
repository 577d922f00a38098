"""Step 3: who is coming. Opening the page holds nothing; sending it holds the slot."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from booking import feeds_sync, mail, scheduling
from booking.errors import SlotRefused
from booking.forms import DetailsForm
from booking.models import CallType
from booking.slots import Interval
from booking.views.visitor import visitor_of


@never_cache  # each page carries the mark of its own form
@require_http_methods(["GET", "HEAD", "POST"])
def details(request: HttpRequest, slug: str, start: datetime) -> HttpResponse:
    now = timezone.now()
    call_type = get_object_or_404(CallType.objects.offered(), slug=slug)
    if not call_type.is_bookable:
        return redirect("booking:days_of", slug)
    visitor = visitor_of(request, call_type.calendar)
    is_sent = request.method == "POST"
    form = DetailsForm(request.POST if is_sent else None, call_type=call_type, held=visitor.held)
    page: dict[str, object] = {
        "call_type": call_type,
        "slot": Interval(start, start + call_type.duration),
        "visitor": visitor,
        "form": form,
    }
    try:
        if is_sent and form.is_valid():
            feeds_sync.freshen(call_type.calendar, now=now)
            booking = scheduling.hold(
                call_type,
                start=start,
                guest=form.guest(),
                form_token=form.cleaned_data["form_token"],
                visitor_zone=visitor.zone.key,
                now=now,
            )
            return redirect("booking:review", mail.token(booking))
        if not is_sent:
            scheduling.check(call_type, start=start, now=now, besides=visitor.held)
    except SlotRefused as error:
        page["refusal"] = error.message
        page["offers"] = scheduling.next_offers(
            call_type, now=now, after=start, besides=visitor.held
        )
        return render(request, "booking/details.html", page, status=409)
    return render(request, "booking/details.html", page, status=422 if form.errors else 200)
