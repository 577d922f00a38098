"""The newest issues as an Atom feed (RFC 4287), with all they say."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed

from coaching_site import links
from newsletter.models import Issue
from pages.models import Practice

MOST = 20


def atom(practice: Practice, issues: Sequence[Issue]) -> bytes:
    """The feed of these issues, the newest first."""
    feed = Atom1Feed(
        title=f"Newsletter von {practice.display_name}",
        link=links.absolute(reverse("newsletter:archive")),
        feed_url=links.absolute(reverse("newsletter:feed")),
        description=None,
        language="de",
    )
    for issue in issues:
        assert issue.started_at is not None
        feed.add_item(
            title=issue.subject,
            link=links.absolute(reverse("newsletter:issue", args=[issue.slug])),
            description=issue.preheader,
            unique_id=identity(issue),
            pubdate=issue.started_at,
        )
    return feed.writeString("utf-8").encode()


def identity(issue: Issue) -> str:
    """What a feed reader knows an issue by, whatever becomes of its address (RFC 4151)."""
    assert issue.started_at is not None
    host = urlsplit(links.absolute("/")).hostname
    return f"tag:{host},{issue.started_at:%Y-%m-%d}:newsletter/{issue.pk}"
