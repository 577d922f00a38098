"""The figures in the admin: drawn, as tables, and as files. Each part asks for its own permission."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import NamedTuple

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from coaching_site import german, vat
from coaching_site.desk import charts, figures
from coaching_site.desk.charts import Column, Step, Words
from coaching_site.desk.csv_export import csv_response, may_export
from coaching_site.desk.figures import Days, NoSuchMonth, Period, Takings
from coaching_site.desk.permissions import EXPORT, TAKINGS
from newsletter import growth
from pages.models import DailyCount, Practice

CALLS = ("booking.view_booking",)
READERS = ("newsletter.view_subscriber",)

Row = tuple[str, ...]


class Table(NamedTuple):
    """What a chart shows, in words; the first cell of a row names it."""

    heads: Row
    rows: list[Row]


class Spelling(NamedTuple):
    """How numbers are written: for people, or for spreadsheets."""

    number: Callable[[int], str]
    money: Callable[[int], str]
    month: Callable[[date], str]


SHOWN = Spelling(german.number, german.euros, german.month)
FILED = Spelling(str, german.cell_amount, lambda day: f"{day:%Y-%m}")


@dataclass(frozen=True)
class Reading:
    """The figures of a period; each is read when a part first asks for it, and once."""

    period: Period
    now: datetime

    @cached_property
    def days(self) -> Days:
        return figures.calls(self.period, now=self.now)

    @cached_property
    def views(self) -> Days:
        return figures.views(self.period)

    @cached_property
    def takings(self) -> list[Takings]:
        moved = figures.money(self.period, is_live=settings.STRIPE_IS_LIVE)
        return figures.takings(moved, self.period)

    @cached_property
    def weeks(self) -> list[figures.Week]:
        return figures.weeks(self.days, self.period)

    @cached_property
    def ways(self) -> list[figures.Way]:
        return figures.ways(self.days, self.views, self.period)

    @cached_property
    def readers(self) -> list[growth.Month]:
        return growth.months(now=min(self.now, self.period.last_moment))


class Part(NamedTuple):
    """One chart of the page with all that belongs to it. `name` is its anchor and its file."""

    name: str
    title: str
    needs: Row
    table: Callable[[Reading, Spelling], Table]
    chart: Callable[[Reading], SafeString]


def urls(
    admin_view: Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]],
) -> list[URLPattern]:
    return [
        path("zahlen/", admin_view(page), name="figures"),
        path("zahlen/<slug:name>.csv", admin_view(table_file), name="figures_csv"),
    ]


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Everything this person may see, around the month they ask for; 400 if there is none such."""
    now = timezone.now()
    period, refusal = _period(request, now)
    parts = [part for part in PARTS if request.user.has_perms(part.needs)]
    if not parts:
        raise PermissionDenied
    reading = Reading(period, now)
    may_see_money = request.user.has_perms(TAKINGS)
    practice = Practice.current()
    context = {
        **admin.site.each_context(request),
        "title": "Zahlen",
        "refusal": refusal,
        "period": period,
        "this_month": timezone.localdate(now).replace(day=1),
        "summaries": _summaries(reading, may_see_money) if request.user.has_perms(CALLS) else [],
        "parts": [_shown(part, reading) for part in parts],
        "may_export": may_export(request),
        "vat": vat.EXEMPT if practice.vat_mode == Practice.VatMode.SMALL_BUSINESS else vat.INCLUDED,
        "is_test_money": not settings.STRIPE_IS_LIVE,
        "list": growth.figures(now=now) if request.user.has_perms(READERS) else None,
    }
    status = 400 if refusal else 200
    return TemplateResponse(request, "admin/desk/figures/page.html", context, status=status)


@require_safe
def table_file(request: HttpRequest, name: str) -> HttpResponse:
    """One table as a file for spreadsheets."""
    part = next((part for part in (*PARTS, BY_DAY) if part.name == name), None)
    if part is None:
        raise Http404
    if not request.user.has_perms((*part.needs, EXPORT)):
        raise PermissionDenied
    now = timezone.now()
    period, refusal = _period(request, now)
    if refusal:
        raise Http404
    table = part.table(Reading(period, now), FILED)
    return csv_response(f"{name}-bis-{period.until.isoformat()}.csv", table.heads, table.rows)


def _period(request: HttpRequest, now: datetime) -> tuple[Period, str]:
    """What is asked for, or what is shown of itself and why."""
    today = timezone.localdate(now)
    wanted = request.GET.get("monat", "")
    try:
        return (figures.period_of(wanted, today=today) if wanted else figures.lately(today)), ""
    except NoSuchMonth as error:
        return figures.lately(today), error.message


def _summaries(reading: Reading, may_see_money: bool) -> list[figures.Summary]:
    takings = reading.takings if may_see_money else []
    return figures.summaries(reading.days, takings, reading.period)


def _shown(part: Part, reading: Reading) -> dict[str, object]:
    heads, rows = part.table(reading, SHOWN)
    return {
        "name": part.name,
        "title": part.title,
        "chart": part.chart(reading),
        "heads": heads,
        "rows": list(reversed(rows)),
    }


# --- calls a week -----------------------------------------------------------------------------


