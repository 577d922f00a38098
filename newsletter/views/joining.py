"""Signing up and confirming. No GET changes anything; the links in mails open pages with one button."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from coaching_site import limits, spam
from newsletter import mail, preferences, quotas, subscriptions, tokens
from newsletter.errors import LinkGone
from newsletter.forms import SignUpForm
from newsletter.models import Issue, Subscriber
from newsletter.subscriptions import LinkState
from newsletter.views.common import (
    SeeOther,
    count,
    network_to_keep,
    private_link,
    too_many,
)
from pages import consent
from pages.models import Practice


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def subscribe(request: HttpRequest) -> HttpResponse:
    """The sign-up form; its answer is the same for every address."""
    now, practice = timezone.now(), Practice.current()
    text = consent.current(practice)
    form = SignUpForm(request.POST if request.method == "POST" else None, consent_text=text)
    has_archive = Issue.objects.published().exists()
    page: dict[str, object] = {
        "form": form,
        "consent": text,
        "has_archive": has_archive,
        "practice": practice,
    }
    if spam.is_caught(request.POST):  # it learns nothing from this answer
        return SeeOther(reverse("newsletter:check_mailbox"))
    if form.is_valid():
        address = form.cleaned_data["email"]
        try:
            count(request, now=now)
        except limits.TooMany as error:
            form.add_error(None, error.message)
            return too_many(request, "newsletter/subscribe.html", page, error)
        subscriptions.subscribe(
            address,
            consent=text,
            page=request.path,
            network=network_to_keep(request, practice),
            may_answer=quotas.may_answer(address, now=now),
            now=now,
        )
        return SeeOther(reverse("newsletter:check_mailbox"))
    status = 422 if form.is_bound else 200
    return render(request, "newsletter/subscribe.html", page, status=status)


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
            reader = subscriptions.confirm(token, now=now)
        except LinkGone:
            return _gone(request, token)
        return SeeOther(_welcome_path(reader))
    match subscriptions.confirm_link_state(token, now=now):
        case LinkState.OPEN:
            return render(request, "newsletter/confirm.html")
        case LinkState.USED:
            return render(request, "newsletter/welcome.html", {"already": True})
        case _:
            return _gone(request, token)


@csrf_exempt
@private_link
@require_http_methods(["GET", "HEAD", "POST"])
def ask_again(request: HttpRequest, token: str) -> HttpResponse:
    """A new link for whoever's link has expired; the answer is the same if there is no such link."""
    if request.method != "POST":
        return SeeOther(reverse("newsletter:confirm", args=[token]))
    text = consent.again(Practice.current())
    if request.POST.get("consent") != text.sha256:
        return _gone(request, token)
    page = reverse("newsletter:subscribe")
    subscriptions.ask_again(token, consent=text, page=page, now=timezone.now())
    return SeeOther(reverse("newsletter:check_mailbox"))


@private_link
@require_safe
def welcome(request: HttpRequest, token: str) -> HttpResponse:
    """After confirming; the way to one's own preferences stands here for the first time."""
    reader = preferences.owner_of(token)
    link = mail.preferences_url(reader) if reader else ""
    return render(request, "newsletter/welcome.html", {"preferences_link": link})


def _gone(request: HttpRequest, token: str) -> HttpResponse:
    """Why the link does nothing any more, and one button to get another."""
    state = subscriptions.confirm_link_state(token, now=timezone.now())
    page = {
        "error": LinkGone(),
        "token": tokens.trim(token),
        "consent": consent.again(Practice.current()),
        "is_expired": state is LinkState.EXPIRED,
    }
    return render(request, "newsletter/link_gone.html", page, status=410)


def _welcome_path(reader: Subscriber) -> str:
    token = tokens.preferences_token(reader.public_id, reader.address_number)
    return reverse("newsletter:welcome", args=[token])
