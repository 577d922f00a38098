"""An issue that has begun, in a database of its own: `python -m tests.sending_ground READERS [CONNECTIONS]`.

Migrates the database DATABASE_URL names, writes so many readers and starts an issue to them; prints
how many seconds freezing took.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from typing import Any

import django
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

# A million in seconds; they share a consent, which no constraint minds.
MORE = """
    INSERT INTO newsletter_subscriber
        (public_id, address, address_key, name, status, consent_id, created_at, confirmed_at)
    SELECT gen_random_uuid(), 'leser' || n || '@firma' || n %% 997 || '.example',
        'leser' || n || '@firma' || n %% 997 || '.example', 'Jörg' || n || ' Müller', 'confirmed',
        %s, '2026-05-04 08:00+00', '2026-05-04 08:00+00'
    FROM generate_series(1, %s) n
"""


def main(count: int, connections: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "coaching_site.settings"
    django.setup()
    call_command("migrate", verbosity=0)
    sys.stdout.write(f"{ground(count, connections):.3f}\n")


def ground(count: int, connections: int) -> float:
    issues: Any = importlib.import_module("tests.newsletter.issues")
    models: Any = importlib.import_module("newsletter.models")
    running: Any = importlib.import_module("newsletter.sending.running")
    (first,) = issues.readers(1)
    with connection.cursor() as cursor:
        cursor.execute(MORE, [first.consent_id, count - 1])
        cursor.execute("ANALYZE")
    models.Pace.objects.update_or_create(pk=1, defaults={"connections": connections})
    now = timezone.now()
    issue = running.schedule(
        issues.draft(body=issues.LETTER).pk, at=None, now=now - 2 * running.UNDO
    )
    begun = time.perf_counter()
    assert running.start(issue.pk, now=now)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 8)
