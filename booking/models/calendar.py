"""Whose time it is, and when they are open."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import date, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import connection, models
from django.db.models import F, Q
from django.utils.crypto import constant_time_compare

from booking import public_holidays
from booking.slots import Hours, Interval, Window
from coaching_site import german

DAY = timedelta(days=1)

# A weekday's windows have no dates, an exception's have no weekday.
PLAN = """
    SELECT weekday, NULL::date AS first_day, NULL::date AS last_day, start, "end", false AS adds
    FROM booking_weeklyhours WHERE calendar_id = %(calendar)s
    UNION ALL
    SELECT NULL, first_day, last_day, start, "end", adds FROM booking_dateoverride
    WHERE calendar_id = %(calendar)s AND first_day <= %(last_day)s AND last_day >= %(first_day)s
"""
# A row of it: weekday, first and last day, from, to, whether it comes on top of the day's hours.
Planned = tuple[int | None, date, date, time | None, time, bool]


@cache
def known_zones() -> frozenset[str]:
    """The names of all time zones this machine knows."""
    return frozenset(available_timezones())


def real_zone(name: str) -> None:
    """Validator: a zone of the time zone database."""
    if name not in known_zones():
        raise ValidationError("Diese Zeitzone gibt es nicht. Schreib sie wie Europe/Berlin.")


def new_feed_secret() -> str:
    """What opens a calendar's feed: 256 bits that nobody guesses."""
    return secrets.token_urlsafe(32)


class FederalState(models.TextChoices):
    """Where the coach's public holidays come from; the names are those of ISO 3166-2:DE."""

    NOWHERE = "", "keine Feiertage"
    BW = "BW", "Baden-Württemberg"
    BY = "BY", "Bayern"
    BE = "BE", "Berlin"
    BB = "BB", "Brandenburg"
    HB = "HB", "Bremen"
    HH = "HH", "Hamburg"
    HE = "HE", "Hessen"
    MV = "MV", "Mecklenburg-Vorpommern"
    NI = "NI", "Niedersachsen"
    NW = "NW", "Nordrhein-Westfalen"
    RP = "RP", "Rheinland-Pfalz"
    SL = "SL", "Saarland"
    SN = "SN", "Sachsen"
    ST = "ST", "Sachsen-Anhalt"
    SH = "SH", "Schleswig-Holstein"
    TH = "TH", "Thüringen"


class CalendarQuerySet(models.QuerySet["Calendar"]):
    def with_feed(self, secret: str) -> Calendar | None:
        """The calendar this secret opens. How long the answer takes tells nothing about others."""
        found = None
        for calendar in self:
            if constant_time_compare(calendar.feed_secret, secret):
                found = calendar
        return found


