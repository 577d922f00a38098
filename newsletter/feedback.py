"""What comes back about a mail, and what follows from it: bounces, complaints, unsubscriptions.

However it is told (by the mail server at once, by a mail to the inbox, by a provider's webhook), each
message is kept once, in the transaction that does what it calls for. The person's row is locked
before anything else, as in every other rule.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction

from newsletter import addresses, dsn, return_paths, subscriptions
from newsletter.dsn import What
from newsletter.models import Delivery, Event, Feedback, Subscriber, Suppression
from newsletter.return_paths import Kind

AT_ONCE, INBOX = "smtp", "inbox"
# Whose mail came back so often lately is not written to any more.
SOFT_BOUNCES, LATELY = 3, 5

_TRIED = (
    Delivery.State.IN_FLIGHT,
    Delivery.State.SENT,
    Delivery.State.FAILED,
    Delivery.State.UNCERTAIN,
)
_BOUNCES = {
    Feedback.Kind.HARD: Delivery.Bounce.HARD,
    Feedback.Kind.SOFT: Delivery.Bounce.SOFT,
}


def note_refusal(delivery: int, *, kind: Feedback.Kind, code: str, now: datetime) -> None:
    """What the mail server said when the mail was handed over (RFC 5321 section 4.2).

    Once for each attempt. Locks the person's row: call it before the delivery itself is locked.
    """
    attempts = Delivery.objects.values_list("attempts", flat=True).get(pk=delivery)
    record(
        source=AT_ONCE,
        event_id=f"{delivery}/{attempts}",
        kind=kind,
        code=code,
        at=now,
        now=now,
        delivery=delivery,
        address=None,
    )


def record(
    *,
    source: str,
    event_id: str,
    kind: Feedback.Kind,
    code: str,
    at: datetime,
    now: datetime,
    delivery: int | None,
    address: str | None,
) -> bool:
    """Keep what came back and do what it calls for; returns whether it was new.

    It is about a delivery, or about the newest one to an address. What is about nobody we know is
    kept as being without meaning, so that it is not looked at again.
    """
    with transaction.atomic():
        person, row = _find(delivery, address)
        known = person is not None or row is not None
        _, is_new = Feedback.objects.get_or_create(
            source=source,
            event_id=event_id,
            defaults={
                "kind": kind if known else Feedback.Kind.OTHER,
                "code": code[:20],
                "at": at,
                "noted_at": now,
                "subscriber": person,
                "delivery": row,
            },
        )
        if is_new and row is not None and source != AT_ONCE:
            _mark(row, kind, at=at)
        if is_new and person is not None:
            _follow(person, row, kind, code=code, at=at, now=now)
        return is_new


def take_in(raw: bytes, *, now: datetime) -> bool:
    """Do what a mail in the inbox calls for; returns whether that was anything new.

    Whoever can write to the mailbox can write a bounce, so only one that names a delivery in our own
    signature counts: by the address it came back to, or by a header of the mail it returns.
    """
    mail = dsn.read(raw)
    named = return_paths.read("\n".join(mail.recipients))
    if mail.what is What.WRITTEN and named is not None and named[0] is Kind.LEAVE:
        kind = Feedback.Kind.LEFT
    elif mail.what in (What.AUTOMATIC, What.WRITTEN):
        return False
    else:
        kind = Feedback.Kind(mail.what.value)
        named = named or return_paths.read(raw.decode("latin-1"))
    if named is None:
        return False
    return record(
        source=INBOX,
        event_id=mail.identity,
        kind=kind,
        code=mail.code,
        at=min(mail.written_at or now, now),
        now=now,
        delivery=named[1],
        address=None,
    )


def deliver_again(public_id: uuid.UUID, *, by: Event.By, now: datetime) -> bool:
    """Write to somebody again whose mail came back; returns whether that was so.

    The reader's own link came by mail, so the mailbox works; the coach may have asked.
    """
    with transaction.atomic():
        person = subscriptions.lock(public_id)
        if person is None or person.unreachable_since is None:
            return False
        person.unreachable_since = None
        person.save(update_fields=["unreachable_since"])
        Suppression.objects.of(person.address_key).filter(
            reason=Suppression.Reason.BOUNCED
        ).delete()
        subscriptions.note(person, Event.Kind.REACHABLE, by=by, now=now)
        return True


def _find(delivery: int | None, address: str | None) -> tuple[Subscriber | None, Delivery | None]:
    """Whose mail it was, their row locked, and which one."""
    if delivery is not None:
        row = Delivery.objects.select_related("subscriber").filter(pk=delivery).first()
        person = row.subscriber if row else None
        return subscriptions.lock(person.public_id) if person else None, row
    try:
        key = addresses.parse(address or "").key
    except addresses.NotAnAddress:
        return None, None
    person = Subscriber.objects.select_for_update().filter(address_key=key).first()
    if person is None:
        return None, None
    to_it = person.deliveries.filter(state__in=_TRIED, address_number=person.address_number)
    return person, to_it.order_by("-pk").first()


def _mark(row: Delivery, kind: Feedback.Kind, *, at: datetime) -> None:
    """The ledger's note of it. The worst stays; refusals at once are told by the state."""
    rows = Delivery.objects.filter(pk=row.pk)
    if kind in _BOUNCES:
        worse = rows.exclude(bounce=Delivery.Bounce.HARD)
        worse.update(bounce=_BOUNCES[kind], bounced_at=at)
    elif kind == Feedback.Kind.COMPLAINT:
        rows.filter(complained_at__isnull=True).update(complained_at=at)


