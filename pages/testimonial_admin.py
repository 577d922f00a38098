"""Quotes on the coach's desk: write down, look, show, take back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, linebreaks
from django.utils.safestring import SafeString

from pages import testimonials
from pages.models import Practice, Testimonial
from pages.testimonials import TestimonialError

SHOWN = ("text", "shown_as", "shown_role")
PROVED = ("person", "email", "consent_text", "consented_on", "consent_means")


class TestimonialForm(forms.ModelForm[Testimonial]):
    """The admin names the fields."""

    def clean_text(self) -> str:
        return _one_kind_of_line_break(self.cleaned_data["text"])

    def clean_consent_text(self) -> str:
        return _one_kind_of_line_break(self.cleaned_data["consent_text"])

    def clean_consented_on(self) -> Any:
        day = self.cleaned_data["consented_on"]
        if day and day > timezone.localdate():
            raise forms.ValidationError("Dieser Tag liegt in der Zukunft.")
        return day


@admin.register(Testimonial)
class TestimonialAdmin(admin.ModelAdmin[Testimonial]):
    form = TestimonialForm
    list_display = ["beginning", "state", "preview", "shown_as", "consented_on"]
    search_fields = ["person", "email"]
    search_help_text = "Suche nach dem Namen oder der E-Mail-Adresse"
    actions = ["publish", "take_down", "revoke"]
    fieldsets = [
        (
            "Was gezeigt wird",
            {
                "description": (
                    "Nur von Menschen, die du selbst gecoacht hast: Das steht neben den Zitaten."
                ),
                "fields": [*SHOWN, "position", "preview"],
            },
        ),
        ("Wer das gesagt hat", {"fields": ["person", "email"]}),
        (
            "Einwilligung",
            {
                "description": (
                    "Schick der Person die Vorlage. Sobald sie schriftlich zugestimmt hat, trag hier "
                    "ein, welchem Wortlaut, wann und wie. Dann kannst du das Zitat in der Liste "
                    "veröffentlichen. Eine unverlangte E-Mail mit der Bitte um ein Zitat gilt als "
                    "Werbung: Frag im Gespräch oder Menschen, die dem zugestimmt haben."
                ),
                "fields": [
                    "template",
                    "consent_text",
                    ("consented_on", "consent_means"),
                    "consent_version",
                ],
            },
        ),
        ("Stand", {"fields": ["published_at", "revoked_at"]}),
    ]

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.preview_view)
        own = [path("<int:pk>/vorschau/", page, name="pages_testimonial_preview")]
        return [*own, *super().get_urls()]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Testimonial | None = None
    ) -> list[str]:
        """Words that are shown, and what is proved, stay as they were agreed to."""
        always = ["preview", "template", "consent_version", "published_at", "revoked_at"]
        is_settled = obj is not None and (obj.published_at or obj.revoked_at)
        return [*always, *SHOWN, *PROVED] if is_settled else always

    def has_delete_permission(self, request: HttpRequest, obj: Testimonial | None = None) -> bool:
        """A consent is proof: who wants to be forgotten is erased under „Anfragen zu Daten“."""
        was_given = obj is None or obj.consented_on is not None
        return not was_given and super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Testimonial, form: Any, change: bool) -> None:
        if "consent_text" in form.changed_data:
            obj.consent_version = testimonials.version_of(obj, Practice.current())
        # Only what was typed: a consent that is revoked meanwhile stays revoked.
        typed = [*form.changed_data, "consent_version"] if change else None
        obj.save(update_fields=typed)

    # --- what the lists and pages show -----------------------------------------------------

    @admin.display(description="Zitat", ordering="text")
    def beginning(self, row: Testimonial) -> str:
        return row.text if len(row.text) <= 80 else f"{row.text[:79].rstrip()}…"

    @admin.display(description="Stand")
    def state(self, row: Testimonial) -> str:
        return row.state

    @admin.display(description="Vorschau")
    def preview(self, row: Testimonial) -> str | SafeString:
        if row._state.adding:
            return "Nach dem Speichern."
        address = reverse("admin:pages_testimonial_preview", args=[row.pk])
        return format_html('<a href="{}">Ansehen</a>', address)

    @admin.display(description="Vorlage für die Einwilligung")
    def template(self, row: Testimonial) -> str | SafeString:
        if row._state.adding:
            return "Nach dem Speichern."
        return SafeString(
            linebreaks(testimonials.wording(row, Practice.current()), autoescape=True)
        )

    def preview_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The quote as visitors would read it, on the site's own page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        return render(request, "pages/testimonial_preview.html", {"testimonials": [row]})

    # --- what the coach does ---------------------------------------------------------------

    @admin.action(description="Veröffentlichen", permissions=["change"])
    def publish(self, request: HttpRequest, rows: QuerySet[Testimonial]) -> None:
        now = timezone.now()
        done = self._each(request, rows, lambda row: testimonials.publish(row, now=now))
        if done:
            self.message_user(request, f"Veröffentlicht: {done}.", messages.SUCCESS)

    @admin.action(description="Nicht mehr zeigen", permissions=["change"])
    def take_down(self, request: HttpRequest, rows: QuerySet[Testimonial]) -> None:
        done = self._each(request, rows, testimonials.take_down)
        self.message_user(request, f"Nicht mehr gezeigt: {done}.", messages.SUCCESS)

    @admin.action(description="Einwilligung widerrufen …", permissions=["change"])
    def revoke(self, request: HttpRequest, rows: QuerySet[Testimonial]) -> HttpResponse | None:
        if "yes" not in request.POST:
            return self._ask_to_revoke(request, rows)
        now = timezone.now()
        done = self._each(request, rows, lambda row: testimonials.revoke(row, now=now))
        if done:
            sentence = f"Widerrufen: {done}. Auf der Seite steht davon nichts mehr."
            self.message_user(request, sentence, messages.SUCCESS)
        return None

    def _ask_to_revoke(self, request: HttpRequest, rows: QuerySet[Testimonial]) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Einwilligung widerrufen",
            "opts": self.opts,
            "rows": rows,
            "checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/pages/testimonial/revoke.html", context)

    def _each(
        self,
        request: HttpRequest,
        rows: QuerySet[Testimonial],
        change: Callable[[Testimonial], None],
    ) -> int:
        """Do it to each row and tell what is in the way of some; returns how many were changed."""
        done = 0
        for row in rows:
            try:
                change(row)
            except TestimonialError as problem:
                self.message_user(request, f"{row.shown_as}: {problem}", messages.WARNING)
            else:
                self.log_change(request, row, f"Jetzt: {self._now(row)}.")
                done += 1
        return done

    def _now(self, row: Testimonial) -> str:
        row.refresh_from_db()
        return row.state


def _one_kind_of_line_break(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
