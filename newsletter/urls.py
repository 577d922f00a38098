from django.http import HttpResponse
from django.urls import path

app_name = "newsletter"
urlpatterns = [path("", lambda _: HttpResponse("soon"), name="subscribe")]
