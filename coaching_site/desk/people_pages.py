"""„Menschen“: find somebody by half a name, and everything about them on one page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from coaching_site.desk import confirming, dossier, finding, notes
from coaching_site.desk.models import PersonNote
from coaching_site.desk.permissions import PEOPLE
from newsletter.addresses import Address

Wrap = Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]

# Nobody turns to the hundredth page.
LAST_PAGE = 99


class NoteForm(forms.ModelForm[PersonNote]):
    class Meta:
        model = PersonNote
        fields = ("text",)
        widgets = {"text": AdminTextareaWidget(attrs={"rows": 3})}
        error_messages = {"text": {"required": "Schreib etwas hinein."}}


def urls(wrap: Wrap) -> list[URLPattern]:
    """The pages below „menschen/“. A person goes by the number of a row, never by their address."""
    one = "menschen/<str:kind>/<int:pk>/"
    return [
        path("menschen/", wrap(people), name="people"),
        path(one, wrap(person), name="person"),
        path(f"{one}notiz/", wrap(require_POST(add_note)), name="person_note"),
        path(
            f"{one}notiz/<int:note>/loeschen/",
            wrap(require_POST(delete_note)),
            name="person_note_delete",
        ),
    ]


def may_see_people(request: HttpRequest) -> bool:
    return request.user.has_perms(PEOPLE)


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """The list: what is looked for, or who was heard of lately."""
    _check(request)
    # Postgres knows no NUL in a text, and nobody looks for one.
    words, page = request.GET.get("q", "").replace("\0", "").strip(), _page_number(request)
    found, more = finding.find(words, page=page, now=timezone.now())
    asked = {"q": words} if words else {}
    context = {
        **admin.site.each_context(request),
        "title": "Menschen",
        "words": words,
        "people": found,
        "before": urlencode({**asked, "seite": page - 1}) if page > 1 else "",
        "after": urlencode({**asked, "seite": page + 1}) if more and page < LAST_PAGE else "",
    }
    return TemplateResponse(request, "admin/desk/people/list.html", context)


@require_safe
def person(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Everything about one person that somebody with these permissions may see."""
    return _shown(request, kind, pk, _address(request, kind, pk), NoteForm())


def add_note(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    address = _address(request, kind, pk, permission="desk.add_personnote")
    form = NoteForm(request.POST)
    if not form.is_valid():
        return _shown(request, kind, pk, address, form)
    by = request.user.get_username()
    notes.add(address, text=form.cleaned_data["text"], by=by, now=timezone.now())
    messages.success(request, "Notiz gespeichert.")
    return redirect(_notes_of(kind, pk))


def delete_note(request: HttpRequest, kind: str, pk: int, note: int) -> HttpResponse:
    """A note is gone for good, so it asks first."""
    address = _address(request, kind, pk, permission="desk.delete_personnote")
    row = get_object_or_404(PersonNote, pk=note, address_key=address.key)
    if not confirming.is_sure(request):
        return confirming.ask(
            request,
            title="Notiz löschen",
            says=[f"„{row.text}“", "Diese Notiz löschen? Das lässt sich nicht zurücknehmen."],
            button="Löschen",
            back=_notes_of(kind, pk),
        )
    # The row its page went by may be this note: then the person is nobody's any more.
    goes_with_it = kind == "notiz" and pk == note
    row.delete()
    messages.success(request, "Notiz gelöscht.")
    return redirect("admin:people" if goes_with_it else _notes_of(kind, pk))


def _shown(
    request: HttpRequest, kind: str, pk: int, address: Address, form: NoteForm
) -> HttpResponse:
    about = dossier.gather(address, may=request.user.has_perm, now=timezone.now())
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": about.name or address.shown,
        "about": about,
        "kind": kind,
        "pk": pk,
        "form": form,
    }
    return TemplateResponse(request, "admin/desk/people/person.html", context)


def _address(request: HttpRequest, kind: str, pk: int, *, permission: str = PEOPLE[0]) -> Address:
    _check(request)
    if not request.user.has_perm(permission):
        raise PermissionDenied
    address = dossier.address_of(kind, pk)
    if address is None:
        raise Http404
    return address


def _check(request: HttpRequest) -> None:
    if not may_see_people(request):
        raise PermissionDenied


def _page_number(request: HttpRequest) -> int:
    asked = request.GET.get("seite", "")
    return min(int(asked), LAST_PAGE) if asked.isdecimal() and int(asked) else 1


def _notes_of(kind: str, pk: int) -> str:
    return f"{reverse('admin:person', args=[kind, pk])}#notizen"
