"""What the practice's figures are: read in few queries, counted in the database, told as plain rows.

Booked, held, cancelled and missed calls are counted from the bookings themselves. Those lose names
after years, and are deleted only eight years after their last payment, long after anything shown
here; so no second count is kept that could say something else. Days end at midnight in Berlin.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from django.db.models import CharField, Count, DateField, F, OuterRef, QuerySet, Sum, Value
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone

from booking.models import Booking, Deposit, Invoice, InvoicePayment, Refund
from coaching_site import german
from pages.models import DailyCount

WEEKS_SHOWN = 26
MONTHS_SHOWN = 24
WEEK = timedelta(days=7)
DAY = timedelta(days=1)
OLDEST = date(2000, 1, 1)

Rows = QuerySet[Any, Any]
# How often something happened, by what and day.
Days = Mapping[tuple[str, date], int]
BOOKED, CANCELLED, NO_SHOW, HELD = "booked", "cancelled", "no_show", "held"
# The same of those who booked on the site, without what the coach entered.
ONLINE = "online_"
RECEIVED, REFUNDED = "received", "refunded"


class NoSuchMonth(ValueError):
    """What somebody asked for is no month with figures; `message` is for their eyes."""

    def __init__(self, text: str) -> None:
        self.message = f"Zum Monat „{text[:20]}“ gibt es keine Zahlen. Schreib ihn wie 2026-10, und keinen, der noch kommt."
        super().__init__(self.message)


@dataclass(frozen=True)
class Period:
    """One month that is looked at closely, and the last day of all that is shown around it."""

    month: date
    until: date
    # The month as it was asked for, „2026-10“; empty if nobody asked.
    asked: str = ""

    @property
    def earlier(self) -> date:
        return _month_before(self.month)

    @property
    def later(self) -> date:
        return _month_after(self.month)

    @property
    def weeks(self) -> list[date]:
        """The Mondays, up to the one of the last day."""
        last = self.until - timedelta(days=self.until.weekday())
        return [last - WEEK * back for back in reversed(range(WEEKS_SHOWN))]

    @property
    def months(self) -> list[date]:
        """The first days, up to the one of the last day."""
        found = [self.until.replace(day=1)]
        while len(found) < MONTHS_SHOWN:
            found.insert(0, _month_before(found[0]))
        return found

    @property
    def first_day(self) -> date:
        return min(self.weeks[0], self.months[0])

    @property
    def days(self) -> list[date]:
        count = (self.until - self.first_day).days + 1
        return [self.first_day + DAY * each for each in range(count)]

    @property
    def end(self) -> datetime:
        """The midnight after the last day."""
        return _midnight(self.until + DAY)

    @property
    def last_moment(self) -> datetime:
        """Just before that midnight: it is still the last day."""
        return self.end - timedelta(microseconds=1)


@dataclass(frozen=True)
class Week:
    """What was booked and called off in a week, and how many of its calls nobody came to."""

    monday: date
    booked: int
    cancelled: int
    no_shows: int


@dataclass(frozen=True)
class Way:
    """How many took each step towards a call in a month: pages shown, calls booked and held."""

    first_day: date
    landing: int
    times: int
    booked: int
    held: int

    @property
    def steps(self) -> list[tuple[str, int]]:
        return [
            ("Startseite gezeigt", self.landing),
            ("Uhrzeiten gezeigt", self.times),
            ("gebucht", self.booked),
            ("geführt", self.held),
        ]

    @property
    def shares(self) -> list[str]:
        """Of each step but the first, how much that is of the step before."""
        counts = [count for _, count in self.steps]
        return [german.share(after, before) for before, after in pairwise(counts)]


@dataclass(frozen=True)
class Takings:
    """Money that came in and went back in a month, in cents, as it moved (gross)."""

    first_day: date
    received: int
    refunded: int


class Moves(NamedTuple):
    """The rows that say which money moved, each of them once: `paid_cents`, `amount_cents`, `cents`."""

    paid: QuerySet[Deposit]
    refunded: QuerySet[Refund]
    transferred: QuerySet[InvoicePayment]


@dataclass(frozen=True)
class Summary:
    """A month in one line; without `takings` for who may not see money."""

    first_day: date
    is_over: bool
    booked: int
    held: int
    takings: Takings | None


def lately(today: date) -> Period:
    """The last whole month, and all until today."""
    return Period(_month_before(today.replace(day=1)), today)


def period_of(text: str, *, today: date) -> Period:
    """The month somebody asks for, „2026-10“, and all until its end or today. Raises NoSuchMonth."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}", text, re.ASCII):
        raise NoSuchMonth(text)
    try:
        month = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise NoSuchMonth(text) from None
    if not OLDEST <= month <= today:
        raise NoSuchMonth(text)
    return Period(month, min(today, _month_after(month) - DAY), asked=text)


def calls(period: Period, *, now: datetime) -> Days:
    """Calls booked, called off, missed and held on each day. One query."""
    kinds = [
        _calls(BOOKED, "confirmed_at", period, Booking.objects.all()),
        # What was asked for or held and never booked is no call that was called off.
        _calls(
            CANCELLED, "cancelled_at", period, Booking.objects.filter(confirmed_at__isnull=False)
        ),
        _calls(NO_SHOW, "start", period, Booking.objects.filter(no_show_at__isnull=False)),
        _calls(HELD, "start", period, Booking.objects.took_place(now)),
    ]
    found: Counter[tuple[str, date]] = Counter()
    for what, made_by, day, count in kinds[0].union(*kinds[1:], all=True):
        found[what, day] += count
        if made_by == Booking.Side.GUEST:
            found[ONLINE + what, day] += count
    return found


