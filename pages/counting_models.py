"""How often what was shown on a day."""

from __future__ import annotations

from django.db import models

from coaching_site import german


class DailyCount(models.Model):
    """How often a public page was shown on a day in Berlin. Written by `coaching_site.counters`."""

    class What(models.TextChoices):
        LANDING = "landing", "Startseite"
        TIMES = "times", "Uhrzeiten eines Tages"

    day = models.DateField("Tag")
    what = models.CharField("Seite", max_length=10, choices=What)
    count = models.PositiveIntegerField("wie oft gezeigt")

    class Meta:
        verbose_name = "Tageszahl"
        verbose_name_plural = "Tageszahlen"
        constraints = [
            models.UniqueConstraint(
                fields=["day", "what"],
                name="daily_count_once",
                violation_error_message="Diese Tageszahl gibt es schon.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_what_display()}, {german.plain_date(self.day)}: {self.count}"
