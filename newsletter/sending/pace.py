"""How many mails may leave now: sliding windows over the ledger, the same for all workers and hosts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from newsletter.models import Delivery, Pace

# Any number that no other lock has.
LOCK = 7_305_112

State = Delivery.State


@dataclass(frozen=True)
class Allowance:
    """So many mails may be begun now; if none, how long to wait."""

    mails: int
    wait: timedelta = timedelta()


def allowance(wanted: int, *, now: datetime) -> Allowance:
    """What the limits leave of so many mails. Without limits, all of them.

    Call it in the transaction that claims: until its end nobody else counts.
    """
    limits = Pace.current().limits()
    if not limits:
        return Allowance(wanted)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    left, wait = wanted, timedelta()
    for window, limit in limits:
        # What is claimed and not begun yet will be, so it counts however long ago that was.
        begun = Delivery.objects.filter(
            Q(claimed_at__gt=now - window) | Q(state__in=[State.CLAIMED, State.IN_FLIGHT]),
            claimed_at__isnull=False,
        )
        used = begun.count()
        if used < limit:
            left = min(left, limit - used)
            continue
        left = 0
        frees = begun.order_by("claimed_at").values_list("claimed_at", flat=True)[used - limit]
        assert frees is not None
        wait = max(wait, frees + window - now)
    return Allowance(left, wait)
