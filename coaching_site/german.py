"""German formats for dates, times, zones and money. Nothing else in the house formats them.

Dates read „Montag, 23. November 2026“ or „Mo., 23.11.2026“, times „14:30 Uhr“, ranges
„14:30–15:00 Uhr“, prices „49,00 €“ (DIN 5008). No-break spaces keep them on one line.
What the admin prints by itself follows `coaching_site/formats`, which says the same.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

NBSP = "\u00a0"
# „1.234,50“, „47,5“, „47“; a point before one or two digits can only be meant as a comma.
# The digits are bounded, as Python refuses to count endless ones.
AMOUNT = re.compile(
    r"([0-9]{1,3}(?:\.[0-9]{3}){1,5}|[0-9]{1,15})(?:,([0-9]{1,2}))?|([0-9]{1,15})\.([0-9]{1,2})"
)
WEEKDAYS = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag")
# „Art. 6 Abs. 1“, „§ 312j“, „z. B.“: what must not be torn at the end of a line.
CITED = re.compile(
    r"(§§?|\b(?:Art|Abs|Nr|Nrn|Buchst|Kap)\.|\bSatz) (?=\d|[a-z]\b)|(\b[zuid]\.) (?=[BaÄRdh]\.)"
)
MONTHS = (
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
)
# What people here call their own zone; elsewhere the city's name says more than an abbreviation.
ZONE_NAMES = {"CET": "MEZ", "CEST": "MESZ", "UTC": "UTC", "GMT": "GMT"}
CITY_NAMES = {"Berlin": "Berliner Zeit", "Vienna": "Wiener Zeit", "Zurich": "Zürcher Zeit"}


def long_date(day: date, *, year: bool = True) -> str:
    """„Montag, 23. November 2026“."""
    text = f"{WEEKDAYS[day.weekday()]}, {day.day}.{NBSP}{MONTHS[day.month - 1]}"
    return f"{text} {day.year}" if year else text


def short_date(day: date) -> str:
    """„Mo., 23.11.2026“."""
    return f"{WEEKDAYS[day.weekday()][:2]}., {plain_date(day)}"


def brief_date(day: date) -> str:
    """„Mo., 23.11.“: where the year is clear."""
    return f"{WEEKDAYS[day.weekday()][:2]}., {day:%d.%m.}"


def plain_date(day: date) -> str:
    """„23.11.2026“: on papers and in columns, where the weekday says nothing."""
    return f"{day:%d.%m.%Y}"


def citations_kept_whole(text: str) -> str:
    """The text with no-break spaces where a law is cited or words are shortened."""
    return CITED.sub(lambda found: f"{found[1] or found[2]}{NBSP}", text)


def date_in_words(day: date) -> str:
    """„23. November 2026“."""
    return f"{day.day}.{NBSP}{month(day)}"


def month(day: date) -> str:
    """„November 2026“."""
    return f"{MONTHS[day.month - 1]} {day.year}"


def short_month(day: date) -> str:
    """„Nov 26“: below a chart, where there is room for no more."""
    return f"{MONTHS[day.month - 1][:3]} {day:%y}"


def short_day(day: date) -> str:
    """„23.11.“: below a chart, where the year is clear."""
    return f"{day:%d.%m.}"


def clock(moment: datetime, zone: tzinfo) -> str:
    """„14:30 Uhr“ in the given zone."""
    return wall_clock(moment.astimezone(zone).time())


def clock_range(start: datetime, end: datetime, zone: tzinfo) -> str:
    """„14:30–15:00 Uhr“ in the given zone."""
    return wall_range(start.astimezone(zone).time(), end.astimezone(zone).time())


def span(start: datetime, end: datetime, zone: tzinfo) -> str:
    """A stretch of hours or days in the given zone, as short as it can be said.

    „Mi., 03.03.2027, 14:00–16:00 Uhr“, „Mi., 03.03.2027, ganztägig“, „Mo., 01.03.2027 bis
    So., 07.03.2027“ or „Fr., 05.03.2027, 14:00 Uhr bis Mo., 08.03.2027, 10:00 Uhr“.
    """
    first, last = start.astimezone(zone), end.astimezone(zone)
    # What ends at midnight ends with the day before.
    last_day = (last - timedelta(microseconds=1)).date()
    if first.time() == last.time() == time():
        if first.date() == last_day:
            return f"{short_date(last_day)}, ganztägig"
        return f"{short_date(first.date())} bis {short_date(last_day)}"
    if first.date() == last_day:
        return f"{short_date(last_day)}, {wall_range(first.time(), last.time())}"
    return f"{short_when(start, zone)} bis {short_when(end, zone)}"


def clock_and_zone(moment: datetime, zone: ZoneInfo) -> str:
    """„14:30 Uhr, Berliner Zeit (MEZ)“, where the day is clear."""
    return f"{clock(moment, zone)}, {zone_name(zone, moment)}"


def wall_clock(at: time) -> str:
    """„14:30 Uhr“ as a clock on the wall shows it, of no zone."""
    return f"{at:%H:%M}{NBSP}Uhr"


def wall_range(start: time, end: time) -> str:
    """„14:30–15:00 Uhr“ as a clock on the wall shows it, of no zone."""
    return f"{start:%H:%M}–{wall_clock(end)}"


def when(moment: datetime, zone: ZoneInfo) -> str:
    """„Dienstag, 30. März 2027, 09:00 Uhr, Berliner Zeit (MESZ)“: day, time and zone in one."""
    day = long_date(moment.astimezone(zone).date())
    return f"{day}, {clock_and_zone(moment, zone)}"


def short_when(moment: datetime, zone: tzinfo) -> str:
    """„Mo., 23.11.2026, 14:30 Uhr“: for the coach, whose zone is known."""
    return f"{short_date(moment.astimezone(zone).date())}, {clock(moment, zone)}"


def to_the_second(moment: datetime, zone: ZoneInfo) -> str:
    """„23.11.2026, 14:30:05 Uhr (MEZ)“: what counts as evidence."""
    local = moment.astimezone(zone)
    return f"{plain_date(local)}, {local:%H:%M:%S}{NBSP}Uhr ({zone_mark(zone, moment)})"


def end_of_day(day: date) -> str:
    """„Montag, 23. November 2026, 24:00 Uhr (Berliner Zeit)“: the end of a period after BGB § 188."""
    return f"{long_date(day)}, 24:00{NBSP}Uhr ({CITY_NAMES['Berlin']})"


def cell(moment: datetime | None, zone: tzinfo) -> str:
    """„23.11.2026 14:30“, as spreadsheets read a time; nothing if there is none."""
    return f"{moment.astimezone(zone):%d.%m.%Y %H:%M}" if moment else ""


def cell_clock(moment: datetime, zone: tzinfo) -> str:
    """„14:30“, as spreadsheets read a time of day."""
    return f"{moment.astimezone(zone):%H:%M}"


def zone_name(zone: ZoneInfo, moment: datetime) -> str:
    """„Berliner Zeit (MEZ)“ or „Ortszeit New York (UTC−5)“: the zone as it stands at that moment."""
    city = zone.key.rpartition("/")[2].replace("_", " ")
    place = CITY_NAMES.get(city, f"Ortszeit {city}")
    mark = zone_mark(zone, moment)
    return mark if city == "UTC" else f"{place} ({mark})"


def zone_mark(zone: ZoneInfo, moment: datetime) -> str:
    """„MEZ“, „MESZ“ or „UTC−5“."""
    local = moment.astimezone(zone)
    return ZONE_NAMES.get(local.tzname() or "") or utc_offset(local.utcoffset() or timedelta())


def utc_offset(offset: timedelta) -> str:
    """„UTC+5:45“, with a true minus sign."""
    minutes = round(offset.total_seconds() / 60)
    sign = "−" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{sign}{hours}" + (f":{rest:02}" if rest else "")


def minutes(length: timedelta) -> str:
    """„30 Minuten“."""
    return f"{round(length.total_seconds() / 60)}{NBSP}Minuten"


def age(length: timedelta) -> str:
    """„3 Minuten“, „2 Stunden“, „5 Tagen“: what follows „seit“ or „vor“, rounded down."""
    passed = round(length.total_seconds()) // 60
    if passed < 1:
        return "weniger als 1 Minute".replace(" ", NBSP)
    if passed < 60:
        return f"{passed}{NBSP}{'Minute' if passed == 1 else 'Minuten'}"
    if passed < 48 * 60:
        return f"{passed // 60}{NBSP}{'Stunde' if passed < 120 else 'Stunden'}"
    return f"{passed // (24 * 60)}{NBSP}Tagen"


def wait(length: timedelta) -> str:
    """„einer Minute“ or „12 Minuten“, rounded up, to stand behind „in“."""
    whole = max(1, math.ceil(length.total_seconds() / 60))
    return "einer Minute" if whole == 1 else f"{whole}{NBSP}Minuten"


def roughly(length: timedelta) -> str:
    """„1 Sekunde“, „40 Sekunden“, „3 Minuten“, „2 Stunden“, „3 Tage“: how long something takes, rounded."""
    seconds = max(1, round(length.total_seconds()))
    if seconds < 90:
        shown = seconds if seconds < 20 else 5 * round(seconds / 5)
        return f"{shown}{NBSP}{'Sekunde' if shown == 1 else 'Sekunden'}"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)}{NBSP}Minuten"
    if seconds < 36 * 3600:
        return f"{round(seconds / 3600)}{NBSP}Stunden"
    return f"{round(seconds / 86400)}{NBSP}Tage"


def until_before(hours: int) -> str:
    """„bis 24 Stunden vorher“; without hours „bis zum Beginn“."""
    if hours == 0:
        return "bis zum Beginn"
    return "bis eine Stunde vorher" if hours == 1 else f"bis {hours}{NBSP}Stunden vorher"


def number(count: int) -> str:
    """„12.345“."""
    return f"{count:,}".replace(",", ".")


def share(part: int, whole: int) -> str:
    """„4,2 %“, and „–“ of nothing."""
    if whole == 0:
        return "–"
    tenths = round(part * 1000 / whole)
    return f"{number(tenths // 10)},{tenths % 10}{NBSP}%"


class NoAmount(ValueError):
    """What somebody wrote is no amount of money; the sentence says how to write one."""


def euros(cents: int) -> str:
    """„1.234,50 €“ from integer cents."""
    return f"{amount(cents)}{NBSP}€"


def whole_euros(cents: int) -> str:
    """„1.500 €“: beside a chart, whose scale has no cents."""
    return f"{number(cents // 100)}{NBSP}€"


def amount(cents: int) -> str:
    """„1.234,50“: the same without the sign, for fields and columns that say euros anyway."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'−' if cents < 0 else ''}{number(whole)},{rest:02}"


def cell_amount(cents: int) -> str:
    """„-1234,50“: what German bookkeeping software reads as a number."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100},{abs(cents) % 100:02}"


def cents(text: str) -> int:
    """Integer cents from what people write: „47,50“, „47,5 €“, „1.234,50“. Raises NoAmount."""
    plain = re.sub(r"\s|€|EUR", "", text)
    found = AMOUNT.fullmatch(plain)
    if found is None:
        raise NoAmount("Schreib den Betrag wie 47,50.")
    whole, fraction = (found[1].replace(".", ""), found[2]) if found[1] else (found[3], found[4])
    return int(whole) * 100 + int((fraction or "").ljust(2, "0"))
