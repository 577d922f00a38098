from django.apps import AppConfig
from django.contrib.admin import apps


class DeskConfig(AppConfig):
    name = "coaching_site.desk"
    label = "desk"
    verbose_name = "Daten und Änderungen"
    default = True

    def ready(self) -> None:
        from coaching_site.desk import checks  # noqa: F401  (registers the deployment check)
        from coaching_site.desk.backups import checks as of_backups  # noqa: F401


class DeskAdminConfig(apps.AdminConfig):
    """Django's admin with our site class."""

    default = False
    default_site = "coaching_site.desk.site.DeskSite"

    def ready(self) -> None:
        """Users have roles, which the code keeps; nobody reads somebody else's second factor."""
        super().ready()
        from django.contrib import admin
        from django.contrib.auth.models import Group, User
        from django_otp.plugins.otp_totp.models import TOTPDevice

        from coaching_site.desk.user_admin import UserAdmin

        admin.site.unregister([Group, TOTPDevice, User])
        admin.site.register(User, UserAdmin)
