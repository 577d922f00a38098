"""How the list grows: counted from the consents, which tell when somebody came and when they left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, QuerySet
from django.db.models.functions import TruncMonth
from django.utils import timezone

from coaching_site import german
from newsletter.models import Consent, Subscriber, Suppression

# Fewer would be true as well, and nobody's reason to join.
SMALLEST_CLAIM = 50
MONTHS_SHOWN = 24
LATELY = timedelta(days=30)


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
    by_status = dict(Subscriber.objects.values_list("status").annotate(rows=Count("pk")).order_by())
    since = now - LATELY
    reachable = Subscriber.objects.reachable().count()
    return Figures(
        readers=reachable,
        unreachable=by_status.get(Subscriber.Status.CONFIRMED, 0) - reachable,
        pending=by_status.get(Subscriber.Status.PENDING, 0),
        unsubscribed=by_status.get(Subscriber.Status.UNSUBSCRIBED, 0),
        suppressed=Suppression.objects.values("address_hash").distinct().count(),
        joined_lately=Consent.objects.sign_ups().filter(confirmed_at__gt=since).count(),
        left_lately=Consent.objects.ended().filter(withdrawn_at__gt=since).count(),
    )


def months(*, now: datetime) -> list[Month]:
    """The last two years, month by month in the practice's zone; months without change as well.

    Taking an unsubscription back and changing the address are neither coming nor leaving.
    """
    consents = Consent.objects.all()
    joined = _by_month(consents.sign_ups(), "confirmed_at")
    left = _by_month(consents.ended(), "withdrawn_at")
    last = timezone.localdate(now).replace(day=1)
    month = min([*joined, *left, last])
    found: list[Month] = []
    readers = 0
    while month <= last:
        readers += joined.get(month, 0) - left.get(month, 0)
        found.append(Month(month, joined.get(month, 0), left.get(month, 0), readers))
        month = (month + timedelta(days=32)).replace(day=1)
    return found[-MONTHS_SHOWN:]


def _by_month(consents: QuerySet[Consent], field: str) -> dict[date, int]:
    counted = (
        consents.filter(**{f"{field}__isnull": False})
        .annotate(month=TruncMonth(field))
        .values_list("month")
        .annotate(rows=Count("pk"))
        .order_by()
    )
    return {month.date(): rows for month, rows in counted}
