"""Asks Stripe about every payment and refund that is not certain yet."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from booking import checkout
from booking.errors import PaymentsRefused


class Command(BaseCommand):
    help = "Settles what Stripe knows and we do not. Safe to repeat; fails if Stripe is away."

    def handle(self, **options: Any) -> None:
        try:
            done = checkout.reconcile(now=timezone.now())
        except PaymentsRefused as error:
            raise CommandError(f"Stripe refused to answer: {error.code}.") from None
        self.stdout.write(str(done))
        if done.is_away:
            raise SystemExit(1)
