"""The coach's own words in a mail."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length
from django.db.models.lookups import LessThanOrEqual

from pages.mail_wording import Words

SUBJECT_LENGTH = 120
GREETING_LENGTH = 120
CLOSING_LENGTH = 600

# A line break in a header would begin another header (RFC 5322 section 2.2).
ONE_LINE = r"^[^[:cntrl:]]*$"


class MailWording(models.Model):
    """What stands in a mail instead of the house's words. Without a row all of them are the house's."""

    key = models.CharField("Mail", max_length=60)
    subject = models.CharField("Betreff", max_length=SUBJECT_LENGTH, blank=True)
    greeting = models.CharField("Anrede", max_length=GREETING_LENGTH, blank=True)
    closing = models.TextField("Schluss", max_length=CLOSING_LENGTH, blank=True)

    class Meta:
        verbose_name = "Worte einer Mail"
        verbose_name_plural = "Worte der Mails"
        constraints = [
            models.UniqueConstraint(
                fields=["key"],
                name="mail_wording_once_a_mail",
                violation_error_message="Für diese Mail gibt es schon eigene Worte.",
            ),
            models.CheckConstraint(
                name="mail_wording_subject_is_one_line",
                condition=Q(subject__regex=ONE_LINE),
                violation_error_message="Der Betreff steht in einer Zeile.",
            ),
            models.CheckConstraint(
                name="mail_wording_greeting_is_one_line",
                condition=Q(greeting__regex=ONE_LINE),
                violation_error_message="Die Anrede steht in einer Zeile.",
            ),
            models.CheckConstraint(
                name="mail_wording_closing_is_short",
                condition=Q(LessThanOrEqual(Length(F("closing")), CLOSING_LENGTH)),
                violation_error_message=f"Der Schluss hat höchstens {CLOSING_LENGTH} Zeichen.",
            ),
            models.CheckConstraint(
                name="mail_wording_says_something",
                condition=~Q(subject="", greeting="", closing=""),
                violation_error_message="Ohne eigene Worte gelten unsere.",
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def words(self) -> Words:
        return Words(self.subject, self.greeting, self.closing)
