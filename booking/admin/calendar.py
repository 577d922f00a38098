"""Hours and types of call: what the coach decides."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from booking import scheduling
from booking.admin.prices import CallTypeForm
from booking.models import Calendar, CallType, DateOverride, OneOffLink, Question, WeeklyHours
from booking.models.calendar import new_feed_secret
from booking.models.call_types import new_secret, payments_are_on
from coaching_site import german, links
from coaching_site.desk import confirming
from coaching_site.desk.csv_export import may_export
from pages.models import Practice

PRICE = "Preis und Absage"
YEAR = timedelta(days=365)


class WeeklyHoursInline(admin.TabularInline[WeeklyHours, Calendar]):
    model = WeeklyHours
    extra = 1


class DateOverrideInline(admin.TabularInline[DateOverride, Calendar]):
    model = DateOverride
    extra = 1


@admin.register(Calendar)
class CalendarAdmin(admin.ModelAdmin[Calendar]):
    list_display = ["name", "zone", "federal_state"]
    fields = ["name", "zone", "federal_state", "feed_link"]
    readonly_fields = ["feed_link"]
    inlines = [WeeklyHoursInline, DateOverrideInline]
    change_form_template = "admin/booking/calendar/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        holiday = self.admin_site.admin_view(require_POST(self.holiday))
        address = path("<int:pk>/feiertag/", holiday, name="booking_calendar_holiday")
        renew = self.admin_site.admin_view(require_POST(self.renew_feed))
        feed = path("<int:pk>/feed-erneuern/", renew, name="booking_calendar_renew_feed")
        return [address, feed, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        calendar = self.get_object(request, object_id)
        context = {
            **(extra_context or {}),
            "holidays": _holidays(calendar) if calendar else [],
            "may_open": self.has_change_permission(request, calendar),
        }
        return super().change_view(request, object_id, form_url, context)

    def get_fields(self, request: HttpRequest, obj: Calendar | None = None) -> list[Any]:
        """The link opens the calendar for good to everybody who knows it: that is an export."""
        may_see = (
            obj is not None and self.has_change_permission(request, obj) and may_export(request)
        )
        return [name for name in self.fields if may_see or name != "feed_link"]

    @admin.display(description="Dein Kalender-Abo")
    def feed_link(self, calendar: Calendar) -> SafeString:
        address = reverse("booking:feed", args=[calendar.feed_secret])
        return format_html(
            # The button belongs to a form of its own, outside of this one.
            "<code>{}</code><br>Abonniere diese Adresse in deinem Kalenderprogramm. Wer sie kennt, "
            "sieht deine Gespräche.<br>"
            "<button type='submit' form='feed-erneuern' class='button'>Neuen Link machen</button>",
            links.absolute(address),
        )

    def renew_feed(self, request: HttpRequest, pk: int) -> HttpResponse:
        """For a link that went too far: the old one leads nowhere."""
        calendar = get_object_or_404(Calendar, pk=pk)
        if not (self.has_change_permission(request, calendar) and may_export(request)):
            raise PermissionDenied
        if not confirming.is_sure(request):
            return confirming.ask(
                request,
                title="Neuer Link für das Kalender-Abo",
                says=[
                    "Der alte Link gilt dann sofort nicht mehr: Jedes Kalenderprogramm, das ihn liest, "
                    "bekommt nichts mehr. Das lässt sich nicht zurücknehmen."
                ],
                button="Neuen Link machen",
                back=reverse("admin:booking_calendar_change", args=[pk]),
                opts=self.opts,
            )
        Calendar.objects.filter(pk=pk).update(feed_secret=new_feed_secret())
        self.log_change(request, calendar, "Neuer Link für das Kalender-Abo")
        self.message_user(
            request,
            "Der alte Link gilt nicht mehr. Trag den neuen in deinem Kalenderprogramm ein.",
            messages.SUCCESS,
        )
        return redirect("admin:booking_calendar_change", pk)

    def holiday(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Open a holiday or close it again: one button each."""
        calendar = get_object_or_404(Calendar, pk=pk)
        if not self.has_change_permission(request, calendar):
            raise PermissionDenied
        try:
            day = date.fromisoformat(request.POST.get("day", ""))
        except ValueError:
            raise Http404 from None
        name = calendar.public_holidays(day, day).get(day)
        if name is None:
            raise Http404
        if request.POST.get("open"):
            scheduling.open_holiday(calendar, day)
            done = "geöffnet: Es gelten die Sprechzeiten der Woche."
        else:
            scheduling.close_holiday(calendar, day)
            done = "geschlossen."
        self.log_change(request, calendar, f"{name} {german.plain_date(day)} {done}")
        self.message_user(
            request, f"{name}, {german.short_date(day)}, ist {done}", messages.SUCCESS
        )
        return redirect(f"{reverse('admin:booking_calendar_change', args=[pk])}#feiertage")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A calendar without appointments may go; Postgres protects the others."""
        if obj is not None and obj.bookings.exists():
            return False
        return super().has_delete_permission(request, obj)


class QuestionInline(admin.StackedInline[Question, CallType]):
    model = Question
    extra = 0


@admin.register(CallType)
class CallTypeAdmin(admin.ModelAdmin[CallType]):
    list_display = [
        "title",
        "duration_in_minutes",
        "price",
        "place_kind",
        "is_active",
        "is_hidden",
        "position",
    ]
    list_editable = ["is_active", "position"]
    list_filter = ["is_active", "is_hidden", "place_kind"]
    search_fields = ["title", "description"]
    prepopulated_fields = {"slug": ["title"]}
    fieldsets = [
        (None, {"fields": ["title", "slug", "description", "is_active", "position"]}),
        ("Anfragen", {"fields": ["needs_approval", "approval_hours"]}),
        (
            "Mails vor und nach dem Gespräch",
            {"fields": ["first_reminder", "second_reminder", "follow_up_hours"]},
        ),
        ("Geheimer Link", {"fields": ["is_hidden", "secret_link"]}),
        ("Zeit", {"fields": ["calendar", "length", "step", "buffer_before", "buffer_after"]}),
        (
            "Grenzen",
            {
                "fields": [
                    "notice",
                    "horizon_days",
                    "max_per_day",
                    "max_per_week",
                    "move_until_hours",
                    "cancel_until_hours",
                ]
            },
        ),
        (
            PRICE,
            {
                "fields": [
                    "price_cents",
                    "deposit_cents",
                    "cancel_free_hours",
                    "cancel_keep_cents",
                    "cancel_keep_percent",
                    "reads_as",
                ]
            },
        ),
        ("Ort", {"fields": ["place_kind", "place_detail", "preparation"]}),
    ]
    readonly_fields = ["secret_link", "reads_as"]
    form = CallTypeForm
    inlines = [QuestionInline]
    actions = ["renew_secret"]

    def get_fieldsets(self, request: HttpRequest, obj: CallType | None = None) -> Any:
        """What keeps guests from paying is said where the price is set."""
        note = _payments_off()
        return [
            (name, {**options, "description": note} if name == PRICE and note else options)
            for name, options in super().get_fieldsets(request, obj)
        ]

    @admin.display(description="So liest es sich")
    def reads_as(self, call_type: CallType) -> str:
        return _terms(call_type) if call_type.pk else "Steht hier nach dem Speichern."

    @admin.display(description="Link zum Kopieren")
    def secret_link(self, call_type: CallType) -> str | SafeString:
        if not call_type.pk:
            return "Gibt es nach dem Speichern."
        address = reverse("booking:days_of", args=[call_type.private_address])
        return format_html("<code>{}</code>", links.absolute(address))

    @admin.action(description="Geheimen Link erneuern", permissions=["change"])
    def renew_secret(
        self, request: HttpRequest, queryset: QuerySet[CallType]
    ) -> HttpResponse | None:
        """For a link that went too far: the old one leads nowhere."""
        if not confirming.is_sure(request):
            return confirming.ask(
                request,
                title="Geheimen Link erneuern",
                says=[
                    ", ".join(f"„{call_type}“" for call_type in queryset),
                    "Der alte Link führt dann nirgends mehr hin, auch wenn ihn schon jemand hat. "
                    "Das lässt sich nicht zurücknehmen.",
                ],
                button="Link erneuern",
                back=reverse("admin:booking_calltype_changelist"),
                opts=self.opts,
            )
        for call_type in queryset:
            queryset.filter(pk=call_type.pk).update(secret=new_secret())
        self.message_user(request, "Der alte Link gilt nicht mehr.", messages.SUCCESS)
        return None

    @admin.display(description="Dauer", ordering="length")
    def duration_in_minutes(self, call_type: CallType) -> str:
        return german.minutes(call_type.duration)

    @admin.display(description="Preis", ordering="price_cents")
    def price(self, call_type: CallType) -> str:
        price = german.euros(call_type.price_cents) if call_type.price_cents else "kostenlos"
        return price if call_type.is_bookable else f"{price}, nur im Angebot"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A type that was booked stays; take it out of the offer instead."""
        if obj is not None and obj.bookings.exists():
            return False
        return super().has_delete_permission(request, obj)


