"""What all pages about an issue have in common."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse

from coaching_site import german
from newsletter import preflight
from newsletter.issue_forms import ZONE
from newsletter.models import Issue
from newsletter.sending import audience
from pages.models import Practice

IssueView = Callable[[HttpRequest, Issue], HttpResponseBase]


def about_one(page: IssueView, permission: Callable[..., bool]) -> Callable[..., HttpResponseBase]:
    """A page of one issue, for whoever may open it."""

    def wrapped(request: HttpRequest, pk: int) -> HttpResponseBase:
        issue = get_object_or_404(Issue, pk=pk)
        if not permission(request, issue):
            raise PermissionDenied
        return page(request, issue)

    return wrapped


def shown(
    request: HttpRequest, desk: ModelAdmin[Issue], name: str, context: dict[str, Any]
) -> HttpResponse:
    """The named template in the admin's frame."""
    whole = {
        **desk.admin_site.each_context(request),
        "opts": desk.opts,
        "zone": ZONE,
        "may_change": desk.has_change_permission(request),
        "may_send": desk.has_change_permission(request)
        and request.user.has_perm("newsletter.send_issue"),
        **context,
    }
    return TemplateResponse(request, f"admin/newsletter/issue/{name}.html", whole)


def to(issue: Issue) -> HttpResponseRedirect:
    return redirect("admin:newsletter_issue_change", issue.pk)


def preflight_of(issue: Issue) -> dict[str, Any]:
    """What speaks against sending an issue as it is saved, and who would get it."""
    found = preflight.problems(issue, practice=Practice.current())
    tags = list(issue.tags.all())
    readers = audience.count(tags)
    return {
        "blocking": [problem for problem in found if problem.blocks],
        "warnings": [problem for problem in found if not problem.blocks],
        "readers": readers,
        "left_out": audience.people(tags).count() - readers,
    }


def short(moment: datetime) -> str:
    """„Mo., 23.11.2026, 14:30 Uhr“ in Berlin."""
    return german.short_when(moment, ZONE)
