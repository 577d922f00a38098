"""Removes somebody's second factor, for when app and recovery codes are both lost."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from coaching_site.desk import audit, two_factor


class Command(BaseCommand):
    help = (
        "Removes a user's app and recovery codes; whoever has the password sets up the next one, "
        "so make sure it is them who ask. Safe to repeat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, **options: Any) -> None:
        name = options["username"]
        user = get_user_model().objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no user {name!r}.")
        with audit.by("manage.py"):
            removed = two_factor.remove(user)
        self.stdout.write("Removed." if removed else "There was nothing to remove.")
