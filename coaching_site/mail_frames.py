"""A mail's HTML for a frame of the desk: it may show itself and our pictures, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.clickjacking import xframe_options_sameorigin

POLICY = {
    **{directive: [NONE] for directive in settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]},
    "style-src": [UNSAFE_INLINE],
    "img-src": [SELF, settings.SITE_URL],
    "frame-ancestors": [SELF],
}
# A frame cannot be told to be dark, so the mail's own question about it is answered here.
ASKS_FOR_DARK = "(prefers-color-scheme: dark)"
YES, NO = "(min-width: 0)", "(max-width: 0)"

View = Callable[[HttpRequest], HttpResponseBase]


def framed(request: HttpRequest, html: str) -> HttpResponseBase:
    """The mail in light, or in dark if the address says `?dunkel=ja`."""
    whole = html.replace(ASKS_FOR_DARK, YES if "dunkel" in request.GET else NO)
    # A link opens beside the desk, not inside the frame.
    whole = whole.replace("<head>", '<head><base target="_blank">', 1)
    return _alone(lambda _: HttpResponse(whole))(request)


def _alone(view: View) -> View:
    return xframe_options_sameorigin(csp_replace(POLICY)(view))
