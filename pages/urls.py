"""Landing, offer, legal pages and the small files machines ask for."""

from django.contrib.sitemaps.views import sitemap
from django.urls import URLPattern, path

from pages import views
from pages.legal_models import LegalText
from pages.sitemaps import SITEMAPS

Kind = LegalText.Kind


def _archive(address: str, name: str, kind: Kind) -> list[URLPattern]:
    """Where every version of a text stays, and its file."""
    given = {"kind": kind}
    start = f"{address}/fassung/<int:number>"
    return [
        path(f"{start}/", views.legal_version, given, name=f"{name}_version"),
        path(f"{start}.pdf", views.legal_version_pdf, given, name=f"{name}_version_pdf"),
    ]


urlpatterns = [
    path("", views.landing, name="landing"),
    path("angebot/", views.offer, name="offer"),
    path("impressum/", views.legal_text, {"kind": Kind.IMPRINT}, name="imprint"),
    path("datenschutz/", views.legal_text, {"kind": Kind.PRIVACY}, name="privacy"),
    path("agb/", views.legal_text, {"kind": Kind.TERMS}, name="terms"),
    path("widerruf/", views.legal_text, {"kind": Kind.WITHDRAWAL}, name="withdrawal_notice"),
    path("barrierefreiheit/", views.legal_text, {"kind": Kind.ACCESSIBILITY}, name="accessibility"),
    path("agb.pdf", views.legal_pdf, {"kind": Kind.TERMS}, name="terms_pdf"),
    path(
        "widerrufsbelehrung.pdf",
        views.legal_pdf,
        {"kind": Kind.WITHDRAWAL},
        name="withdrawal_notice_pdf",
    ),
    *_archive("agb", "terms", Kind.TERMS),
    *_archive("widerruf", "withdrawal_notice", Kind.WITHDRAWAL),
    *_archive("datenschutz", "privacy", Kind.PRIVACY),
    path("robots.txt", views.robots_txt, name="robots"),
    path("sitemap.xml", sitemap, {"sitemaps": SITEMAPS}, name="sitemap"),
    path(".well-known/security.txt", views.security_txt, name="security_txt"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("media/<path:path>", views.media, name="media"),
]
