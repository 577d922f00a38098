"""Landing, offer, legal pages and the small files machines ask for."""

from django.contrib.sitemaps.views import sitemap
from django.urls import path

from pages import views
from pages.sitemaps import SITEMAPS

urlpatterns = [
    path("", views.landing, name="landing"),
    path("angebot/", views.offer, name="offer"),
    path("impressum/", views.imprint, name="imprint"),
    path("datenschutz/", views.privacy, name="privacy"),
    path("agb/", views.terms, name="terms"),
    path("widerruf/", views.withdrawal_notice, name="withdrawal_notice"),
    path("barrierefreiheit/", views.accessibility, name="accessibility"),
    path("robots.txt", views.robots_txt, name="robots"),
    path("sitemap.xml", sitemap, {"sitemaps": SITEMAPS}, name="sitemap"),
    path(".well-known/security.txt", views.security_txt, name="security_txt"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("media/<path:path>", views.media, name="media"),
]
