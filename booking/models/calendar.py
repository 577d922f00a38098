"""When the coach is open, and what can be booked then."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection, models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.crypto import constant_time_compare

from booking import public_holidays
from booking.slots import Hours, Interval, Terms, Window
from coaching_site import compiled, german
from pages.models import Practice

# What the address of a hidden type of call begins with.
PRIVATE = "privat"
# What the address of a link for one or a few bookings begins with.
ONE_OFF = "einmal"
# What the addresses begin with on the way to another time for an appointment.
MOVING = "verschieben"
# The first words of the booking's own addresses.
RESERVED_SLUGS = frozenset(
    {
        "pruefen",
        "bezahlt",
        "gebucht",
        "absagen",
        "freigeben",
        "kalender",
        "anfrage",
        "feed",
        "rechnung",
        PRIVATE,
        MOVING,
        ONE_OFF,
    }
)
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


def free_slug(slug: str) -> None:
    """Validator: a slug that does not stand in the way of another address."""
    if slug in RESERVED_SLUGS:
        raise ValidationError("Dieses Wort braucht die Seite selbst. Nimm ein anderes.")


def new_secret() -> str:
    """What opens a hidden type of call: 22 letters that nobody guesses."""
    return secrets.token_urlsafe(16)


def new_feed_secret() -> str:
    """What opens a calendar's feed: 256 bits that nobody guesses."""
    return secrets.token_urlsafe(32)


def payments_are_on() -> bool:
    """Whether guests can pay here: with Stripe's key, and a live one only with the papers in order."""
    if not settings.STRIPE_SECRET_KEY:
        return False
    return not settings.STRIPE_IS_LIVE or not Practice.current().placeholders()