def _weeks_table(reading: Reading, spell: Spelling) -> Table:
    rows = [
        (
            german.plain_date(week.monday),
            *map(spell.number, (week.booked, week.cancelled, week.no_shows)),
        )
        for week in reading.weeks
    ]
    return Table(("Woche ab", "gebucht", "abgesagt", "nicht erschienen"), rows)


def _weeks_chart(reading: Reading) -> SafeString:
    weeks = reading.weeks
    booked = sum(week.booked for week in weeks)
    lost = sum(week.cancelled + week.no_shows for week in weeks)
    words = Words(
        name="termine",
        title="Termine je Woche",
        text=f"In {len(weeks)} Wochen {german.number(booked)} gebucht, {german.number(lost)} abgesagt oder nicht erschienen.",
        up="gebucht",
        down=("abgesagt", "nicht erschienen"),
    )
    shown = [
        Column(
            short=german.short_day(week.monday),
            name=f"Woche ab {german.plain_date(week.monday)}",
            up=week.booked,
            down=(week.cancelled, week.no_shows),
        )
        for week in weeks
    ]
    return charts.columns(words, shown)


# --- from the landing page to the call --------------------------------------------------------


def _way_table(reading: Reading, spell: Spelling) -> Table:
    heads = ("Monat", "Startseite", "Uhrzeiten", "davon", "gebucht", "davon", "geführt", "davon")
    rows = []
    for way in reading.ways:
        (_, first), *others = way.steps
        cells = [spell.month(way.first_day), spell.number(first)]
        for (_, count), share in zip(others, way.shares, strict=True):
            cells += [spell.number(count), share]
        rows.append(tuple(cells))
    return Table(heads, rows)


def _way_chart(reading: Reading) -> SafeString:
    month = reading.period.month
    way = next(each for each in reading.ways if each.first_day == month)
    shares = ["", *way.shares]
    words = Words(
        name="weg",
        title=f"Von der Startseite zum Gespräch, {german.month(month)}",
        text=", ".join(f"{german.number(count)} {name}" for name, count in way.steps),
        up="",
    )
    steps = [
        Step(name, count, share) for (name, count), share in zip(way.steps, shares, strict=True)
    ]
    return charts.funnel(words, steps)


# --- money a month ----------------------------------------------------------------------------


def _money_table(reading: Reading, spell: Spelling) -> Table:
    rows = [
        (
            spell.month(each.first_day),
            *map(spell.money, (each.received, each.refunded, each.received - each.refunded)),
        )
        for each in reading.takings
    ]
    return Table(("Monat", "eingenommen", "erstattet", "bleibt"), rows)


def _money_chart(reading: Reading) -> SafeString:
    months = reading.takings
    received, refunded = (
        german.euros(sum(cents))
        for cents in zip(*((m.received, m.refunded) for m in months), strict=True)
    )
    words = Words(
        name="geld",
        title="Einnahmen und Erstattungen je Monat",
        text=f"In {len(months)} Monaten {received} eingenommen, {refunded} erstattet.",
        up="eingenommen",
        down=("erstattet",),
        number=german.euros,
        scale=german.whole_euros,
        unit=100,
    )
    shown = [
        Column(
            german.short_month(m.first_day), german.month(m.first_day), m.received, (m.refunded,)
        )
        for m in months
    ]
    return charts.columns(words, shown)


# --- readers ----------------------------------------------------------------------------------


def _readers_table(reading: Reading, spell: Spelling) -> Table:
    rows = [
        (spell.month(each.first_day), *map(spell.number, (each.joined, each.left, each.readers)))
        for each in reading.readers
    ]
    return Table(("Monat", "neu", "abgemeldet", "angemeldet am Ende"), rows)


def _readers_chart(reading: Reading) -> SafeString:
    months = reading.readers
    words = Words(
        name="abos",
        title="Angemeldete am Monatsende",
        text=f"Zuletzt {german.number(months[-1].readers)} Angemeldete.",
        up="angemeldet",
    )
    shown = [
        Column(german.short_month(m.first_day), german.month(m.first_day), m.readers)
        for m in months
    ]
    return charts.columns(words, shown)


# --- each day, as a file alone ----------------------------------------------------------------


def _days_table(reading: Reading, spell: Spelling) -> Table:
    kinds = {
        "Startseite gezeigt": (reading.views, DailyCount.What.LANDING),
        "Uhrzeiten gezeigt": (reading.views, DailyCount.What.TIMES),
        "gebucht": (reading.days, figures.BOOKED),
        "abgesagt": (reading.days, figures.CANCELLED),
        "nicht erschienen": (reading.days, figures.NO_SHOW),
        "geführt": (reading.days, figures.HELD),
    }
    rows = [
        (
            german.plain_date(day),
            *(spell.number(counts.get((what, day), 0)) for counts, what in kinds.values()),
        )
        for day in reading.period.days
    ]
    return Table(("Tag", *kinds), rows)


PARTS = (
    Part("geld", "Einnahmen und Erstattungen", TAKINGS, _money_table, _money_chart),
    Part("termine", "Termine je Woche", CALLS, _weeks_table, _weeks_chart),
    Part("weg", "Von der Startseite zum Gespräch", CALLS, _way_table, _way_chart),
    Part("abos", "Newsletter", READERS, _readers_table, _readers_chart),
)
BY_DAY = Part("tage", "Tag für Tag", CALLS, _days_table, lambda _: SafeString())
