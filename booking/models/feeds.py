"""The coach's other calendars, and when they say the coach is busy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import models
from django.db.models import F, Q

from booking.models.calendar import Calendar
from booking.slots import Interval
from coaching_site import german

# A feed is read again after ten minutes, or at once if it failed last time. Before a time is
# held, two minutes are old. After an hour without good data the desk shows its age.
DUE_AFTER = timedelta(minutes=10)
STALE_AFTER = timedelta(minutes=2)
OLD_AFTER = timedelta(hours=1)


class BusyFeedQuerySet(models.QuerySet["BusyFeed"]):
    def read_from(self) -> BusyFeedQuerySet:
        """The feeds in use, with their calendars."""
        return self.filter(is_active=True).select_related("calendar")

    def due(self, now: datetime) -> BusyFeedQuerySet:
        """What the periodic job reads at `now`."""
        never = Q(checked_at=None)
        again = Q(checked_at__lte=now - DUE_AFTER) | Q(failing_since__isnull=False)
        return self.read_from().filter(never | again)

    def stale(self, now: datetime) -> BusyFeedQuerySet:
        """What is worth asking again before a time is held. One that just failed is not."""
        return self.read_from().filter(Q(checked_at=None) | Q(checked_at__lte=now - STALE_AFTER))

    def not_to_be_trusted(self, now: datetime) -> BusyFeedQuerySet:
        """Feeds in use that fail, or were not read with success for long."""
        old = Q(fetched_at__lte=now - OLD_AFTER)
        unread = Q(fetched_at=None, created_at__lte=now - OLD_AFTER)
        return self.filter(Q(failing_since__isnull=False) | old | unread, is_active=True)


class BusyFeed(models.Model):
    """A calendar published as a file (ICS), whose busy times block this one.

    Its address is a secret: whoever knows it can read the calendar. It is shown in its form only.
    """

    class State(models.TextChoices):
        OFF = "off", "ausgeschaltet"
        UNREAD = "unread", "noch nie gelesen"
        FAILING = "failing", "gestört"
        OLD = "old", "veraltet"
        WELL = "well", "aktuell"

    calendar = models.ForeignKey(
        Calendar, models.CASCADE, related_name="feeds", verbose_name="Kalender"
    )
    name = models.CharField(
        "Name", max_length=80, help_text="Nur für dich, zum Beispiel „Google privat“."
    )
    url = models.CharField(
        "geheime Adresse (ICS)",
        max_length=1000,
        help_text="Google: „Privatadresse im iCal-Format“. Outlook: „Kalender veröffentlichen“, "
        "ICS. Apple und Nextcloud: der geteilte Link. Wer sie kennt, kann den Kalender lesen.",
    )
    is_active = models.BooleanField("wird gelesen", default=True)
    created_at = models.DateTimeField("angelegt", auto_now_add=True)
    etag = models.CharField("ETag", max_length=200, blank=True, editable=False)
    last_modified = models.CharField("Last-Modified", max_length=200, blank=True, editable=False)
    checked_at = models.DateTimeField("zuletzt versucht", null=True, blank=True, editable=False)
    fetched_at = models.DateTimeField("Stand", null=True, blank=True, editable=False)
    parsed_at = models.DateTimeField("zuletzt ausgewertet", null=True, blank=True, editable=False)
    parsed_zone = models.CharField(
        "ausgewertet in Zeitzone", max_length=60, blank=True, editable=False
    )
    failing_since = models.DateTimeField("gestört seit", null=True, blank=True, editable=False)
    last_error = models.CharField("letzter Fehler", max_length=200, blank=True, editable=False)
    warned_at = models.DateTimeField("gewarnt", null=True, blank=True, editable=False)
    warnings = models.TextField("Hinweise", blank=True, editable=False)

    objects = BusyFeedQuerySet.as_manager()

    class Meta:
        verbose_name = "Fremder Kalender"
        verbose_name_plural = "Fremde Kalender"
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["calendar", "url"],
                name="busy_feed_once_a_calendar",
                violation_error_message="Diesen Kalender liest du schon.",
            ),
            models.CheckConstraint(
                name="busy_feed_failing_says_why",
                condition=Q(failing_since__isnull=True) | ~Q(last_error=""),
                violation_error_message="Eine Störung braucht einen Grund.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_failing(self) -> bool:
        return self.failing_since is not None

    def state(self, now: datetime) -> State:
        """How far its busy times can be trusted at `now`."""
        if not self.is_active:
            return self.State.OFF
        if self.fetched_at is None:
            return self.State.UNREAD
        if self.is_failing:
            return self.State.FAILING
        return self.State.OLD if self.fetched_at <= now - OLD_AFTER else self.State.WELL


class BusyTimeQuerySet(models.QuerySet["BusyTime"]):
    def counting_in(self, calendar: Calendar) -> BusyTimeQuerySet:
        """What blocks this calendar: the last good data of every feed in use."""
        return self.filter(feed__calendar=calendar, feed__is_active=True)

    def touching(self, span: Interval) -> BusyTimeQuerySet:
        return self.filter(start__lt=span.end, end__gt=span.start)


class BusyTime(models.Model):
    """Time that is gone because another calendar says so. When, never why."""

    feed = models.ForeignKey(
        BusyFeed, models.CASCADE, related_name="busy_times", verbose_name="fremder Kalender"
    )
    start = models.DateTimeField("Beginn")
    end = models.DateTimeField("Ende")

    objects = BusyTimeQuerySet.as_manager()

    class Meta:
        verbose_name = "belegte Zeit"
        verbose_name_plural = "belegte Zeiten"
        ordering = ["start"]
        indexes = [models.Index("feed", "start", name="busy_time_feed_start")]
        constraints = [
            models.CheckConstraint(
                name="busy_time_start_before_end",
                condition=Q(start__lt=F("end")),
                violation_error_message="Das Ende liegt nicht nach dem Beginn.",
            ),
        ]

    def __str__(self) -> str:
        return f"{german.plain_date(self.start)}, {german.clock_range(self.start, self.end, UTC)} (UTC)"
