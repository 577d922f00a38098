"""What a call type asks its guests, and what they answered."""

from __future__ import annotations

from typing import TypedDict

from django.db import models
from django.db.models import Q

from booking.models.call_types import CallType


class Answer(TypedDict):
    """As it was asked and answered: later changes to the question do not change it."""

    question_id: int
    question: str
    answer: str


class Question(models.Model):
    """Something the coach wants to know before this type of call."""

    class Kind(models.TextChoices):
        LINE = "line", "eine Zeile"
        TEXT = "text", "mehrere Zeilen"
        CHOICE = "choice", "Auswahl"

    call_type = models.ForeignKey(
        CallType, models.CASCADE, related_name="questions", verbose_name="Gesprächsart"
    )
    text = models.CharField("Frage", max_length=200)
    kind = models.CharField("Antwort", max_length=10, choices=Kind, default=Kind.LINE)
    choices = models.TextField(
        "zur Auswahl", blank=True, help_text="Nur bei „Auswahl“: eine Antwort je Zeile."
    )
    required = models.BooleanField("Pflicht", default=False)
    position = models.PositiveSmallIntegerField("Reihenfolge", default=0)

    class Meta:
        verbose_name = "Frage"
        verbose_name_plural = "Fragen an den Gast"
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(
                name="question_has_something_to_choose",
                condition=~Q(kind="choice") | Q(choices__regex=r"\S"),
                violation_error_message="Schreib die Antworten zur Auswahl auf, eine je Zeile.",
            ),
        ]

    def __str__(self) -> str:
        return self.text

    @property
    def options(self) -> list[str]:
        """The answers to choose from, each once."""
        lines = (line.strip() for line in self.choices.splitlines())
        return list(dict.fromkeys(line for line in lines if line))
