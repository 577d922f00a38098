"""The list's addresses. A link cut badly by a mail program still finds its page."""

from django.urls import path

from newsletter import views

app_name = "newsletter"
urlpatterns = [
    path("", views.subscribe, name="subscribe"),
    path("postfach/", views.check_mailbox, name="check_mailbox"),
    path("willkommen/", views.welcome, name="welcome"),
    path("bestaetigen/<str:token>/", views.confirm, name="confirm"),
    path("bestaetigen/<path:token>", views.confirm),
    path("abmelden/<str:token>/", views.unsubscribe, name="unsubscribe"),
    path("abmelden/<path:token>", views.unsubscribe),
]
