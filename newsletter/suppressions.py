"""Who must get nothing: asked by every import and before every sending, and set by the coach."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from newsletter import subscriptions
from newsletter.models import Event, Subscriber, Suppression


def is_blocked(address_key: str) -> bool:
    blocked = Suppression.objects.of(address_key).filter(reason=Suppression.Reason.BLOCKED)
    return blocked.exists()


def block(address_key: str, *, now: datetime) -> None:
    """The coach's no: whoever is on the list leaves it, and no sign-up is answered."""
    with transaction.atomic():
        subscriber = Subscriber.objects.filter(address_key=address_key).first()
        if subscriber is not None:
            subscriptions.unsubscribe(subscriber.public_id, now=now, by=Event.By.COACH)
            subscriber = subscriptions.lock(subscriber.public_id)
        Suppression.objects.add(address_key, Suppression.Reason.BLOCKED, now=now)
        if subscriber is not None:
            subscriptions.note(subscriber, Event.Kind.BLOCKED, by=Event.By.COACH, now=now)


def unblock(address_key: str, *, now: datetime) -> bool:
    """Take the coach's own no back; says whether there was one. Nobody is put on the list by it."""
    with transaction.atomic():
        blocked = Suppression.objects.of(address_key).filter(reason=Suppression.Reason.BLOCKED)
        deleted, _ = blocked.delete()
        subscriber = Subscriber.objects.filter(address_key=address_key).first()
        if deleted and subscriber is not None:
            subscriptions.note(subscriber, Event.Kind.UNBLOCKED, by=Event.By.COACH, now=now)
        return bool(deleted)
