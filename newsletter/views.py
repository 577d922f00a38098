"""Pages of the list. No GET changes anything; the links in mails open pages with one button."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from coaching_site import spam
from newsletter import subscriptions, tokens
from newsletter.errors import LinkGone
from newsletter.forms import SignUpForm
from newsletter.models import Subscriber
from newsletter.subscriptions import LinkState
from pages import consent
from pages.models import Practice

LinkView = Callable[[HttpRequest, str], HttpResponse]


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


@require_http_methods(["GET", "HEAD", "POST"])
def subscribe(request: HttpRequest) -> HttpResponse:
    """The sign-up form; its answer is the same for every address."""
    now = timezone.now()
    text = consent.current(Practice.current())
    form = SignUpForm(request.POST if request.method == "POST" else None, consent_text=text)
    if spam.is_caught(request.POST):  # it learns nothing from this answer
        return SeeOther(reverse("newsletter:check_mailbox"))
    if form.is_valid():
        subscriptions.subscribe(
            form.cleaned_data["email"], consent=text, page=request.path, now=now
        )
        return SeeOther(reverse("newsletter:check_mailbox"))
    status = 422 if form.is_bound else 200
    return render(
        request, "newsletter/subscribe.html", {"form": form, "consent": text}, status=status
    )


@require_safe
def check_mailbox(request: HttpRequest) -> HttpResponse:
    return render(request, "newsletter/check_mailbox.html")


# The token in the address is the permission, no cookie takes part. Without CSRF cookie the page
# stays cookie-free, and its own no-referrer policy would make Django's origin check fail.
@csrf_exempt
@private_link
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """One button. Mail scanners open links, so only pressing it confirms."""
    now = timezone.now()
    if request.method == "POST":
        try:
            subscriptions.confirm(token, now=now)
        except LinkGone as gone:
            return render(request, "newsletter/link_gone.html", {"error": gone}, status=410)
        return SeeOther(reverse("newsletter:welcome"))
    state = subscriptions.confirm_link_state(token, now=now)
    if state is LinkState.GONE:
        return render(request, "newsletter/link_gone.html", {"error": LinkGone()}, status=410)
    if state is LinkState.USED:
        return render(request, "newsletter/welcome.html", {"already": True})
    return render(request, "newsletter/confirm.html")


@require_safe
def welcome(request: HttpRequest) -> HttpResponse:
    return render(request, "newsletter/welcome.html")


# Mail programs post here by themselves, without cookie, CSRF token or referrer (RFC 8058 section
# 3.2), and must not be redirected. The body is never read, so one from a browser works alike.
@csrf_exempt
@private_link
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """One button for people, one-click for mail programs. Whose link is gone is off the list."""
    public_id = tokens.read_unsubscribe_token(token)
    if public_id is None:
        return render(request, "newsletter/unsubscribe_gone.html", status=410)
    if request.method == "POST":
        subscriptions.unsubscribe(public_id, now=timezone.now())
    elif Subscriber.objects.on_the_list(public_id):
        return render(request, "newsletter/unsubscribe.html")
    return render(request, "newsletter/unsubscribed.html")
