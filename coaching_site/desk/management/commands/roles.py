"""Keeps what „Coach“ and „Assistenz“ may do as the code says. Safe to run after every migration."""

from __future__ import annotations

from django.core.management.base import BaseCommand

from coaching_site.desk import roles


class Command(BaseCommand):
    help = "Makes the roles Coach and Assistenz and gives them their permissions. Safe to repeat."

    def handle(self, *, verbosity: int, **options: object) -> None:
        kept = roles.keep()
        if verbosity:
            self.stdout.write(" ".join(f"{name}={count}" for name, count in kept.items()))
