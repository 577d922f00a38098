"""The public pages, for search engines."""

from __future__ import annotations

from datetime import datetime

from django.contrib.sitemaps import Sitemap
from django.urls import reverse

from booking.models import CallType
from newsletter.models import Issue


class PageSitemap(Sitemap[str]):
    names = (
        "landing",
        "offer",
        "booking:days",
        "newsletter:subscribe",
        "newsletter:archive",
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


class IssueSitemap(Sitemap[Issue]):
    def items(self) -> list[Issue]:
        return list(Issue.objects.published().defer("body"))

    def location(self, item: Issue) -> str:
        return reverse("newsletter:issue", args=[item.slug])

    def lastmod(self, item: Issue) -> datetime:
        return item.last_changed_at


SITEMAPS = {"pages": PageSitemap, "calls": CallTypeSitemap, "issues": IssueSitemap}
