"""What can be booked: the types of call, and links to one of them."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from booking.models.calendar import Calendar
from booking.slots import Terms
from coaching_site import compiled
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


def free_slug(slug: str) -> None:
    """Validator: a slug that does not stand in the way of another address."""
    if slug in RESERVED_SLUGS:
        raise ValidationError("Dieses Wort braucht die Seite selbst. Nimm ein anderes.")


def new_secret() -> str:
    """What opens a hidden type of call: 22 letters that nobody guesses."""
    return secrets.token_urlsafe(16)


def payments_are_on() -> bool:
    """Whether guests can pay here: with Stripe's key, and a live one only with the papers in order."""
    if not settings.STRIPE_SECRET_KEY:
        return False
    return not settings.STRIPE_IS_LIVE or not Practice.current().placeholders()


def kept_of(paid_cents: int, *, cents: int, percent: int) -> int:
    """A sum and a share of what was paid, together at most all of it; rounded in the guest's favour."""
    return min(paid_cents, cents + paid_cents * percent // 100)


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
