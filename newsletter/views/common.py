"""What the list's pages share: who may ask how often, and pages behind secret links."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from coaching_site import limits, networks
from pages.models import Practice

LinkView = Callable[[HttpRequest, str], HttpResponse]

HOUR = timedelta(hours=1)
# An office behind one address may come by together, a podcast may send many; robots send more.
TRIES_A_NETWORK = 20  # in an hour
TRIES_OVERALL = 600


class SeeOther(HttpResponseRedirect):
    status_code = 303


def private_link(view: LinkView) -> LinkView:
    """For pages whose address is a secret: kept by no cache, in no index, told to nobody."""

    @wraps(view)
    def wrapped(request: HttpRequest, token: str) -> HttpResponse:
        response = view(request, token)
        response["Cache-Control"] = "no-store"
        response["X-Robots-Tag"] = "noindex"
        response["Referrer-Policy"] = "no-referrer"
        return response

    return wrapped


def count(request: HttpRequest, *, now: datetime) -> None:
    """Count a form that asks for a mail, whatever comes of it. Raises TooMany."""
    if network := networks.network_of(request):
        limits.hit("newsletter.network", network, limit=TRIES_A_NETWORK, per=HOUR, now=now)
    limits.hit("newsletter.all", "", limit=TRIES_OVERALL, per=HOUR, now=now)


def network_to_keep(request: HttpRequest, practice: Practice) -> str:
    """The shortened IP address, if the coach keeps it as a proof."""
    return networks.network_of(request) if practice.newsletter_keeps_network else ""


def too_many(
    request: HttpRequest, template: str, page: dict[str, object], error: limits.TooMany
) -> HttpResponse:
    answer = render(request, template, page, status=429)
    answer["Retry-After"] = limits.seconds(error.retry_after)
    return answer


def json_file(content: str) -> HttpResponse:
    """A download; its name tells nobody's address."""
    response = HttpResponse(content, content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="newsletter-daten.json"'
    return response
