"""The list's addresses. A link cut badly by a mail program still finds its page."""

from django.urls import path

from newsletter.views import archive, joining, leaving, preferences

app_name = "newsletter"
urlpatterns = [
    path("", joining.subscribe, name="subscribe"),
    path("postfach/", joining.check_mailbox, name="check_mailbox"),
    path("willkommen/<str:token>/", joining.welcome, name="welcome"),
    path("bestaetigen/<str:token>/neu/", joining.ask_again, name="ask_again"),
    path("bestaetigen/<str:token>/", joining.confirm, name="confirm"),
    path("bestaetigen/<path:token>", joining.confirm),
    path("abmelden/<str:token>/zurueck/", leaving.come_back, name="come_back"),
    path("abmelden/<str:token>/", leaving.unsubscribe, name="unsubscribe"),
    path("abmelden/<path:token>", leaving.unsubscribe),
    path("archiv/", archive.index, name="archive"),
    path("archiv/<slug:slug>/", archive.issue, name="issue"),
    path("feed.xml", archive.feed, name="feed"),
    path("link/", preferences.lost_link, name="lost_link"),
    path("link/unterwegs/", preferences.link_sent, name="link_sent"),
    path("einstellungen/<str:token>/", preferences.overview, name="preferences"),
    path("einstellungen/<str:token>/adresse/", preferences.change_address, name="change_address"),
    path("einstellungen/<str:token>/postfach/", preferences.new_mailbox, name="new_mailbox"),
    path("einstellungen/<str:token>/daten/", preferences.data, name="data"),
    path("einstellungen/<str:token>/daten.json", preferences.data_file, name="data_file"),
    path("einstellungen/<str:token>/loeschen/", preferences.erase, name="erase"),
    path("einstellungen/<path:token>", preferences.overview),
    path("adresse/<str:token>/", preferences.move, name="move"),
    path("adresse/<path:token>", preferences.move),
]
