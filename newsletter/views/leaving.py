"""The way out, and back in if it was a slip."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from newsletter import subscriptions, tokens
from newsletter.models import Subscriber
from newsletter.views.common import SeeOther, private_link
from pages import consent
from pages.models import Practice

# Where the text stands, without the token: a proof must not open anything.
PAGE = "/newsletter/abmelden/"


# Mail programs post here by themselves, without cookie, CSRF token or referrer (RFC 8058 section
# 3.2), and must not be redirected. The body is never read, so one from a browser works alike.
@csrf_exempt
@private_link
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """One button for people, one-click for mail programs. Whose link is gone is off the list."""
    whose = tokens.read_unsubscribe_token(token)
    if whose is None:
        return render(request, "newsletter/unsubscribe_gone.html", status=410)
    public_id, issue = whose
    if request.method == "POST":
        subscriptions.unsubscribe(public_id, issue=issue, now=timezone.now())
    elif Subscriber.objects.on_the_list(public_id):
        return render(request, "newsletter/unsubscribe.html")
    return _unsubscribed(request, public_id)


@csrf_exempt
@private_link
@require_http_methods(["GET", "HEAD", "POST"])
def come_back(request: HttpRequest, token: str) -> HttpResponse:
    """Take the unsubscription back: the button on the page that said it was done."""
    whose = tokens.read_unsubscribe_token(token)
    if whose is None:
        return render(request, "newsletter/unsubscribe_gone.html", status=410)
    public_id, _ = whose
    if request.method != "POST":
        return SeeOther(reverse("newsletter:unsubscribe", args=[token]))
    text = consent.coming_back(Practice.current())
    if request.POST.get("consent") == text.sha256:
        subscriptions.come_back(public_id, consent=text, page=PAGE, now=timezone.now())
    if Subscriber.objects.on_the_list(public_id):
        return render(request, "newsletter/back.html")
    return _unsubscribed(request, public_id)


def _unsubscribed(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    page = {
        "can_come_back": subscriptions.can_come_back(public_id, now=timezone.now()),
        "consent": consent.coming_back(Practice.current()),
        "token": tokens.unsubscribe_token(public_id),
    }
    return render(request, "newsletter/unsubscribed.html", page)
