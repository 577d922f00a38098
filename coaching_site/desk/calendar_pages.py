"""„Kalender“: the coach's weeks and months, and what can be done from them without a script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from booking import agenda, blocking
from booking.agenda import Day, Kind
from booking.errors import BookingError, NoSuchTime, SlotPast
from booking.models import Block, Booking, Calendar, CallType, DateOverride
from booking.slots import Interval
from coaching_site import german
from coaching_site.desk import confirming, week_grid
from coaching_site.desk.calendar_forms import BlockForm, JumpForm, OpenForm
from coaching_site.desk.week_grid import Column, Placed, monday_of

DAY, WEEK = timedelta(days=1), timedelta(days=7)
# Of a day in the month so many calls are named; the rest is counted.
NAMED = 3
# What a call is entered as, unless the coach chooses another type; asked along with the calendars.
FIRST_TYPE = Subquery(
    CallType.objects.filter(is_active=True, calendar=OuterRef("pk"))
    .order_by("position", "pk")
    .values("pk")[:1]
)
# What the legend explains, in the order of what keeps others out.
LEGEND = [
    (Kind.BOOKED, "gebucht"),
    (Kind.REQUESTED, "angefragt, wartet auf deine Antwort"),
    (Kind.HELD, "gehalten, jemand bucht gerade"),
    (Kind.PAYING, "wird gerade bezahlt"),
    (Kind.MISSED, "nicht erschienen"),
    (Kind.BUSY, "belegt laut anderem Kalender"),
    (Kind.BLOCKED, "von dir gesperrt"),
    (Kind.FREE, "frei"),
]


@dataclass(frozen=True)
class Asked:
    """Which days of which calendar somebody wants to see; `day` is one of them, `today` in its zone."""

    calendar: Calendar
    calendars: list[Calendar]
    form: JumpForm
    day: date
    today: date
    now: datetime


def _of_some_days(
    page: Callable[[HttpRequest, Asked], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """For pages that show days: who may look is told which, or that there is no calendar yet."""

    @require_safe
    @wraps(page)
    def shown(request: HttpRequest) -> HttpResponse:
        _needs(request, "booking.view_booking")
        calendar, calendars = _calendars(request)
        if calendar is None:
            return _page(request, "none", "Kalender", {})
        now = timezone.now()
        today = now.astimezone(calendar.tz).date()
        form, day = _asked_day(request, today)
        return page(request, Asked(calendar, calendars, form, day, today, now))

    return shown


def urls(view: Callable[..., Any]) -> list[URLPattern]:
    """The addresses of these pages; `view` guards them as the site does its own."""
    return [
        path("kalender/", view(week), name="calendar"),
        path("kalender/monat/", view(month), name="calendar_month"),
        path("kalender/sperren/", view(block), name="calendar_block"),
        path("kalender/oeffnen/", view(open_too), name="calendar_open"),
        path("kalender/sperre/<int:pk>/", view(unblock), name="calendar_unblock"),
        path("kalender/zusaetzlich/<int:pk>/", view(close_again), name="calendar_close"),
    ]


@_of_some_days
def week(request: HttpRequest, asked: Asked) -> HttpResponse:
    """Seven days beside an axis of hours; on a phone one below the other."""
    calendar, now, today, day = asked.calendar, asked.now, asked.today, asked.day
    monday = monday_of(day)
    sunday = monday + 6 * DAY
    days = agenda.days(calendar, monday, sunday, now=now)
    grid = week_grid.lay_out(days)
    context = {
        **_frame(request, asked),
        "columns": [
            (
                column,
                _with_ways(request, calendar, column, now=now),
                _address("calendar_block", calendar, first_day=column.day.date),
            )
            for column in grid.columns
        ],
        "clocks": [
            (german.wall_clock(time(hour)), f"h{n} q0 to-h{n + 1} to-q0")
            for n, hour in enumerate(grid.hours)
        ],
        "monday": monday,
        "sunday": sunday,
        "number": monday.isocalendar().week,
        "calls": sum(len(each.calls) for each in days),
        "previous": _address("calendar", calendar, tag=monday - WEEK),
        "next": _address("calendar", calendar, tag=monday + WEEK),
        "other_view": _address("calendar_month", calendar, tag=day),
        "legend": LEGEND,
        "block_week": any(day.date >= today and not day.is_blocked for day in days)
        and _address("calendar_block", calendar, first_day=max(monday, today), last_day=sunday),
        "is_this_week": monday <= today <= sunday,
    }
    return _page(request, "week", f"Kalender, Woche {monday.isocalendar().week}", context)


@_of_some_days
def month(request: HttpRequest, asked: Asked) -> HttpResponse:
    """A month in weeks: how much is in each day, and what comes first."""
    calendar, now, today, day = asked.calendar, asked.now, asked.today, asked.day
    first = day.replace(day=1)
    following = (first + 31 * DAY).replace(day=1)
    last = following - DAY
    days = agenda.days(calendar, monday_of(first), monday_of(last) + 6 * DAY, now=now)
    weeks = [days[n : n + 7] for n in range(0, len(days), 7)]
    context = {
        **_frame(request, asked),
        "weeks": [
            (
                week[0].date.isocalendar().week,
                _address("calendar", calendar, tag=week[0].date),
                [_cell(calendar, each, first) for each in week],
            )
            for week in weeks
        ],
        "weekdays": [(name[:2], name) for name in german.WEEKDAYS],
        "first": first,
        "previous": _address("calendar_month", calendar, tag=first - DAY),
        "next": _address("calendar_month", calendar, tag=following),
        "other_view": _address("calendar", calendar, tag=day),
        "is_this_month": first <= today <= last,
    }
    return _page(request, "month", f"Kalender, {german.month(first)}", context)


@require_http_methods(["GET", "HEAD", "POST"])
def block(request: HttpRequest) -> HttpResponse:
    """Take a time out of the calendar, after a look at the calls that stay in it."""
    _needs(request, "booking.add_dateoverride")
    calendar = _calendar(request)
    now = timezone.now()
    if request.method != "POST":
        # What the address asks for is checked as if it were sent, to show what lies in it.
        asked = BlockForm(request.GET, zone=calendar.tz)
        form = BlockForm(initial=request.GET.dict(), zone=calendar.tz)
        span = asked.span if "first_day" in request.GET and asked.is_valid() else None
        return _block_page(request, calendar, form, span, now=now)
    form = BlockForm(request.POST, zone=calendar.tz)
    if not form.is_valid():
        return _block_page(request, calendar, form, None, now=now)
    try:
        done = blocking.block(calendar, span=form.span, note=form.cleaned_data["note"], now=now)
    except BookingError as error:
        form.add_error("start" if isinstance(error, NoSuchTime) else "first_day", error.message)
        return _block_page(request, calendar, form, None, now=now)
    staying = blocking.calls_in(calendar, done.span, now=now)
    messages.success(request, f"Gesperrt: {done}. {_stay(staying)}".strip())
    return redirect(_address("calendar", calendar, tag=form.cleaned_data["first_day"]))


@require_http_methods(["GET", "HEAD", "POST"])
def open_too(request: HttpRequest) -> HttpResponse:
    """Open a time besides the hours."""
    _needs(request, "booking.add_dateoverride")
    calendar = _calendar(request)
    posted = request.POST if request.method == "POST" else None
    form = OpenForm(posted, initial=request.GET.dict())
    if form.is_valid():
        try:
            blocking.open_too(calendar, **form.cleaned_data, now=timezone.now())
        except BookingError as error:
            form.add_error("day" if isinstance(error, SlotPast) else "start", error.message)
        else:
            messages.success(request, f"Geöffnet: {_opened(form.cleaned_data)}.")
            return redirect(_address("calendar", calendar, tag=form.first_day))
    words = {
        "lead": "Diese Zeit kommt zu den Sprechzeiten des Tages dazu.",
        "button": "Öffnen",
    }
    return _form_page(request, calendar, "Zeit öffnen", form, words)


@require_http_methods(["GET", "HEAD", "POST"])
def unblock(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a blocked time back."""
    _needs(request, "booking.delete_dateoverride")
    there = get_object_or_404(Block.objects.select_related("calendar"), pk=pk)
    day = there.start.astimezone(there.calendar.tz).date()
    back = _address("calendar", there.calendar, tag=day)
    if confirming.is_sure(request):
        blocking.unblock(there)
        messages.success(request, f"Nicht mehr gesperrt: {there}.")
        return redirect(back)
    return confirming.ask(
        request,
        title="Sperre aufheben",
        says=[
            f"Gesperrt: {there}. {there.note}",
            "Danach ist diese Zeit wieder so offen, wie deine Sprechzeiten es sagen.",
        ],
        button="Sperre aufheben",
        back=back,
    )


