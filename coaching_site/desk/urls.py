"""Where people see and erase what is stored about them."""

from django.urls import path

from coaching_site.desk import views

app_name = "people"
urlpatterns = [
    path("", views.ask, name="ask"),
    path("unterwegs/", views.sent, name="sent"),
    path("<str:token>/", views.own, name="own"),
    path("<str:token>/alles/", views.everything, name="everything"),
    path("<str:token>/daten.json", views.data_file, name="data_file"),
    path("<str:token>/loeschen/", views.erase, name="erase"),
]