def kept_of(paid_cents: int, *, cents: int, percent: int) -> int:
    """A sum and a share of what was paid, together at most all of it; rounded in the guest's favour."""
    return min(paid_cents, cents + paid_cents * percent // 100)


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


class CallTypeQuerySet(models.QuerySet["CallType"]):
    def active(self) -> CallTypeQuerySet:
        """What can be asked for, if one knows where."""
        return self.filter(is_active=True).select_related("calendar")

    def offered(self) -> CallTypeQuerySet:
        """What guests see, the first one first."""
        return self.active().filter(is_hidden=False).order_by("position", "pk")

    def at(self, address: str) -> CallTypeQuerySet:
        """The type with this address: its slug, or its secret, which holds even if it is public."""
        first, _, secret = address.partition("/")
        if secret and first == PRIVATE:
            return self.active().filter(secret=secret)
        return self.offered().filter(slug=address)


class CallType(models.Model):
    """A kind of call: how long, how often, where, and for how much."""

    class Place(models.TextChoices):
        VIDEO = "video", "Videogespräch"
        PHONE = "phone", "Telefon"
        ADDRESS = "address", "Vor Ort"

    calendar = models.ForeignKey(
        Calendar, models.PROTECT, related_name="call_types", verbose_name="Kalender"
    )
    title = models.CharField("Titel", max_length=100)
    slug = models.SlugField(
        "Wort in der Adresse",
        max_length=60,
        unique=True,
        validators=[free_slug],
        help_text="Zum Beispiel „kennenlernen“: die Seite steht dann unter /termin/kennenlernen/.",
    )
    description = models.TextField("Beschreibung", blank=True)
    length = models.PositiveSmallIntegerField(
        "Dauer in Minuten", default=30, validators=[MinValueValidator(5), MaxValueValidator(720)]
    )
    step = models.PositiveSmallIntegerField(
        "Abstand der Anfänge in Minuten",
        default=30,
        validators=[MinValueValidator(5), MaxValueValidator(720)],
        help_text="Alle wie viele Minuten ein Gespräch beginnen kann.",
    )
    buffer_before = models.PositiveSmallIntegerField(
        "Pause davor in Minuten", default=0, validators=[MaxValueValidator(720)]
    )
    buffer_after = models.PositiveSmallIntegerField(
        "Pause danach in Minuten",
        default=0,
        validators=[MaxValueValidator(720)],
        help_text="Zwischen zwei Gesprächen gilt die längere der beiden Pausen.",
    )
    notice = models.PositiveSmallIntegerField(
        "Vorlauf in Stunden",
        default=24,
        help_text="So viele Stunden vorher muss gebucht sein.",
    )
    horizon_days = models.PositiveSmallIntegerField(
        "Buchbar bis in so vielen Tagen",
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(730)],
    )
    max_per_day = models.PositiveSmallIntegerField(
        "Höchstens am Tag",
        null=True,
        blank=True,
        help_text="Alle Gespräche im Kalender zählen mit. Leer: ohne Grenze.",
    )
    max_per_week = models.PositiveSmallIntegerField(
        "Höchstens in der Woche",
        null=True,
        blank=True,
        help_text="Von Montag bis Sonntag; alle Gespräche im Kalender zählen mit. Leer: ohne Grenze.",
    )
    move_until_hours = models.PositiveSmallIntegerField(
        "Verschieben bis Stunden vorher",
        default=0,
        help_text="So viele Stunden vorher können Gäste noch selbst verschieben. "
        "0: bis zum Beginn. Du selbst kannst es immer.",
    )
    cancel_until_hours = models.PositiveSmallIntegerField(
        "Absagen bis Stunden vorher",
        default=0,
        help_text="So viele Stunden vorher können Gäste noch selbst absagen. 0: bis zum Beginn.",
    )
    needs_approval = models.BooleanField(
        "nur nach Anfrage",
        default=False,
        help_text="Gäste fragen an, du nimmst an oder lehnst ab. Nur bei kostenlosen Gesprächen.",
    )
    approval_hours = models.PositiveSmallIntegerField(
        "Antwort in Stunden",
        default=48,
        validators=[MinValueValidator(1), MaxValueValidator(720)],
        help_text="So lange hält eine Anfrage ihre Zeit frei, längstens bis zum Beginn.",
    )
    price_cents = models.PositiveIntegerField(
        "Preis in Cent",
        default=0,
        help_text="Gesamtpreis inkl. Steuer. Mit Preis wird beim Buchen über Stripe bezahlt; "
        "ohne Stripe steht das Gespräch nur im Angebot.",
    )
    deposit_cents = models.PositiveIntegerField(
        "Anzahlung in Cent",
        default=0,
        help_text="Der Teil des Preises, der beim Buchen bezahlt und später angerechnet wird. "
        "0: der ganze Preis.",
    )
    cancel_free_hours = models.PositiveSmallIntegerField(
        "Absage ohne Kosten bis Stunden vorher",
        default=48,
        help_text="Sagt ein Gast bis dahin ab, geht alles zurück. Sagst du ab, immer.",
    )
    cancel_keep_cents = models.PositiveIntegerField(
        "danach behalten: fester Betrag in Cent", default=0
    )
    cancel_keep_percent = models.PositiveSmallIntegerField(
        "danach behalten: Prozent der Zahlung",
        default=100,
        validators=[MaxValueValidator(100)],
        help_text="Beides zusammen, höchstens was bezahlt wurde. Beides 0: es geht immer alles zurück.",
    )
    place_kind = models.CharField("Ort", max_length=10, choices=Place, default=Place.VIDEO)
    place_detail = models.CharField(
        "Link, Anschrift oder wer anruft",
        max_length=300,
        blank=True,
        help_text="Video: der Link zum Raum. Telefon: wer wen anruft. Vor Ort: die Anschrift.",
    )
    preparation = models.TextField(
        "Vorbereitung",
        blank=True,
        help_text="Was dein Gegenüber vorbereiten soll; steht in der Bestätigung.",
    )
    first_reminder = models.PositiveIntegerField(
        "Erste Erinnerung, Minuten vorher",
        null=True,
        blank=True,
        default=24 * 60,
        validators=[MinValueValidator(1), MaxValueValidator(30 * 24 * 60)],
        help_text="So viele Minuten vor Beginn bekommt der Gast eine Mail; 1440 ist ein Tag. "
        "Leer: keine. Wer später bucht, bekommt sie nicht.",
    )
    second_reminder = models.PositiveIntegerField(
        "Zweite Erinnerung, Minuten vorher",
        null=True,
        blank=True,
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(30 * 24 * 60)],
        help_text="Näher am Beginn als die erste. Leer: keine.",
    )
    follow_up_hours = models.PositiveSmallIntegerField(
        "Bitte um Rückmeldung, Stunden danach",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(30 * 24)],
        help_text="So viele Stunden nach dem Ende geht eine Mail an Gäste, die dem beim Buchen "
        "zugestimmt haben. Leer: keine, und beim Buchen wird nicht gefragt.",
    )
    is_active = models.BooleanField("wird angeboten", default=True)
    is_hidden = models.BooleanField(
        "nur über den geheimen Link",
        default=False,
        help_text="Steht nirgends auf der Website; buchen kann, wer den Link kennt.",
    )
    secret = models.CharField(
        "Geheimnis im Link", max_length=22, default=new_secret, editable=False
    )
    position = models.PositiveSmallIntegerField(
        "Reihenfolge", default=0, help_text="Die kleinste Zahl steht vorn."
    )

    # The link that led here, if one did: it then stands in every address of the booking.
    one_off: OneOffLink | None = None

    objects = CallTypeQuerySet.as_manager()

    class Meta:
        verbose_name = "Gesprächsart"
        verbose_name_plural = "Gesprächsarten"
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(
                name="call_type_has_length_and_step",
                condition=Q(length__gte=1, step__gte=1),
                violation_error_message="Dauer und Abstand brauchen mindestens eine Minute.",
            ),
            models.CheckConstraint(
                name="call_type_reminders_before_the_start",
                condition=(Q(first_reminder__isnull=True) | Q(first_reminder__gte=1))
                & (Q(second_reminder__isnull=True) | Q(second_reminder__gte=1)),
                violation_error_message="Eine Erinnerung kommt mindestens eine Minute vorher.",
            ),
            models.CheckConstraint(
                name="call_type_reminders_in_order",
                condition=Q(first_reminder__isnull=True)
                | Q(second_reminder__isnull=True)
                | Q(first_reminder__gt=F("second_reminder")),
                violation_error_message="Die zweite Erinnerung liegt näher am Beginn als die erste.",
            ),
            models.CheckConstraint(
                name="call_type_follow_up_after_the_end",
                condition=Q(follow_up_hours__isnull=True) | Q(follow_up_hours__gte=1),
                violation_error_message="Die Bitte um Rückmeldung kommt mindestens eine Stunde danach.",
            ),
            models.CheckConstraint(
                name="call_type_deposit_within_price",
                condition=Q(deposit_cents__lte=F("price_cents")),
                violation_error_message="Die Anzahlung ist höher als der Preis.",
            ),
            models.CheckConstraint(
                name="call_type_keeps_at_most_everything",
                condition=Q(cancel_keep_percent__lte=100),
                violation_error_message="Mehr als 100 Prozent lassen sich nicht behalten.",
            ),
            models.CheckConstraint(
                name="call_type_only_free_ones_need_approval",
                condition=Q(needs_approval=False) | Q(price_cents=0),
                violation_error_message="Anfragen gibt es nur bei kostenlosen Gesprächen.",
            ),
            models.UniqueConstraint(
                fields=["secret"],
                name="call_type_secret_once",
                violation_error_message="Dieses Geheimnis gibt es schon.",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("booking:days_of", args=[self.address])

    @property
    def address(self) -> str:
        """What stands for this type in every address of the booking."""
        if self.one_off is not None:
            return self.one_off.address
        return self.private_address if self.is_hidden else self.slug

    @property
    def private_address(self) -> str:
        return f"{PRIVATE}/{self.secret}"

    @property
    def duration(self) -> timedelta:
        return timedelta(minutes=self.length)

    @property
    def due_cents(self) -> int:
        """What is paid when booking: the deposit, or all of it."""
        return self.deposit_cents or self.price_cents

    def kept_cents(self, paid_cents: int) -> int:
        """What stays of `paid_cents` with the coach when a guest calls it off late."""
        return kept_of(paid_cents, cents=self.cancel_keep_cents, percent=self.cancel_keep_percent)

    @property
    def rest_cents(self) -> int:
        """What is left to pay of the price after that."""
        return self.price_cents - self.due_cents

    @property
    def kept_if_late_cents(self) -> int:
        """What the guest does not get back when calling off later than is free."""
        if not self.cancel_free_hours:
            return 0  # there is no later than until the start
        return self.kept_cents(self.due_cents)

    @property
    def back_if_late_cents(self) -> int:
        return self.due_cents - self.kept_if_late_cents

    @property
    def is_bookable(self) -> bool:
        """Whether guests can book it here: it is free, or they can pay."""
        return self.price_cents == 0 or payments_are_on()

    @property
    def asks_for_phone(self) -> bool:
        return self.place_kind == self.Place.PHONE

    @property
    def place(self) -> str:
        """Where the call takes place, in one line: „Telefon: Ich rufe dich an.“"""
        kind = self.get_place_kind_display()
        return f"{kind}: {self.place_detail}" if self.place_detail else kind

    @property
    def public_place(self) -> str:
        """The place as everybody may read it: the link to a room is for booked guests only."""
        if self.place_kind == self.Place.VIDEO:
            return self.get_place_kind_display()
        return self.place

    def terms(self) -> Terms:
        """What this type asks of a slot."""
        return Terms(
            length=self.duration,
            step=timedelta(minutes=self.step),
            buffer_before=timedelta(minutes=self.buffer_before),
            buffer_after=timedelta(minutes=self.buffer_after),
            notice=timedelta(hours=self.notice),
            horizon_days=self.horizon_days,
            max_per_day=self.max_per_day,
            max_per_week=self.max_per_week,
        )


# Every page one chooses on begins with it.
OFFERED = compiled.Objects(CallType.objects.offered, parent="calendar")


class OneOffLinkQuerySet(models.QuerySet["OneOffLink"]):
    def use(self, pk: int) -> bool:
        """Count one use; False if there is none left. One UPDATE, so that racers queue up."""
        return bool(self.filter(pk=pk, uses__lt=F("max_uses")).update(uses=F("uses") + 1))


class OneOffLink(models.Model):
    """A link to one type of call that is good for so many bookings. A cancelled one counts too."""

    call_type = models.ForeignKey(
        CallType, models.CASCADE, related_name="one_off_links", verbose_name="Gesprächsart"
    )
    secret = models.CharField(
        "Geheimnis im Link", max_length=22, default=new_secret, unique=True, editable=False
    )
    note = models.CharField(
        "Notiz", max_length=200, blank=True, help_text="Nur für dich: für wen der Link ist."
    )
    expires_at = models.DateTimeField(
        "gilt bis", null=True, blank=True, help_text="Leer: ohne Ende."
    )
    max_uses = models.PositiveSmallIntegerField(
        "Buchungen höchstens", default=1, validators=[MinValueValidator(1)]
    )
    uses = models.PositiveSmallIntegerField("Buchungen bisher", default=0, editable=False)

    objects = OneOffLinkQuerySet.as_manager()

    class Meta:
        verbose_name = "Einmal-Link"
        verbose_name_plural = "Einmal-Links"
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                name="one_off_link_uses_within_limit",
                condition=Q(uses__lte=F("max_uses")),
                violation_error_message="So oft wurde der Link schon benutzt.",
            ),
        ]

    def __str__(self) -> str:
        return self.note or f"Link zu „{self.call_type}“"

    def clean(self) -> None:
        # The form does not have `uses`, so Django leaves the constraint to the database.
        if self.max_uses is not None and self.max_uses < self.uses:
            raise ValidationError({"max_uses": f"Der Link wurde schon {self.uses} Mal benutzt."})

    @property
    def address(self) -> str:
        return f"{ONE_OFF}/{self.secret}"

    def is_open(self, now: datetime) -> bool:
        return self.uses < self.max_uses and not self.is_expired(now)

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


def _minute(clock: time) -> int:
    return clock.hour * 60 + clock.minute


def _days(first: date, last: date) -> Iterable[date]:
    return (first + DAY * n for n in range((last - first).days + 1))
