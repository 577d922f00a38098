"""Legal texts on the coach's desk: how each stands, write, look, compare, publish."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from coaching_site.desk import confirming
from pages import comparing, filling, legal
from pages.legal import LegalTextError
from pages.legal_models import CHECKED_BY_A_LAWYER, LegalText
from pages.models import Practice

Kind = LegalText.Kind
TextView = Callable[[HttpRequest, Kind], HttpResponse]


class DraftForm(forms.Form):
    source = forms.CharField(
        label="Text",
        strip=False,
        max_length=100_000,
        widget=AdminTextareaWidget(attrs={"rows": 30, "spellcheck": "true"}),
    )


class PublishForm(forms.Form):
    """`seen` is the hash of the words on the page, so that nobody publishes others."""

    valid_from = forms.DateField(
        label="Gilt ab",
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text="Heute oder später. Bis dahin gilt die alte Fassung.",
    )
    is_checked = forms.BooleanField(
        label="Eine Anwältin oder ein Anwalt hat diesen Wortlaut geprüft",
        required=False,
        help_text="Ohne den Haken steht über dem Text, dass er ein Entwurf ist. Das lässt sich nachholen.",
    )
    note = forms.CharField(
        label="Notiz",
        max_length=200,
        required=False,
        help_text="Was sich ändert; nur hier zu lesen.",
    )
    seen = forms.CharField(widget=forms.HiddenInput)


@dataclass(frozen=True)
class State:
    """How one kind of text stands, for the list."""

    kind: Kind
    row: LegalText | None
    draft: LegalText | None
    upcoming: list[LegalText]
    missing: tuple[str, ...]
    is_outdated: bool
    page: str

    @property
    def needs_a_lawyer(self) -> bool:
        return self.kind in CHECKED_BY_A_LAWYER and (not self.row or not self.row.checked_at)


@admin.register(LegalText)
class LegalTextAdmin(admin.ModelAdmin[LegalText]):
    """Rows belong to the rules in `pages.legal`; these pages call them."""

    def get_urls(self) -> list[URLPattern]:
        look, change = self.has_view_permission, self.has_change_permission
        own: list[tuple[str, str, TextView, Callable[[HttpRequest], bool]]] = [
            ("bearbeiten/", "edit", self.edit_view, change),
            ("vorschau/", "preview", self.preview_view, look),
            ("entwurf.pdf", "pdf", self.pdf_view, look),
            ("fassungen/", "versions", self.versions_view, look),
            ("veroeffentlichen/", "publish", self.publish_view, change),
            ("verwerfen/", "discard", self.discard_view, change),
            ("geprueft/", "checked", self.checked_view, change),
        ]
        pages = [
            path(
                f"<str:kind>/{address}",
                self.admin_site.admin_view(_of_a_kind(view, permission)),
                name=f"pages_legaltext_{name}",
            )
            for address, name, view, permission in own
        ]
        return [*pages, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: LegalText | None = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One block a kind: what holds, what is being written, what is to be done."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {"states": list(_states(today=timezone.localdate()))}
        return self._page(request, "overview", "Rechtstexte", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return redirect("admin:pages_legaltext_versions", row.kind)

    def edit_view(self, request: HttpRequest, kind: Kind) -> HttpResponse:
        form = DraftForm(request.POST or None, initial={"source": legal.source_to_edit(kind)})
        if form.is_valid():
            try:
                row = legal.save_draft(
                    kind,
                    source=form.cleaned_data["source"],
                    by=request.user.get_username(),
                    now=timezone.now(),
                )
            except LegalTextError as problem:
                form.add_error("source", str(problem))
            else:
                self.log_change(request, row, "Entwurf gesichert.")
                following = "publish" if "publish" in request.POST else "edit"
                if following == "edit":
                    self.message_user(request, "Der Entwurf ist gesichert.", messages.SUCCESS)
                return redirect(f"admin:pages_legaltext_{following}", kind.value)
        practice = Practice.current()
        source = form["source"].value() or ""
        context = {
            "form": form,
            "kind": kind,
            "draft": legal.draft(kind),
            "preview": legal.unpublished(kind, source, practice),
            "missing": filling.fill(source, practice).missing,
            "words": list(filling.WORDS),
            "blocks": list(filling.BLOCKS),
            "is_statutory": kind == Kind.WITHDRAWAL,
        }
        return self._page(request, "edit", f"{kind.label} bearbeiten", context)

    def preview_view(self, request: HttpRequest, kind: Kind) -> HttpResponse:
        """The draft on the site's own page."""
        text = legal.unpublished(kind, legal.source_to_edit(kind), Practice.current())
        context = {
            "text": text,
            "title": str(kind.label),
            "state": legal.state_line(text),
            "is_current": True,
            "is_preview": True,
            "page": legal.PAGES[kind],
            "pdf": reverse("admin:pages_legaltext_pdf", args=[kind.value]),
        }
        return render(request, "pages/paper.html", context)

    def pdf_view(self, request: HttpRequest, kind: Kind) -> HttpResponse:
        text = legal.unpublished(kind, legal.source_to_edit(kind), Practice.current())
        return HttpResponse(legal.pdf_of(text), content_type="application/pdf")

    def versions_view(self, request: HttpRequest, kind: Kind) -> HttpResponse:
        rows = list(LegalText.objects.published().filter(kind=kind).order_by("-number"))
        older = [*rows[1:], None]
        context = {
            "kind": kind,
            "versions": [
                {"row": row, "changes": comparing.compare(before.text, row.text) if before else []}
                for row, before in zip(rows, older, strict=False)
            ],
            "is_archived": kind in (Kind.TERMS, Kind.WITHDRAWAL, Kind.PRIVACY),
            "archive": f"{legal.PAGES[kind]}_version",
        }
        return self._page(request, "versions", f"{kind.label}: Fassungen", context)

    def publish_view(self, request: HttpRequest, kind: Kind) -> HttpResponse:
        """The words once more, what changed, and the button."""
        practice = Practice.current()
        source = legal.source_to_edit(kind)
        text = legal.unpublished(kind, source, practice)
        form = PublishForm(request.POST or None, initial={"valid_from": timezone.localdate()})
        if form.is_valid():
            try:
                row = legal.publish(
                    kind, **form.cleaned_data, by=request.user.get_username(), now=timezone.now()
                )
            except LegalTextError as problem:
                form.add_error(None, str(problem))
            else:
                self.log_change(request, row, f"Fassung {row.number} veröffentlicht.")
                self.message_user(request, f"{row} ist veröffentlicht.", messages.SUCCESS)
                return redirect("admin:pages_legaltext_changelist")
        last = LegalText.objects.published().filter(kind=kind).order_by("-number").first()
        context = {
            "form": form,
            "kind": kind,
            "preview": text,
            "missing": filling.fill(source, practice).missing,
            "last": last,
            "changes": comparing.compare(last.text, text.text) if last else [],
            "needs_a_lawyer": kind in CHECKED_BY_A_LAWYER,
        }
        return self._page(request, "publish", f"{kind.label} veröffentlichen", context)

    def discard_view(self, request: HttpRequest, kind: Kind) -> HttpResponse:
        return require_POST(self._discard)(request, kind)

    def checked_view(self, request: HttpRequest, kind: Kind) -> HttpResponse:
        return require_POST(self._checked)(request, kind)

    def _discard(self, request: HttpRequest, kind: Kind) -> HttpResponse:
        row = legal.draft(kind)
        if row is not None and not confirming.is_sure(request):
            return self._ask(
                request,
                f"{kind.label}: Entwurf verwerfen",
                "Was darin geändert wurde, ist dann weg. Die veröffentlichte Fassung bleibt, wie sie ist.",
                "Entwurf verwerfen",
            )
        if row is not None:
            self.log_deletions(request, LegalText.objects.filter(pk=row.pk))
            legal.discard_draft(kind)
            self.message_user(request, "Der Entwurf ist verworfen.", messages.SUCCESS)
        return redirect("admin:pages_legaltext_changelist")

    def _checked(self, request: HttpRequest, kind: Kind) -> HttpResponse:
        row = legal.current_row(kind)
        # Another version may hold since the page was opened; that one nobody has looked at.
        is_seen = row is not None and request.POST.get("number") == str(row.number)
        if is_seen and not confirming.is_sure(request):
            return self._ask(
                request,
                f"{kind.label}: geprüft",
                f"{row}: Eine Anwältin oder ein Anwalt hat genau diesen Wortlaut geprüft? Der Hinweis "
                "auf einen Entwurf verschwindet dann von der Seite. Zurücknehmen lässt sich das nicht.",
                "Ja, geprüft",
            )
        if row is not None and is_seen:
            legal.mark_checked(row, now=timezone.now())
            self.log_change(request, row, "Als geprüft vermerkt.")
            self.message_user(request, f"{row} ist als geprüft vermerkt.", messages.SUCCESS)
        return redirect("admin:pages_legaltext_changelist")

    def _ask(self, request: HttpRequest, title: str, says: str, button: str) -> HttpResponse:
        back = reverse("admin:pages_legaltext_changelist")
        return confirming.ask(
            request, title=title, says=[says], button=button, back=back, opts=self.opts
        )

    def _page(
        self, request: HttpRequest, name: str, title: str, context: dict[str, Any]
    ) -> HttpResponse:
        shown = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "may_change": self.has_change_permission(request),
            **context,
        }
        return TemplateResponse(request, f"admin/pages/legaltext/{name}.html", shown)


def _of_a_kind(
    view: TextView, permission: Callable[[HttpRequest], bool]
) -> Callable[..., HttpResponse]:
    """A page about one kind of text, for whoever may open it."""

    def wrapped(request: HttpRequest, kind: str) -> HttpResponse:
        if not permission(request):
            raise PermissionDenied
        if kind not in Kind.values:
            raise Http404
        return view(request, Kind(kind))

    return wrapped


def _states(*, today: date) -> Iterator[State]:
    """How each text stands; one question for what holds, for what will, and for the drafts."""
    practice, current = Practice.current(), legal.current_rows(today=today)
    drafts = {Kind(row.kind): row for row in LegalText.objects.drafts()}
    coming = list(LegalText.objects.published().filter(valid_from__gt=today).order_by("-number"))
    for kind in Kind:
        row, draft = current.get(kind), drafts.get(kind)
        upcoming = [each for each in coming if each.kind == kind]
        newest = upcoming[0] if upcoming else row
        written = draft or newest
        source = written.source if written else legal.start_source(kind)
        yield State(
            kind,
            row,
            draft,
            upcoming[::-1],
            filling.fill(source, practice).missing,
            newest is not None and legal.is_outdated(newest, practice),
            legal.PAGES[kind],
        )
