"""„Heute“: what the coach reads on a Monday morning, gathered in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from booking import capacity, slots
from booking.capacity import Day
from booking.models import Booking, Calendar, CallType
from booking.slots import Interval
from coaching_site import german
from coaching_site.desk import attention, figures, set_up
from coaching_site.desk.matters import Matter
from coaching_site.desk.permissions import TAKINGS
from coaching_site.desk.questions import Answer, Question, ask
from coaching_site.desk.set_up import Facts
from newsletter import growth
from newsletter.models import Subscriber
from pages import legal
from pages.models import Practice

DAY, MONTH = timedelta(days=1), timedelta(days=30)
# So many coming calls are shown, besides those of today that are over.
CALLS = 8
CALLS_READ = 2 * CALLS
CAPACITY_DAYS = 7
# Each costs a query; a second person's calendar is rare, a third one unheard of.
CALENDARS = 2
# The bar of a day is so many units long.
BAR = 1000

Who = User | AnonymousUser


@dataclass(frozen=True)
class Call:
    """An appointment, and the ways from it. Addresses are empty where there is nothing to open."""

    booking: Booking
    is_over: bool
    can_be_missed: bool
    join: str
    mail: str
    phone: str


@dataclass(frozen=True)
class DayOfCalls:
    heading: str
    calls: list[Call]


@dataclass(frozen=True)
class Bar:
    """A piece of a day's line, in units from its left end."""

    kind: str
    x: int
    width: int


@dataclass(frozen=True)
class DayOfWork:
    """How much of a day is open, booked and free, in words and as a line."""

    heading: str
    day: date
    opened: str
    booked: str
    free: str
    bars: list[Bar]
    is_closed: bool


@dataclass(frozen=True)
class Week:
    """The next days of one calendar."""

    calendar: Calendar
    days: list[DayOfWork]
    free: str


@dataclass(frozen=True)
class Figure:
    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class SetUp:
    done: int
    total: int


@dataclass(frozen=True)
class Today:
    """The page. What its reader may not see is not in it; None stands for a part that is not theirs."""

    day: date
    calls: list[DayOfCalls] | None = None
    matters: list[Matter] = field(default_factory=list)
    weeks: list[Week] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    set_up: SetUp | None = None

    @property
    def several_calendars(self) -> bool:
        return len(self.weeks) > 1


def page(user: Who, *, now: datetime) -> Today:
    """All of it for this user at `now`. At most ten queries, besides those for their permissions."""
    practice, texts = Practice.current(), legal.current_rows(today=timezone.localdate(now))
    sees_bookings = user.has_perm("booking.view_booking")
    sets_up = user.has_perm("pages.change_practice")
    answers = ask(
        attention.questions(user, now=now)
        | _figure_questions(user, now=now)
        | (set_up.questions(user) if sets_up else {})
    )
    steps = set_up.steps(Facts(practice, texts, answers), user=user, now=now) if sets_up else []
    matters = [
        *attention.counted(answers, now=now),
        *attention.unsent_mails(user, now=now),
        *attention.legal_gaps(
            user, practice=practice, texts=texts, is_live=settings.STRIPE_IS_LIVE
        ),
        *attention.late_backup(user, now=now),
        *attention.waiting_copies(user, now=now),
        *attention.full_disks(user),
    ]
    return Today(
        day=timezone.localdate(now),
        calls=_calls(now) if sees_bookings else None,
        matters=attention.in_order(matters),
        weeks=_weeks(now) if sees_bookings else [],
        figures=list(_figures(answers, now=now)),
        set_up=SetUp(sum(step.is_done for step in steps), len(steps)) if steps else None,
    )


def _zone() -> ZoneInfo:
    return ZoneInfo(settings.TIME_ZONE)


# --- the next calls -------------------------------------------------------------------------------


def _calls(now: datetime) -> list[DayOfCalls]:
    """Today's calls, also those that are over, and the next ones after them."""
    today = timezone.localdate(now)
    midnight = slots.dates_span(today, today, _zone()).start
    rows = list(Booking.objects.upcoming(midnight).with_its_type()[:CALLS_READ])
    coming = [booking for booking in rows if booking.end > now][:CALLS]
    shown = [booking for booking in rows if booking.end <= now] + coming
    return [
        DayOfCalls(heading(day, now=now), [_call(booking, now=now) for booking in calls])
        for day, calls in groupby(shown, key=_day_of)
    ]


def _day_of(booking: Booking) -> date:
    return booking.start.astimezone(booking.calendar.tz).date()


def heading(day: date, *, now: datetime) -> str:
    """„Heute“, „Morgen“, „Montag, 30. November“; with the year where that is not clear."""
    today = timezone.localdate(now)
    near = {today: "Heute", today + DAY: "Morgen"}
    return near.get(day) or german.long_date(day, year=day.year != today.year)


def _call(booking: Booking, *, now: datetime) -> Call:
    return Call(
        booking,
        is_over=booking.end <= now,
        can_be_missed=booking.can_be_missed(now),
        join=_room(booking.call_type),
        mail=_mail_to(booking),
        phone=_number(booking.phone),
    )


def _room(call_type: CallType) -> str:
    """The address of the video room, if what is written there is one."""
    is_video = call_type.place_kind == CallType.Place.VIDEO
    address = call_type.place_detail.strip()
    is_link = urlsplit(address).scheme in ("http", "https") and " " not in address
    return address if is_video and is_link else ""


