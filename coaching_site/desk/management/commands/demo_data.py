"""Fills an empty site so that a newcomer can book and sign in. Changes nothing that is there."""

from __future__ import annotations

import secrets
from datetime import time
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from booking.models import Calendar, CallType, WeeklyHours
from newsletter import writing
from newsletter.models import Issue
from pages.models import Practice

WORKDAYS = range(1, 6)
WINDOWS = ((time(9), time(12)), (time(14), time(17)))

FIRST_ISSUE = writing.Draft(
    subject="So sieht eine Ausgabe aus",
    preheader="Ein Entwurf zum Ausprobieren: ändern, ansehen, löschen.",
    body="""\
Hallo {{ vorname | zusammen }},

das ist ein Entwurf. Nichts davon geht hinaus, solange du nicht auf „Senden“ drückst; danach bleibt noch eine Minute, um es zurückzunehmen.

## Was du schreiben kannst

- Absätze, Zwischenüberschriften und Listen wie diese
- **Wichtiges** und *Betontes*
- Links, zum Beispiel zu [Markdown](https://commonmark.org/help/)
- Bilder, die du unter „Bilder“ hochlädst; jedes braucht einen Alternativtext

> Ein Zitat beginnt mit einem spitzen Klammerzeichen.

## Was von selbst geschieht

Unter jeder Ausgabe stehen Impressum, Abmeldelink und Einstellungen. Es gibt keine Zählpixel und keine umgeleiteten Links: Wer öffnet und wer klickt, weiß niemand.

Vor dem Senden wird geprüft, was schiefgehen kann: fehlende Alternativtexte, kaputte Links, unbekannte Platzhalter, ein leeres Impressum.

Viel Freude beim Schreiben!
""",
    slug="",
    in_archive=True,
    tags=(),
)


class Command(BaseCommand):
    help = (
        "Practice, hours, three call types, a draft of the newsletter and an admin account, "
        "if there are none. Safe to repeat."
    )

    @transaction.atomic
    def handle(self, **options: Any) -> None:
        Practice.objects.get_or_create(pk=1)
        if not Calendar.objects.exists():
            self._open_calendar()
        if not Issue.objects.exists():
            writing.begin(FIRST_ISSUE, now=timezone.now())
        users = get_user_model()
        if not users.objects.exists():
            password = secrets.token_urlsafe(12)
            users.objects.create_superuser("coach", password=password)
            self.stdout.write(f"\nAdmin account made. User: coach   Password: {password}")
            self.stdout.write(
                'It is shown this once; `make manage c="changepassword coach"` sets another.'
            )

    def _open_calendar(self) -> None:
        calendar = Calendar.objects.create(name="Praxis")
        WeeklyHours.objects.bulk_create(
            WeeklyHours(calendar=calendar, weekday=day, start=start, end=end)
            for day in WORKDAYS
            for start, end in WINDOWS
        )
        CallType.objects.create(
            calendar=calendar,
            title="Kennenlerngespräch",
            slug="kennenlernen",
            description=(
                "Wir lernen uns kennen: Du erzählst, wo du stehst, und wir finden heraus, "
                "ob ich dir helfen kann."
            ),
            length=30,
            step=30,
            buffer_after=15,
            place_detail="Den Link zum Raum bekommst du vor dem Gespräch per E-Mail.",
            preparation="Überleg dir eine Frage, auf die du nach dem Gespräch eine Antwort haben willst.",
            position=1,
        )
        CallType.objects.create(
            calendar=calendar,
            title="Kurzes Telefonat",
            slug="telefonat",
            description="Eine Frage, eine Viertelstunde. Für alles, was keine Videokonferenz braucht.",
            length=15,
            step=15,
            buffer_after=15,
            place_kind=CallType.Place.PHONE,
            place_detail="Ich rufe dich an.",
            position=2,
        )
        CallType.objects.create(
            calendar=calendar,
            title="Sparring",
            slug="sparring",
            description=(
                "Eine Stunde für eine schwierige Entscheidung: Du bringst sie mit, "
                "wir denken sie zusammen zu Ende."
            ),
            length=60,
            step=60,
            buffer_after=15,
            price_cents=30000,
            deposit_cents=15000,
            cancel_free_hours=48,
            cancel_keep_percent=50,
            place_detail="Den Link zum Raum bekommst du vor dem Gespräch per E-Mail.",
            preparation="Schreib in drei Sätzen auf, was zu entscheiden ist.",
            position=3,
        )
