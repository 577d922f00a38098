"""The issues for everyone to read: by year, one by one, and as a feed. Nothing in them is anybody's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.safestring import mark_safe
from django.utils.text import Truncator
from django.views.decorators.http import require_safe

from coaching_site import kept, links
from newsletter import feeds
from newsletter.models import Issue
from newsletter.rendering import markdown
from pages import structured_data
from pages.models import Practice

DESCRIPTION_LENGTH = 160

# What stands behind the „?“ of these pages' addresses changes nothing.
same_for_everyone = kept.until_it_changes(query_counts=False)


@require_safe
@same_for_everyone
def index(request: HttpRequest) -> HttpResponse:
    """All issues by year, the newest first."""
    issues = list(Issue.objects.published().only("slug", "subject", "started_at"))
    return render(request, "newsletter/archive.html", {"years": _by_year(issues)})


@require_safe
@same_for_everyone
def issue(request: HttpRequest, slug: str) -> HttpResponse:
    """One issue with all it says, for whoever has it from nobody knows whom."""
    found = get_object_or_404(Issue.objects.published(), slug=slug)
    page = _issue_page(Practice.current(), found)
    return render(request, "newsletter/archive_issue.html", page)


@require_safe
@same_for_everyone
def feed(request: HttpRequest) -> HttpResponse:
    """The newest issues in full, for feed readers."""
    issues = list(Issue.objects.published()[: feeds.MOST])
    return render(
        request,
        "newsletter/archive_feed.xml",
        feeds.feed(Practice.current(), issues),
        content_type=feeds.CONTENT_TYPE,
    )


def _by_year(issues: Sequence[Issue]) -> list[tuple[int, list[Issue]]]:
    """The issues of each year, as the calendar on the coach's wall counts it."""
    return [(year, list(some)) for year, some in groupby(issues, key=_year)]


def _year(issue: Issue) -> int:
    assert issue.started_at is not None
    return timezone.localtime(issue.started_at).year


def _issue_page(practice: Practice, issue: Issue) -> dict[str, object]:
    html = markdown.for_the_web(issue.body)
    description = issue.preheader or _opening(html)
    return {
        "practice": practice,
        "issue": issue,
        "body": mark_safe(_lazily(html)),  # noqa: S308 – nh3 cleaned it
        "description": description,
        "json_ld": structured_data.article(
            practice,
            title=issue.subject,
            description=description,
            url=links.absolute(reverse("newsletter:issue", args=[issue.slug])),
            published_at=issue.started_at,
            changed_at=issue.last_changed_at,
        ),
    }


def _opening(html: str) -> str:
    """The first words of an issue that has no preheader."""
    words = " ".join(strip_tags(html.replace("><", "> <")).split())
    return Truncator(words).chars(DESCRIPTION_LENGTH)


def _lazily(html: str) -> str:
    """Pictures that wait until somebody reads on to them; in text no „<“ is left to be found."""
    return html.replace("<img ", '<img loading="lazy" ')
