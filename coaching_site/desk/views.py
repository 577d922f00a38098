"""Everything stored about somebody, behind a link that came to their mailbox. GET never writes."""

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

from coaching_site import limits, spam, stored
from coaching_site.desk import people
from newsletter import quotas
from newsletter.addresses import Address
from newsletter.forms import LostLinkForm
from newsletter.views.common import LinkView, SeeOther, count, private_link, too_many

PersonView = Callable[[HttpRequest, str, Address], HttpResponse]


def for_the_person(view: PersonView) -> LinkView:
    """For whoever holds the link, which is its own protection; everybody else gets a kind page."""

    @wraps(view)
    def wrapped(request: HttpRequest, token: str) -> HttpResponse:
        address = people.owner_of(token, now=timezone.now())
        if address is None:
            return render(request, "desk/person_gone.html", status=410)
        return view(request, token, address)

    return csrf_exempt(private_link(wrapped))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """Mail somebody the link to their data; the answer is the same for every address."""
    now = timezone.now()
    form = LostLinkForm(request.POST if request.method == "POST" else None)
    page: dict[str, object] = {"form": form}
    if spam.is_caught(request.POST):
        return SeeOther(reverse("people:sent"))
    if form.is_valid():
        address = form.cleaned_data["email"]
        try:
            count(request, now=now)
        except limits.TooMany as error:
            form.add_error(None, error.message)
            return too_many(request, "desk/person_ask.html", page, error)
        may_answer = quotas.may_send("person", address, now=now)
        people.ask_for_link(address, may_answer=may_answer, now=now)
        return SeeOther(reverse("people:sent"))
    return render(request, "desk/person_ask.html", page, status=422 if form.is_bound else 200)


@require_safe
def sent(request: HttpRequest) -> HttpResponse:
    return render(request, "desk/person_sent.html")


@for_the_person
@require_safe
def own(request: HttpRequest, token: str, address: Address) -> HttpResponse:
    """The two buttons."""
    return render(request, "desk/person.html", {"token": token, "address": address.shown})


@for_the_person
@require_http_methods(["GET", "HEAD", "POST"])
def everything(request: HttpRequest, token: str, address: Address) -> HttpResponse:
    """Everything stored, to read. Noted, and so only for a button."""
    if request.method != "POST":
        return SeeOther(reverse("people:own", args=[token]))
    now = timezone.now()
    people.note_export(address, by=people.By.PERSON, now=now)
    page = {"token": token, "everything": people.everything_about(address, now=now)}
    return render(request, "desk/person_everything.html", page)


@for_the_person
@require_http_methods(["GET", "HEAD", "POST"])
def data_file(request: HttpRequest, token: str, address: Address) -> HttpResponse:
    """Everything stored, to take along (DSGVO Art. 20)."""
    if request.method != "POST":
        return SeeOther(reverse("people:own", args=[token]))
    return json_file(people.everything_about(address, now=timezone.now()))


@for_the_person
@require_http_methods(["GET", "HEAD", "POST"])
def erase(request: HttpRequest, token: str, address: Address) -> HttpResponse:
    """Say what goes, what stays and what is in the way; then do it."""
    now = timezone.now()
    if request.method == "POST":
        left = people.erase(address, by=people.By.PERSON, now=now)
        return render(request, "desk/person_erased.html", {"left": left})
    page = {"token": token, "left": people.in_the_way(address, now=now)}
    return render(request, "desk/person_erase.html", page)


def json_file(everything: dict[str, object]) -> HttpResponse:
    """A download; its name tells nobody's address."""
    response = HttpResponse(stored.as_json(everything), content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="meine-daten.json"'
    return response
