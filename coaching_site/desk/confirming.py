"""A page between a button and what it does, for all that cannot be taken back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

SURE = "yes"


def is_sure(request: HttpRequest) -> bool:
    """Whether the button of that page was pressed."""
    return SURE in request.POST


def ask(
    request: HttpRequest,
    *,
    title: str,
    says: Iterable[str],
    button: str,
    back: str,
    opts: Any = None,
) -> HttpResponse:
    """Say what will happen. The button sends what was sent here once more, and that one is sure.

    `back` is where „Doch nicht“ leads, `opts` the model whose list stands above the page.
    """
    kept = [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name not in (SURE, "csrfmiddlewaretoken")
    ]
    context = {
        **admin.site.each_context(request),
        "title": title,
        "opts": opts,
        "says": list(says),
        "kept": kept,
        "sure": SURE,
        "button": button,
        "back": back,
    }
    return TemplateResponse(request, "admin/confirm.html", context)
