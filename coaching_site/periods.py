"""How long what is kept: one table, from which the daily job and the privacy notice both live.

A period names the function that enforces it, `(*, now) -> int`; `coaching_site.desk.retention` calls
them all. Days and years end at midnight in Berlin where the law counts so (BGB §§ 187, 188).
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone

NUMBERS = ("null", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht")


@dataclass(frozen=True)
class Period:
    """One of `hours`, `days`, `months` and `years` is set; years count from the end of a year."""

    what: str
    why: str
    # The dotted name of the function; empty where the operator's machine does it (docs/datenschutz.md).
    enforced_by: str
    hours: int = 0
    days: int = 0
    months: int = 0
    years: int = 0
    at_most: bool = False

    @property
    def life(self) -> timedelta:
        """For periods of hours or days."""
        assert self.hours or self.days, "months and years have no fixed length"
        return timedelta(hours=self.hours, days=self.days)

    @property
    def how_long(self) -> str:
        """„drei Jahre ab Jahresende“, „höchstens 24 Stunden“."""
        most = "höchstens " if self.at_most else ""
        if self.years:
            return f"{most}{NUMBERS[self.years]} Jahre ab Jahresende"
        if self.months:
            return f"{most}{NUMBERS[self.months]} Monate"
        return f"{most}{self.days} Tage" if self.days else f"{most}{self.hours} Stunden"

    def first_kept(self, now: datetime) -> datetime:
        """What happened before this moment has been kept long enough."""
        if self.hours or self.days:
            return now - self.life
        today = timezone.localdate(now, timezone.get_default_timezone())
        if self.years:
            return _midnight(date(today.year - self.years, 1, 1))
        return _midnight(months_later(today, -self.months))


def months_later(day: date, months: int) -> date:
    """The same day in another month, or that month's last (BGB § 188 (3))."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=timezone.get_default_timezone())


UNFINISHED = Period(
    "angefangene Buchungen, die nicht abgeschlossen oder nicht bezahlt wurden",
    "Rückfragen, wenn beim Buchen etwas schiefging",
    "booking.forgetting.drop_unfinished",
    days=7,
)
FREE_TEXT = Period(
    "Anliegen, Antworten und Notizen zu einem Gespräch, ab dem Termin",
    "Vorbereitung und Nachbereitung",
    "booking.forgetting.drop_free_text",
    months=6,
)
BOOKINGS = Period(
    "Name, Kontakt und Rechnungsanschrift zu Terminen",
    "Verjährung von Ansprüchen",
    "booking.forgetting.make_old_nameless",
    years=3,
)
INVOICES = Period(
    "Rechnungen und Zahlungen",
    "gesetzliche Aufbewahrung",
    "booking.forgetting.drop_billed",
    years=8,
)
WITHDRAWALS = Period(
    "Widerrufe von Verträgen, mit allem, was darin erklärt wurde",
    "gesetzliche Aufbewahrung von Geschäftsbriefen",
    "booking.forgetting.drop_withdrawals",
    years=6,
)
UNCONFIRMED = Period(
    "nicht bestätigte Newsletter-Anmeldungen",
    "so lange gilt der Bestätigungslink",
    "newsletter.subscriptions.forget_unconfirmed",
    days=14,
)
NETWORKS = Period(
    "gekürzte IP-Adresse der Anmeldung",
    "Nachweis der Anmeldung",
    "newsletter.subscriptions.forget_networks",
    days=90,
)
ORDER_NETWORKS = Period(
    "gekürzte IP-Adresse einer Bestellung",
    "Nachweis der Bestellung",
    "booking.forgetting.drop_networks",
    days=90,
)
PROOFS = Period(
    "Nachweis der Newsletter-Einwilligung, ab der Abmeldung",
    "Nachweis, dass es eine Einwilligung gab",
    "newsletter.subscriptions.forget_old_proofs",
    years=3,
)
TESTIMONIALS = Period(
    "Zitate und die Einwilligung dazu, ab dem Widerruf",
    "Nachweis, dass es eine Einwilligung gab",
    "pages.testimonials.forget_revoked",
    years=3,
)
IMPORTS = Period(
    "Dateien, aus denen Abos übernommen wurden",
    "Prüfung der Übernahme",
    "newsletter.imports.running.forget_old",
    days=7,
)
EXPORT_FILES = Period(
    "Dateien mit Daten von Gästen und Abonnenten, die in der Verwaltung exportiert wurden",
    "so lange kann der Coach sie herunterladen; wer gelöscht wird, steht auch dort nicht länger",
    "coaching_site.desk.long_work.forget_files",
    hours=24,
    at_most=True,
)
EXPORTS = Period(
    "wer in der Verwaltung wann was exportiert hat, ohne Angaben zu Gästen",
    "Nachweis",
    "coaching_site.desk.long_work.forget_old",
    years=3,
)
HITS = Period(
    "Prüfwerte gegen Missbrauch der Formulare",
    "Schutz fremder Postfächer und des Kalenders",
    "coaching_site.limits.forget",
    hours=24,
    at_most=True,
)
JOBS = Period(
    "erledigte Aufträge im Hintergrund, ohne Namen und Adressen",
    "Fehlersuche",
    "coaching_site.jobs.forget_ended",
    days=30,
)
PERSON_LINKS = Period(
    "Links zu den eigenen Daten",
    "so lange gelten sie",
    "coaching_site.desk.people.forget_links",
    hours=24,
)
PERSON_REQUESTS = Period(
    "Anfragen auf Auskunft oder Löschung, nach der Erledigung nur als Prüfwert",
    "Nachweis, dass wir rechtzeitig geantwortet haben",
    "coaching_site.desk.people.forget_requests",
    years=3,
)
NOTES = Period(
    "Notizen zu einer Person",
    "Vorbereitung und Nachbereitung von Gesprächen",
    "coaching_site.desk.notes.forget",
    years=3,
)
CHANGES = Period(
    "wer in der Verwaltung was geändert hat, ohne Angaben zu Gästen",
    "Nachweis und Fehlersuche",
    "coaching_site.desk.audit.forget",
    years=3,
)
LOGS = Period(
    "Fehlerprotokolle des Servers, ohne Adressen und Namen",
    "Fehlersuche und Abwehr von Angriffen",
    "",
    days=7,
)
BACKUPS = Period(
    "Sicherungskopien; Gelöschtes verschwindet mit ihnen",
    "Wiederherstellung nach einem Ausfall",
    "coaching_site.desk.backups.folder.forget_old",
    days=30,
    at_most=True,
)

ALL: Sequence[Period] = (
    UNFINISHED,
    FREE_TEXT,
    BOOKINGS,
    ORDER_NETWORKS,
    INVOICES,
    WITHDRAWALS,
    UNCONFIRMED,
    NETWORKS,
    PROOFS,
    TESTIMONIALS,
    IMPORTS,
    PERSON_LINKS,
    PERSON_REQUESTS,
    NOTES,
    CHANGES,
    EXPORT_FILES,
    EXPORTS,
    HITS,
    JOBS,
    LOGS,
    BACKUPS,
)
