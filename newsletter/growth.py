"""How the list grows: counted from the consents, which tell when somebody came and when they left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet, Value
from django.db.models.functions import TruncMonth
from django.utils import timezone

from coaching_site import german
from newsletter.models import Consent, Subscriber, Suppression

# Fewer would be true as well, and nobody's reason to join.
SMALLEST_CLAIM = 50
MONTHS_SHOWN = 24
LATELY = timedelta(days=30)

Rows = QuerySet[Any, Any]


@dataclass(frozen=True)
class Month:
    """One month of the list; `readers` at its end, or today."""

    first_day: date
    joined: int
    left: int
    readers: int


@dataclass(frozen=True)
class Figures:
    readers: int
    unreachable: int
    pending: int
    unsubscribed: int
    suppressed: int
    joined_lately: int
    left_lately: int


def claim() -> str:
    """How many read along, rounded down to two digits; "" while there are few. One query.

    Only those whom it reaches: whose mail comes back reads nothing.
    """
    readers = Subscriber.objects.reachable().count()
    if readers < SMALLEST_CLAIM:
        return ""
    unit: int = 10 ** max(len(str(readers)) - 2, 0)
    rounded = readers // unit * unit
    # DIN 5008 sets four digits without a point.
    return german.number(rounded) if rounded >= 10_000 else str(rounded)


def figures(*, now: datetime) -> Figures:
    """How the list stands now, and what thirty days did to it. Two queries."""
    status = Subscriber.Status
    stand = Subscriber.objects.aggregate(
        confirmed=Count("pk", filter=Q(status=status.CONFIRMED)),
        unreachable=Count("pk", filter=Q(status=status.CONFIRMED, unreachable_since__isnull=False)),
        pending=Count("pk", filter=Q(status=status.PENDING)),
        unsubscribed=Count("pk", filter=Q(status=status.UNSUBSCRIBED)),
    )
    blocked = _named(Suppression.objects.all(), "suppressed").annotate(
        rows=Count("address_hash", distinct=True)
    )
    others = [_counted(left_lately(now), "left"), blocked.values_list("what", "rows")]
    counts = dict(_counted(joined_lately(now), "joined").union(*others, all=True))
    return Figures(
        readers=stand["confirmed"] - stand["unreachable"],
        unreachable=stand["unreachable"],
        pending=stand["pending"],
        unsubscribed=stand["unsubscribed"],
        suppressed=counts.get("suppressed", 0),
        joined_lately=counts.get("joined", 0),
        left_lately=counts.get("left", 0),
    )


def joined_lately(now: datetime) -> QuerySet[Consent]:
    """The consents by which somebody came in the last thirty days."""
    return Consent.objects.sign_ups().filter(confirmed_at__gt=now - LATELY)


def left_lately(now: datetime) -> QuerySet[Consent]:
    """The consents that ended in the last thirty days."""
    return Consent.objects.ended().filter(withdrawn_at__gt=now - LATELY)


def months(*, now: datetime) -> list[Month]:
    """The last two years, month by month in the practice's zone; months without change as well. One query.

    Taking an unsubscription back and changing the address are neither coming nor leaving.
    """
    consents = Consent.objects.all()
    came = _by_month(_named(consents.sign_ups(), "joined"), "confirmed_at")
    went = _by_month(_named(consents.ended(), "left"), "withdrawn_at")
    joined: dict[date, int] = {}
    left: dict[date, int] = {}
    for what, month, rows in came.union(went, all=True):
        (joined if what == "joined" else left)[month.date()] = rows
    last = timezone.localdate(now).replace(day=1)
    month = min([*joined, *left, last])
    found: list[Month] = []
    readers = 0
    while month <= last:
        readers += joined.get(month, 0) - left.get(month, 0)
        found.append(Month(month, joined.get(month, 0), left.get(month, 0), readers))
        month = (month + timedelta(days=32)).replace(day=1)
    return found[-MONTHS_SHOWN:]


def _named(rows: Rows, what: str) -> Rows:
    named: Rows = rows.order_by().annotate(what=Value(what))
    return named


def _counted(consents: Rows, what: str) -> Rows:
    counted: Rows = _named(consents, what).values_list("what").annotate(rows=Count("pk"))
    return counted


def _by_month(consents: Rows, field: str) -> Rows:
    counted = consents.filter(**{f"{field}__isnull": False}).annotate(month=TruncMonth(field))
    by_month: Rows = counted.values_list("what", "month").annotate(rows=Count("pk"))
    return by_month
