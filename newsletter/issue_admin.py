"""Issues on the coach's desk: the list, writing, looking at what will arrive, mending, pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Exists, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from coaching_site import german
from coaching_site import pictures as picture_files
from coaching_site.mail_frames import framed
from newsletter import issue_pages, preflight, sending_admin, writing
from newsletter.errors import NewsletterError
from newsletter.issue_forms import AltForm, IssueForm, MendForm, PictureForm, show_version
from newsletter.issue_pages import IssueView, about_one, preflight_of, short
from newsletter.models import Delivery, Edition, Issue, Picture
from newsletter.rendering import pictures, placeholders
from newsletter.rendering.building import Built
from newsletter.writing import SlugTaken, WrittenMeanwhile
from pages.models import Practice

WRITING = [
    (None, {"fields": ["subject", "preheader", "body"]}),
    ("Wer sie bekommt", {"fields": ["tags"]}),
    ("Archiv", {"fields": ["in_archive", "slug"]}),
]
MENDING = [(None, {"fields": ["subject", "body", "in_archive"]})]
PICTURES_BESIDE = 5


@admin.register(Issue)
class IssueAdmin(admin.ModelAdmin[Issue]):
    list_display = ["subject", "status", "audience", "when", "progress"]
    list_filter = ["status"]
    search_fields = ["subject", "body"]
    search_help_text = "Suche in Betreff und Text"
    ordering = ["-created_at", "-pk"]
    list_per_page = 30
    show_full_result_count = False
    actions = None

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        may_look, may_change = self.has_view_permission, self.has_change_permission
        pages: list[tuple[str, str, IssueView, Callable[..., bool]]] = [
            ("vorschau", "preview", self.preview_view, may_look),
            ("vorschau/mail", "mail", _mail, may_look),
            ("archivfassung", "mend", self.mend_view, may_change),
        ]
        pages += [
            (address, name, page, may_change) for address, name, page in sending_admin.pages(self)
        ]
        pages += [
            (address, name, page, self.has_send_permission)
            for address, name, page in sending_admin.sending_pages(self)
        ]
        own = [
            path(
                f"<int:pk>/{address}/",
                view(about_one(page, permission)),
                name=f"newsletter_issue_{name}",
            )
            for address, name, page, permission in pages
        ]
        return [*own, *super().get_urls()]

    def has_send_permission(self, request: HttpRequest, obj: Issue | None = None) -> bool:
        """Who writes does not for that decide that it goes out."""
        may = request.user.has_perm("newsletter.send_issue")
        return bool(may and self.has_change_permission(request, obj))

    # --- the list -----------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Issue]:
        return (
            super()
            .get_queryset(request)
            .prefetch_related("tags")
            .annotate(
                accepted=_deliveries(Delivery.State.SENT),
                excluded=_deliveries(Delivery.State.EXCLUDED),
            )
        )

    @admin.display(description="geht an")
    def audience(self, issue: Issue) -> str:
        return ", ".join(tag.name for tag in issue.tags.all()) or "alle"

    @admin.display(description="wann")
    def when(self, issue: Issue) -> str:
        if issue.finished_at:
            return short(issue.finished_at)
        if issue.started_at:
            return f"seit {short(issue.started_at)}"
        if issue.send_at and not issue.may_be_written:
            return f"für {short(issue.send_at)}"
        return f"geändert {short(issue.changed_at)}"

    @admin.display(description="angenommen")
    def progress(self, issue: Issue) -> str:
        if issue.candidates is None:
            return "–"
        counts = vars(issue)
        whole = issue.candidates - counts["excluded"]
        return f"{german.number(counts['accepted'])} von {german.number(whole)}"

    # --- writing ------------------------------------------------------------------------------

    def has_delete_permission(self, request: HttpRequest, obj: Issue | None = None) -> bool:
        """What was sent stays; its page in the archive can be taken away."""
        is_draft = obj is None or obj.may_be_written
        return is_draft and super().has_delete_permission(request, obj)

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._write(request, None)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A draft to write on; of anything later how it stands, and what can be done."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        issue = self.get_object(request, object_id)
        if issue is None:
            return redirect("admin:newsletter_issue_changelist")
        is_sent_text = request.method == "POST"
        if is_sent_text and not self.has_change_permission(request, issue):
            raise PermissionDenied
        if is_sent_text or (issue.may_be_written and self.has_change_permission(request, issue)):
            return self._write(request, issue)
        return sending_admin.status(request, self, issue)

    def _write(self, request: HttpRequest, issue: Issue | None) -> HttpResponse:
        """The page one writes on. What cannot be kept comes back as it was typed."""
        form = IssueForm(request.POST if request.method == "POST" else None, instance=issue)
        newer: Issue | None = None
        if form.is_valid():
            try:
                saved = self._keep(request, issue, form)
            except WrittenMeanwhile as error:
                newer = error.current
                show_version(form, newer.changed_at)
                form.add_error(None, error.message)
            except SlugTaken as error:
                form.add_error("slug", error.message)
            except NewsletterError as error:
                form.add_error(None, error.message)
            else:
                return _onward(request, saved)
        context = {
            "title": issue.subject if issue else "Neue Ausgabe",
            "issue": issue,
            "form": form,
            "admin_form": form.as_admin_form(WRITING),
            "newer": newer,
            "pictures": [
                (each, _markdown(each))
                for each in Picture.objects.order_by("-pk")[:PICTURES_BESIDE]
            ],
            "words": placeholders.WORDS,
            "may_delete": issue is not None and self.has_delete_permission(request, issue),
            **(preflight_of(issue) if issue else {}),
        }
        return issue_pages.shown(request, self, "write", context)

    def _keep(self, request: HttpRequest, issue: Issue | None, form: IssueForm) -> Issue:
        now = timezone.now()
        if issue is None:
            saved = writing.begin(form.draft(), now=now)
            self.log_addition(request, saved, [{"added": {}}])
        else:
            version = form.cleaned_data["version"]
            saved = writing.save(issue.pk, form.draft(), version=version, now=now)
            self.log_change(request, saved, form.changes())
        return saved

    def delete_model(self, request: HttpRequest, obj: Issue) -> None:
        """Only while it is a draft: another tab may have sent it since this page was opened."""
        Issue.objects.filter(pk=obj.pk, status=Issue.Status.DRAFT).delete()

    # --- mending ------------------------------------------------------------------------------

    def mend_view(self, request: HttpRequest, issue: Issue) -> HttpResponse:
        """Correct what the archive shows of an issue that was sent."""
        if issue.started_at is None:
            self.message_user(request, writing.NotSentYet.message, messages.WARNING)
            return issue_pages.to(issue)
        form = MendForm(request.POST if request.method == "POST" else None, instance=issue)
        newer: Issue | None = None
        if form.is_valid():
            try:
                saved = writing.mend(issue.pk, **form.words(), now=timezone.now())
            except WrittenMeanwhile as error:
                newer = error.current
                show_version(form, newer.changed_at)
                form.add_error(None, error.message)
            else:
                self.log_change(request, saved, form.changes())
                self.message_user(
                    request, "Gespeichert. Das Archiv zeigt jetzt diese Fassung.", messages.SUCCESS
                )
                return issue_pages.to(saved)
        context = {
            "title": "Archivfassung korrigieren",
            "issue": issue,
            "form": form,
            "admin_form": form.as_admin_form(MENDING),
            "newer": newer,
        }
        return issue_pages.shown(request, self, "mend", context)

    # --- looking ------------------------------------------------------------------------------

    def preview_view(self, request: HttpRequest, issue: Issue) -> HttpResponseBase:
        """The mail as it will arrive: light and dark, wide and narrow, and its text."""
        name = _name(request)
        built = _built(issue)
        frame = reverse("admin:newsletter_issue_mail", args=[issue.pk])
        context = {
            "title": f"Vorschau: {issue.subject}",
            "issue": issue,
            "name": name,
            "built": built,
            "text": placeholders.fill(built.text, _values(name)),
            "frame": frame,
            "kilobytes": german.number(round(len(built.html.encode()) / 1000)),
            **preflight_of(issue),
        }
        shown = issue_pages.shown(request, self, "preview", context)
        return csp_update({"frame-src": [SELF]})(lambda _: shown)(request)


@admin.register(Picture)
class PictureAdmin(admin.ModelAdmin[Picture]):
    list_display = ["thumbnail", "alt", "to_paste", "used_in", "uploaded_at"]
    list_display_links = ["thumbnail", "alt"]
    search_fields = ["alt"]
    search_help_text = "Suche im Alternativtext"
    ordering = ["-pk"]
    list_per_page = 30
    show_full_result_count = False
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Picture]:
        """Each with the issues that show it; asked once for all."""
        mailed = Edition.objects.filter(html__contains=OuterRef("file"))
        return super().get_queryset(request).annotate(mailed=Exists(mailed))

    def get_form(
        self, request: HttpRequest, obj: Picture | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm[Picture]]:
        return AltForm if obj else PictureForm

    def get_fields(self, request: HttpRequest, obj: Picture | None = None) -> Any:
        return ["thumbnail", "to_paste", "alt", "used_in"] if obj else ["file", "alt"]

    def get_readonly_fields(self, request: HttpRequest, obj: Picture | None = None) -> Any:
        return ["thumbnail", "to_paste", "used_in"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Picture | None = None) -> bool:
        """A picture that an issue shows, or that mails in mailboxes ask for, stays."""
        may = super().has_delete_permission(request, obj)
        return may and not (obj is not None and writing.is_used(obj))

    def save_model(self, request: HttpRequest, obj: Picture, form: Any, change: bool) -> None:
        if not change:
            obj.uploaded_at = timezone.now()
        super().save_model(request, obj, form, change)
        if not change:
            picture_files.lay_beside(obj.file.storage, obj.file.name, form.other_files)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        one_button = {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().add_view(request, form_url, {**one_button, **(extra_context or {})})

    def response_add(
        self, request: HttpRequest, obj: Picture, post_url_continue: str | None = None
    ) -> HttpResponse:
        self.message_user(
            request,
            "Hochgeladen. Kopier die Zeile „zum Einfügen“ in deinen Text.",
            messages.SUCCESS,
        )
        return redirect("admin:newsletter_picture_change", obj.pk)

    def delete_model(self, request: HttpRequest, obj: Picture) -> None:
        """Its files go with the row."""
        storage, name = obj.file.storage, str(obj.file.name)
        super().delete_model(request, obj)
        transaction.on_commit(lambda: picture_files.forget(storage, name, pictures.ENDS))

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Which issues show the listed pictures is asked once for all of them."""
        found = super().get_changelist_instance(request)
        issues = writing.pictures_in_issues()
        for picture in found.result_list:
            vars(picture)["issues"] = issues.get(picture.pk, [])
        return found

    @admin.display(description="Bild")
    def thumbnail(self, picture: Picture) -> SafeString:
        return format_html(
            '<img src="{}" alt="{}" width="{}" height="{}" class="thumbnail" loading="lazy">',
            picture.file.url,
            picture.alt,
            picture.width,
            picture.height,
        )

    @admin.display(description="zum Einfügen")
    def to_paste(self, picture: Picture) -> SafeString:
        return format_html('<code class="paste">{}</code>', _markdown(picture))

    @admin.display(description="steht in")
    def used_in(self, picture: Picture) -> SafeString | str:
        issues: list[Issue] | None = vars(picture).get("issues")
        if issues is None:
            issues = writing.pictures_in_issues().get(picture.pk, [])
        links = format_html_join(
            ", ",
            '<a href="{}">{}</a>',
            (
                (reverse("admin:newsletter_issue_change", args=[issue.pk]), issue.subject)
                for issue in issues
            ),
        )
        if links:
            return links
        return "verschickten Mails" if vars(picture).get("mailed") else "keiner Ausgabe"


