"""Rows that belong to no app alone."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from coaching_site import german
from coaching_site.desk.work_models import LongWork as LongWork
from coaching_site.desk.work_models import LongWorkPiece as LongWorkPiece

# So long before a request must be done the coach is told of it.
WARN_BEFORE = timedelta(days=5)


class Hits(models.Model):
    """How often something was tried by someone, who is known by a keyed hash alone."""

    scope = models.CharField("was", max_length=60)
    key = models.CharField("wer, als Prüfwert", max_length=64)
    count = models.PositiveIntegerField("wie oft")
    ends_at = models.DateTimeField("zählt bis", db_index=True)

    class Meta:
        verbose_name = "Zähler"
        verbose_name_plural = "Zähler"
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "key"],
                name="hits_once",
                violation_error_message="Diesen Zähler gibt es schon.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope}: {self.count}"


class PersonLink(models.Model):
    """A link by which somebody sees or erases all that is stored about them; good for a day.

    Only its digest is kept. The row is there before the mail, so that no job holds an address.
    """

    address = models.CharField("E-Mail-Adresse", max_length=254)
    token_sha256 = models.CharField("SHA-256 des Links", max_length=64, blank=True)
    expires_at = models.DateTimeField("gilt bis", db_index=True)

    class Meta:
        verbose_name = "Link zu eigenen Daten"
        verbose_name_plural = "Links zu eigenen Daten"
        constraints = [
            models.UniqueConstraint(
                fields=["token_sha256"],
                name="person_link_once",
                condition=~Q(token_sha256=""),
                violation_error_message="Diesen Link gibt es schon.",
            ),
        ]

    def __str__(self) -> str:
        return f"gilt bis {german.plain_date(timezone.localtime(self.expires_at))}"


class PersonRequestQuerySet(models.QuerySet["PersonRequest"]):
    def open(self) -> PersonRequestQuerySet:
        return self.filter(done_at=None)

    def due_until(self, day: date) -> PersonRequestQuerySet:
        """Those that must be done by then."""
        return self.open().filter(due_on__lte=day)

    def overdue(self, today: date) -> PersonRequestQuerySet:
        """Those whose last day is over."""
        return self.open().filter(due_on__lt=today)

    def ended_before(self, moment: datetime) -> PersonRequestQuerySet:
        return self.filter(done_at__lt=moment)


class PersonRequest(models.Model):
    """Somebody asked for their data or for its erasure, and what became of it (DSGVO Art. 12 (3)).

    Once it is done the address is a keyed hash: enough to answer „did I ask?“, and no more.
    """

    class Kind(models.TextChoices):
        EXPORT = "export", "Auskunft"
        ERASE = "erase", "Löschung"

    class By(models.TextChoices):
        PERSON = "person", "die Person selbst"
        COACH = "coach", "Coach"

    kind = models.CharField("was", max_length=6, choices=Kind)
    by = models.CharField("durch", max_length=6, choices=By)
    address = models.CharField(
        "E-Mail-Adresse", max_length=254, blank=True, help_text="Leer, sobald erledigt."
    )
    address_hash = models.CharField("Prüfwert der Adresse", max_length=64)
    asked_at = models.DateTimeField("verlangt am")
    due_on = models.DateField("zu erledigen bis")
    done_at = models.DateTimeField("erledigt am", null=True, blank=True)
    in_the_way = models.TextField("was noch hindert", blank=True)
    warned_at = models.DateTimeField("an die Frist erinnert am", null=True, blank=True)

    objects = PersonRequestQuerySet.as_manager()

    class Meta:
        verbose_name = "Anfrage zu Daten"
        verbose_name_plural = "Anfragen zu Daten"
        ordering = ["-asked_at"]
        permissions = [
            ("erase_person", "Darf Daten einer Person löschen"),
            ("export_data", "Darf Daten herunterladen"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["address_hash", "kind"],
                name="person_request_one_open",
                condition=Q(done_at__isnull=True),
                violation_error_message="Das ist schon verlangt und noch offen.",
            ),
            models.CheckConstraint(
                name="person_request_names_nobody_once_done",
                condition=Q(done_at__isnull=True) | Q(address="", in_the_way=""),
                violation_error_message="Was erledigt ist, nennt niemanden mehr.",
            ),
        ]

    def __str__(self) -> str:
        return (
            f"{self.get_kind_display()} vom {german.plain_date(timezone.localtime(self.asked_at))}"
        )


class PersonNote(models.Model):
    """What the coach wants to remember about somebody, who is known by their e-mail address."""

    address_key = models.CharField("Suchform der Adresse", max_length=254, db_index=True)
    text = models.TextField("Notiz", max_length=5000)
    by = models.CharField("von", max_length=150)
    at = models.DateTimeField("am", db_index=True)

    class Meta:
        verbose_name = "Notiz"
        verbose_name_plural = "Notizen"
        ordering = ["-at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="person_note_says_something_about_somebody",
                condition=~Q(address_key="") & ~Q(text=""),
                violation_error_message="Eine Notiz braucht Text und eine Person.",
            ),
        ]

    def __str__(self) -> str:
        return f"Notiz vom {german.plain_date(timezone.localtime(self.at))}"


class RecoveryCodes(models.Model):
    """What opens the desk when the app with the six digits is lost: of each code only its hash."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, verbose_name="Benutzer"
    )
    digests: models.Field[list[str], list[str]] = ArrayField(
        models.CharField(max_length=64), verbose_name="SHA-256 der ungenutzten Codes"
    )
    made_at = models.DateTimeField("erzeugt am")

    class Meta:
        verbose_name = "Wiederherstellungscodes"
        verbose_name_plural = "Wiederherstellungscodes"

    def __str__(self) -> str:
        return f"{len(self.digests)} unbenutzt"


class Change(models.Model):
    """One change of one row by somebody at the desk. Written by triggers alone; rows only grow."""

    class What(models.TextChoices):
        INSERT = "insert", "angelegt"
        UPDATE = "update", "geändert"
        DELETE = "delete", "gelöscht"

    at = models.DateTimeField("wann")
    who = models.CharField("wer", max_length=150)
    what = models.CharField("was", max_length=6, choices=What)
    table = models.CharField("Tabelle", max_length=63)
    row = models.BigIntegerField("Zeile")
    # Old and new by column; of secrets and what is personal only that it changed.
    fields: models.JSONField[dict[str, object], dict[str, object]] = models.JSONField(
        "Felder", default=dict
    )

    class Meta:
        verbose_name = "Änderung"
        verbose_name_plural = "Änderungen"
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index("table", "row", name="change_of_a_row"),
            models.Index("at", name="change_at"),
        ]

    def __str__(self) -> str:
        return f"{self.who}, {german.cell(self.at, timezone.get_default_timezone())}"
