"""Pages people read, files machines ask for, and what is shown when something goes wrong."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from urllib.parse import quote

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views import static
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from booking import availability
from booking.models import CallType
from coaching_site import counters, kept
from newsletter.models import Issue
from pages import legal, structured_data
from pages.legal import LegalVersion
from pages.legal_models import LegalText
from pages.models import DailyCount, Practice, Testimonial

logger = logging.getLogger(__name__)

Kind = LegalText.Kind

SUMMARIES = {
    Kind.IMPRINT: "Wer diese Seite betreibt und wie du den Anbieter schnell erreichst: Name, Anschrift, E-Mail, Telefon.",
    Kind.PRIVACY: "Welche Daten diese Seite verarbeitet, wozu, wie lange, und welche Rechte du hast.",
    Kind.TERMS: "Die Bedingungen für gebuchte Gespräche: Vertragsschluss, Leistung, Preis, Absagen.",
    Kind.WITHDRAWAL: "Das gesetzliche Widerrufsrecht für Verbraucherinnen und Verbraucher und das Muster-Widerrufsformular.",
    Kind.ACCESSIBILITY: "Wie zugänglich diese Seite ist, was wir geprüft haben und wo du Barrieren melden kannst.",
}
FILES = {
    Kind.TERMS: "agb",
    Kind.WITHDRAWAL: "widerrufsbelehrung",
    Kind.PRIVACY: "datenschutzerklaerung",
}
WITH_PDF = (Kind.TERMS, Kind.WITHDRAWAL)

SECURITY_TXT_LIFE = timedelta(days=180)
ISSUES_SHOWN = 3
# In bytes: asked for more, the file system fails instead of finding nothing.
LONGEST_NAME = 255

# What stands behind the „?“ of these pages' addresses changes nothing.
same_for_everyone = kept.until_it_changes(query_counts=False)


@require_safe
@kept.until_it_changes(query_counts=False, shown=counters.counting(DailyCount.What.LANDING))
def landing(request: HttpRequest) -> HttpResponse:
    calls = list(CallType.objects.offered())
    call = next((call for call in calls if call.is_bookable), None)
    context: dict[str, object] = {
        "call": call,
        "json_ld": structured_data.home(Practice.current(), call),
        "issues": Issue.objects.published().defer("body")[:ISSUES_SHOWN],
        "testimonials": Testimonial.objects.published(),
        "next_start": None,
        "zone": None,
    }
    if call is not None:
        soonest = availability.next_offers(call, count=1, now=timezone.now())
        context["next_start"] = soonest[0].start if soonest else None
        context["zone"] = call.calendar.tz
    return _likely_next(render(request, "pages/landing.html", context))


@require_safe
@same_for_everyone
def offer(request: HttpRequest) -> HttpResponse:
    calls = list(CallType.objects.offered())
    json_ld = structured_data.service(Practice.current(), calls)
    return _likely_next(render(request, "pages/offer.html", {"calls": calls, "json_ld": json_ld}))


def _likely_next(answer: HttpResponse) -> HttpResponse:
    """Let browsers fetch the next page when somebody is about to open it, and nothing before.

    The rules (WICG Speculation Rules) name pages to read alone, never one that sets a cookie. They
    stand in the header itself: a file of their own would be asked for while the page still loads.
    """
    days = reverse("booking:days")
    matches = [days, f"{days}:art/", reverse("offer")]
    where = {"href_matches": matches, "relative_to": "document"}
    rules = json.dumps({"prefetch": [{"where": where, "eagerness": "moderate"}]})
    answer["Speculation-Rules"] = f'"data:application/speculationrules+json,{quote(rules)}"'
    return answer


@require_safe
@same_for_everyone
def legal_text(request: HttpRequest, kind: Kind) -> HttpResponse:
    """A paper as it holds today, or its start text, marked as a draft."""
    return _paper(request, legal.current(kind), is_current=True)


@require_safe
@same_for_everyone
def legal_version(request: HttpRequest, kind: Kind, number: int) -> HttpResponse:
    """One version by its number: what old mails link to."""
    text = legal.version(kind, number)
    if text is None:
        raise Http404
    return _paper(request, text, is_current=text == legal.current(kind))


@require_safe
@cache_control(public=True, max_age=300)
def legal_pdf(request: HttpRequest, kind: Kind) -> HttpResponse:
    return _pdf(legal.current(kind))


@require_safe
@cache_control(public=True, max_age=86400)
def legal_version_pdf(request: HttpRequest, kind: Kind, number: int) -> HttpResponse:
    text = legal.version(kind, number)
    if text is None:
        raise Http404
    return _pdf(text)


def _paper(request: HttpRequest, text: LegalVersion, *, is_current: bool) -> HttpResponse:
    context = {
        "text": text,
        "title": text.title.replace("\u00ad", ""),
        "summary": SUMMARIES[text.kind],
        "state": legal.state_line(text),
        "is_current": is_current,
        "page": legal.PAGES[text.kind],
        "pdf": _pdf_address(text, is_current=is_current),
    }
    return render(request, "pages/paper.html", context)


def _pdf_address(text: LegalVersion, *, is_current: bool) -> str:
    """Where the page's text is a file; the imprint and a few others are none."""
    if not is_current:
        return reverse(f"{legal.PAGES[text.kind]}_version_pdf", args=[text.number])
    return reverse(f"{legal.PAGES[text.kind]}_pdf") if text.kind in WITH_PDF else ""


