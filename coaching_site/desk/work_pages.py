"""„Arbeiten“: what takes long, how far it is, and what became of it. Sending, imports, exports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from coaching_site import german
from coaching_site.desk import downloads, export_kinds, long_work, progress, watching
from coaching_site.desk.models import LongWork
from newsletter.models import Import, Issue
from newsletter.sending import running as sending

WorkView = Callable[[HttpRequest, LongWork], HttpResponseBase]

# So long what ended stays on the page, and so many of each at most.
LATELY = timedelta(days=7)
MOST = 20


@dataclass(frozen=True)
class Item:
    """One piece of work as the page shows it. `at` is when it ended, or was begun or asked for."""

    what: str
    title: str
    state: str
    address: str
    at: datetime
    is_running: bool = False
    # Running, but held: there is nothing to watch.
    is_held: bool = False
    percent: int | None = None
    words: str = ""
    is_silent: bool = False
    problem: str = ""
    # Where a button that stops it leads, what it sends, and what it says.
    stop_address: str = ""
    stop_name: str = ""
    stop_label: str = "Anhalten"
    file_address: str = ""


def urls(view: Callable[..., Any]) -> list[URLPattern]:
    """The addresses of these pages, each behind `view`, the desk's own guard."""
    return [
        path("arbeiten/", view(overview), name="work"),
        path("arbeiten/<int:pk>/", view(one), name="work_one"),
        path("arbeiten/<int:pk>/tun/", view(deed), name="work_deed"),
        path("arbeiten/<int:pk>/datei/", view(file), name="work_file"),
    ]


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """What runs now, and what ended lately."""
    now = timezone.now()
    items = [*_exports(request, now), *_issues(request, now), *_imports(request, now)]
    ended = sorted((item for item in items if not item.is_running), key=_when, reverse=True)
    context = {
        "title": "Arbeiten",
        "running": sorted((item for item in items if item.is_running), key=_when),
        "ended": ended[:MOST],
    }
    moves = any(item.is_running and not item.is_held for item in items)
    return _page(request, "list", context, moves=moves)


def about_one(view: WorkView) -> Callable[[HttpRequest, int], HttpResponseBase]:
    """A page of one export, for whoever may take its kind along."""

    @wraps(view)
    def wrapped(request: HttpRequest, pk: int) -> HttpResponseBase:
        rows = LongWork.objects.without_rows().select_related("asked_by")
        work = get_object_or_404(rows, pk=pk)
        if not long_work.may_export(request.user, long_work.kind_of(work)):
            raise PermissionDenied
        return view(request, work)

    return wrapped


@require_safe
@about_one
def one(request: HttpRequest, work: LongWork) -> HttpResponse:
    """How far one export is; its file, once it is there."""
    now = timezone.now()
    kind = long_work.kind_of(work)
    found = work.progress(now)
    context = {
        "title": kind.title if kind else work.file_name,
        "work": work,
        "progress": found,
        "words": progress.in_words(found, kind.unit) if kind else "",
        "has_file": work.has_file(now),
        "may_download": long_work.may_download(request.user, work),
    }
    return _page(request, "one", context, moves=work.is_unfinished)


@require_POST
@about_one
def deed(request: HttpRequest, work: LongWork) -> HttpResponse:
    """Stop, begin again or delete the file. A second press finds nothing left to do."""
    said = ""
    if "stop" in request.POST and long_work.stop(work.pk, now=timezone.now()):
        said = "Abgebrochen. Was davon schon da war, ist gelöscht."
    elif "again" in request.POST and long_work.again(work.pk):
        said = "Es geht von vorn los."
    elif "remove" in request.POST and long_work.remove_file(work.pk):
        said = "Die Datei ist gelöscht."
    if said:
        messages.success(request, said)
    else:
        messages.warning(request, "Das geht hier gerade nicht mehr. Sieh nach, wie es steht.")
    return redirect("admin:work_one", work.pk)


@require_safe
@about_one
def file(request: HttpRequest, work: LongWork) -> HttpResponseBase:
    """The finished file, for whoever asked for it."""
    if not long_work.may_download(request.user, work):
        raise PermissionDenied
    if not work.has_file(timezone.now()):
        raise Http404
    return downloads.file_of(work)


# --- what there is ----------------------------------------------------------------------------


