"""Exports of the desk: small files are handed out at once, large ones become long work."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from coaching_site.desk import export_kinds, long_work
from coaching_site.desk.export_kinds import ExportKind
from coaching_site.desk.models import LongWork

Response = TypeVar("Response", bound=HttpResponseBase)


def may_have(request: HttpRequest, kind: str) -> bool:
    """Whether whoever asks may take files of this kind along."""
    return long_work.may_export(request.user, export_kinds.BY_NAME[kind])


def hand_out(
    request: HttpRequest, kind: str, file_name: str, chosen: QuerySet[Any]
) -> HttpResponse:
    """A file of the chosen rows in their order, or the page of the work that makes it.

    Raises PermissionDenied.
    """
    wanted = _allowed(request, kind)
    rows = list(chosen.values_list("pk", flat=True))
    return _answer(request, wanted, file_name, rows, len(rows))


def hand_out_all(request: HttpRequest, kind: str, file_name: str, total: int) -> HttpResponse:
    """As `hand_out`, for kinds that take all there are, `total` by count. Raises PermissionDenied."""
    return _answer(request, _allowed(request, kind), file_name, [], total)


def file_of(work: LongWork) -> StreamingHttpResponse:
    """The finished file, never kept by a browser or anything on the way."""
    kind = long_work.kind_of(work)
    content_type = kind.content_type if kind else "application/octet-stream"
    response = StreamingHttpResponse(long_work.content(work), content_type=content_type)
    response["Content-Length"] = str(work.size)
    return _as_attachment(response, work.file_name)


def _allowed(request: HttpRequest, kind: str) -> ExportKind:
    if not may_have(request, kind):
        raise PermissionDenied
    return export_kinds.BY_NAME[kind]


def _answer(
    request: HttpRequest, kind: ExportKind, file_name: str, rows: list[int], total: int
) -> HttpResponse:
    now = timezone.now()
    if total <= kind.at_once:
        data = b"".join(part.data for part in long_work.parts(kind, rows, now=now))
        return _as_attachment(HttpResponse(data, content_type=kind.content_type), file_name)
    work = long_work.ask(
        kind, file_name=file_name, rows=rows, total=total, by=request.user.pk, now=now
    )
    messages.info(request, "Die Datei ist groß; sie entsteht im Hintergrund.")
    return redirect("admin:work_one", work.pk)


def _as_attachment(response: Response, file_name: str) -> Response:
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    response["Cache-Control"] = "no-store"
    return response
