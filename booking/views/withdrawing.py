"""Withdrawing from a contract online (BGB § 356a): one form, one button, and proof that it came."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from booking import mail, withdrawals
from booking.forms import WithdrawalForm
from booking.models import Withdrawal
from booking.models.withdrawals import GERMAN_TIME
from booking.views.visitor import LINK_LIFE, booking_signed_for, unknown_link
from booking.withdrawals import Declaration
from coaching_site import limits, links
from coaching_site.networks import network_of
from pages.models import Practice

SENDS_A_NETWORK = 10
PER = timedelta(minutes=15)


@csrf_exempt  # it must work without cookies, and nobody's rights hang on who sends it
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest) -> HttpResponse:
    """Whatever is declared is accepted; whether it matches a booking is not told."""
    if request.method != "POST":
        return _page(request, WithdrawalForm(initial=_known(request.GET.get("termin", ""))))
    now, form = timezone.now(), WithdrawalForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        _count(request, now=now)
    except limits.TooMany as error:
        form.add_error(None, f"{error.message} {_other_way()}")
        response = _page(request, form, status=429)
        response.headers["Retry-After"] = limits.seconds(error.retry_after)
        return response
    fields = ("name", "contract", "email", "message")
    declared = Declaration(**{field: form.cleaned_data[field] for field in fields})
    withdrawal = withdrawals.receive(declared, now=now)
    # 303: the browser fetches the page it is sent to, and reloading it sends nothing again.
    response = redirect("withdrawn", mail.withdrawal_token(withdrawal))
    response.status_code = 303
    return response


@never_cache
@require_safe
def withdrawn(request: HttpRequest, token: str) -> HttpResponse:
    """What was declared and when it came, to read and to print."""
    number = links.read(mail.WITHDRAWAL_PURPOSE, token)
    alive = Withdrawal.objects.filter(received_at__gt=timezone.now() - LINK_LIFE)
    withdrawal = alive.filter(pk=number).first() if number else None
    if withdrawal is None:
        return unknown_link(request)
    page = {"withdrawal": withdrawal, "zone": GERMAN_TIME}
    return render(request, "booking/withdrawn.html", page)


def _page(request: HttpRequest, form: WithdrawalForm, status: int = 200) -> HttpResponse:
    return render(request, "booking/withdraw.html", {"form": form}, status=status)


def _known(token: str) -> dict[str, str]:
    """What a link from a mail fills in."""
    booking = booking_signed_for(mail.WITHDRAW_PURPOSE, token)
    if booking is None:
        return {}
    contract = f"Buchungsnummer {booking.reference}"
    return {"name": booking.name, "email": booking.email, "contract": contract}


def _count(request: HttpRequest, *, now: datetime) -> None:
    network = network_of(request)
    if network:
        limits.hit("withdrawal.network", network, limit=SENDS_A_NETWORK, per=PER, now=now)


def _other_way() -> str:
    email = Practice.current().email
    if not email:
        return "Du kannst deinen Widerruf auch per Brief erklären."
    return f"Du kannst deinen Widerruf auch per E-Mail an {email} schicken; das gilt genauso."