def _exports(request: HttpRequest, now: datetime) -> Iterator[Item]:
    kinds = [kind.name for kind in export_kinds.ALL if long_work.may_export(request.user, kind)]
    lately = Q(ended_at=None) | Q(ended_at__gt=now - LATELY)
    rows = LongWork.objects.without_rows().filter(lately, kind__in=kinds)
    for work in rows.order_by("-ended_at", "pk")[: 2 * MOST]:
        kind = export_kinds.BY_NAME[work.kind]
        found = work.progress(now)
        page = reverse("admin:work_one", args=[work.pk])
        is_mine = work.asked_by_id == request.user.pk
        yield Item(
            what="Export",
            title=kind.title,
            state="Datei gelöscht" if work.is_gone else work.get_state_display(),
            address=page,
            at=work.ended_at or work.asked_at,
            is_running=work.is_unfinished,
            percent=found.percent if work.is_unfinished else None,
            words=progress.in_words(found, kind.unit),
            is_silent=work.is_unfinished and found.is_silent,
            problem=work.problem,
            stop_address=reverse("admin:work_deed", args=[work.pk]) if work.is_unfinished else "",
            stop_name="stop",
            stop_label="Abbrechen",
            file_address=(
                reverse("admin:work_file", args=[work.pk]) if is_mine and work.has_file(now) else ""
            ),
        )


def _issues(request: HttpRequest, now: datetime) -> Iterator[Item]:
    if not request.user.has_perm("newsletter.view_issue"):
        return
    on_its_way = [Issue.Status.SENDING, Issue.Status.PAUSED]
    lately = Q(status__in=on_its_way) | Q(finished_at__gt=now - LATELY)
    issues = list(Issue.objects.filter(lately).defer("body").order_by("-pk")[: 2 * MOST])
    found = sending.progress_of([issue for issue in issues if issue.is_running], now=now)
    may_send = request.user.has_perms(["newsletter.change_issue", "newsletter.send_issue"])
    for issue in issues:
        at = found.get(issue.pk)
        may_pause = may_send and issue.status == Issue.Status.SENDING
        yield Item(
            what="Newsletter",
            title=issue.subject,
            state=issue.get_status_display(),
            address=reverse("admin:newsletter_issue_change", args=[issue.pk]),
            at=issue.finished_at or issue.started_at or now,
            is_running=issue.is_running,
            is_held=issue.status == Issue.Status.PAUSED,
            percent=at.percent if at else None,
            words=_sent(at) if at else "",
            problem=issue.trouble,
            stop_address=(
                reverse("admin:newsletter_issue_deed", args=[issue.pk]) if may_pause else ""
            ),
            stop_name="pause",
        )


def _sent(found: sending.Progress) -> str:
    """„800 von 5.000 Mails, 240 in der Minute, noch etwa 18 Minuten.“"""
    told = [f"{german.number(found.done)} von {german.number(found.total)} Mails"]
    if round(found.per_minute):
        told.append(f"{german.number(round(found.per_minute))} in der Minute")
    if found.time_left:
        told.append(progress.remaining(found.time_left))
    return f"{', '.join(told)}."


def _imports(request: HttpRequest, now: datetime) -> Iterator[Item]:
    may_import = request.user.has_perm("newsletter.add_import")
    if not (may_import or request.user.has_perm("newsletter.view_import")):
        return
    at_work = [Import.Status.CHECKING, Import.Status.RUNNING]
    # What waits for a decision is no work that runs, and none that ended: it is shown for a while.
    lately = Q(status__in=at_work) | Q(moved_at__gt=now - LATELY)
    for run in Import.objects.filter(lately).order_by("-pk")[: 2 * MOST]:
        found = run.progress(now)
        yield Item(
            what="Import",
            title=run.file_name,
            state=run.get_status_display(),
            address=reverse("admin:newsletter_import_change", args=[run.pk]),
            at=run.finished_at or run.started_at or run.created_at,
            is_running=run.is_working,
            percent=found.percent if run.is_working else None,
            words=progress.in_words(found, "Zeilen", total_is_known=run.total is not None),
            is_silent=run.is_working and found.is_silent,
            problem=run.problem,
            stop_address=(
                reverse("admin:newsletter_import_deed", args=[run.pk])
                if may_import and run.is_working
                else ""
            ),
            stop_name="stop",
        )


def _when(item: Item) -> datetime:
    return item.at


def _page(request: HttpRequest, name: str, context: dict[str, Any], *, moves: bool) -> HttpResponse:
    watched = watching.context(request, moves=moves)
    whole = {**admin.site.each_context(request), **context, **watched}
    response = TemplateResponse(request, f"admin/desk/work/{name}.html", whole)
    # „Back“ must ask again: what the page offers may be done by now.
    response["Cache-Control"] = "no-store"
    return watching.again(response, watched)