class Calendar(models.Model):
    """One person's time. Two bookings in one calendar never overlap."""

    name = models.CharField("Name", max_length=80)
    zone = models.CharField(
        "Zeitzone",
        max_length=60,
        default="Europe/Berlin",
        validators=[real_zone],
        help_text="In dieser Zone gelten die Sprechzeiten, zum Beispiel Europe/Berlin.",
    )
    # Kept as it is: the coach copies the link again for a second device.
    feed_secret = models.CharField(
        "Geheimnis des Feeds", max_length=64, default=new_feed_secret, editable=False
    )
    # What the feed said last, and since when: programs that poll are told „nothing new“ by both.
    feed_etag = models.CharField(max_length=64, blank=True, db_default="", editable=False)
    feed_changed_at = models.DateTimeField(null=True, blank=True, editable=False)

    federal_state = models.CharField(
        "Feiertage",
        max_length=2,
        choices=FederalState,
        default=FederalState.NOWHERE,
        blank=True,
        help_text="An gesetzlichen Feiertagen ist geschlossen. Einzelne öffnest du unten auf der Seite.",
    )
    # A few dates, always read with the calendar: in its row they cost no query.
    opened_holidays = ArrayField(
        models.DateField(), verbose_name="geöffnete Feiertage", default=list, blank=True
    )

    objects = CalendarQuerySet.as_manager()

    class Meta:
        verbose_name = "Kalender"
        verbose_name_plural = "Kalender"

    def __str__(self) -> str:
        return self.name

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def hours(self, first: date, last: date) -> Hours:
        """The weekly hours, the overrides and the holidays of these dates, in one query."""
        # In SQL, because a union of annotated querysets costs more to build than to answer.
        with connection.cursor() as cursor:
            cursor.execute(PLAN, {"calendar": self.pk, "first_day": first, "last_day": last})
            return self.planned_hours(cursor.fetchall(), first, last)

    def planned_hours(self, plan: Iterable[Planned], first: date, last: date) -> Hours:
        """What the rows of the plan, and the holidays, make of these dates."""
        weekly: dict[int, list[Window]] = {}
        overrides: dict[date, list[Window]] = {}
        additions: dict[date, list[Window]] = {}
        for weekday, first_day, last_day, start, end, adds in plan:
            windows = [] if start is None else [Window(_minute(start), _minute(end))]
            if weekday is not None:
                weekly.setdefault(weekday, []).extend(windows)
                continue
            days = additions if adds else overrides
            for day in _days(max(first_day, first), min(last_day, last)):
                days.setdefault(day, []).extend(windows)
        closed: dict[date, list[Window]] = {day: [] for day in self.closed_holidays(first, last)}
        hours = Hours(self.tz, weekly, closed | overrides)
        if not additions:
            return hours
        more = {day: [*hours.windows_on(day), *windows] for day, windows in additions.items()}
        return Hours(self.tz, weekly, {**hours.overrides, **more})

    def public_holidays(self, first: date, last: date) -> dict[date, str]:
        """The public holidays of these dates and their names, open or not."""
        return public_holidays.between(self.federal_state, first, last)

    def closed_holidays(self, first: date, last: date) -> dict[date, str]:
        """The public holidays on which the weekly plan does not count."""
        holidays = self.public_holidays(first, last)
        return {day: name for day, name in holidays.items() if day not in self.opened_holidays}

    def closed_because(self, day: date) -> str | None:
        """What closes the whole day: the note of an exception, or a holiday's name. None if nothing."""
        overrides = list(self.overrides.on(day))
        if any(override.start is not None for override in overrides):
            return None
        if overrides:
            return overrides[0].note or "Ausnahme"
        return self.closed_holidays(day, day).get(day)


