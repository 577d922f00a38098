from django.apps import AppConfig
from django.contrib.admin import apps


class DeskConfig(AppConfig):
    name = "coaching_site.desk"
    label = "desk"
    verbose_name = "Schreibtisch"
    default = True

    def ready(self) -> None:
        from coaching_site.desk import checks  # noqa: F401  (registers the deployment check)


class DeskAdminConfig(apps.AdminConfig):
    """Django's admin with our site class."""

    default = False
    default_site = "coaching_site.desk.site.DeskSite"

    def ready(self) -> None:
        """Nobody sets up or reads somebody else's second factor."""
        super().ready()
        from django.contrib import admin
        from django_otp.plugins.otp_totp.models import TOTPDevice

        admin.site.unregister(TOTPDevice)
