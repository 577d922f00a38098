"""What people asked for about their data, and answering them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from coaching_site import german
from coaching_site.desk import audit, people
from coaching_site.desk.csv_export import may_export
from coaching_site.desk.models import Change, PersonRequest
from coaching_site.desk.open_first import OpenFirst
from coaching_site.desk.read_only import ReadOnly
from coaching_site.desk.views import json_file
from newsletter.addresses import Address
from newsletter.forms import AddressField


class PersonForm(forms.Form):
    email = AddressField(
        label="E-Mail-Adresse",
        # Somebody else's: the browser has no business filling in the coach's own.
        widget=forms.EmailInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )


@admin.register(PersonRequest)
class PersonRequestAdmin(ReadOnly, admin.ModelAdmin[PersonRequest]):
    list_display = ["kind", "due", "address", "by", "asked", "done"]
    list_filter = [OpenFirst, "kind", "by"]
    ordering = [F("done_at").desc(nulls_first=True), "due_on"]
    fields = ["kind", "by", "address", "asked", "due", "in_the_way", "done"]
    readonly_fields = ["asked", "due", "done"]
    change_list_template = "admin/desk/personrequest/list.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [path("person/", view(self.person_view), name="desk_personrequest_person")]
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = {"title": "Anfragen zu Daten"}
        return super().changelist_view(request, {**(extra_context or {}), **title})

    @admin.display(description="Verlangt", ordering="asked_at")
    def asked(self, row: PersonRequest) -> str:
        return german.short_when(row.asked_at, timezone.get_default_timezone())

    @admin.display(description="Zu erledigen bis", ordering="due_on")
    def due(self, row: PersonRequest) -> SafeString | str:
        day = german.short_date(row.due_on)
        if row.done_at is None and row.due_on < timezone.localdate():
            return format_html("<strong>{} (überfällig)</strong>", day)
        return day

    @admin.display(description="Erledigt", ordering="done_at")
    def done(self, row: PersonRequest) -> str | None:
        if row.done_at is None:
            return None
        return german.short_when(row.done_at, timezone.get_default_timezone())

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("desk.erase_person")

    def person_view(self, request: HttpRequest) -> HttpResponse:
        """One person: look, take along, erase. The address is sent in the form, never in the URL."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = PersonForm(request.POST or None)
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": "Daten einer Person",
            "opts": self.opts,
            "form": form,
        }
        if form.is_valid():
            answer = self._answer(request, form.cleaned_data["email"], context)
            if answer is not None:
                return answer
        return TemplateResponse(request, "admin/desk/personrequest/person.html", context)

    def _answer(
        self, request: HttpRequest, address: Address, context: dict[str, Any]
    ) -> HttpResponse | None:
        now, by = timezone.now(), PersonRequest.By.COACH
        wants_erasure = "erase" in request.POST or "confirm" in request.POST
        if wants_erasure and not self.has_erase_permission(request):
            raise PermissionDenied
        if "confirm" in request.POST:
            return self._erase(request, address)
        if "file" in request.POST:
            if not may_export(request):
                raise PermissionDenied
            people.note_export(address, by=by, now=now)
            return json_file(people.everything_about(address, now=now))
        context["address"] = address.shown
        context["asks_to_confirm"] = "erase" in request.POST
        context["left"] = people.in_the_way(address, now=now)
        context["asked_before"] = people.asked_before(address)
        context["may_export"] = may_export(request)
        context["may_erase"] = self.has_erase_permission(request)
        context["everything"] = people.everything_about(address, now=now)
        context["is_known"] = people.is_known(address)
        return None

    def _erase(self, request: HttpRequest, address: Address) -> HttpResponse:
        left = people.erase(address, by=PersonRequest.By.COACH, now=timezone.now())
        for reason in left:
            self.message_user(request, reason, messages.WARNING)
        if left:
            done = "Der Rest ist gelöscht; das hier folgt von selbst, sobald nichts mehr hindert."
            self.message_user(request, done, messages.WARNING)
        else:
            self.message_user(request, "Gelöscht.", messages.SUCCESS)
        return redirect("admin:desk_personrequest_changelist")


@admin.register(Change)
class ChangeAdmin(ReadOnly, admin.ModelAdmin[Change]):
    list_display = ["when", "change", "who"]
    list_filter = ["what", "who", "at"]
    fields = ["when", "who", "what", "thing", "told"]
    readonly_fields = ["when", "thing", "told"]
    show_full_result_count = False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "title": "Änderungen"})

    @admin.display(description="wann", ordering="at")
    def when(self, change: Change) -> str:
        return german.short_when(change.at, timezone.get_default_timezone())

    @admin.display(description="was")
    def change(self, change: Change) -> SafeString:
        """Three columns fit on a telephone, five do not."""
        what = change.get_what_display()
        return format_html("{} {}<br>{}", self.thing(change), what, self.told(change))

    @admin.display(description="woran")
    def thing(self, change: Change) -> str:
        """The thing's page, if it still has one; never what it was called then."""
        model = audit.model_of(change.table)
        if model is None:
            return f"{change.table} {change.row}"
        label = f"{audit.called(model)} {change.row}"
        is_there = change.what != Change.What.DELETE and self.admin_site.is_registered(model)
        if not is_there:
            return label
        page = reverse(
            f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[change.row]
        )
        return format_html('<a href="{}">{}</a>', page, label)

    @admin.display(description="Felder")
    def told(self, change: Change) -> str:
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in audit.told(change)))
