"""The practice's one row in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html

from coaching_site import pictures
from pages import legal, portraits
from pages import legal_admin as legal_admin  # registers its own pages
from pages import testimonial_admin as testimonial_admin  # registers its own pages
from pages.models import Practice


class PracticeForm(forms.ModelForm[Practice]):
    """The whole row; the admin names the fields."""

    # What lies beside a portrait that was just uploaded.
    other_files: pictures.Files | None = None

    def clean_portrait(self) -> Any:
        """A new picture is made small; an old one stays as it is."""
        portrait = self.cleaned_data["portrait"]
        if not isinstance(portrait, UploadedFile):
            return portrait
        try:
            files = portraits.prepared(portrait, portrait.size or 0)
        except pictures.NotAPicture as problem:
            raise forms.ValidationError(str(problem)) from None
        self.other_files = files.others
        return files.main


@admin.register(Practice)
class PracticeAdmin(admin.ModelAdmin[Practice]):
    form = PracticeForm
    readonly_fields = ["updated_at"]
    fieldsets = [
        (
            "Anbieter",
            {
                "description": "Diese Angaben stehen im Impressum, in Verträgen und in jeder E-Mail.",
                "fields": [
                    "brand",
                    ("first_name", "last_name"),
                    "street",
                    ("postal_code", "city"),
                    "country",
                    ("email", "phone"),
                    "vat_id",
                    "vat_mode",
                    "insurer",
                    "insurance_scope",
                    "associations",
                ],
            },
        ),
        (
            "Rechnungen",
            {
                "description": "Diese Angaben stehen nur auf Rechnungen.",
                "fields": ["tax_number", "iban", "payment_days", "kept_deposit"],
            },
        ),
        ("Profil", {"fields": ["portrait", "headline", "biography", "call_story"]}),
        (
            "Zahlen auf der Seite",
            {
                "description": "Nur wahre Zahlen, jede mit Quelle und Stand. Leer heißt: wird nicht gezeigt.",
                "fields": [
                    ("coached_value", "coached_source", "coached_as_of"),
                    ("readers_value", "readers_source", "readers_as_of"),
                    "readers_counted",
                ],
            },
        ),
        ("Newsletter", {"fields": ["newsletter_rhythm", "newsletter_keeps_network"]}),
        (
            "Datenschutz",
            {
                "description": "Wer in deinem Auftrag Daten verarbeitet; steht in der Datenschutzerklärung.",
                "fields": [
                    "hosting_provider",
                    "mail_provider",
                    "video_provider",
                    "backup_provider",
                    "supervisory_authority",
                ],
            },
        ),
        (None, {"fields": ["updated_at"]}),
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and Practice.current()._state.adding

    def has_delete_permission(self, request: HttpRequest, obj: Practice | None = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """There is one row, so the list leads straight to it."""
        if Practice.objects.exists():
            return redirect("admin:pages_practice_change", 1)
        return redirect("admin:pages_practice_add")

    def save_model(self, request: HttpRequest, obj: Practice, form: Any, change: bool) -> None:
        obj.pk = 1
        before = Practice.objects.filter(pk=1).values_list("portrait", flat=True).first()
        super().save_model(request, obj, form, change)
        portraits.replace(obj, before=before or "", others=form.other_files)
        texts = ", ".join(row.get_kind_display() for row in legal.outdated())
        if texts:
            where = reverse("admin:pages_legaltext_changelist")
            sentence = format_html(
                'Darin stehen noch die alten Angaben: {}. <a href="{}">Text neu veröffentlichen</a>',
                texts,
                where,
            )
            self.message_user(request, sentence, messages.WARNING)