def views(period: Period) -> Days:
    """How often which page was shown on each day. One query."""
    rows = DailyCount.objects.filter(day__gte=period.first_day, day__lte=period.until)
    return {(what, day): count for what, day, count in rows.values_list("what", "day", "count")}


def moves(first: date, last: date, *, is_live: bool) -> Moves:
    """What came in and went back on these days, both included.

    What came by Stripe counts on the day it was paid, a transfer on the day the coach noted. Money of
    Stripe's test mode counts as long as the site runs in it, and never beside real money.
    """
    paid = Deposit.objects.filter(livemode=is_live).paid()
    refunded = Refund.objects.filter(deposit__livemode=is_live, status=Refund.Status.SUCCEEDED)
    return Moves(
        _within(paid, "paid_at", first, last),
        _within(refunded, "settled_at", first, last),
        _transfers(is_live=is_live).filter(paid_on__gte=first, paid_on__lte=last),
    )


def money(period: Period, *, is_live: bool) -> Days:
    """Cents that came in and went back on each day. One query."""
    rows = moves(period.first_day, period.until, is_live=is_live)
    moved = [
        _sums(RECEIVED, _on("paid_at"), "paid_cents", rows.paid),
        _sums(REFUNDED, _on("settled_at"), "amount_cents", rows.refunded),
        _sums(RECEIVED, F("paid_on"), "cents", rows.transferred),
    ]
    found: Counter[tuple[str, date]] = Counter()
    for what, day, cents in moved[0].union(*moved[1:], all=True):
        found[what, day] += cents
    return found


def weeks(days: Days, period: Period) -> list[Week]:
    found = _gathered(days, lambda day: day - timedelta(days=day.weekday()))
    return [
        Week(each, found[BOOKED, each], found[CANCELLED, each], found[NO_SHOW, each])
        for each in period.weeks
    ]


def ways(days: Days, shown: Days, period: Period) -> list[Way]:
    """Only calls that guests booked themselves: who was entered by hand took no steps."""
    found = _by_month(days) + _by_month(shown)
    what = DailyCount.What
    return [
        Way(
            each,
            landing=found[what.LANDING, each],
            times=found[what.TIMES, each],
            booked=found[ONLINE + BOOKED, each],
            held=found[ONLINE + HELD, each],
        )
        for each in period.months
    ]


def takings(moved: Days, period: Period) -> list[Takings]:
    found = _by_month(moved)
    return [Takings(each, found[RECEIVED, each], found[REFUNDED, each]) for each in period.months]


def summaries(days: Days, months: Iterable[Takings], period: Period) -> list[Summary]:
    """The month that is looked at, and after it the one that still runs, if that is shown."""
    found = _by_month(days)
    money_of = {each.first_day: each for each in months}
    wanted = dict.fromkeys([period.month, period.until.replace(day=1)])
    return [
        Summary(
            each,
            is_over=period.until >= _month_after(each) - DAY,
            booked=found[BOOKED, each],
            held=found[HELD, each],
            takings=money_of.get(each),
        )
        for each in wanted
    ]


def _calls(what: str, moment: str, period: Period, rows: QuerySet[Booking]) -> Rows:
    within = _within(rows, moment, period.first_day, period.until)
    told = within.annotate(what=_named(what), day=_on(moment)).order_by()
    counted: Rows = told.values_list("what", "made_by", "day").annotate(rows=Count("pk"))
    return counted


def _sums(what: str, day: Any, cents: str, rows: Rows) -> Rows:
    told: Rows = rows.annotate(what=_named(what), day=day).order_by()
    summed: Rows = told.values_list("what", "day").annotate(total=Sum(cents))
    return summed


def _transfers(*, is_live: bool) -> QuerySet[InvoicePayment]:
    """Transfers the coach noted, each of what was not cancelled of its invoice by then."""
    cancelled = (
        Invoice.objects.filter(cancels=OuterRef("invoice"), created_at__lte=OuterRef("noted_at"))
        .order_by()
        .values("cancels")
        .annotate(cents=Sum("gross_cents"))
        .values("cents")
    )
    rows = InvoicePayment.objects.all()
    if is_live:
        rows = rows.filter(invoice__series=Invoice.REAL)
    return rows.annotate(cents=F("invoice__gross_cents") + Coalesce(cancelled, 0))


def _within(rows: Rows, moment: str, first: date, last: date) -> Rows:
    begin, end = _midnight(first), _midnight(last + DAY)
    within: Rows = rows.filter(**{f"{moment}__gte": begin, f"{moment}__lt": end})
    return within


def _named(what: str) -> Value:
    return Value(what, output_field=CharField())


def _on(moment: str) -> TruncDate:
    return TruncDate(moment, tzinfo=timezone.get_default_timezone(), output_field=DateField())


def _by_month(days: Days) -> Counter[tuple[str, date]]:
    return _gathered(days, lambda day: day.replace(day=1))


def _gathered(days: Days, into: Callable[[date], date]) -> Counter[tuple[str, date]]:
    found: Counter[tuple[str, date]] = Counter()
    for (what, day), count in days.items():
        found[what, into(day)] += count
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), timezone.get_default_timezone())


def _month_before(first_day: date) -> date:
    return (first_day - DAY).replace(day=1)


def _month_after(first_day: date) -> date:
    return (first_day + timedelta(days=31)).replace(day=1)