def _follow(
    person: Subscriber,
    row: Delivery | None,
    kind: Feedback.Kind,
    *,
    code: str,
    at: datetime,
    now: datetime,
) -> None:
    issue = row.issue_id if row else 0
    if kind == Feedback.Kind.LEFT:
        # As with the link of the same mail: it stays the way out after a change of address.
        subscriptions.unsubscribe(person.public_id, issue=issue, now=now)
    elif row is not None and row.address_number != person.address_number:
        return  # an older mailbox says nothing of today's, and may belong to somebody else
    elif kind == Feedback.Kind.COMPLAINT:
        _end_for_good(person, now=now)
    elif _is_gone(person, kind, sent_at=(row.sent_at if row else None) or at):
        _stop_writing(person, code=code, now=now)


def _end_for_good(person: Subscriber, *, now: datetime) -> None:
    """What a complaint does: „that is spam“ is also a no to every mail to come."""
    Suppression.objects.add(person.address_key, Suppression.Reason.COMPLAINT, now=now)
    subscriptions.unsubscribe(person.public_id, now=now, by=Event.By.SYSTEM)
    subscriptions.note(person, Event.Kind.COMPLAINED, by=Event.By.SYSTEM, now=now)


def _stop_writing(person: Subscriber, *, code: str, now: datetime) -> None:
    Suppression.objects.add(person.address_key, Suppression.Reason.BOUNCED, now=now)
    if person.unreachable_since is None:
        person.unreachable_since = now
        person.save(update_fields=["unreachable_since"])
        subscriptions.note(person, Event.Kind.UNREACHABLE, by=Event.By.SYSTEM, now=now, detail=code)


def _is_gone(person: Subscriber, kind: Feedback.Kind, *, sent_at: datetime) -> bool:
    if kind not in _BOUNCES or sent_at <= _last_proof(person):
        return False
    return kind == Feedback.Kind.HARD or _came_back_often(person)


def _came_back_often(person: Subscriber) -> bool:
    tried = person.deliveries.filter(state__in=_TRIED, address_number=person.address_number)
    lately = list(tried.order_by("-pk").values_list("pk", flat=True)[:LATELY])
    soft = Feedback.objects.filter(
        delivery__in=lately, kind=Feedback.Kind.SOFT, at__gt=_last_proof(person)
    )
    return soft.values("delivery").distinct().count() >= SOFT_BOUNCES


def _last_proof(person: Subscriber) -> datetime:
    """When the mailbox last proved to work: what came back of earlier mail is overtaken."""
    lifted = person.events.filter(kind=Event.Kind.REACHABLE).order_by("-at").first()
    times = [person.confirmed_at or person.created_at, *([lifted.at] if lifted else [])]
    return max(times)