def _mail_to(booking: Booking) -> str:
    """An address that opens the coach's mail program (RFC 6068)."""
    if not booking.email:
        return ""
    start = german.short_when(booking.start, booking.calendar.tz).replace(german.NBSP, " ")
    subject = f"{booking.call_type.title} am {start}"
    return f"mailto:{quote(booking.email, safe='@')}?subject={quote(subject)}"


def _number(phone: str) -> str:
    """An address that calls (RFC 3966); empty without a number."""
    digits = "".join(sign for sign in phone if sign.isdigit() or sign == "+")
    return f"tel:{digits}" if digits else ""


# --- the next days --------------------------------------------------------------------------------


def _weeks(now: datetime) -> list[Week]:
    return [_week(calendar, now) for calendar in Calendar.objects.order_by("pk")[:CALENDARS]]


def _week(calendar: Calendar, now: datetime) -> Week:
    first = now.astimezone(calendar.tz).date()
    days = capacity.days(calendar, first, count=CAPACITY_DAYS, now=now)
    begins, ends = _frame(days)
    free = sum((capacity.length(day.free) for day in days), timedelta())
    return Week(calendar, [_work(day, begins, ends, now=now) for day in days], hours(free))


def _frame(days: list[Day]) -> tuple[timedelta, timedelta]:
    """From when to when, as time since midnight, the bars of these days reach."""
    inside = [(each, day.whole.start) for day in days for each in (*day.opening, *day.booked)]
    if not inside:
        return timedelta(), DAY
    begins = min(each.start - midnight for each, midnight in inside)
    return begins, max(each.end - midnight for each, midnight in inside)


def _work(day: Day, begins: timedelta, ends: timedelta, *, now: datetime) -> DayOfWork:
    def bars(kind: str, intervals: Iterable[Interval]) -> Iterator[Bar]:
        for each in intervals:
            start = (each.start - day.whole.start - begins) * BAR // (ends - begins)
            end = (each.end - day.whole.start - begins) * BAR // (ends - begins)
            yield Bar(kind, start, end - start)

    return DayOfWork(
        heading=heading(day.day, now=now),
        day=day.day,
        opened=hours(capacity.length(day.opening)),
        booked=hours(capacity.length(day.booked)),
        free=hours(capacity.length(day.free)),
        bars=[*bars("open", day.opening), *bars("free", day.free), *bars("booked", day.booked)],
        is_closed=not day.opening and not day.booked,
    )


def hours(length: timedelta) -> str:
    """„3:30 Std.“, „0 Std.“."""
    whole, minutes = divmod(round(length.total_seconds() / 60), 60)
    return f"{whole}{f':{minutes:02}' if minutes else ''}{german.NBSP}Std."


# --- key figures ----------------------------------------------------------------------------------


def _figure_questions(user: Who, *, now: datetime) -> dict[str, Question]:
    """What the figures are made of, as far as this user may see them."""
    found: dict[str, Question] = {}
    if user.has_perm("booking.view_booking"):
        found |= _questions_about_calls(now)
    if user.has_perm("newsletter.view_subscriber"):
        found |= _questions_about_readers(now)
    if user.has_perms(TAKINGS):
        found |= _questions_about_money(now)
    return found


def _questions_about_calls(now: datetime) -> dict[str, Question]:
    today = timezone.localdate(now)
    monday = today - today.weekday() * DAY
    week = slots.dates_span(monday, monday + 6 * DAY, _zone())
    confirmed = Booking.objects.filter(status=Booking.Status.CONFIRMED)
    return {
        "this_week": Question(confirmed.filter(start__gte=week.start, start__lt=week.end)),
        "held": Question(Booking.objects.took_place(now).filter(end__gt=now - MONTH)),
    }


def _questions_about_readers(now: datetime) -> dict[str, Question]:
    """As `newsletter.growth.figures` counts them."""
    return {
        "readers": Question(Subscriber.objects.reachable()),
        "joined": Question(growth.joined_lately(now)),
        "left": Question(growth.left_lately(now)),
    }


def _questions_about_money(now: datetime) -> dict[str, Question]:
    """What came by card and by transfer this month, and what went back, as „Zahlen“ counts it."""
    today = timezone.localdate(now)
    moved = figures.moves(today.replace(day=1), today, is_live=settings.STRIPE_IS_LIVE)
    return {
        "paid": Question(moved.paid, amount="paid_cents"),
        "back": Question(moved.refunded, amount="amount_cents"),
        "transferred": Question(moved.transferred, amount="cents"),
    }


def _figures(answers: Mapping[str, Answer], *, now: datetime) -> Iterator[Figure]:
    if "this_week" in answers:
        yield Figure("Gespräche diese Woche", german.number(answers["this_week"].count))
        yield Figure("Gehalten in 30 Tagen", german.number(answers["held"].count))
    if "readers" in answers:
        change = answers["joined"].count - answers["left"].count
        yield Figure(
            "Lesen den Newsletter",
            german.number(answers["readers"].count),
            f"{_signed(change)} in 30 Tagen",
        )
    if "paid" in answers:
        cents = answers["paid"].total + answers["transferred"].total - answers["back"].total
        month = german.month(timezone.localdate(now)).partition(" ")[0]
        yield Figure(f"Eingenommen im {month}", german.euros(cents), "abzüglich Erstattungen")


def _signed(number: int) -> str:
    """„+12“, „−3“, „±0“, with a true minus sign."""
    sign = "+" if number > 0 else "−" if number < 0 else "±"
    return f"{sign}{german.number(abs(number))}"