def _mail(request: HttpRequest, issue: Issue) -> HttpResponseBase:
    """The mail's HTML alone, for the frames of the preview."""
    whole = placeholders.fill(_built(issue).html, _values(_name(request)), escape=escape)
    return framed(request, whole)


def _built(issue: Issue) -> Built:
    """What was sent, or what would be now."""
    edition = Edition.objects.filter(issue=issue).first()
    if edition is not None:
        return Built(subject=edition.subject, html=edition.html, text=edition.text)
    return preflight.built(issue, Practice.current())


def _name(request: HttpRequest) -> str:
    """Whose first name the preview shows: the coach's own, or what was typed; perhaps nobody's."""
    typed = request.GET.get("name")
    return Practice.current().first_name if typed is None else " ".join(typed.split())[:80]


def _values(name: str) -> dict[str, str]:
    # The ways out lead nowhere here: nobody is unsubscribed by looking.
    nowhere = dict.fromkeys((placeholders.UNSUBSCRIBE, placeholders.PREFERENCES), "#")
    return {placeholders.FIRST_NAME: name, placeholders.NAME: name, **nowhere}


def _markdown(picture: Picture) -> str:
    """What the coach pastes: „![Ein Whiteboard](bild:12)“."""
    alt = re.sub(r"([\\\[\]])", r"\\\1", picture.alt)
    return f"![{alt}](bild:{picture.pk})"


def _onward(request: HttpRequest, issue: Issue) -> HttpResponse:
    """Where the pressed button leads after saving."""
    for button in ("preview", "send"):
        if f"_{button}" in request.POST:
            return redirect(f"admin:newsletter_issue_{button}", issue.pk)
    messages.success(request, "Gespeichert.")
    return issue_pages.to(issue)


def _deliveries(state: Delivery.State) -> Coalesce:
    """How many mails of an issue are in that state, for a list of issues."""
    of_issue = Delivery.objects.filter(issue=OuterRef("pk"), state=state).order_by()
    number = of_issue.values("issue").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(number, output_field=IntegerField()), 0)
