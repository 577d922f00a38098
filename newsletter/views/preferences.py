"""Behind one's own link: another address, everything stored, erasing. And the link, when it is lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from coaching_site import limits, spam
from newsletter import feedback, mail, preferences, quotas, tokens
from newsletter.errors import LinkGone
from newsletter.forms import LostLinkForm, MoveForm
from newsletter.models import Event, Subscriber
from newsletter.subscriptions import LinkState
from newsletter.views.common import (
    LinkView,
    SeeOther,
    count,
    json_file,
    network_to_keep,
    private_link,
    too_many,
)
from pages import consent
from pages.models import Practice

# Where the text stands, without the token: a proof must not open anything.
PAGE = "/newsletter/einstellungen/adresse/"

OwnerView = Callable[[HttpRequest, str, Subscriber], HttpResponse]


def for_its_owner(view: OwnerView) -> LinkView:
    """A page for whoever holds the link; everybody else gets a kind one that says nothing."""

    @wraps(view)
    def wrapped(request: HttpRequest, token: str) -> HttpResponse:
        owner = preferences.owner_of(token)
        if owner is None:
            return render(request, "newsletter/preferences_gone.html", status=410)
        # The page's own links carry it on.
        return view(request, tokens.trim(token), owner)

    return private_link(wrapped)


@for_its_owner
@require_safe
def overview(request: HttpRequest, token: str, owner: Subscriber) -> HttpResponse:
    return _overview(request, token, owner)


@csrf_exempt
@for_its_owner
@require_http_methods(["GET", "HEAD", "POST"])
def deliver_again(request: HttpRequest, token: str, owner: Subscriber) -> HttpResponse:
    """The button for readers whose mail came back: this link came by mail, so the mailbox works."""
    if request.method != "POST":
        return SeeOther(reverse("newsletter:preferences", args=[token]))
    feedback.deliver_again(owner.public_id, by=Event.By.READER, now=timezone.now())
    owner.refresh_from_db()
    return _overview(request, token, owner, is_lifted=True)


@csrf_exempt
@for_its_owner
@require_http_methods(["GET", "HEAD", "POST"])
def change_address(request: HttpRequest, token: str, owner: Subscriber) -> HttpResponse:
    """Ask a new address; the answer is the same whatever we know about it."""
    now, practice = timezone.now(), Practice.current()
    text = consent.moving(practice)
    form = MoveForm(request.POST if request.method == "POST" else None, consent_text=text)
    page: dict[str, object] = {"token": token, "owner": owner, "form": form, "consent": text}
    if owner.status != Subscriber.Status.CONFIRMED:
        return SeeOther(reverse("newsletter:preferences", args=[token]))
    if form.is_valid():
        new = form.cleaned_data["email"]
        try:
            count(request, now=now)
        except limits.TooMany as error:
            form.add_error(None, error.message)
            return too_many(request, "newsletter/change_address.html", page, error)
        preferences.ask_to_move(
            owner,
            new,
            consent=text,
            page=PAGE,
            network=network_to_keep(request, practice),
            may_answer=quotas.may_send("move", new, now=now),
            now=now,
        )
        return SeeOther(reverse("newsletter:new_mailbox", args=[token]))
    status = 422 if form.is_bound else 200
    return render(request, "newsletter/change_address.html", page, status=status)


@for_its_owner
@require_safe
def new_mailbox(request: HttpRequest, token: str, owner: Subscriber) -> HttpResponse:
    return render(request, "newsletter/new_mailbox.html", {"token": token})


@csrf_exempt
@private_link
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest, token: str) -> HttpResponse:
    """The button behind the link that the new address got."""
    now = timezone.now()
    state = preferences.move_link_state(token, now=now)
    if request.method == "POST":
        try:
            reader = preferences.move(token, now=now)
        except LinkGone as gone:
            return render(request, "newsletter/move_gone.html", {"error": gone}, status=410)
        link = mail.preferences_url(reader)
        return render(request, "newsletter/moved.html", {"preferences_link": link})
    if state is LinkState.USED:
        return render(request, "newsletter/moved.html")
    if state is LinkState.GONE:
        return render(request, "newsletter/move_gone.html", {"error": LinkGone()}, status=410)
    return render(request, "newsletter/move.html")


@for_its_owner
@require_safe
def data(request: HttpRequest, token: str, owner: Subscriber) -> HttpResponse:
    """Everything stored, to read."""
    everything = preferences.everything_about(owner, now=timezone.now())
    return render(request, "newsletter/data.html", {"token": token, "everything": everything})


@for_its_owner
@require_safe
def data_file(request: HttpRequest, token: str, owner: Subscriber) -> HttpResponse:
    """Everything stored, to take along (DSGVO Art. 20)."""
    everything = preferences.everything_about(owner, now=timezone.now())
    return json_file(preferences.as_json(everything))


@csrf_exempt
@for_its_owner
@require_http_methods(["GET", "HEAD", "POST"])
def erase(request: HttpRequest, token: str, owner: Subscriber) -> HttpResponse:
    if request.method == "POST":
        preferences.erase(owner.public_id, by=Event.By.READER, now=timezone.now())
        return render(request, "newsletter/erased.html")
    return render(request, "newsletter/erase.html", {"token": token})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def lost_link(request: HttpRequest) -> HttpResponse:
    """Mail somebody their link; the answer is the same for every address."""
    now = timezone.now()
    form = LostLinkForm(request.POST if request.method == "POST" else None)
    page: dict[str, object] = {"form": form}
    if spam.is_caught(request.POST):
        return SeeOther(reverse("newsletter:link_sent"))
    if form.is_valid():
        address = form.cleaned_data["email"]
        try:
            count(request, now=now)
        except limits.TooMany as error:
            form.add_error(None, error.message)
            return too_many(request, "newsletter/lost_link.html", page, error)
        may_answer = quotas.may_send("link", address, now=now)
        preferences.ask_for_link(address, may_answer=may_answer, now=now)
        return SeeOther(reverse("newsletter:link_sent"))
    status = 422 if form.is_bound else 200
    return render(request, "newsletter/lost_link.html", page, status=status)


@require_safe
def link_sent(request: HttpRequest) -> HttpResponse:
    return render(request, "newsletter/link_sent.html")


def _overview(
    request: HttpRequest, token: str, owner: Subscriber, *, is_lifted: bool = False
) -> HttpResponse:
    page = {
        "token": token,
        "owner": owner,
        "unsubscribe_link": mail.unsubscribe_url(owner),
        "is_lifted": is_lifted,
    }
    return render(request, "newsletter/preferences.html", page)
