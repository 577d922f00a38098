"""Every page search engines may show, and when what it says last changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sitemaps import Sitemap
from django.db.models import Max
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property

from booking.models import CallType
from coaching_site.desk.models import Change
from newsletter.models import Issue
from pages import legal
from pages.models import Practice, Testimonial

Kind = legal.Kind


@dataclass(frozen=True)
class Listed:
    """A page's path, and since when it says what it says; None if nobody has written that down."""

    path: str
    changed_at: datetime | None


class PublicSitemap(Sitemap[Listed]):
    """Each page once: not `/termin/`, which shows the first type of call, whose own page is listed."""

    def items(self) -> list[Listed]:
        return self._listed

    @cached_property
    def _listed(self) -> list[Listed]:
        """Django asks twice for the items of one answer."""
        return listed()

    def location(self, item: Listed) -> str:
        return item.path

    def lastmod(self, item: Listed) -> datetime | None:
        return item.changed_at

    # By whichever host and scheme it is asked for, a page has one address.
    def get_domain(self, site: Any = None) -> str:
        return urlsplit(settings.SITE_URL).netloc

    def get_protocol(self, protocol: str | None = None) -> str:
        return urlsplit(settings.SITE_URL).scheme


SITEMAPS = {"pages": PublicSitemap}


def listed() -> list[Listed]:
    """All of them. What is only filled in by the practice changes whenever the practice does."""
    # Django annotates the field as always set; a practice nobody has saved has no such time.
    practice: datetime | None = Practice.current().updated_at
    calls = list(CallType.objects.offered())
    issues = list(Issue.objects.published().defer("body"))
    types = _changed_at_the_desk(CallType)
    offered = _newest(practice, *types.values())
    quotes = _changed_at_the_desk(Testimonial)
    written = _newest(practice, *(issue.last_changed_at for issue in issues))
    return [
        Listed(reverse("landing"), _newest(offered, written, *quotes.values())),
        Listed(reverse("offer"), offered),
        *(Listed(call.get_absolute_url(), _newest(practice, types.get(call.pk))) for call in calls),
        Listed(reverse("newsletter:subscribe"), practice),
        Listed(reverse("newsletter:archive"), written),
        *(
            Listed(reverse("newsletter:issue", args=[issue.slug]), issue.last_changed_at)
            for issue in issues
        ),
        *(
            Listed(reverse(name), _in_force_since(kind) or practice)
            for kind, name in legal.PAGES.items()
        ),
    ]


def _in_force_since(kind: Kind) -> datetime | None:
    """Since when visitors read the published version; None for a start text."""
    row = legal.current_row(kind)
    if row is None or row.valid_from is None:
        return None
    return _newest(row.published_at, timezone.make_aware(datetime.combine(row.valid_from, time())))


def _changed_at_the_desk(model: type[CallType] | type[Testimonial]) -> dict[int, datetime]:
    """When the coach last changed each of these rows, by its key; also of those that are gone."""
    changes = Change.objects.filter(table=model._meta.db_table).order_by().values("row")
    return dict(changes.annotate(last=Max("at")).values_list("row", "last"))


def _newest(*moments: datetime | None) -> datetime | None:
    return max(filter(None, moments), default=None)
