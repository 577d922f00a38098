"""Sending from the coach's desk: test, ask, watch, pause, break off, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from coaching_site import german
from coaching_site.desk import confirming, progress, watching
from newsletter import dead_links, issue_pages
from newsletter.errors import NewsletterError
from newsletter.issue_forms import SendForm, TestForm, as_admin, show_version
from newsletter.issue_pages import IssueView, preflight_of
from newsletter.models import Delivery, Issue
from newsletter.sending import running, testing

# Shortly before its time a scheduled issue is watched like one on its way.
SOON = timedelta(minutes=2)
UNCERTAIN_SHOWN = 200


def pages(desk: ModelAdmin[Issue]) -> list[tuple[str, str, IssueView]]:
    """Address, name and view of what is done before sending: nobody on the list gets anything."""
    views: list[tuple[str, str, Callable[..., HttpResponse]]] = [
        ("test", "test", test),
        ("links", "links", check_links),
    ]
    return [(address, name, partial(view, desk=desk)) for address, name, view in views]


def sending_pages(desk: ModelAdmin[Issue]) -> list[tuple[str, str, IssueView]]:
    """Address, name and view of every page that sends one issue, or keeps it from being sent."""
    views: list[tuple[str, str, Callable[..., HttpResponse]]] = [
        ("senden", "send", ask),
        ("tun", "deed", require_POST(do)),
        ("abbrechen", "stop", stop),
        ("ungewiss", "uncertain", resend_uncertain),
    ]
    return [(address, name, partial(view, desk=desk)) for address, name, view in views]


# --- before ---------------------------------------------------------------------------------------


def test(request: HttpRequest, issue: Issue, *, desk: ModelAdmin[Issue]) -> HttpResponse:
    """„Test an mich“: one mail to a typed address, which counts for nothing."""
    initial = {"email": settings.COACH_EMAIL}
    form = TestForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_valid():
        address = form.cleaned_data["email"]
        try:
            testing.send_test(issue, to=address.mailbox, now=timezone.now())
        except NewsletterError as error:
            form.add_error(None, error.message)
        else:
            desk.message_user(
                request, f"Die Testmail ist an {address.shown} unterwegs.", messages.SUCCESS
            )
            return redirect("admin:newsletter_issue_preview", issue.pk)
    context = {
        "title": f"Test an mich: {issue.subject}",
        "issue": issue,
        "form": form,
        "admin_form": as_admin(form),
    }
    return issue_pages.shown(request, desk, "test", context)


def check_links(request: HttpRequest, issue: Issue, *, desk: ModelAdmin[Issue]) -> HttpResponse:
    """Ask every server the issue links to, once somebody pressed the button."""
    asked = request.method == "POST"
    found = dead_links.dead_links(issue) if asked else []
    context = {
        "title": f"Links prüfen: {issue.subject}",
        "issue": issue,
        "asked": asked,
        "dead": [problem for problem in found if problem.blocks],
        "unsure": [problem for problem in found if not problem.blocks],
    }
    return issue_pages.shown(request, desk, "links", context)


def ask(request: HttpRequest, issue: Issue, *, desk: ModelAdmin[Issue]) -> HttpResponse:
    """„Senden“: what, to whom and when, and one button. A second press finds nothing left to do."""
    if not issue.may_be_written:
        desk.message_user(request, f"Stand: {issue.get_status_display()}.", messages.INFO)
        return issue_pages.to(issue)
    now = timezone.now()
    data = request.POST if request.method == "POST" else None
    form = SendForm(data, version=issue.changed_at, now=now)
    checks = preflight_of(issue)
    if data is not None and form.is_valid() and not checks["blocking"]:
        if form.cleaned_data["version"] == issue.changed_at:
            return _schedule(request, issue, form, desk=desk, now=now)
        form.add_error(None, "Die Ausgabe wurde inzwischen geändert. Sieh sie dir noch einmal an.")
        show_version(form, issue.changed_at)
    context = {
        "title": f"Senden: {issue.subject}",
        "issue": issue,
        "form": form,
        "admin_form": as_admin(form),
        **checks,
    }
    return issue_pages.shown(request, desk, "send", context)


def _schedule(
    request: HttpRequest, issue: Issue, form: SendForm, *, desk: ModelAdmin[Issue], now: datetime
) -> HttpResponse:
    try:
        running.schedule(issue.pk, at=form.cleaned_data["send_at"], now=now)
    except NewsletterError as error:
        desk.message_user(request, error.message, messages.WARNING)
    else:
        desk.log_change(request, issue, "Versand bestätigt")
    return issue_pages.to(issue)


# --- while it runs, and afterwards ----------------------------------------------------------------


def status(request: HttpRequest, desk: ModelAdmin[Issue], issue: Issue) -> HttpResponse:
    """How an issue stands. While mails leave, the page comes again by itself."""
    now = timezone.now()
    seconds_left = _seconds_left(issue, now)
    moves = seconds_left is not None or issue.status == Issue.Status.SENDING
    context = {
        "title": issue.subject,
        "issue": issue,
        "now": now,
        "seconds_left": seconds_left,
        **watching.context(request, moves=moves),
        "progress": _progress(issue, now) if issue.is_running else None,
        "outcome": None if issue.is_running or not issue.started_at else _outcome(issue),
        "tags": issue.tags.all(),
    }
    return watching.again(issue_pages.shown(request, desk, "status", context), context)


def do(request: HttpRequest, issue: Issue, *, desk: ModelAdmin[Issue]) -> HttpResponse:
    """Take back, send late, pause, go on, try again. A second press finds nothing left to do."""
    for name, deed in DEEDS.items():
        if name not in request.POST:
            continue
        if name == "send_late" and not confirming.is_sure(request):
            return _ask_to_send_late(request, issue, desk=desk)
        try:
            words = deed(issue.pk, timezone.now())
        except NewsletterError as error:
            desk.message_user(request, error.message, messages.WARNING)
        else:
            desk.log_change(request, issue, words)
            desk.message_user(request, words, messages.SUCCESS)
    return issue_pages.to(issue)


def _ask_to_send_late(
    request: HttpRequest, issue: Issue, *, desk: ModelAdmin[Issue]
) -> HttpResponse:
    count = german.number(preflight_of(issue)["readers"])
    return confirming.ask(
        request,
        title=f"Jetzt doch senden: {issue.subject}",
        says=[
            f"Die Ausgabe geht sofort an {count} Personen hinaus. Das lässt sich nicht zurückholen."
        ],
        button="Jetzt senden",
        back=reverse("admin:newsletter_issue_change", args=[issue.pk]),
        opts=desk.opts,
    )


def _take_back(pk: int, now: datetime) -> str:
    if not running.take_back(pk, now=now):
        raise running.NotNow
    return "Zurückgenommen. Die Ausgabe ist wieder ein Entwurf."


def _send_late(pk: int, now: datetime) -> str:
    running.send_late(pk, now=now)
    return "Die Ausgabe geht jetzt hinaus."


def _pause(pk: int, now: datetime) -> str:
    running.pause(pk, now=now)
    return "Angehalten. Was gerade unterwegs ist, kommt noch an."


def _resume(pk: int, now: datetime) -> str:
    running.resume(pk, now=now)
    return "Es geht weiter."


def _retry_failed(pk: int, now: datetime) -> str:
    count = running.retry_failed(pk, now=now)
    if not count:
        return "Niemand davon lässt sich noch einmal versuchen: abgemeldet oder unzustellbar."
    return f"Noch einmal versucht wird es bei {german.number(count)}."


# What a button does to an issue; each says what is so then.
DEEDS: dict[str, Callable[[int, datetime], str]] = {
    "take_back": _take_back,
    "send_late": _send_late,
    "pause": _pause,
    "resume": _resume,
    "retry_failed": _retry_failed,
}


def stop(request: HttpRequest, issue: Issue, *, desk: ModelAdmin[Issue]) -> HttpResponse:
    """Break off; asks first and says how many will not get it."""
    if not issue.is_running:
        desk.message_user(request, f"Stand: {issue.get_status_display()}.", messages.INFO)
        return issue_pages.to(issue)
    if request.method == "POST":
        try:
            running.stop(issue.pk, now=timezone.now())
        except NewsletterError as error:
            desk.message_user(request, error.message, messages.WARNING)
        else:
            desk.log_change(request, issue, "abgebrochen")
            desk.message_user(request, "Abgebrochen.", messages.SUCCESS)
        return issue_pages.to(issue)
    context = {
        "title": f"Abbrechen: {issue.subject}",
        "issue": issue,
        "waiting": issue.deliveries.waiting().count(),
        "accepted": issue.deliveries.filter(state=Delivery.State.SENT).count(),
    }
    return issue_pages.shown(request, desk, "stop", context)


def resend_uncertain(
    request: HttpRequest, issue: Issue, *, desk: ModelAdmin[Issue]
) -> HttpResponse:
    """Name those whose mail may or may not have left; send again only if the coach says so."""
    uncertain = issue.deliveries.uncertain()
    if request.method == "POST":
        chosen = [int(each) for each in request.POST.getlist("row") if each.isdecimal()]
        if not chosen:
            desk.message_user(request, "Wähle aus, wem du sie noch einmal schicken willst.")
            return redirect("admin:newsletter_issue_uncertain", issue.pk)
        try:
            count = running.resend_uncertain(issue.pk, deliveries=chosen, now=timezone.now())
        except NewsletterError as error:
            desk.message_user(request, error.message, messages.WARNING)
        else:
            words = f"Noch einmal geschickt wird an {german.number(count)}."
            desk.log_change(request, issue, words)
            desk.message_user(request, words, messages.SUCCESS if count else messages.WARNING)
        return issue_pages.to(issue)
    context = {
        "title": f"Ungewiss: {issue.subject}",
        "issue": issue,
        "count": uncertain.count(),
        "rows": uncertain.select_related("subscriber").order_by("pk")[:UNCERTAIN_SHOWN],
    }
    return issue_pages.shown(request, desk, "uncertain", context)


def _progress(issue: Issue, now: datetime) -> dict[str, Any]:
    """How far it is, in words: what is done, how fast, and when it will be over."""
    found = running.progress(issue, now=now)
    counts = [
        (state.label, found.counts[state], state.value)
        for state in Delivery.State
        if found.counts[state]
    ]
    return {
        "percent": found.percent,
        "accepted": found.counts[Delivery.State.SENT],
        "total": found.total,
        "per_minute": round(found.per_minute),
        "remaining": progress.remaining(found.time_left) if found.time_left else "",
        "done_at": now + found.time_left if found.time_left else None,
        "counts": counts,
    }


def _outcome(issue: Issue) -> dict[str, Any]:
    """What became of it, as lines: what, how many, and where the ledger shows them."""
    found = running.outcome(issue)
    came_back = [
        ("zurückgekommen", found.bounced, "bounce__in=hard,soft"),
        ("beschwert", found.complained, "complained_at__isempty=0"),
        ("daraufhin abgemeldet", found.unsubscribed, "left_at__isempty=0"),
    ]
    return {
        "accepted": found.accepted,
        "came_back": came_back,
        "excluded": _by_reason(found.excluded, Delivery.State.EXCLUDED),
        "failed": _by_reason(found.failed, Delivery.State.FAILED),
        "may_retry": any(why in running.MAY_BE_TRIED_AGAIN for why in found.failed),
        "uncertain": found.uncertain,
        "cancelled": found.cancelled,
    }


def _by_reason(
    counts: dict[Delivery.Why, int], state: Delivery.State
) -> list[tuple[str, int, str]]:
    return [
        (str(why.label), number, f"state__exact={state.value}&why__exact={why.value}")
        for why, number in counts.items()
    ]


def _seconds_left(issue: Issue, now: datetime) -> int | None:
    """Seconds until a scheduled issue leaves, if that is soon."""
    if issue.status != Issue.Status.SCHEDULED or issue.send_at is None:
        return None
    left = issue.send_at - now
    return max(0, round(left.total_seconds())) if left < SOON else None
