"""Every address of the site. German words, because visitors read them."""

from django.contrib import admin
from django.urls import include, path

from booking.views.paying import webhook
from coaching_site.health import healthz

urlpatterns = [
    path("", include("pages.urls")),
    path("termin/", include("booking.urls")),
    path("newsletter/", include("newsletter.urls")),
    path("stripe/webhook/", webhook, name="stripe_webhook"),
    path("verwaltung/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
]

handler400 = "pages.views.bad_request"
handler403 = "pages.views.forbidden"
handler404 = "pages.views.not_found"
handler500 = "pages.views.server_error"
