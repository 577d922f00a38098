"""What the operator should know about what comes back, before the first issue is sent."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, register


@register(deploy=True)
def the_inbox_is_whole(**kwargs: Any) -> list[CheckMessage]:
    """Half an inbox does nothing: bounces go where nobody reads, or nobody sends them there."""
    del kwargs
    if bool(settings.INBOX_ADDRESS) == bool(settings.INBOX.host):
        return []
    missing = "INBOX_URL" if settings.INBOX_ADDRESS else "INBOX_ADDRESS"
    return [
        checks.Warning(
            f"Das Postfach für Rückläufer ist nur halb eingerichtet: {missing} fehlt.",
            hint="Ohne beides bleiben unzustellbare Adressen unbemerkt und werden weiter beschickt.",
            id="newsletter.W001",
        )
    ]
