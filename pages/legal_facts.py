"""What the privacy notice must say and code knows better: cookies, processors, periods.

One table each. Texts show them with `[[cookies]]`, `[[auftragsverarbeiter]]` and `[[aufbewahrung]]`.
"""

from __future__ import annotations

from typing import NamedTuple

from django.conf import settings

from coaching_site.periods import ALL, NETWORKS, Period
from pages.models import Practice


class Cookie(NamedTuple):
    name: str
    purpose: str
    lifetime: str


class Processor(NamedTuple):
    """Somebody else's server that gets data; `anchor` is where the notice tells about it."""

    name: str  # with its seat; empty if the coach has not said it yet
    field: str  # what to fill in then
    purpose: str
    anchor: str


def cookies() -> list[Cookie]:
    """Every cookie the site can set (TDDDG § 25)."""
    return [
        Cookie(
            settings.CSRF_COOKIE_NAME,
            "Schützt Formulare davor, dass fremde Seiten sie in deinem Namen absenden.",
            "bis du den Browser schließt",
        ),
        Cookie(
            settings.SESSION_COOKIE_NAME, "Nur für die Anmeldung an der Verwaltung.", "zwei Wochen"
        ),
    ]


def processors(practice: Practice) -> list[Processor]:
    """Everybody who gets data from this site as it is set up now (DSGVO Art. 13)."""
    found = [
        Processor(
            practice.hosting_provider,
            "Hosting-Anbieter und Sitz",
            "Betrieb der Seite und der Datenbank",
            "hosting",
        ),
        Processor(
            practice.mail_provider, "E-Mail-Anbieter und Sitz", "Versand der E-Mails", "mail"
        ),
        Processor(practice.video_provider, "Video-Anbieter und Sitz", "Videogespräche", "video"),
    ]
    if settings.BACKUP_COPY.host:
        found.append(
            Processor(
                practice.backup_provider,
                "Anbieter des Speichers für Sicherungen und Sitz",
                "Aufbewahrung verschlüsselter Sicherungskopien",
                "hosting",
            )
        )
    if settings.STRIPE_SECRET_KEY:
        stripe = "Stripe Payments Europe, Limited, Irland"
        found.append(Processor(stripe, "", "Bezahlen und Erstatten", "stripe"))
    return found


def periods(practice: Practice) -> list[Period]:
    """How long what is kept, as the site is set up now: the objects the daily job lives from."""
    if practice.newsletter_keeps_network:
        return list(ALL)
    return [period for period in ALL if period is not NETWORKS]
