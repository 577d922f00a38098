"""What the privacy notice must say and code knows better: cookies, processors, periods.

One table each. Texts show them with `[[cookies]]`, `[[auftragsverarbeiter]]` and `[[aufbewahrung]]`.
"""

from __future__ import annotations

from typing import NamedTuple

from django.conf import settings

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


class Period(NamedTuple):
    what: str
    how_long: str
    why: str


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
    if settings.STRIPE_SECRET_KEY:
        stripe = "Stripe Payments Europe, Limited, Irland"
        found.append(Processor(stripe, "", "Bezahlen und Erstatten", "stripe"))
    return found


def periods(practice: Practice) -> list[Period]:
    """How long what is kept. The tests hold these words to the numbers in the code."""
    found = [
        Period("Angaben zu Terminen", "drei Jahre ab Jahresende", "Verjährung von Ansprüchen"),
        Period("Rechnungen und Zahlungen", "acht Jahre ab Jahresende", "gesetzliche Aufbewahrung"),
        Period(
            "nicht bestätigte Newsletter-Anmeldungen",
            "14 Tage",
            "so lange gilt der Bestätigungslink",
        ),
        Period(
            "Nachweis der Newsletter-Einwilligung",
            "drei Jahre ab dem Ende des Jahres der Abmeldung",
            "Nachweis, dass es eine Einwilligung gab",
        ),
        Period(
            "Prüfwerte gegen Missbrauch der Formulare",
            "höchstens 24 Stunden",
            "Schutz fremder Postfächer und des Kalenders",
        ),
    ]
    if practice.newsletter_keeps_network:
        network = Period("gekürzte IP-Adresse der Anmeldung", "90 Tage", "Nachweis der Anmeldung")
        found.insert(4, network)
    return found