@require_http_methods(["GET", "HEAD", "POST"])
def close_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back a time that was opened besides the hours."""
    _needs(request, "booking.delete_dateoverride")
    additions = DateOverride.objects.select_related("calendar").filter(adds=True)
    there = get_object_or_404(additions, pk=pk)
    back = _address("calendar", there.calendar, tag=there.first_day)
    said = _opened({"day": there.first_day, "start": there.start, "end": there.end})
    if confirming.is_sure(request):
        blocking.close_again(there)
        messages.success(request, f"Wieder geschlossen: {said}.")
        return redirect(back)
    return confirming.ask(
        request,
        title="Zusätzliche Zeit schließen",
        says=[
            f"Zusätzlich offen: {said}. {there.note}",
            "Danach gelten an diesem Tag wieder nur deine Sprechzeiten. Gebuchte Gespräche bleiben.",
        ],
        button="Wieder schließen",
        back=back,
    )


def _block_page(
    request: HttpRequest,
    calendar: Calendar,
    form: BlockForm,
    span: Interval | None,
    *,
    now: datetime,
) -> HttpResponse:
    words = {
        "lead": "In dieser Zeit wird nichts Neues gebucht. Gespräche, die schon darin liegen, bleiben.",
        "button": "Sperren",
        "said": german.span(span.start, span.end, calendar.tz) if span else "",
        "is_asked": span is not None,
        "staying": [
            (_call(each), _page_of(each))
            for each in (blocking.calls_in(calendar, span, now=now) if span else [])
        ],
    }
    return _form_page(request, calendar, "Zeit sperren", form, words)


def _form_page(
    request: HttpRequest,
    calendar: Calendar,
    title: str,
    form: BlockForm | OpenForm,
    words: dict[str, Any],
) -> HttpResponse:
    context = {
        "form": form,
        "admin_form": form.as_admin_form(),
        "calendar": calendar,
        "back": _address("calendar", calendar),
        **words,
    }
    return _page(request, "change", title, context)


def _page(
    request: HttpRequest, template: str, title: str, context: dict[str, Any]
) -> TemplateResponse:
    frame = {**admin.site.each_context(request), "title": title}
    return TemplateResponse(request, f"admin/desk/calendar/{template}.html", {**frame, **context})


def _frame(request: HttpRequest, asked: Asked) -> dict[str, Any]:
    """What stands above the week and the month alike."""
    calendar = asked.calendar
    return {
        "calendar": calendar,
        "calendars": asked.calendars,
        "form": asked.form,
        "today": asked.today,
        "may_change": request.user.has_perm("booking.add_dateoverride"),
        "may_close": request.user.has_perm("booking.delete_dateoverride"),
        "may_enter": request.user.has_perm("booking.add_booking"),
        "block_url": _address("calendar_block", calendar),
        "open_url": _address("calendar_open", calendar),
        "this_week": _address("calendar", calendar),
        "this_month": _address("calendar_month", calendar),
    }


def _needs(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _calendars(request: HttpRequest) -> tuple[Calendar | None, list[Calendar]]:
    """The calendar the address asks for, else the first, and all there are to choose from."""
    every = list(Calendar.objects.annotate(first_type=FIRST_TYPE).order_by("pk"))
    asked = request.GET.get("kalender")
    if not asked:
        return (every[0] if every else None), every
    found = next((each for each in every if str(each.pk) == asked), None)
    if found is None:
        raise Http404
    return found, every


def _calendar(request: HttpRequest) -> Calendar:
    calendar, _ = _calendars(request)
    if calendar is None:
        raise Http404
    return calendar


def _asked_day(request: HttpRequest, today: date) -> tuple[JumpForm, date]:
    """The day the address asks for; the form keeps what was typed if it is none."""
    if "tag" not in request.GET:
        return JumpForm(initial={"tag": today}), today
    form = JumpForm(request.GET)
    return form, form.cleaned_data["tag"] if form.is_valid() else today


def _address(name: str, calendar: Calendar, **asked: date) -> str:
    """A page of this calendar; the first one needs no word about it."""
    query = {key: day.isoformat() for key, day in asked.items()} | {"kalender": str(calendar.pk)}
    return f"{reverse(f'admin:{name}')}?{urlencode(query)}"


def _cell(calendar: Calendar, day: Day, first: date) -> dict[str, Any]:
    """A day in the month that begins with `first`."""
    calls = day.calls
    return {
        "day": day,
        "is_outside": day.date.month != first.month,
        "count": len(calls),
        "named": [(german.clock(each.span.start, day.zone), each.title) for each in calls[:NAMED]],
        "more": len(calls[NAMED:]),
        "address": f"{_address('calendar', calendar, tag=day.date)}#tag-{day.date.isoformat()}",
    }


def _with_ways(
    request: HttpRequest, calendar: Calendar, column: Column, *, now: datetime
) -> list[tuple[Placed, str, str]]:
    """A day's entries, each with where it leads and where it gets another time."""
    entering = _entering(request, calendar)
    return [
        (
            placed,
            _way(request, column.day, placed, entering),
            _way_to_move(request, placed, now=now),
        )
        for placed in column.placed
    ]


