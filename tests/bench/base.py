"""Starts the server and Django. Import it before anything else of this package."""

from __future__ import annotations

import atexit
import importlib
import os

import django

from tests.bench import cluster


def prepare() -> None:
    cluster().start()
    atexit.register(cluster().stop)
    os.environ["DATABASE_URL"] = cluster().create_database("base")
    os.environ["DJANGO_SETTINGS_MODULE"] = "coaching_site.settings"
    importlib.import_module("tests.environment")
    django.setup()


prepare()
