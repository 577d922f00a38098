"""Step 3: who is coming. Opening the page holds nothing; sending it holds the slot."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from booking import availability, checkout, feeds_sync, mail, orders, scheduling
from booking.errors import BeingPaid, PaymentsAway, PaymentsRefused, SlotRefused, TooManyHolds
from booking.forms import DetailsForm
from booking.slots import Interval
from booking.views.visitor import find_call, kindly_if_over, visitor_of
from coaching_site import limits, links, networks
from pages import consent
from pages.models import Practice

HOUR = timedelta(hours=1)
SENDS_AN_ADDRESS = 10  # in an hour
SENDS_A_NETWORK = 30


@never_cache  # each page carries the mark of its own form
@require_http_methods(["GET", "HEAD", "POST"])
@kindly_if_over
def details(request: HttpRequest, address: str, start: datetime) -> HttpResponse:
    now = timezone.now()
    call_type = find_call(address, now=now)
    if call_type is None:
        raise Http404
    if not call_type.is_bookable:
        return redirect(call_type)
    visitor = visitor_of(request, call_type)
    is_sent = request.method == "POST"
    form = DetailsForm(
        request.POST if is_sent else None,
        call_type=call_type,
        questions=call_type.questions.all(),
        held=visitor.held,
        newsletter=consent.booking_box(Practice.current()),
    )
    page: dict[str, object] = {
        "call_type": call_type,
        "slot": Interval(start, start + call_type.duration),
        "visitor": visitor,
        "proposed": scheduling.proposed(call_type, start=start, now=now),
        "form": form,
        "as_a_company": orders.AS_A_COMPANY,
    }
    try:
        if is_sent and form.is_valid():
            network = networks.network_of(request)
            _count(form.cleaned_data["email"], network, now=now)
            feeds_sync.freshen(call_type.calendar, now=now)
            booking = checkout.hold(
                call_type,
                start=start,
                guest=form.guest(),
                form_token=form.cleaned_data["form_token"],
                visitor_zone=visitor.zone.key,
                network=links.fingerprint("booking.network", network) if network else "",
                now=now,
            )
            return redirect("booking:review", mail.token(booking))
        if not is_sent:
            availability.check(call_type, start=start, now=now, besides=visitor.held)
    except SlotRefused as error:
        page["refusal"] = error.message
        page["offers"] = availability.next_offers(
            call_type, now=now, after=start, besides=visitor.held
        )
        return render(request, "booking/details.html", page, status=409)
    except (BeingPaid, PaymentsAway, PaymentsRefused) as error:
        # An earlier payment of this guest could not be ended, so its time stays as it is.
        form.add_error(None, error.message)
        return render(request, "booking/details.html", page, status=503)
    except (limits.TooMany, TooManyHolds) as error:
        form.add_error(None, error.message)
        answer = render(request, "booking/details.html", page, status=429)
        answer["Retry-After"] = limits.seconds(error.retry_after)
        return answer
    return render(request, "booking/details.html", page, status=422 if form.errors else 200)


def _count(email: str, network: str, *, now: datetime) -> None:
    """Count this sending of details, whatever comes of it. Raises TooMany."""
    limits.hit("booking.address", email.lower(), limit=SENDS_AN_ADDRESS, per=HOUR, now=now)
    if network:
        limits.hit("booking.network", network, limit=SENDS_A_NETWORK, per=HOUR, now=now)
