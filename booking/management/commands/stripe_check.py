"""Says whether the way to Stripe and back is set up; every problem is named, no key is shown."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.urls import reverse
from django.utils import timezone

from booking import stripe_gateway
from booking.errors import PaymentsAway, PaymentsRefused
from booking.stripe_gateway import Endpoint
from coaching_site import links

# Nothing has these numbers; that Stripe says so shows that the key may ask.
NOBODY: dict[str, Callable[[], object]] = {
    "Checkout-Sitzungen lesen": partial(stripe_gateway.read_session, "cs_test_nobody"),
    "Erstattungen lesen": partial(stripe_gateway.refunds_of, "pi_nobody"),
    "Streitfälle lesen": partial(stripe_gateway.read_dispute, "du_nobody"),
}
UNKNOWN_KEY, NO_RIGHT = 401, 403


class Command(BaseCommand):
    help = "Checks key, rights and webhook endpoint at Stripe. Changes nothing; safe to repeat."

    def handle(self, **options: Any) -> None:
        self.problems = 0
        # What Stripe refuses here is part of the answer, not news for the log.
        logging.getLogger(stripe_gateway.__name__).addFilter(_nothing)
        try:
            self._check()
        finally:
            logging.getLogger(stripe_gateway.__name__).removeFilter(_nothing)
        if self.problems:
            raise SystemExit(1)

    def _check(self) -> None:
        if not settings.STRIPE_SECRET_KEY:
            self._wrong("STRIPE_SECRET_KEY ist leer: Bezahlt werden kann hier nichts.")
        else:
            self._ask_stripe()

    def _ask_stripe(self) -> None:
        mode = "echtes Geld" if settings.STRIPE_IS_LIVE else "Testmodus"
        try:
            if self._key_works():
                self._right(f"Der Schlüssel gilt. Modus: {mode}.")
                self._check_rights()
                self._check_endpoint()
        except PaymentsAway:
            self._wrong("Stripe antwortet nicht. Versuch es später noch einmal.")

    def _key_works(self) -> bool:
        status = _refusal(partial(stripe_gateway.read_session, "cs_test_nobody"))
        if status == UNKNOWN_KEY:
            self._wrong("Stripe kennt den Schlüssel nicht, oder er ist abgelaufen.")
        return status != UNKNOWN_KEY

    def _check_rights(self) -> None:
        """Reading only: what writes would leave something behind."""
        recently = timezone.now() - timedelta(minutes=1)
        questions: dict[str, Callable[[], object]] = {
            **NOBODY,
            "Ereignisse lesen": partial(stripe_gateway.events_since, recently),
        }
        lacking = [name for name, ask in questions.items() if _refusal(ask) == NO_RIGHT]
        if lacking:
            self._wrong(f"Dem Schlüssel fehlt das Recht: {', '.join(lacking)}.")
        else:
            self._right(
                "Der Schlüssel darf alles lesen, was die Seite liest. Ob er Sitzungen anlegen und "
                "Geld erstatten darf, zeigt erst die erste Zahlung."
            )

    def _check_endpoint(self) -> None:
        wanted = links.absolute(reverse("stripe_webhook"))
        try:
            found = stripe_gateway.endpoints()
        except PaymentsRefused:
            self._say(
                "–",
                "Der Schlüssel darf Webhook-Endpunkte nicht lesen. Das muss er auch nicht; sieh im "
                f"Dashboard nach, ob {wanted} eingerichtet ist.",
            )
            return
        here = [endpoint for endpoint in found if endpoint.url == wanted]
        if not here:
            self._wrong(f"Kein Webhook-Endpunkt zeigt auf {wanted}.")
        for endpoint in here:
            self._judge(endpoint)

    def _judge(self, endpoint: Endpoint) -> None:
        problems = list(_problems(endpoint))
        for problem in problems:
            self._wrong(f"Webhook-Endpunkt {endpoint.url}: {problem}")
        if not problems:
            self._right(f"Webhook-Endpunkt {endpoint.url}: eingeschaltet und vollständig.")

    def _right(self, sentence: str) -> None:
        self._say("✓", sentence)

    def _wrong(self, sentence: str) -> None:
        self.problems += 1
        self._say("✗", sentence)

    def _say(self, mark: str, sentence: str) -> None:
        self.stdout.write(f"{mark} {sentence}")


def _nothing(record: logging.LogRecord) -> bool:
    return False


def _refusal(question: Callable[[], object]) -> int:
    """The number of Stripe's refusal; 0 if it answered. Raises PaymentsAway."""
    try:
        question()
    except PaymentsRefused as error:
        return error.status
    return 0


def _problems(endpoint: Endpoint) -> list[str]:
    found = []
    if endpoint.status != "enabled":
        found.append("Er ist ausgeschaltet.")
    version = stripe_gateway.api_version()
    if endpoint.api_version != version:
        spoken = endpoint.api_version or "die des Kontos"
        found.append(f"Seine API-Version ist {spoken}; diese Seite spricht {version}.")
    missing = set(stripe_gateway.EVENTS) - set(endpoint.events)
    if missing and "*" not in endpoint.events:
        found.append(f"Ihm fehlen Ereignisse: {', '.join(sorted(missing))}.")
    return found
