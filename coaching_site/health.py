"""Is the site well? Two questions, for two who ask.

`/healthz`: does this process answer? For whoever sends requests on or starts processes again; a
database that is away is nothing that a new process could mend. `/readyz`: can the whole site do its
work? For whoever calls a person.
"""

from __future__ import annotations

import logging
from functools import cache

from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from psycopg_pool import PoolTimeout

from coaching_site import clock

logger = logging.getLogger(__name__)

# A worker writes its heartbeat every ten seconds.
WORKER_SEEN_WITHIN = "30 seconds"

Name = tuple[str, str]


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200. Asks nothing of anybody else, the database least of all."""
    return JsonResponse({"web": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when all is well and 503 otherwise, with one word for each part."""
    try:
        state = {
            "database": "ok",
            "migrations": "pending" if _known_migrations() - _applied_migrations() else "ok",
            "worker": "ok" if _worker_was_seen() else "missing",
            "clock": "off" if clock.is_off() else "ok",
        }
    except (DatabaseError, PoolTimeout) as error:
        logger.error("The database does not answer (%s).", type(error).__name__)
        state = {
            "database": "unreachable",
            **dict.fromkeys(("migrations", "worker", "clock"), "unknown"),
        }
    well = set(state.values()) == {"ok"}
    return JsonResponse(state, status=200 if well else 503)


@cache
def _known_migrations() -> frozenset[Name]:
    """Those this process's code brings along, by app and name."""
    return frozenset(MigrationLoader(None).disk_migrations)


def _applied_migrations() -> set[Name]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        return {(str(app), str(name)) for app, name in cursor.fetchall()}


def _worker_was_seen() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM procrastinate_workers"
            " WHERE last_heartbeat > now() - %s::interval)",
            [WORKER_SEEN_WITHIN],
        )
        row = cursor.fetchone()
    return bool(row and row[0])
