"""What every template may ask for."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from pages.models import Practice


def practice(request: HttpRequest) -> dict[str, object]:
    """The practice, read when a template first uses it, and the page's canonical address."""
    return {
        "practice": SimpleLazyObject(Practice.current),
        "site_url": settings.SITE_URL,
        "canonical": f"{settings.SITE_URL}{request.path}",
    }
