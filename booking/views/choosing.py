"""Step 1 and 2: which day, what time. Public pages that set no cookie."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_safe

from booking import availability, slots
from booking.models import OFFERED, CallType
from booking.slots import Interval
from booking.views.visitor import Visitor, find_call, kindly_if_over, visitor_of
from coaching_site import counters, kept, links
from pages.models import DailyCount

DAYS_A_PAGE = 10
NOON = 12


@require_safe
@kept.until_it_changes()
@kindly_if_over
def days(request: HttpRequest, address: str = "") -> HttpResponse:
    """The next days with free times; those of the first type unless the address names one."""
    now = timezone.now()
    call_type, others = _choice(address, now=now)
    if call_type is None:
        if address:
            raise Http404
        return render(request, "booking/closed.html")
    return days_page(request, call_type, visitor_of(request, call_type), others=others, now=now)


def days_page(
    request: HttpRequest,
    call_type: CallType,
    visitor: Visitor,
    *,
    others: Sequence[CallType] = (),
    now: datetime,
) -> HttpResponse:
    """The days of a type, for somebody new or for whoever brings a booking along."""
    offers = availability.offered_slots(call_type, now=now, besides=visitor.besides)
    days = _days(call_type, visitor, offers, wanted=request.GET.get("ab", ""), now=now)
    answer = render(request, "booking/days.html", {**days, "other_types": others})
    if visitor.is_on_own_way:
        add_never_cache_headers(answer)
    return answer


def _days(
    call_type: CallType, visitor: Visitor, offers: list[Interval], *, wanted: str, now: datetime
) -> dict[str, object]:
    """Ten days with their free times from the wanted date on, and the ways to the others."""
    is_bookable = call_type.is_bookable
    free = slots.by_day(offers if is_bookable else [], visitor.zone)
    since = _date(wanted)
    shown = [day for day in free if since is None or day >= since]
    page = shown[:DAYS_A_PAGE]
    return {
        "call_type": call_type,
        # `/termin/` shows the first type, whichever that is: what is found is the type's own page.
        "canonical": links.absolute(call_type.get_absolute_url()),
        "visitor": visitor,
        "is_order": is_bookable and call_type.price_cents and not visitor.moving,
        "zones": visitor.zones(now),
        "zone_moment": free[page[0]][0].start if page else now,
        "soonest": next(iter(offers), None) if is_bookable and since is None else None,
        "days": [(day, len(free[day])) for day in page],
        "later": shown[DAYS_A_PAGE] if len(shown) > DAYS_A_PAGE else None,
        "since": since,
        "is_full": not free,
        "months": _months(list(free)),
    }


@require_safe
@kept.until_it_changes(shown=counters.counting(DailyCount.What.TIMES))
@kindly_if_over
def times(request: HttpRequest, address: str, day: date) -> HttpResponse:
    """The free times of one day, as the visitor's calendar counts days."""
    now = timezone.now()
    call_type = find_call(address, now=now)
    if call_type is None or not call_type.is_bookable:
        raise Http404
    return times_page(request, call_type, visitor_of(request, call_type), day=day, now=now)


def times_page(
    request: HttpRequest, call_type: CallType, visitor: Visitor, *, day: date, now: datetime
) -> HttpResponse:
    span = slots.dates_span(day, day, visitor.zone)
    free = availability.offered_slots(call_type, now=now, within=span, besides=visitor.besides)
    following = None
    if not free:
        following = next(
            iter(
                availability.next_offers(
                    call_type, now=now, after=span.end, count=1, besides=visitor.besides
                )
            ),
            None,
        )
    answer = render(
        request,
        "booking/times.html",
        {
            "call_type": call_type,
            "day": day,
            "visitor": visitor,
            "zones": visitor.zones(span.start),
            "zone_moment": free[0].start if free else span.start,
            "morning": [s for s in free if s.start.astimezone(visitor.zone).hour < NOON],
            "afternoon": [s for s in free if s.start.astimezone(visitor.zone).hour >= NOON],
            "following": following,
        },
    )
    if visitor.is_on_own_way:
        add_never_cache_headers(answer)
    return answer


def _choice(address: str, *, now: datetime) -> tuple[CallType | None, list[CallType]]:
    """The type of call at this address, by default the first one, and the others on offer.

    Whoever was sent a secret link was asked to this call and no other.
    """
    if "/" in address:
        return find_call(address, now=now), []
    types = OFFERED.all()
    chosen = next((each for each in types if address in ("", each.slug)), None)
    return chosen, [each for each in types if each != chosen]


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _months(free: list[date]) -> list[date]:
    """The first free day of each month, to jump to."""
    return [
        day
        for before, day in zip([None, *free], free, strict=False)
        if before is None or before.month != day.month
    ]
