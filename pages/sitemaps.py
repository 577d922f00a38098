"""The public pages, for search engines."""

from __future__ import annotations

from datetime import datetime

from django.contrib.sitemaps import Sitemap
from django.urls import reverse

from booking.models import CallType
from pages.models import Practice


class PageSitemap(Sitemap[str]):
    protocol = None
    names = (
        "landing",
        "offer",
        "booking:days",
        "newsletter:subscribe",
        "imprint",
        "privacy",
        "terms",
        "withdrawal_notice",
        "accessibility",
    )

    def items(self) -> list[str]:
        return list(self.names)

    def location(self, item: str) -> str:
        return reverse(item)

    def lastmod(self, item: str) -> datetime | None:
        return Practice.current().updated_at


class CallTypeSitemap(Sitemap[CallType]):
    def items(self) -> list[CallType]:
        return list(CallType.objects.offered())


SITEMAPS = {"pages": PageSitemap, "calls": CallTypeSitemap}
