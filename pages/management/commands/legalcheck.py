"""Says what the law still misses on this site. Exit code 1 if something must be mended."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from pages import compliance


class Command(BaseCommand):
    help = (
        "Names missing data, drafts, dead links, what is overdue to people, and tax and payment "
        "modes. Names nobody and changes nothing."
    )

    def handle(self, **options: Any) -> None:
        found = compliance.findings(now=timezone.now())
        for finding in found:
            self.stdout.write(f"{'MUSS' if finding.is_duty else 'SOLL'}  {finding.sentence}")
        for sentence in compliance.settings_in_words():
            self.stdout.write(f"INFO  {sentence}")
        if any(finding.is_duty for finding in found):
            raise SystemExit(1)
        self.stdout.write("Nichts, was sein muss, fehlt.")