def _pdf(text: LegalVersion) -> HttpResponse:
    name = f"{FILES[text.kind]}-{text.number or 'entwurf'}.pdf"
    response = HttpResponse(legal.pdf_of(text), content_type="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="{name}"'
    response.headers["X-Robots-Tag"] = "noindex"
    return response


# --- files machines ask for -------------------------------------------------------------------


@require_safe
def robots_txt(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/robots.txt", content_type="text/plain; charset=utf-8")


@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Where to report a weakness (RFC 9116; Expires less than a year ahead)."""
    context = {
        "contact": Practice.current().email or settings.COACH_EMAIL,
        "expires": (timezone.now() + SECURITY_TXT_LIFE).strftime("%Y-%m-%dT00:00:00Z"),
    }
    return render(request, "pages/security.txt", context, content_type="text/plain; charset=utf-8")


@require_safe
@cache_control(public=True, max_age=86400)
def favicon(request: HttpRequest) -> FileResponse:
    """Browsers ask for it at this address whatever the page says."""
    path = finders.find("favicon.ico")
    if path is None:
        raise Http404
    return FileResponse(open(path, "rb"), content_type="image/x-icon")


@require_safe
@cache_control(public=True, max_age=31536000, immutable=True)
def media(request: HttpRequest, path: str) -> HttpResponse:
    """Pictures the coach uploaded. Their names carry a hash of their content."""
    if len(path.encode(errors="replace")) > LONGEST_NAME:
        raise Http404
    response = static.serve(request, path, document_root=str(settings.MEDIA_ROOT))
    assert isinstance(response, HttpResponse | FileResponse)
    return response  # type: ignore[return-value]


# --- when something goes wrong ----------------------------------------------------------------


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form came without its token. Public forms may be sent again with all that was typed."""
    resend = None
    if not request.path.startswith("/verwaltung/"):
        resend = [
            (name, value)
            for name, values in request.POST.lists()
            for value in values
            if name != "csrfmiddlewaretoken"
        ]
    return render(request, "403.html", {"resend": resend}, status=403)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "403.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "404.html", status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "400.html", status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Works without the database: the operator's address is shown only if it can be read."""
    try:
        context = {"practice": Practice.current()}
    except Exception:
        logger.exception("The error page could not read the practice.")
        context = {}
    return HttpResponse(render_to_string("500.html", context), status=500)
