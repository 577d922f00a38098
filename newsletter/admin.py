"""The list on the coach's desk: to look at, to prove, to export, and to take someone off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from coaching_site import german
from coaching_site.desk import confirming, downloads
from coaching_site.desk.csv_export import may_export
from coaching_site.desk.read_only import ReadOnly
from newsletter import (
    addresses,
    feedback,
    preferences,
    subscriptions,
    suppressions,
    tagging,
)
from newsletter import import_admin as import_admin  # registers its own pages
from newsletter import issue_admin as issue_admin  # registers its own pages
from newsletter import ledger_admin as ledger_admin  # registers its own pages
from newsletter.addresses import Address
from newsletter.forms import AddressField
from newsletter.models import Consent, Event, Subscriber, Suppression
from newsletter.views.common import json_file
from pages.models import Practice

LAST_MAILS = 20  # of a person's issues, on their page

# What the coach cannot take back: only the readers themselves agree anew.
LEAVES = (
    "Ein Abo endet damit sofort. Zurücknehmen kannst du das nicht: Wer wieder lesen will, "
    "muss sich selbst neu anmelden."
)

PersonView = Callable[[HttpRequest, Subscriber], HttpResponse]


class TaggingForm(ActionForm):
    """Beside the choice of what to do: the words to give or to take."""

    words = forms.CharField(label="Schlagwörter:", required=False, max_length=500)


@admin.register(Subscriber)
class SubscriberAdmin(ReadOnly, admin.ModelAdmin[Subscriber]):
    list_display = ["address", "name", "status", "words", "created"]
    list_filter = [
        "status",
        "tags",
        "created_at",
        "confirmed_at",
        "unsubscribed_at",
        ("unreachable_since", admin.EmptyFieldListFilter),
    ]
    search_fields = ["address", "address_key", "name", "tags__name"]
    search_help_text = "Suche nach E-Mail-Adresse, Name oder Schlagwort oder einem Teil davon"
    ordering = ["-created_at"]
    show_full_result_count = False
    action_form = TaggingForm
    actions = ["export", "unsubscribe", "give_tags", "take_tags"]
    fields = [
        "address",
        "name",
        "status",
        "created_at",
        "confirmed_at",
        "unsubscribed_at",
        "unreachable_since",
        "mail_requested_at",
        "mail_sent_at",
    ]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        may_look, may_change = self.has_view_permission, self.has_unsubscribe_permission
        person = [
            ("nachweis", "proof", self.proof_view, may_look),
            ("daten", "data", require_POST(self.data_view), may_export),
            ("schlagwoerter", "tags", require_POST(self.tags_view), may_change),
            ("abmelden", "leave", require_POST(self.leave_view), may_change),
            ("zustellen", "deliver_again", require_POST(self.deliver_again_view), may_change),
            ("sperren", "block", require_POST(self.block_view), may_change),
            ("loeschen", "erase", self.erase_view, self.has_erase_permission),
        ]
        own = [path("wachstum/", view(self.growth_view), name="newsletter_subscriber_growth")]
        own += [
            path(
                f"<int:pk>/{address}/",
                view(_about_one(page, permission)),
                name=f"newsletter_subscriber_{name}",
            )
            for address, name, page, permission in person
        ]
        return [*own, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscriber]:
        return super().get_queryset(request).prefetch_related("tags")

    @admin.display(description="Schlagwörter")
    def words(self, row: Subscriber) -> str:
        return ", ".join(tag.name for tag in row.tags.all())

    @admin.display(description="eingetragen am", ordering="created_at")
    def created(self, row: Subscriber) -> str:
        return _day(row.created_at)

    def has_unsubscribe_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("newsletter.change_subscriber")

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("newsletter.delete_subscriber")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may = {
            "title": "Abos",
            "has_export_permission": self.has_export_permission(request),
            "has_import_permission": request.user.has_perm("newsletter.add_import"),
        }
        return super().changelist_view(request, {**(extra_context or {}), **may})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One person's whole history on one page, and what the coach may do."""
        row = self.get_object(request, object_id)
        context = {
            "may_change": self.has_unsubscribe_permission(request),
            "may_erase": self.has_erase_permission(request),
            "may_export": may_export(request),
            **(_history(row) if row else {}),
            **(extra_context or {}),
        }
        return super().change_view(request, object_id, form_url, context)

    def growth_view(self, request: HttpRequest) -> HttpResponse:
        """Where the figures of the list once were; they stand beside the others now."""
        return redirect(f"{reverse('admin:figures')}#abos")

    def proof_view(self, request: HttpRequest, person: Subscriber) -> HttpResponse:
        """Every consent with all that proves it, for paper."""
        consents = list(person.consents.order_by("requested_at", "pk"))
        context = {
            "person": person,
            "consents": consents,
            "was_asked_here": not all(consent.is_imported for consent in consents),
            "practice": Practice.current(),
            "made_at": timezone.now(),
        }
        return TemplateResponse(request, "admin/newsletter/subscriber/proof.html", context)

    def data_view(self, request: HttpRequest, person: Subscriber) -> HttpResponse:
        """What the person may ask for (DSGVO Art. 15), as a file."""
        now = timezone.now()
        preferences.note_export(person, by=Event.By.COACH, now=now)
        everything = preferences.everything_about(person, now=now)
        return json_file(preferences.as_json(everything))

    def tags_view(self, request: HttpRequest, person: Subscriber) -> HttpResponse:
        tagging.write(person, tagging.words_in(request.POST.get("words", "")))
        self.message_user(request, "Schlagwörter gespeichert.", messages.SUCCESS)
        return redirect("admin:newsletter_subscriber_change", person.pk)

    def leave_view(self, request: HttpRequest, person: Subscriber) -> HttpResponse:
        if not confirming.is_sure(request):
            return self._ask(request, person, "Vom Newsletter abmelden", LEAVES)
        if subscriptions.unsubscribe(person.public_id, now=timezone.now(), by=Event.By.COACH):
            self.message_user(request, "Abgemeldet.", messages.SUCCESS)
        return redirect("admin:newsletter_subscriber_change", person.pk)

    def deliver_again_view(self, request: HttpRequest, person: Subscriber) -> HttpResponse:
        """Write again to somebody whose mail came back: they may have told the coach that it works."""
        now, by = timezone.now(), Event.By.COACH
        if feedback.deliver_again(person.public_id, now=now, by=by):
            self.message_user(request, "Wird wieder beschickt.", messages.SUCCESS)
        return redirect("admin:newsletter_subscriber_change", person.pk)

    def block_view(self, request: HttpRequest, person: Subscriber) -> HttpResponse:
        """Block, or take it back: the button says which."""
        now = timezone.now()
        if "aufheben" not in request.POST:
            if not confirming.is_sure(request):
                return self._ask(
                    request, person, "Sperren", f"Keine Anmeldung wird mehr beantwortet. {LEAVES}"
                )
            suppressions.block(person.address_key, now=now)
            self.message_user(request, "Gesperrt und abgemeldet.", messages.SUCCESS)
        elif suppressions.unblock(person.address_key, now=now):
            self.message_user(request, "Sperre aufgehoben.", messages.SUCCESS)
        return redirect("admin:newsletter_subscriber_change", person.pk)

    def _ask(self, request: HttpRequest, person: Subscriber, title: str, says: str) -> HttpResponse:
        return confirming.ask(
            request,
            title=title,
            says=[f"{person.address}: {says}"],
            button=title,
            back=reverse("admin:newsletter_subscriber_change", args=[person.pk]),
            opts=self.opts,
        )

    def erase_view(self, request: HttpRequest, person: Subscriber) -> HttpResponse:
        """Ask first. Afterwards nothing names the person, this page's message neither."""
        if request.method == "POST":
            preferences.erase(person.public_id, by=Event.By.COACH, now=timezone.now())
            self.message_user(request, "Gelöscht.", messages.SUCCESS)
            return redirect("admin:newsletter_subscriber_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": "Daten löschen",
            "opts": self.opts,
            "person": person,
            "back": reverse("admin:newsletter_subscriber_change", args=[person.pk]),
        }
        return TemplateResponse(request, "admin/newsletter/subscriber/erase.html", context)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return downloads.may_have(request, "people")

    @admin.action(description="CSV-Export", permissions=["export"])
    def export(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> HttpResponse:
        return downloads.hand_out(request, "people", "newsletter-abos.csv", queryset)

    @admin.action(description="Abmelden", permissions=["unsubscribe"])
    def unsubscribe(
        self, request: HttpRequest, queryset: QuerySet[Subscriber]
    ) -> HttpResponse | None:
        if not confirming.is_sure(request):
            return confirming.ask(
                request,
                title="Abmelden",
                says=[f"Ausgewählt: {german.number(queryset.count())}. {LEAVES}"],
                button="Abmelden",
                back=reverse("admin:newsletter_subscriber_changelist"),
                opts=self.opts,
            )
        now, by = timezone.now(), Event.By.COACH
        gone = sum(subscriptions.unsubscribe(row.public_id, now=now, by=by) for row in queryset)
        self.message_user(request, f"Abgemeldet: {gone}.", messages.SUCCESS)
        return None

    @admin.action(description="Schlagwörter geben", permissions=["unsubscribe"])
    def give_tags(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        self._tag(request, queryset, tagging.give, "Schlagwörter bekommen")

    @admin.action(description="Schlagwörter nehmen", permissions=["unsubscribe"])
    def take_tags(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        self._tag(request, queryset, tagging.take, "Schlagwörter verloren")

    def _tag(
        self,
        request: HttpRequest,
        people: QuerySet[Subscriber],
        rule: Callable[[QuerySet[Subscriber], list[str]], int],
        done: str,
    ) -> None:
        words = tagging.words_in(request.POST.get("words", ""))
        if not words:
            message = "Schreib die Schlagwörter in das Feld neben der Aktion, durch Komma getrennt."
            self.message_user(request, message, messages.WARNING)
            return
        chosen = Subscriber.objects.filter(pk__in=people.values("pk"))
        self.message_user(request, f"{done}: {rule(chosen, words)}.", messages.SUCCESS)


@admin.register(Consent)
class ConsentAdmin(ReadOnly, admin.ModelAdmin[Consent]):
    list_display = ["address", "text_version", "requested", "confirmed", "withdrawn"]
    list_filter = [
        ("confirmed_at", admin.EmptyFieldListFilter),
        ("withdrawn_at", admin.EmptyFieldListFilter),
        "text_version",
        "requested_at",
    ]
    search_fields = ["address", "subscriber__address_key"]
    search_help_text = "Suche nach der E-Mail-Adresse; eine ganze findet auch gelöschte"
    ordering = ["-requested_at"]
    show_full_result_count = False
    actions = ["export"]
    fields = [
        "address",
        "address_hash",
        "subscriber",
        "kind",
        "text",
        "text_version",
        "text_sha256",
        "page",
        "requested_at",
        "network",
        "network_until",
        "confirmed_at",
        "withdrawn_at",
        "replaces",
        "evidence",
    ]

    @admin.display(description="eingetragen am", ordering="requested_at")
    def requested(self, row: Consent) -> str:
        return _day(row.requested_at)

    @admin.display(description="bestätigt am", ordering="confirmed_at")
    def confirmed(self, row: Consent) -> str:
        return _day(row.confirmed_at)

    @admin.display(description="widerrufen am", ordering="withdrawn_at")
    def withdrawn(self, row: Consent) -> str:
        return _day(row.withdrawn_at)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Consent], search_term: str
    ) -> tuple[QuerySet[Consent], bool]:
        """Whoever was erased and asks for the proof is found by the address they name."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        address = _read(search_term)
        if address is not None:
            of_address = Consent.objects.of_address(address).values("pk")
            found = found | queryset.filter(pk__in=of_address)
        return found, may_repeat

    def has_export_permission(self, request: HttpRequest) -> bool:
        return downloads.may_have(request, "consents")

    @admin.action(description="CSV-Export", permissions=["export"])
    def export(self, request: HttpRequest, queryset: QuerySet[Consent]) -> HttpResponse:
        return downloads.hand_out(request, "consents", "newsletter-einwilligungen.csv", queryset)


class BlockForm(forms.ModelForm[Suppression]):
    """The address is typed, and only its hash is kept."""

    email = AddressField(
        label="E-Mail-Adresse",
        help_text="Gespeichert wird nur ein Prüfwert. Wer auf der Liste steht, wird abgemeldet.",
    )

    class Meta:
        model = Suppression
        fields: list[str] = []


@admin.register(Suppression)
class SuppressionAdmin(admin.ModelAdmin[Suppression]):
    """Addresses are kept as hashes, so one is looked for by typing it whole."""

    list_display = ["reason", "created_at", "short_hash"]
    list_filter = ["reason", "created_at"]
    search_fields = ["address_hash"]
    search_help_text = "Suche nach einer ganzen E-Mail-Adresse"
    ordering = ["-created_at"]
    show_full_result_count = False
    form = BlockForm

    def get_fields(self, request: HttpRequest, obj: Suppression | None = None) -> Any:
        return ["reason", "created_at", "address_hash"] if obj else ["email"]

    def has_change_permission(self, request: HttpRequest, obj: Suppression | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Suppression | None = None) -> bool:
        """The coach takes back their own no; what a reader said stays."""
        is_own = obj is not None and obj.reason == Suppression.Reason.BLOCKED
        return is_own and super().has_delete_permission(request, obj)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Suppression], search_term: str
    ) -> tuple[QuerySet[Suppression], bool]:
        if not search_term:
            return queryset, False
        address = _read(search_term)
        if address is None:
            return queryset.none(), False
        return queryset & Suppression.objects.of(address.key), False

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        """Adding is blocking, which a rule does."""
        key = form.cleaned_data["email"].key
        suppressions.block(key, now=timezone.now())
        row = Suppression.objects.of(key).get(reason=Suppression.Reason.BLOCKED)
        obj.pk, obj.reason = row.pk, row.reason
        obj.address_hash, obj.created_at = row.address_hash, row.created_at

    @admin.display(description="Prüfwert")
    def short_hash(self, row: Suppression) -> str:
        return f"{row.address_hash[:12]}…"


@admin.register(Event)
class EventAdmin(ReadOnly, admin.ModelAdmin[Event]):
    list_display = ["at", "kind", "by", "subscriber"]
    list_filter = ["kind", "by", "at"]
    list_select_related = ["subscriber"]
    search_fields = ["subscriber__address_key"]
    search_help_text = "Suche nach der E-Mail-Adresse oder einem Teil davon"
    ordering = ["-at"]
    show_full_result_count = False
    fields = ["at", "kind", "by", "subscriber", "detail"]


def _about_one(
    page: PersonView, permission: Callable[[HttpRequest], bool]
) -> Callable[..., HttpResponse]:
    """A page of one person, for whoever may open it."""

    def wrapped(request: HttpRequest, pk: int) -> HttpResponse:
        if not permission(request):
            raise PermissionDenied
        return page(request, get_object_or_404(Subscriber, pk=pk))

    return wrapped


def _history(person: Subscriber) -> dict[str, object]:
    found = Suppression.objects.of(person.address_key).order_by("created_at")
    return {
        "words": ", ".join(tag.name for tag in person.tags.all()),
        "consents": person.consents.order_by("-requested_at", "-pk"),
        "events": person.events.order_by("-at", "-pk"),
        "deliveries": person.deliveries.select_related("issue").order_by("-pk")[:LAST_MAILS],
        "feedback": person.feedback.select_related("delivery__issue").order_by("-pk")[:LAST_MAILS],
        "suppressions": found,
        "is_blocked": suppressions.is_blocked(person.address_key),
        "is_on_the_list": person.status != Subscriber.Status.UNSUBSCRIBED,
    }


def _read(text: str) -> Address | None:
    try:
        return addresses.parse(text)
    except addresses.NotAnAddress:
        return None


def _day(moment: datetime | None) -> str:
    """„25.11.2026“: so short that a list of several fits the page; each row's own page says more."""
    return german.plain_date(timezone.localtime(moment)) if moment else ""