class WeeklyHours(models.Model):
    """One window of the weekly plan, as the clock on the coach's wall shows it."""

    class Weekday(models.IntegerChoices):
        MONDAY = 1, "Montag"
        TUESDAY = 2, "Dienstag"
        WEDNESDAY = 3, "Mittwoch"
        THURSDAY = 4, "Donnerstag"
        FRIDAY = 5, "Freitag"
        SATURDAY = 6, "Samstag"
        SUNDAY = 7, "Sonntag"

    calendar = models.ForeignKey(
        Calendar, models.CASCADE, related_name="weekly_hours", verbose_name="Kalender"
    )
    weekday = models.PositiveSmallIntegerField("Wochentag", choices=Weekday)
    start = models.TimeField("von")
    end = models.TimeField(
        "bis",
        help_text="00:00 ist Mitternacht. Liegt das Ende vor dem Anfang, gilt der nächste Tag.",
    )

    class Meta:
        verbose_name = "Sprechzeit"
        verbose_name_plural = "Sprechzeiten der Woche"
        ordering = ["weekday", "start"]
        constraints = [
            models.CheckConstraint(
                name="weekly_hours_on_a_weekday",
                condition=Q(weekday__range=(1, 7)),
                violation_error_message="Wähle einen Wochentag von Montag bis Sonntag.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()}, {german.wall_range(self.start, self.end)}"


class DateOverrideQuerySet(models.QuerySet["DateOverride"]):
    def on(self, day: date) -> DateOverrideQuerySet:
        return self.filter(first_day__lte=day, last_day__gte=day)


class DateOverride(models.Model):
    """Days on which the weekly plan does not count: closed, or open at other times or longer."""

    calendar = models.ForeignKey(
        Calendar, models.CASCADE, related_name="overrides", verbose_name="Kalender"
    )
    first_day = models.DateField("erster Tag")
    last_day = models.DateField("letzter Tag", help_text="Bei einem einzelnen Tag derselbe Tag.")
    start = models.TimeField(
        "von", null=True, blank=True, help_text="Beide Zeiten leer lassen: geschlossen."
    )
    end = models.TimeField("bis", null=True, blank=True, help_text="00:00 ist Mitternacht.")
    adds = models.BooleanField(
        "zusätzlich",
        default=False,
        db_default=False,
        help_text="Kommt zu den Sprechzeiten dazu, statt sie zu ersetzen.",
    )
    note = models.CharField(
        "Notiz", max_length=120, blank=True, help_text="Nur für dich, zum Beispiel „Urlaub“."
    )

    objects = DateOverrideQuerySet.as_manager()

    class Meta:
        verbose_name = "Ausnahme"
        verbose_name_plural = "Ausnahmen"
        ordering = ["first_day", "start"]
        constraints = [
            models.CheckConstraint(
                name="override_days_in_order",
                condition=Q(first_day__lte=F("last_day")),
                violation_error_message="Der letzte Tag liegt vor dem ersten.",
            ),
            models.CheckConstraint(
                name="override_has_both_times_or_none",
                condition=Q(start__isnull=True, end__isnull=True)
                | Q(start__isnull=False, end__isnull=False),
                violation_error_message="Gib beide Zeiten an oder keine.",
            ),
            models.CheckConstraint(
                name="override_adds_only_open_time",
                condition=Q(adds=False) | Q(start__isnull=False),
                violation_error_message="Zusätzlich offen braucht beide Zeiten.",
            ),
        ]

    def __str__(self) -> str:
        return f"{german.plain_date(self.first_day)}–{german.plain_date(self.last_day)}"


class BlockQuerySet(models.QuerySet["Block"]):
    def in_calendar(self, calendar: Calendar) -> BlockQuerySet:
        return self.filter(calendar=calendar)

    def touching(self, span: Interval) -> BlockQuerySet:
        return self.filter(start__lt=span.end, end__gt=span.start)


class Block(models.Model):
    """Time the coach took out of the calendar, whatever the hours say. Calls already in it stay."""

    calendar = models.ForeignKey(
        Calendar, models.CASCADE, related_name="blocks", verbose_name="Kalender"
    )
    start = models.DateTimeField("Beginn")
    end = models.DateTimeField("Ende")
    note = models.CharField("Notiz", max_length=120, blank=True)

    objects = BlockQuerySet.as_manager()

    class Meta:
        verbose_name = "gesperrte Zeit"
        verbose_name_plural = "gesperrte Zeiten"
        ordering = ["start", "pk"]
        # Whoever may add and delete exceptions may block: there are no permissions of its own.
        default_permissions = ()
        # What ends after a moment is little, however long the past.
        indexes = [models.Index("calendar", "end", name="block_calendar_end")]
        constraints = [
            models.CheckConstraint(
                name="block_start_before_end",
                condition=Q(start__lt=F("end")),
                violation_error_message="Das Ende liegt nicht nach dem Beginn.",
            ),
        ]

    def __str__(self) -> str:
        return german.span(self.start, self.end, self.calendar.tz)

    @property
    def span(self) -> Interval:
        return Interval(self.start, self.end)


def _minute(clock: time) -> int:
    return clock.hour * 60 + clock.minute


def _days(first: date, last: date) -> Iterable[date]:
    return (first + DAY * n for n in range((last - first).days + 1))
