"""Landing, offer, legal pages and the small files machines ask for."""

from django.urls import path

from pages import views

urlpatterns = [
    path("", views.landing, name="landing"),
    path("angebot/", views.offer, name="offer"),
    path("impressum/", views.imprint, name="imprint"),
    path("datenschutz/", views.privacy, name="privacy"),
    path("agb/", views.terms, name="terms"),
    path("widerruf/", views.withdrawal_notice, name="withdrawal_notice"),
    path("barrierefreiheit/", views.accessibility, name="accessibility"),
]
