"""The papers a practice owes its visitors, kept in every version they were published in."""

from __future__ import annotations

from datetime import date

from django.db import models
from django.db.models import Q


class LegalTextQuerySet(models.QuerySet["LegalText"]):
    def drafts(self) -> LegalTextQuerySet:
        return self.filter(number=None)

    def published(self) -> LegalTextQuerySet:
        return self.filter(number__isnull=False)

    def in_force(self, today: date) -> LegalTextQuerySet:
        """Those that hold on this day or held before, the newest first."""
        return self.published().filter(valid_from__lte=today).order_by("-number")


class LegalText(models.Model):
    """One paper in one version. A draft has no number; with one it never changes (trigger).

    `source` is what the coach wrote, with placeholders and blocks. `text` is the same filled in on
    the day it was published: what visitors read, and what `sha256` is of. Only that a lawyer looked
    at it may be noted later.
    """

    class Kind(models.TextChoices):
        IMPRINT = "imprint", "Impressum"
        PRIVACY = "privacy", "Datenschutzerklärung"
        TERMS = "terms", "AGB"
        WITHDRAWAL = "withdrawal", "Widerrufsbelehrung"
        ACCESSIBILITY = "accessibility", "Barrierefreiheit"

    kind = models.CharField("Text", max_length=20, choices=Kind)
    number = models.PositiveIntegerField("Fassung", null=True, blank=True)
    source = models.TextField("Text", help_text="Markdown")
    text = models.TextField("veröffentlichter Wortlaut", blank=True)
    sha256 = models.CharField("Prüfsumme", max_length=64, blank=True)
    valid_from = models.DateField("gilt ab", null=True, blank=True)
    published_at = models.DateTimeField("veröffentlicht am", null=True, blank=True)
    checked_at = models.DateTimeField("als geprüft vermerkt am", null=True, blank=True)
    created_by = models.CharField("von", max_length=150)
    changed_at = models.DateTimeField("geändert am")
    note = models.CharField(
        "Notiz", max_length=200, blank=True, help_text="Was sich ändert; nur hier zu lesen."
    )

    objects = LegalTextQuerySet.as_manager()

    class Meta:
        verbose_name = "Rechtstext"
        verbose_name_plural = "Rechtstexte"
        ordering = ["kind", "-number"]
        constraints = [
            models.CheckConstraint(
                name="pages_legal_text_is_of_a_known_kind",
                condition=Q(
                    kind__in=["imprint", "privacy", "terms", "withdrawal", "accessibility"]
                ),
            ),
            models.UniqueConstraint(
                name="pages_legal_text_has_one_draft",
                fields=["kind"],
                condition=Q(number=None),
            ),
            models.UniqueConstraint(
                name="pages_legal_text_numbers_are_unique", fields=["kind", "number"]
            ),
            models.CheckConstraint(
                name="pages_published_legal_text_is_whole",
                condition=Q(
                    number=None,
                    text="",
                    sha256="",
                    valid_from=None,
                    published_at=None,
                    checked_at=None,
                )
                | (
                    Q(number__gte=1, valid_from__isnull=False, published_at__isnull=False)
                    & ~Q(text="")
                    & Q(sha256__regex=r"^[0-9a-f]{64}$")
                ),
            ),
        ]

    def __str__(self) -> str:
        which = f"Fassung {self.number}" if self.number else "Entwurf"
        return f"{self.get_kind_display()}, {which}"


# What is sold for money needs these checked by a lawyer (BGB §§ 305, 312d; DSGVO Art. 13).
CHECKED_BY_A_LAWYER = (
    LegalText.Kind.TERMS,
    LegalText.Kind.WITHDRAWAL,
    LegalText.Kind.PRIVACY,
)


def unfinished(today: date) -> list[str]:
    """The names of papers that are not published, or that no lawyer has looked at."""
    newest: dict[str, LegalText] = {}
    for version in LegalText.objects.in_force(today).defer("source", "text"):
        newest.setdefault(version.kind, version)
    return [
        str(kind.label)
        for kind in CHECKED_BY_A_LAWYER
        if kind not in newest or newest[kind].checked_at is None
    ]
