"""What the Atom feed is made of (RFC 4287): the newest issues, with all they say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from django.urls import reverse

from coaching_site import links
from newsletter.models import Issue
from newsletter.rendering import markdown
from pages.models import Practice

MOST = 20
CONTENT_TYPE = "application/atom+xml; charset=utf-8"
# A feed must say when it changed, even one in which nothing stands yet.
NEVER = datetime(1970, 1, 1, tzinfo=UTC)

# What XML 1.0 has no way to write (section 2.2).
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True)
class Entry:
    """One issue as a feed reader gets it; times are RFC 3339."""

    id: str
    title: str
    link: str
    published: str
    updated: str
    summary: str
    content: str


def feed(practice: Practice, issues: Sequence[Issue]) -> dict[str, object]:
    """The values of `newsletter/archive_feed.xml`; the newest issue first."""
    return {
        "practice": practice,
        "self_link": links.absolute(reverse("newsletter:feed")),
        "archive_link": links.absolute(reverse("newsletter:archive")),
        "home_link": links.absolute("/"),
        "updated": _time(max((issue.last_changed_at for issue in issues), default=NEVER)),
        "entries": [_entry(issue) for issue in issues],
    }


def identity(issue: Issue) -> str:
    """What a feed reader knows an issue by, whatever becomes of its address (RFC 4151)."""
    assert issue.started_at is not None
    host = urlsplit(links.absolute("/")).hostname
    return f"tag:{host},{issue.started_at.astimezone(UTC):%Y-%m-%d}:newsletter/{issue.pk}"


def _entry(issue: Issue) -> Entry:
    assert issue.started_at is not None
    return Entry(
        id=identity(issue),
        title=_UNWRITABLE.sub("", issue.subject),
        link=links.absolute(reverse("newsletter:issue", args=[issue.slug])),
        published=_time(issue.started_at),
        updated=_time(issue.last_changed_at),
        summary=_UNWRITABLE.sub("", issue.preheader),
        content=_UNWRITABLE.sub("", markdown.for_the_web(issue.body)),
    )


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
