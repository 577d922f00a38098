"""„Warum ist diese Zeit belegt?“: every rule that speaks against a time, and the day around it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from booking import diagnosis
from booking.admin import links
from booking.admin.forms import TimeForm
from booking.models import Booking


def why(request: HttpRequest, desk: ModelAdmin[Booking]) -> HttpResponse:
    """Ask for call and time; answer by the rules. Looking changes nothing, so GET does it all."""
    now = timezone.now()
    asked = "day" in request.GET
    form = TimeForm(request.GET) if asked else TimeForm(initial=request.GET.dict())
    context: dict[str, Any] = {
        **desk.admin_site.each_context(request),
        "title": "Warum ist diese Zeit belegt?",
        "opts": desk.opts,
        "form": form,
    }
    if form.is_valid():
        call_type, start = form.cleaned_data["call_type"], form.start
        zone, day = call_type.calendar.tz, form.cleaned_data["day"]
        found = diagnosis.findings(call_type, start=start, now=now)
        context |= {
            "call_type": call_type,
            "start": start,
            "zone": zone,
            "day": day,
            "findings": links.with_links(found),
            "plan": [
                (stretch, links.to(stretch.booking) if stretch.booking else None)
                for stretch in diagnosis.day_plan(call_type.calendar, day, now=now)
            ],
            "public_url": reverse("booking:details", args=[call_type.address, start]),
            "by_hand_url": f"{reverse('admin:booking_booking_add')}?{urlencode(form.question())}",
            "may_enter": desk.has_add_permission(request)
            and all(finding.can_be_overridden for finding in found),
        }
    # Checking the form decides which fields it shows.
    context["admin_form"] = form.as_admin_form()
    return TemplateResponse(request, "admin/booking/booking/why.html", context)