def _entering(request: HttpRequest, calendar: Calendar) -> dict[str, str] | None:
    """What every way to the page of entering by hand has in common; None for who may not."""
    first: int | None = vars(calendar).get("first_type")
    if first is None or not request.user.has_perm("booking.add_booking"):
        return None
    return {"call_type": str(first)}


def _way(request: HttpRequest, day: Day, placed: Placed, entering: dict[str, str] | None) -> str:
    """Where an entry leads: to the booking, to the block, or to entering a call at its start."""
    entry = placed.entry
    if entry.booking is not None:
        return _page_of(entry.booking)
    if entry.block is not None and request.user.has_perm("booking.delete_dateoverride"):
        return reverse("admin:calendar_unblock", args=[entry.block.pk])
    if entry.kind == Kind.FREE and entering is not None:
        local = entry.span.start.astimezone(day.zone)
        asked = {
            **entering,
            "day": local.date().isoformat(),
            "time": local.time().isoformat("minutes"),
        }
        return f"{reverse('admin:booking_booking_add')}?{urlencode(asked)}"
    return ""


def _way_to_move(request: HttpRequest, placed: Placed, *, now: datetime) -> str:
    """The page on which a coming call gets another time, for who may."""
    booking = placed.entry.booking
    if booking is None or not booking.is_confirmed or booking.start <= now:
        return ""
    if not request.user.has_perm("booking.change_booking"):
        return ""
    return reverse("admin:booking_booking_move", args=[booking.pk])


def _page_of(booking: Booking) -> str:
    return reverse("admin:booking_booking_change", args=[booking.pk])


def _call(booking: Booking) -> str:
    """„Ada Müller, Mi., 03.03.2027, 09:00–09:30 Uhr“."""
    return f"{booking.name}, {german.span(booking.start, booking.end, booking.calendar.tz)}"


def _stay(staying: list[Booking]) -> str:
    if not staying:
        return ""
    calls = "ein Gespräch" if len(staying) == 1 else f"{len(staying)} Gespräche"
    stays = "bleibt" if len(staying) == 1 else "bleiben"
    return f"Darin {stays} {calls}: " + "; ".join(map(_call, staying)) + "."


def _opened(values: dict[str, Any]) -> str:
    """„Mi., 03.03.2027, 18:00–20:00 Uhr“."""
    clocks = german.wall_range(values["start"], values["end"])
    return f"{german.short_date(values['day'])}, {clocks}"