@admin.register(OneOffLink)
class OneOffLinkAdmin(admin.ModelAdmin[OneOffLink]):
    list_display = ["__str__", "call_type", "link", "uses", "max_uses", "expires_at"]
    list_select_related = ["call_type"]
    list_filter = ["call_type"]
    search_fields = ["note"]
    fields = ["call_type", "note", "max_uses", "expires_at", "link", "uses"]
    readonly_fields = ["link", "uses"]

    @admin.display(description="Link zum Kopieren")
    def link(self, one_off: OneOffLink) -> str | SafeString:
        if not one_off.pk:
            return "Gibt es nach dem Speichern."
        address = reverse("booking:days_of", args=[one_off.address])
        return format_html("<code>{}</code>", links.absolute(address))


def _payments_off() -> str:
    """Why guests cannot pay here; "" if they can."""
    if not settings.STRIPE_SECRET_KEY:
        return "Stripe ist nicht eingerichtet: Gespräche mit Preis stehen nur im Angebot, buchen kann sie niemand."
    if not payments_are_on():
        missing = ", ".join(Practice.current().placeholders())
        return f"Gespräche mit Preis stehen nur im Angebot, bis das fertig ist: {missing}."
    return ""


def _terms(call_type: CallType) -> str:
    """Price and terms in words, with the sums they come to."""
    if not call_type.price_cents:
        return "Kostenlos; beim Buchen wird nichts bezahlt."
    price, due = call_type.price_cents, call_type.due_cents
    rest = price - due
    paid = f"davon {german.euros(due)} beim Buchen, {german.euros(rest)} später"
    what = f"{german.euros(price)}, {paid if rest else 'beim Buchen zu bezahlen'}."
    kept = call_type.kept_cents(due)
    if not kept:
        return f"{what} Sagt der Gast ab, geht immer alles zurück."
    until = german.until_before(call_type.cancel_free_hours)
    return (
        f"{what} Sagt der Gast {until} ab, geht alles zurück; danach behältst du "
        f"{german.euros(kept)} von {german.euros(due)}."
    )


def _holidays(calendar: Calendar) -> list[dict[str, object]]:
    """The holidays of the next twelve months, and what counts on each."""
    today = timezone.now().astimezone(calendar.tz).date()
    last = today + YEAR
    replacing = calendar.overrides.filter(adds=False)
    overrides = list(replacing.filter(first_day__lte=last, last_day__gte=today))
    return [
        {
            "day": day,
            "name": name,
            "is_open": day in calendar.opened_holidays,
            "has_override": any(each.first_day <= day <= each.last_day for each in overrides),
        }
        for day, name in calendar.public_holidays(today, last).items()
    ]
