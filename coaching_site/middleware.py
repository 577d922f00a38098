"""What every request passes on its way in and out."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.gzip import GZipMiddleware

from coaching_site import tracing

Handler = Callable[[HttpRequest], HttpResponse]

# Their files are packed already: another packing costs time and the length, and saves nothing.
PACKED = ("image/", "application/pdf")

NOTHING_ALLOWED = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "browsing-topics",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "usb",
    )
)


def trust_proxies(get_response: Handler) -> Handler:
    """Set REMOTE_ADDR to the visitor's address when the request came through our own proxies.

    Reads X-Forwarded-For from the right and stops at the first address that is not one of ours:
    everything left of it may be invented by the visitor. The scheme is gunicorn's business
    (`forwarded_allow_ips`).
    """
    is_ours = _our_proxies()

    def middleware(request: HttpRequest) -> HttpResponse:
        hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        while is_ours(request.META.get("REMOTE_ADDR", "")) and hops:
            hop = hops.pop().strip()
            try:
                request.META["REMOTE_ADDR"] = str(ipaddress.ip_address(hop))
            except ValueError:
                break
        return get_response(request)

    return middleware


def request_ids(get_response: Handler) -> Handler:
    """Give each request a random word that its log lines, jobs and mails carry, and send it back.

    One of our own proxies may have given it one already; anybody else's is not taken. Must come
    before `trust_proxies`, which puts the visitor's address into the proxy's place.
    """
    is_ours = _our_proxies()

    def middleware(request: HttpRequest) -> HttpResponse:
        given = request.headers.get(tracing.HEADER, "")
        is_taken = tracing.is_well_formed(given) and is_ours(request.META.get("REMOTE_ADDR", ""))
        word = given if is_taken else tracing.new_id()
        request.id = word  # type: ignore[attr-defined]
        with tracing.of_request(word):
            response = get_response(request)
        response[tracing.HEADER] = word
        return response

    return middleware


def plain_session_keys(get_response: Handler) -> Handler:
    """Forget a session's key that cannot be one of ours.

    A quoted cookie may hold what Postgres cannot even look for, such as NUL.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        if key and not (key.isascii() and key.isalnum()):
            del request.COOKIES[settings.SESSION_COOKIE_NAME]
        return get_response(request)

    return middleware


def security_headers(get_response: Handler) -> Handler:
    """Add the headers Django and django-csp have no setting for."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Permissions-Policy", NOTHING_ALLOWED)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response

    return middleware


def gzip_texts(get_response: Handler) -> Handler:
    """Pack what is sent as text, with lengths that give no secret away, as Django does."""
    gzip = GZipMiddleware(get_response)

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.headers.get("Content-Type", "").startswith(PACKED):
            return response
        gzip.process_response(request, response)
        return response

    return middleware


def _our_proxies() -> Callable[[str], bool]:
    networks = [ipaddress.ip_network(value) for value in settings.TRUSTED_PROXIES]

    def is_ours(address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in networks)

    return is_ours
