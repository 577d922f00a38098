"""Every address of the site. German words, because visitors read them."""

from django.contrib import admin
from django.urls import include, path

from booking.views import withdrawing
from booking.views.paying import webhook
from coaching_site.health import healthz, readyz
from newsletter.webhooks import tracking as mail_tracking

urlpatterns = [
    path("datenschutz/meine-daten/", include("coaching_site.desk.urls")),
    path("", include("pages.urls")),
    path("termin/", include("booking.urls")),
    path("vertrag-widerrufen/", withdrawing.withdraw, name="withdraw"),
    path("vertrag-widerrufen/eingegangen/<str:token>/", withdrawing.withdrawn, name="withdrawn"),
    path("newsletter/", include("newsletter.urls")),
    path("stripe/webhook/", webhook, name="stripe_webhook"),
    path("anymail/<slug:provider>/tracking/", mail_tracking, name="mail_tracking"),
    path("verwaltung/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]

handler400 = "pages.views.bad_request"
handler403 = "pages.views.forbidden"
handler404 = "pages.views.not_found"
handler500 = "pages.views.server_error"
