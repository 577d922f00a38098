"""Back from Stripe, and what Stripe itself has to say."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from booking import availability, checkout, stripe_gateway
from booking.errors import PaymentsAway, PaymentsRefused
from booking.models import Booking, Refund
from booking.views.visitor import find_booking, guest_of, unknown_link

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def paid(request: HttpRequest, token: str) -> HttpResponse:
    """Where Stripe sends who has paid. What counts is what Stripe says, not that somebody is here."""
    booking = find_booking(token)
    if booking is None:
        return unknown_link(request)
    now = timezone.now()
    try:
        if booking.is_unfinished:
            booking = checkout.look(booking, now=now)
        state = _state(booking, now=now)
    except (PaymentsAway, PaymentsRefused):
        state = "away"
    if not booking.is_unfinished:
        return redirect("booking:booked", token)
    page: dict[str, object] = {
        "booking": booking,
        "visitor": guest_of(booking),
        "token": token,
        "state": state,
    }
    if state == "back":
        page["refunds"] = Refund.objects.of_booking(booking)
        page["offers"] = availability.next_offers(
            booking.call_type, now=now, after=booking.start, besides=booking
        )
    return render(request, "booking/paid.html", page, status=503 if state == "away" else 200)


def _state(booking: Booking, *, now: datetime) -> str:
    """How the payment for something that is not booked stands, now that Stripe was asked."""
    if booking.has_unclear_money:
        return "unclear"
    if booking.is_being_paid or booking.is_held(now):
        return "open"
    return "back" if booking.deposits.paid().exists() else "over"


@csrf_exempt  # Stripe has no form of ours; its signature is what counts
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """Stripe's events (https://docs.stripe.com/webhooks).

    400: not Stripe. 200: done, known, or not ours. 5xx: undecided, Stripe sends it again.
    """
    try:
        event = stripe_gateway.read_event(request.body, request.headers.get("Stripe-Signature", ""))
    except stripe_gateway.BadSignature:
        return HttpResponse(status=400)
    except stripe_gateway.NoWebhookSecret:
        logger.error("An event came, but STRIPE_WEBHOOK_SECRET is not set.")
        return HttpResponse(status=500)
    try:
        checkout.hear(event, now=timezone.now())
    except (PaymentsAway, PaymentsRefused, OperationalError) as error:
        logger.warning("Event %s stays undecided: %s.", event.id, type(error).__name__)
        return HttpResponse(status=503)
    return HttpResponse(status=200)
