"""The site's addresses, and a bare view to compare with."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.utils import timezone

from booking.models import Booking, CallType

BERLIN = ZoneInfo("Europe/Berlin")
HALF_AN_HOUR = timedelta(minutes=30)


def bare(request: HttpRequest) -> HttpResponse:
    """Thirty days of half hours from nine to five, less what is booked: no rules, no page."""
    now = timezone.now()
    booked = Booking.objects.filter(
        calendar_id=1, status="confirmed", start__range=(now, now + timedelta(days=31))
    ).values_list("start", flat=True)
    taken = set(booked)
    lines = []
    for number in range(1, 31):
        day = (now + timedelta(days=number)).date()
        if day.isoweekday() < 6:
            slot = datetime.combine(day, time(9), BERLIN)
            for _ in range(16):
                if slot not in taken:
                    lines.append(slot.isoformat())
                slot += HALF_AN_HOUR
    return HttpResponse("\n".join(lines), content_type="text/plain")


READY = HttpResponse(b"x" * 10_000, headers={"Content-Encoding": "br"})


def asking(request: HttpRequest) -> HttpResponse:
    """The same after one query, as a page made anew cannot do without."""
    CallType.objects.filter(pk=1).first()
    return HttpResponse(READY.content, headers=READY.headers)


def ready(request: HttpRequest) -> HttpResponse:
    """What Django and its middleware cost alone: bytes that were ready before."""
    return HttpResponse(READY.content, headers=READY.headers)


urlpatterns = [
    path("bare/", bare),
    path("asking/", asking),
    path("ready/", ready),
    path("", include("coaching_site.urls")),
]
