"""Lists in and out, on the coach's desk: upload, columns, check, start, result; tags; export."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import PermissionDenied
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST

from coaching_site.desk import downloads, progress, watching
from coaching_site.desk.csv_export import may_export
from coaching_site.german import number
from newsletter import exports, portable
from newsletter.errors import ImportRefused, NewsletterError
from newsletter.import_forms import MappingForm, ProvenanceForm, ReadingForm, UploadForm
from newsletter.imports import files, running
from newsletter.imports.running import Preview
from newsletter.models import Import, ImportRow, Outcome, Subscriber, Suppression, Tag

ROWS_A_PAGE = 50


class CappedUpload(FileUploadHandler):
    """Reads an upload to its end, but stops keeping it when it is too large to be a list."""

    chunk_size = 256 * 1024

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.received = 0
        self.is_too_large = False

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.received += len(raw_data)
        if self.received > files.MAX_BYTES:
            self.is_too_large = True
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


@admin.register(Tag)
class TagAdmin(admin.ModelAdmin[Tag]):
    list_display = ["name", "people"]
    search_fields = ["name"]
    fields = ["name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tag]:
        return super().get_queryset(request).annotate(count=Count("subscribers"))

    @admin.display(description="Leute", ordering="count")
    def people(self, tag: Tag) -> str:
        return number(getattr(tag, "count", 0))


@admin.register(Import)
class ImportAdmin(admin.ModelAdmin[Import]):
    list_display = ["file_name", "created_at", "status", "result", "made_by"]
    list_filter = ["status", "created_at"]
    search_fields = ["file_name", "source"]
    ordering = ["-created_at", "-pk"]
    list_select_related = ["made_by"]
    actions = None

    def has_change_permission(self, request: HttpRequest, obj: Import | None = None) -> bool:
        return False  # the rules move an import, nobody edits one

    def has_delete_permission(self, request: HttpRequest, obj: Import | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Import | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_add_permission(request)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return downloads.may_have(request, "list_csv")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("export/", view(self.export_view), name="newsletter_import_export"),
            path("<int:pk>/spalten/", view(self.mapping_view), name="newsletter_import_mapping"),
            path("<int:pk>/bericht.csv", view(self.report_view), name="newsletter_import_report"),
            path(
                "<int:pk>/tun/",
                view(require_POST(self.deed_view)),
                name="newsletter_import_deed",
            ),
        ]
        return [*own, *super().get_urls()]

    @admin.display(description="Ergebnis")
    def result(self, run: Import) -> str:
        counts = run.counts if run.taking_over else run.check_counts
        return ", ".join(f"{number(count)} {label}" for label, count, _ in _table(counts))

    # --- upload -------------------------------------------------------------------------------

    # The CSRF token stands behind the file, so Django must not read the form before the handler
    # that caps the file is in its place; `_upload` then checks the token.
    @method_decorator(csrf_exempt)
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        cap = CappedUpload(request)
        request.upload_handlers.insert(0, cap)
        return self._upload(request, cap)

    @method_decorator(csrf_protect)
    def _upload(self, request: HttpRequest, cap: CappedUpload) -> HttpResponse:
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST":
            form = UploadForm(request.POST, request.FILES)
            if form.is_valid():
                upload = form.cleaned_data["file"]
                by = request.user.pk
                try:
                    run = running.take_in(upload.name, upload, by=by, now=timezone.now())
                except ImportRefused as error:
                    form.add_error("file", error.message)
                else:
                    return redirect("admin:newsletter_import_mapping", run.pk)
            elif cap.is_too_large:
                limit = files.MAX_BYTES // files.MEGABYTE
                form.errors.clear()
                form.add_error(
                    "file",
                    f"Die Datei ist größer als {limit} MB. Teile die Liste in mehrere Dateien.",
                )
        return self._page(
            request,
            "upload",
            {"title": "Liste importieren", "form": form, "admin_form": _as_admin(form)},
        )

    # --- columns ------------------------------------------------------------------------------

    def mapping_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Say what is what; GET shows it as it is read now."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        run = get_object_or_404(Import, pk=pk)
        if not run.may_be_mapped:
            self.message_user(request, running.NotNow.message, messages.WARNING)
            return _to(run)
        if request.method == "POST" and "reread" in request.POST:
            return self._reread(request, run)
        return self._map(request, run)

    def _reread(self, request: HttpRequest, run: Import) -> HttpResponse:
        """Keep another encoding or delimiter and show the file again."""
        for preview in _previews(run):
            form = ReadingForm(request.POST, preview=preview)
            if form.is_valid():
                form.save()
        try:
            run.mapping = running.guess_mapping(run)
        except ImportRefused:
            run.mapping = {}
        run.save(update_fields=["mapping"])
        return redirect("admin:newsletter_import_mapping", run.pk)

    def _map(self, request: HttpRequest, run: Import) -> HttpResponse:
        data = request.POST if request.method == "POST" else None
        previews = _previews(run)
        readings = [ReadingForm(data, preview=preview) for preview in previews]
        headings = list(dict.fromkeys(name for each in previews for name in each.headings))
        mapping = MappingForm(data, headings=headings, mapping=run.mapping)
        provenance = ProvenanceForm(data, instance=run)
        if data is not None and all(f.is_valid() for f in [*readings, mapping, provenance]):
            for reading in readings:
                reading.save()
            try:
                running.begin_check(
                    run,
                    mapping=mapping.mapping(),
                    provenance=provenance.provenance(),
                    now=timezone.now(),
                )
            except NewsletterError as error:
                self.message_user(request, error.message, messages.WARNING)
            return _to(run)
        context = {
            "title": f"Spalten zuordnen: {run.file_name}",
            "run": run,
            "tables": [
                _shown(preview, reading, mapping)
                for preview, reading in zip(previews, readings, strict=True)
            ],
            "mapping": mapping,
            "errors": data is not None,
            "provenance": _as_admin(provenance),
            "is_own": run.mapping.get(portable.CONSENTS) == "consents",
        }
        return self._page(request, "mapping", context)

    # --- how it stands ------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """How the import stands, and what can be done with it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = self.get_object(request, object_id)
        if run is None:
            return redirect("admin:newsletter_import_changelist")
        now = timezone.now()
        counts = run.counts if run.taking_over else run.check_counts
        found = run.progress(now)
        context = {
            "title": run.file_name,
            "run": run,
            "may": self.has_add_permission(request),
            "may_export": may_export(request),
            "table": _table(counts),
            "progress": found,
            "progress_words": progress.in_words(
                found, "Zeilen", total_is_known=run.total is not None
            ),
            "total": number(run.total) if run.total is not None else "",
            "report_until": (run.finished_at or run.created_at) + running.REPORT_LIFE,
            "unproven": counts.get(Outcome.UNPROVEN, 0),
            **_lines(request, run),
            **watching.context(request, moves=run.is_working),
        }
        return watching.again(self._page(request, "status", context), context)

    def deed_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Start, stop, go on or throw away. A second press finds nothing left to do."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        run = get_object_or_404(Import, pk=pk)
        now = timezone.now()
        if "start" in request.POST:
            running.start(run, now=now)
        elif "stop" in request.POST:
            running.stop(run)
        elif "go_on" in request.POST:
            running.go_on(run, now=now)
        elif "discard" in request.POST and running.discard(run):
            self.message_user(request, f"Verworfen: {run.file_name}. Übernommen wurde nichts.")
            return redirect("admin:newsletter_import_changelist")
        return _to(run)

    def report_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Every line with what became of it, as a CSV file."""
        if not (self.has_view_permission(request) and may_export(request)):
            raise PermissionDenied
        run = get_object_or_404(Import, pk=pk)
        return _download(_report_lines(run), exports.CSV_TYPE, f"bericht-import-{run.pk}.csv")

    # --- out ----------------------------------------------------------------------------------

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """The whole list, to take along."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        form = request.POST.get("format") if request.method == "POST" else None
        name = f"newsletter-{timezone.localdate()}"
        people = Subscriber.objects.count()
        if form == "csv":
            return downloads.hand_out_all(request, "list_csv", f"{name}.csv", people)
        if form == "json":
            entries = exports.entries()
            return downloads.hand_out_all(request, "list_json", f"{name}.json", entries)
        if form == "sperren":
            suppressed = Suppression.objects.count()
            return downloads.hand_out_all(
                request, "suppressions", f"{name}-sperren.csv", suppressed
            )
        context = {"title": "Liste exportieren", "count": number(people)}
        return self._page(request, "export", context)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may = {"has_export_permission": self.has_export_permission(request)}
        return super().changelist_view(request, {**(extra_context or {}), **may})

    def _page(self, request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
        whole = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        response = TemplateResponse(request, f"admin/newsletter/import/{name}.html", whole)
        # „Back“ must ask again: what the page offers may be done by now.
        response["Cache-Control"] = "no-store"
        return response


def _to(run: Import) -> HttpResponseRedirect:
    return redirect("admin:newsletter_import_change", run.pk)


def _as_admin(form: forms.BaseForm) -> AdminForm:
    fields: Any = [(None, {"fields": list(form.fields)})]
    # The stubs ask for a ModelForm; the class itself shows any form.
    return AdminForm(cast("Any", form), fields, {})


def _previews(run: Import) -> list[Preview]:
    return [running.preview(file) for file in run.files.all()]


def _shown(preview: Preview, reading: ReadingForm, mapping: MappingForm) -> dict[str, Any]:
    """One file with its choices; each column carries what stands in its first lines."""
    columns = [
        {
            "field": mapping.field_of(heading),
            "heading": heading,
            "values": [row[place][:80] for row in preview.rows if row[place].strip()],
        }
        for place, heading in enumerate(preview.headings)
    ]
    return {
        "file": preview.file,
        "problem": preview.problem,
        "reading": _as_admin(reading),
        "columns": columns,
    }


def _table(counts: dict[str, int]) -> list[tuple[str, int, str]]:
    """Label, count and code of every outcome there is, in the order of the outcomes."""
    return [(str(o.label), counts[o.value], o.value) for o in Outcome if counts.get(o.value)]


def _lines(request: HttpRequest, run: Import) -> dict[str, Any]:
    """The report's lines, some at a time, all or those of one outcome."""
    if run.is_working or run.report_gone:
        return {"rows": [], "numbers": []}
    rows = ImportRow.objects.filter(run=run).order_by("number")
    wanted = request.GET.get("ergebnis", "")
    if wanted in Outcome:
        rows = rows.filter(outcome=wanted)
    page = Paginator(rows, ROWS_A_PAGE).get_page(request.GET.get("seite"))
    names = {file.number: file.name for file in run.files.all()}
    several = len(names) > 1
    return {
        "rows": [(row, names.get(row.file_number, "") if several else "") for row in page],
        "page": page,
        "wanted": wanted if wanted in Outcome else "",
        "several": several,
    }


def _report_lines(run: Import) -> Iterator[str]:
    names = {file.number: file.name for file in run.files.all()}
    yield exports.bom_csv_line(["Datei", "Zeile", "E-Mail-Adresse", "Ergebnis", "Grund"])
    last = 0
    while rows := list(
        ImportRow.objects.filter(run=run, number__gt=last).order_by("number")[: exports.PORTION]
    ):
        for row in rows:
            yield exports.csv_line(
                [
                    names.get(row.file_number, ""),
                    str(row.line),
                    row.address,
                    row.get_outcome_display(),
                    row.reason,
                ]
            )
        last = rows[-1].number


def _download(lines: Iterator[str], content_type: str, name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response
