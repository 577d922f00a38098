"""Who runs the site: one row that every page, mail and paper is filled from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from coaching_site import vat
from pages.counting_models import DailyCount
from pages.legal_models import LegalText, unfinished
from pages.mail_wording_models import MailWording
from pages.testimonial_models import Testimonial

__all__ = ["DailyCount", "LegalText", "MailWording", "Practice", "Testimonial"]

# A USt-IdNr. has no dash; a W-IdNr. does, and may not take its place on an invoice (UStG § 14 (4) 2).
VAT_ID = re.compile(r"[A-Z]{2}[0-9A-Z]+")


_asked_once: ContextVar[Practice | None] = ContextVar("practice", default=None)


def real_iban(value: str) -> None:
    """Refuses an IBAN whose check digits do not fit (ISO 13616: modulo 97 is 1)."""
    plain = value.replace(" ", "").upper()
    moved = plain[4:] + plain[:4]
    is_well_formed = re.fullmatch(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}", plain)
    if not is_well_formed or int("".join(str(int(letter, 36)) for letter in moved)) % 97 != 1:
        raise ValidationError("Diese IBAN stimmt nicht. Prüf sie Ziffer für Ziffer.")


class Practice(models.Model):
    """The practice: operator, profile and claims. One row; until it is saved, the defaults hold."""

    class VatMode(models.TextChoices):
        REGULAR = "regular", f"Regelbesteuerung (Preise inkl. {vat.REGULAR_PERCENT} % MwSt.)"
        SMALL_BUSINESS = "small_business", "Kleinunternehmer (§ 19 UStG)"

    class KeptDeposit(models.TextChoices):
        PRICE = "price", "Entgelt, mit Umsatzsteuer"
        DAMAGES = "damages", "Schadensersatz, ohne Umsatzsteuer"

    # --- operator: what the imprint must say (DDG § 5) ---
    brand = models.CharField("Name der Seite", max_length=80, default="VP Engineering Coaching")
    first_name = models.CharField("Vorname", max_length=100, blank=True)
    last_name = models.CharField("Nachname", max_length=100, blank=True)
    street = models.CharField(
        "Straße und Hausnummer", max_length=120, blank=True, help_text="Kein Postfach."
    )
    postal_code = models.CharField("Postleitzahl", max_length=12, blank=True)
    city = models.CharField("Ort", max_length=100, blank=True)
    country = models.CharField("Land", max_length=60, default="Deutschland")
    email = models.EmailField("E-Mail-Adresse für Besucher", blank=True)
    phone = models.CharField("Telefon", max_length=40, blank=True)
    vat_id = models.CharField(
        "USt-IdNr. oder W-IdNr.",
        max_length=20,
        blank=True,
        help_text="Nur wenn vorhanden. Nie die Steuernummer.",
        validators=[RegexValidator(r"^[A-Z]{2}[0-9A-Z-]{2,18}$", "Schreib sie wie DE123456789.")],
    )
    vat_mode = models.CharField(
        "Umsatzsteuer", max_length=20, choices=VatMode, default=VatMode.REGULAR
    )
    # --- invoices ---
    tax_number = models.CharField(
        "Steuernummer",
        max_length=20,
        blank=True,
        default="",
        db_default="",
        help_text=(
            "Die vom Finanzamt, wie 12/345/67890. Sie steht nur auf Rechnungen, nie im Impressum. "
            "Mit einer USt-IdNr. darf sie leer bleiben; eine W-IdNr. ersetzt sie nicht."
        ),
        validators=[RegexValidator(r"^[0-9][0-9 /]{8,16}[0-9]$", "Schreib sie wie 12/345/67890.")],
    )
    iban = models.CharField(
        "IBAN",
        max_length=42,
        blank=True,
        default="",
        db_default="",
        help_text="Das Konto, auf das Rechnungen überwiesen werden. Steht nur auf Rechnungen.",
        validators=[real_iban],
    )
    payment_days = models.PositiveSmallIntegerField(
        "Zahlungsziel in Tagen",
        default=14,
        db_default=14,
        validators=[MaxValueValidator(90)],
        help_text="So lange haben Gäste Zeit, eine Rechnung zu überweisen.",
    )
    kept_deposit = models.CharField(
        "Behaltenes Geld nach Absage oder Nichterscheinen ist",
        max_length=10,
        choices=KeptDeposit,
        default=KeptDeposit.PRICE,
        db_default=KeptDeposit.PRICE,
        help_text=(
            "Vorauswahl, wenn du es abrechnest. Was richtig ist, hängt von deinem Vertrag ab: "
            "Frag deine Steuerberatung."
        ),
    )
    insurer = models.TextField(
        "Berufshaftpflicht",
        blank=True,
        help_text="Name und Anschrift des Versicherers, falls vorhanden.",
    )
    insurance_scope = models.CharField(
        "Räumlicher Geltungsbereich der Berufshaftpflicht",
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text="Steht in deinem Versicherungsschein, zum Beispiel „Deutschland“ oder „weltweit ohne USA“.",
    )
    associations = models.TextField(
        "Verbände und Verhaltensregeln",
        blank=True,
        default="",
        db_default="",
        help_text="Verbände, denen du angehörst, und wo ihre Regeln zu lesen sind, falls vorhanden.",
    )
    supervisory_authority = models.CharField(
        "Datenschutz-Aufsichtsbehörde",
        max_length=200,
        blank=True,
        help_text="Die Behörde deines Bundeslandes; sie steht in der Datenschutzerklärung.",
    )
    hosting_provider = models.CharField(
        "Hosting-Anbieter", max_length=200, blank=True, help_text="Name und Sitz."
    )
    mail_provider = models.CharField(
        "E-Mail-Anbieter", max_length=200, blank=True, help_text="Name und Sitz."
    )
    video_provider = models.CharField(
        "Video-Anbieter", max_length=200, blank=True, help_text="Name und Sitz."
    )
    backup_provider = models.CharField(
        "Anbieter des Speichers für Sicherungen",
        max_length=200,
        blank=True,
        help_text="Name und Sitz, wenn Sicherungen auf einen anderen Rechner getragen werden.",
    )

    # --- profile: what the offer page tells ---
    portrait = models.ImageField(
        "Porträt",
        upload_to="portrait/",
        blank=True,
        width_field="portrait_width",
        height_field="portrait_height",
        help_text="Hochformat, mindestens 640 Pixel breit. Wird beim Speichern verkleinert.",
    )
    portrait_width = models.PositiveIntegerField(null=True, blank=True, editable=False)
    portrait_height = models.PositiveIntegerField(null=True, blank=True, editable=False)
    headline = models.CharField("Wer du bist, in einem Satz", max_length=200, blank=True)
    biography = models.TextField(
        "Über dich", blank=True, help_text="Absätze mit einer Leerzeile trennen."
    )
    call_story = models.TextField(
        "So läuft ein Gespräch ab",
        default=(
            "Du erzählst, wo du stehst: deine Rolle, dein Team, was dich gerade beschäftigt.\n\n"
            "Ich frage nach und sage dir offen, was ich sehe.\n\n"
            "Am Ende weißt du, ob und wie wir zusammenarbeiten. Wenn es nicht passt, sage ich dir das auch."
        ),
        help_text="Absätze mit einer Leerzeile trennen.",
    )
    newsletter_rhythm = models.CharField(
        "Wie oft der Newsletter kommt",
        max_length=60,
        blank=True,
        help_text="Zum Beispiel „alle zwei Wochen“. Leer lassen, wenn du nichts versprechen willst.",
    )
    newsletter_keeps_network = models.BooleanField(
        "Gekürzte IP-Adresse als Nachweis aufbewahren",
        default=False,
        db_default=False,
        help_text=(
            "Zu jeder Anmeldung, 90 Tage lang, dann gelöscht. Für den Nachweis nicht nötig; "
            "die Datenschutzerklärung nennt es, sobald es an ist."
        ),
    )

    # --- claims: true numbers only, with source and date (UWG § 5) ---
    coached_value = models.CharField("Gecoachte: Zahl", max_length=20, blank=True, default="80+")
    coached_source = models.CharField(
        "Gecoachte: Quelle",
        max_length=200,
        blank=True,
        default="Eigene Zählung des Coachs, Text der Startseite",
    )
    coached_as_of = models.DateField(
        "Gecoachte: Stand", null=True, blank=True, default=date(2026, 11, 22)
    )
    readers_value = models.CharField("Leserschaft: Zahl", max_length=20, blank=True, default="5000")
    readers_source = models.CharField(
        "Leserschaft: Quelle",
        max_length=200,
        blank=True,
        default="Eigene Zählung des Coachs, Text der Startseite",
    )
    readers_as_of = models.DateField(
        "Leserschaft: Stand", null=True, blank=True, default=date(2026, 11, 22)
    )

    readers_counted = models.BooleanField(
        "Leserschaft: echte Zahl zeigen",
        default=False,
        db_default=False,
        help_text=(
            "Zeigt statt der Zahl darüber, wie viele ihr Abo bestätigt haben, abgerundet. "
            "Unter 50 wird nichts gezeigt."
        ),
    )

    updated_at = models.DateTimeField("geändert", auto_now=True)

    class Meta:
        verbose_name = "Praxis"
        verbose_name_plural = "Praxis"
        constraints = [
            models.CheckConstraint(name="practice_is_one_row", condition=Q(pk=1)),
            models.CheckConstraint(
                name="practice_claims_have_source_and_date",
                condition=(
                    Q(coached_value="") | (~Q(coached_source="") & Q(coached_as_of__isnull=False))
                )
                & (Q(readers_value="") | (~Q(readers_source="") & Q(readers_as_of__isnull=False))),
                violation_error_message="Eine Zahl braucht eine Quelle und einen Stand.",
            ),
        ]

    def __str__(self) -> str:
        return self.brand

    @classmethod
    def current(cls) -> Practice:
        """The practice's row, or an unsaved one with the defaults. Never writes."""
        known = _asked_once.get()
        if known is not None:
            return known
        # Every page asks this; to build the query would cost more than to answer it.
        rows = list(cls.objects.raw("SELECT * FROM pages_practice WHERE id = 1"))
        return rows[0] if rows else cls(pk=1)

    @classmethod
    @contextmanager
    def asked_once(cls) -> Iterator[None]:
        """Within this block the row is read once: for whatever is filled from it in many places."""
        token = _asked_once.set(cls.current())
        try:
            yield
        finally:
            _asked_once.reset(token)

    @property
    def name(self) -> str:
        """First and last name, or nothing."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def display_name(self) -> str:
        """What a mail or a calendar calls the coach: the name, else the site's name."""
        return self.name or self.brand

    def missing(self) -> list[str]:
        """The labels of what the imprint must say and what is still empty."""
        required = ("first_name", "last_name", "street", "postal_code", "city", "email", "phone")
        labels = {field.name: str(field.verbose_name) for field in self._meta.fields}
        return [labels[name] for name in required if not getattr(self, name).strip()]

    @property
    def has_vat_id(self) -> bool:
        """Whether there is a USt-IdNr., which an invoice may name instead of the tax number."""
        return VAT_ID.fullmatch(self.vat_id) is not None

    def missing_for_invoices(self) -> list[str]:
        """The labels of what every invoice must say of its issuer and is still empty (UStG § 14 (4))."""
        required = ["first_name", "last_name", "street", "postal_code", "city"]
        if not self.has_vat_id:
            required.append("tax_number")
        labels = {field.name: str(field.verbose_name) for field in self._meta.fields}
        return [labels[name] for name in required if not getattr(self, name).strip()]

    def placeholders(self) -> list[str]:
        """What must be there before real money may come in: imprint and invoices whole, papers final."""
        empty = dict.fromkeys([*self.missing(), *self.missing_for_invoices()])
        drafts = [f"{paper} (noch Entwurf)" for paper in unfinished(timezone.localdate())]
        return [*empty, *drafts]
