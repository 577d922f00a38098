"""What the operator should know about payments before guests do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

from booking.models import CallType
from pages.models import Practice


@register(Tags.database, deploy=True)
def papers_are_ready_for_real_money(
    *, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Runs with `manage.py check --deploy --database default`."""
    if not databases or not settings.STRIPE_IS_LIVE:
        return []
    return [
        Error(
            f"Stripe nimmt echtes Geld an, aber es fehlt: {label}.",
            hint="Bis dahin kann niemand bezahlen. Mit einem Testschlüssel lässt sich alles proben.",
            id="booking.E001",
        )
        for label in Practice.current().placeholders()
    ]


# Only in deployment checks: `migrate` runs the others, before there are tables to ask.
@register(Tags.database, deploy=True)
def priced_types_can_be_paid(
    *, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Runs with `manage.py check --deploy --database default`."""
    if not databases or settings.STRIPE_SECRET_KEY:
        return []
    titles = CallType.objects.filter(is_active=True, price_cents__gt=0)
    return [
        checks.Warning(
            f"„{title}“ kostet etwas, aber Stripe ist nicht eingerichtet.",
            hint="Ohne STRIPE_SECRET_KEY steht es nur im Angebot; buchen kann es niemand.",
            id="booking.W001",
        )
        for title in titles.values_list("title", flat=True)
    ]


@register(deploy=True)
def production_takes_real_money(**kwargs: Any) -> list[CheckMessage]:
    if settings.SITE_PROFILE != "production" or not settings.STRIPE_SECRET_KEY:
        return []
    if settings.STRIPE_IS_LIVE:
        return []
    return [
        checks.Warning(
            "Stripe läuft im Testmodus: Gäste können buchen, ohne dass Geld kommt.",
            hint="Nimm für den Betrieb einen Schlüssel, der mit rk_live_ oder sk_live_ beginnt.",
            id="booking.W002",
        )
    ]
