"""The German formats as template filters; built into every template.

Where a filter takes a zone and gets none, it is the practice's own (`settings.TIME_ZONE`). Filters
for dates take moments as well and print the day they fall on there.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django import template
from django.conf import settings
from django.utils import timezone

from coaching_site import german

register = template.Library()


@register.filter(expects_localtime=True)
def long_date(day: date) -> str:
    return german.long_date(day)


@register.filter(expects_localtime=True)
def day_and_month(day: date) -> str:
    return german.long_date(day, year=False)


@register.filter(expects_localtime=True)
def short_date(day: date) -> str:
    return german.short_date(day)


@register.filter(expects_localtime=True)
def brief_date(day: date) -> str:
    return german.brief_date(day)


@register.filter(expects_localtime=True)
def date_in_words(day: date) -> str:
    return german.date_in_words(day)


@register.filter(expects_localtime=True)
def month_name(day: date) -> str:
    return german.month(day)


@register.filter
def end_of_day(day: date) -> str:
    return german.end_of_day(day)


@register.filter
def local_date(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


@register.filter
def clock(moment: datetime, zone: ZoneInfo) -> str:
    return german.clock(moment, zone)


@register.filter
def clock_and_zone(moment: datetime, zone: ZoneInfo) -> str:
    return german.clock_and_zone(moment, zone)


@register.filter
def when(moment: datetime, zone: ZoneInfo | None = None) -> str:
    return german.when(moment, zone or _here())


@register.filter
def short_when(moment: datetime, zone: ZoneInfo | None = None) -> str:
    return german.short_when(moment, zone or _here())


@register.filter
def to_the_second(moment: datetime | None) -> str:
    """Nothing for what has not happened."""
    return german.to_the_second(moment, _here()) if moment else ""


@register.filter
def zone_name(zone: ZoneInfo, moment: datetime) -> str:
    return german.zone_name(zone, moment)


@register.filter
def minutes(length: timedelta) -> str:
    return german.minutes(length)


@register.filter
def age(moment: datetime) -> str:
    """How long ago it was, to stand behind „seit“."""
    return german.age(timezone.now() - moment)


@register.filter
def until_before(hours: int) -> str:
    return german.until_before(hours)


@register.filter
def number(count: int) -> str:
    return german.number(count)


@register.filter
def euros(cents: int) -> str:
    """An amount that is no price: a part of a total that stands above it, or money that moves."""
    return german.euros(cents)


@register.simple_tag
def clock_range(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    return german.clock_range(start, end, zone)


def _here() -> ZoneInfo:
    return ZoneInfo(settings.TIME_ZONE)
