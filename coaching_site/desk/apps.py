from django.apps import AppConfig
from django.contrib.admin import apps


class DeskConfig(AppConfig):
    name = "coaching_site.desk"
    label = "desk"
    verbose_name = "Schreibtisch"
    default = True


class DeskAdminConfig(apps.AdminConfig):
    """Django's admin with our site class."""

    default = False
    default_site = "coaching_site.desk.site.DeskSite"
