"""`/healthz`: does the database answer, and has a worker been seen lately?"""

from __future__ import annotations

import logging

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from psycopg_pool import PoolTimeout

logger = logging.getLogger(__name__)

# A worker writes its heartbeat every ten seconds.
WORKER_SEEN_WITHIN = "30 seconds"


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when both are well and 503 otherwise, with one word for each."""
    state = {"database": "ok", "worker": "ok"}
    try:
        if not _worker_was_seen():
            state["worker"] = "missing"
    except (DatabaseError, PoolTimeout) as error:
        logger.error("Health check: the database does not answer (%s).", type(error).__name__)
        state = {"database": "unreachable", "worker": "unknown"}
    well = set(state.values()) == {"ok"}
    return JsonResponse(state, status=200 if well else 503)


def _worker_was_seen() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM procrastinate_workers"
            " WHERE last_heartbeat > now() - %s::interval)",
            [WORKER_SEEN_WITHIN],
        )
        row = cursor.fetchone()
    return bool(row and row[0])
