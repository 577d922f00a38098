"""The public pages, for search engines."""

from __future__ import annotations

from django.contrib.sitemaps import Sitemap
from django.urls import reverse

from booking.models import CallType


class PageSitemap(Sitemap[str]):
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


class CallTypeSitemap(Sitemap[CallType]):
    def items(self) -> list[CallType]:
        return list(CallType.objects.offered())


SITEMAPS = {"pages": PageSitemap, "calls": CallTypeSitemap}
