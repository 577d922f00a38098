from django.http import HttpResponse
from django.urls import path

app_name = "booking"
urlpatterns = [path("", lambda _: HttpResponse("soon"), name="days")]
