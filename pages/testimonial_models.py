"""What real people said about the coaching, with the consent that lets it be shown."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan


class TestimonialQuerySet(models.QuerySet["Testimonial"]):
    def published(self) -> TestimonialQuerySet:
        """What visitors read, and no more of it than they read."""
        shown = self.filter(published_at__isnull=False).only("text", "shown_as", "shown_role")
        return shown.order_by("position", "-published_at")

    def of_address(self, email: str) -> TestimonialQuerySet:
        return self.filter(email__iexact=email)


class Testimonial(models.Model):
    """A quote, whose it is, and what they agreed to (UWG § 5b (3), annex no. 23b and 23c; DSGVO Art. 7).

    The wording of the consent holds the quote and all that is shown of the person, word for word, so
    other words need another consent. Revoked is for good: who agrees again gives a new quote.
    """

    class Means(models.TextChoices):
        EMAIL = "email", "per E-Mail"
        PAPER = "paper", "auf Papier, mit Unterschrift"
        OTHER = "other", "schriftlich auf anderem Weg"

    text = models.TextField(
        "Zitat", max_length=1000, help_text="Ohne Anführungszeichen, genau wie es gesagt wurde."
    )
    shown_as = models.CharField(
        "Gezeigter Name",
        max_length=100,
        help_text="So, wie die Person genannt werden will, zum Beispiel nur mit Vornamen.",
    )
    shown_role = models.CharField(
        "Gezeigte Rolle und Firma",
        max_length=120,
        blank=True,
        help_text="Nur so viel, wie die Person erlaubt.",
    )
    position = models.PositiveSmallIntegerField(
        "Reihenfolge", default=1, help_text="Die kleinste Zahl steht oben."
    )

    person = models.CharField(
        "Vor- und Nachname",
        max_length=200,
        help_text="Wird nicht gezeigt, belegt aber, wer es ist.",
    )
    email = models.EmailField(
        "E-Mail-Adresse",
        help_text="Wird nicht gezeigt. Darunter findet die Person alles wieder und kann es löschen.",
    )
    consent_text = models.TextField(
        "Wortlaut der Einwilligung",
        max_length=4000,
        blank=True,
        help_text="Zitat, Name und Rolle müssen genau so darin stehen, wie sie gezeigt werden.",
    )
    consent_version = models.CharField("Fassung der Vorlage", max_length=30, blank=True)
    consented_on = models.DateField("Eingewilligt am", null=True, blank=True)
    consent_means = models.CharField(
        "Weg der Einwilligung", max_length=10, choices=Means, blank=True
    )
    revoked_at = models.DateTimeField("widerrufen am", null=True, blank=True)
    published_at = models.DateTimeField("veröffentlicht am", null=True, blank=True)

    objects = TestimonialQuerySet.as_manager()

    class Meta:
        verbose_name = "Zitat"
        verbose_name_plural = "Zitate"
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(
                name="testimonial_consent_is_whole",
                condition=Q(consent_text="", consent_means="", consented_on=None)
                | (Q(consented_on__isnull=False) & ~Q(consent_text="") & ~Q(consent_means="")),
                violation_error_message="Zur Einwilligung gehören Wortlaut, Tag und Weg, alle drei.",
            ),
            models.CheckConstraint(
                name="testimonial_consent_names_its_version",
                condition=Q(consent_text="", consent_version="")
                | (~Q(consent_text="") & ~Q(consent_version="")),
            ),
            models.CheckConstraint(
                name="testimonial_consent_is_for_these_words",
                condition=Q(consent_text="")
                | (
                    Q(GreaterThan(StrIndex(F("consent_text"), F("text")), 0))
                    & Q(GreaterThan(StrIndex(F("consent_text"), F("shown_as")), 0))
                    & Q(GreaterThan(StrIndex(F("consent_text"), F("shown_role")), 0))
                ),
                violation_error_message=(
                    "Im Wortlaut der Einwilligung stehen Zitat, Name und Rolle nicht genau so, wie "
                    "sie gezeigt würden."
                ),
            ),
            models.CheckConstraint(
                name="testimonial_published_with_consent",
                condition=Q(published_at=None) | Q(consented_on__isnull=False, revoked_at=None),
                violation_error_message="Ohne Einwilligung wird nichts gezeigt.",
            ),
            models.CheckConstraint(
                name="testimonial_revoked_was_given",
                condition=Q(revoked_at=None) | Q(consented_on__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        # The admin's own log repeats this: it names nobody.
        return f"Zitat {self.pk}" if self.pk else "Zitat"

    @property
    def quoted(self) -> str:
        """The words in quotation marks; those inside them become single ones."""
        inside = self.text.translate({ord("„"): "‚", ord("“"): "‘", ord("”"): "‘"})
        return f"„{inside}“"

    @property
    def state(self) -> str:
        """How it stands, in a word or two."""
        if self.revoked_at:
            return "widerrufen"
        if self.published_at:
            return "veröffentlicht"
        return "Einwilligung da" if self.consented_on else "ohne Einwilligung"
