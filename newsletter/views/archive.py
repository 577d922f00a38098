"""The issues for everyone to read: by year, one by one, and as a feed. Nothing in them is anybody's."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from newsletter import feeds
from newsletter.models import Issue
from pages.models import Practice


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All issues, the newest first."""
    return render(request, "newsletter/archive.html", {"issues": Issue.objects.published()})


@require_safe
def issue(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Issue.objects.published(), slug=slug)
    return render(request, "newsletter/archive_issue.html", {"issue": found})


@require_safe
def feed(request: HttpRequest) -> HttpResponse:
    """The newest issues in full, for feed readers."""
    content = feeds.atom(Practice.current(), list(Issue.objects.published()[: feeds.MOST]))
    return HttpResponse(content, content_type="application/atom+xml; charset=utf-8")
