"""Back from Stripe, and what Stripe itself has to say."""

from __future__ import annotations

import logging

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from booking import checkout, stripe_gateway
from booking.errors import PaymentsAway, PaymentsRefused
from booking.views.visitor import find_booking, guest_of, unknown_link

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def paid(request: HttpRequest, token: str) -> HttpResponse:
    """Where Stripe sends who has paid. What counts is what Stripe says, not that somebody is here."""
    booking = find_booking(token)
    if booking is None:
        return unknown_link(request)
    is_away = False
    if booking.is_unfinished:
        try:
            booking = checkout.look(booking, now=timezone.now())
        except (PaymentsAway, PaymentsRefused):
            is_away = True
    if not booking.is_unfinished:
        return redirect("booking:booked", token)
    payments = list(booking.deposits.all())
    page = {
        "booking": booking,
        "visitor": guest_of(booking),
        "token": token,
        "is_away": is_away,
        "is_open": any(payment.is_unfinished for payment in payments),
        "went_back": any(payment.is_paid and not payment.unsettled_cents for payment in payments),
        "is_unclear": any(payment.unsettled_cents for payment in payments),
    }
    return render(request, "booking/paid.html", page)


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
