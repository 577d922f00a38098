"""Rows that belong to no app alone."""

from __future__ import annotations

from django.db import models


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
