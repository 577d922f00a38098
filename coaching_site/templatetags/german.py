"""The German formats as template filters; built into every template."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django import template

from coaching_site import german

register = template.Library()


@register.filter
def long_date(day: date) -> str:
    return german.long_date(day)


@register.filter
def day_and_month(day: date) -> str:
    return german.long_date(day, year=False)


@register.filter
def short_date(day: date) -> str:
    return german.short_date(day)


@register.filter
def month_name(day: date) -> str:
    return german.month(day)


@register.filter
def local_date(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


@register.filter
def clock(moment: datetime, zone: ZoneInfo) -> str:
    return german.clock(moment, zone)


@register.filter
def when(moment: datetime, zone: ZoneInfo) -> str:
    return german.when(moment, zone)


@register.filter
def zone_name(zone: ZoneInfo, moment: datetime) -> str:
    return german.zone_name(zone, moment)


@register.filter
def minutes(length: timedelta) -> str:
    return german.minutes(length)


@register.filter
def until_before(hours: int) -> str:
    return german.until_before(hours)


@register.filter
def number(count: int) -> str:
    return german.number(count)


@register.filter
def euros(cents: int) -> str:
    return german.euros(cents)


@register.simple_tag
def clock_range(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    return german.clock_range(start, end, zone)
