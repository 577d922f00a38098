"""„Einrichten“: the guide, and its two buttons that try things out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import wraps
from io import StringIO
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from coaching_site import limits
from coaching_site.desk import set_up
from coaching_site.desk.questions import ask
from pages import legal
from pages.models import Practice

UserView = Callable[[HttpRequest, User], HttpResponse]

PERMISSION = "pages.change_practice"
CHECKS = 10  # an hour, for each user
HOUR = timedelta(hours=1)
# What a line of the check begins with, and how the desk shows it.
LEVELS = {"✓": messages.SUCCESS, "✗": messages.ERROR}


def urls(admin_view: Callable[..., Any]) -> list[URLPattern]:
    return [
        path("einrichten/", admin_view(guide), name="set_up"),
        path("einrichten/testmail/", admin_view(test_mail), name="set_up_mail"),
        path("einrichten/stripe/", admin_view(check_stripe), name="set_up_stripe"),
    ]


def for_whoever_sets_up(view: UserView) -> Callable[[HttpRequest], HttpResponse]:
    """Who may change the practice's data."""

    @wraps(view)
    def wrapped(request: HttpRequest) -> HttpResponse:
        if not isinstance(request.user, User) or not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        return view(request, request.user)

    return wrapped


@require_safe
@for_whoever_sets_up
def guide(request: HttpRequest, user: User) -> HttpResponse:
    """How far every step is."""
    now = timezone.now()
    practice, texts = Practice.current(), legal.current_rows(today=timezone.localdate(now))
    facts = set_up.Facts(practice, texts, ask(set_up.questions(user)))
    steps = set_up.steps(facts, user=user, now=now)
    context = {
        **admin.site.each_context(request),
        "title": "Einrichten",
        "steps": steps,
        "done": sum(step.is_done for step in steps),
    }
    return TemplateResponse(request, "admin/desk/set_up.html", context)


@require_POST
@for_whoever_sets_up
def test_mail(request: HttpRequest, user: User) -> HttpResponse:
    """A mail to the coach, and how that went."""
    try:
        address = set_up.send_test_mail(user, now=timezone.now())
    except (set_up.NoMail, limits.TooMany) as error:
        messages.error(request, error.message)
    else:
        messages.success(
            request,
            f"Die Testmail ist unterwegs an {address}. "
            "Kommt sie nicht an, sieh im Spam-Ordner nach.",
        )
    return _back_to("mail")


@require_POST
@for_whoever_sets_up
def check_stripe(request: HttpRequest, user: User) -> HttpResponse:
    """What `manage.py stripe_check` says."""
    try:
        limits.hit("desk.stripe", str(user.pk), limit=CHECKS, per=HOUR, now=timezone.now())
    except limits.TooMany as error:
        messages.error(request, error.message)
        return _back_to("stripe")
    for line in _stripe_check():
        mark, _, sentence = line.partition(" ")
        messages.add_message(request, LEVELS.get(mark, messages.INFO), sentence)
    return _back_to("stripe")


def _stripe_check() -> list[str]:
    said = StringIO()
    # When it exits, it has named every problem.
    with suppress(SystemExit):
        call_command("stripe_check", stdout=said)
    return said.getvalue().splitlines()


def _back_to(step: str) -> HttpResponse:
    return redirect(f"{reverse('admin:set_up')}#{step}")
