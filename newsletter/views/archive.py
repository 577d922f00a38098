"""The issues for everyone to read: by year, one by one, and as a feed. Nothing in them is anybody's."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from itertools import groupby

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.safestring import mark_safe
from django.utils.text import Truncator
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from coaching_site import kept, links
from newsletter import feeds
from newsletter.models import Issue, Picture
from newsletter.rendering import markdown
from pages import structured_data
from pages.models import Practice

DESCRIPTION_LENGTH = 160

# Caches may keep a page, but ask whether it still is the same: a correction shows at once.
asked_again = cache_control(public=True, no_cache=True)


@require_safe
@asked_again
def index(request: HttpRequest) -> HttpResponse:
    """All issues by year, the newest first."""
    practice = Practice.current()
    issues = list(Issue.objects.published().only("slug", "subject", "started_at"))
    return _kept(
        request,
        "newsletter/archive.html",
        lambda: {"practice": practice, "years": _by_year(issues)},
        facts=(
            kept.row(practice),
            tuple((issue.slug, issue.subject, issue.started_at) for issue in issues),
        ),
    )


@require_safe
@asked_again
def issue(request: HttpRequest, slug: str) -> HttpResponse:
    """One issue with all it says, for whoever has it from nobody knows whom."""
    practice = Practice.current()
    found = get_object_or_404(Issue.objects.published(), slug=slug)
    return _kept(
        request,
        "newsletter/archive_issue.html",
        lambda: _issue_page(practice, found),
        facts=(kept.row(practice), _facts([found])),
    )


@require_safe
@asked_again
def feed(request: HttpRequest) -> HttpResponse:
    """The newest issues in full, for feed readers."""
    practice = Practice.current()
    issues = list(Issue.objects.published()[: feeds.MOST])
    answer = _kept(
        request,
        "newsletter/archive_feed.xml",
        lambda: feeds.feed(practice, issues),
        facts=(kept.row(practice), _facts(issues)),
    )
    answer["Content-Type"] = feeds.CONTENT_TYPE
    return answer


def _kept(
    request: HttpRequest,
    template: str,
    context: Callable[[], dict[str, object]],
    *,
    facts: Hashable,
) -> HttpResponse:
    return kept.render(request, template, context, facts=facts, query_counts=False)


def _facts(issues: Sequence[Issue]) -> Hashable:
    """All that these issues' pages are made of: their words, and the pictures they may name."""
    numbers = {number for issue in issues for number in re.findall(r"bild:(\d{1,9})", issue.body)}
    pictures = Picture.objects.filter(pk__in=numbers).order_by("pk")
    words = tuple(
        (each.pk, each.slug, each.subject, each.preheader, each.body, each.last_changed_at)
        for each in issues
    )
    return words, tuple(pictures.values_list("pk", "file", "width", "height"))


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
