"""What people do behind their own signed link: change the address, see everything, erase everything.

The link proves whose mailbox it was sent to. A new address proves itself, by a link of its own; until
then nothing changes. Whether an address is known here, nobody learns from any answer.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q, TextField, Value
from django.db.models.functions import Cast, Concat

from coaching_site import jobs
from coaching_site.append_only import erasing
from coaching_site.stored import as_json as as_json
from coaching_site.stored import fields as _fields
from newsletter import addresses, subscriptions, tokens
from newsletter.addresses import Address
from newsletter.errors import LinkGone
from newsletter.imports import forgetting
from newsletter.models import (
    ConfirmLink,
    Consent,
    Event,
    Subscriber,
    Suppression,
    suppression_hashes,
)
from newsletter.subscriptions import LinkState, lock, note, note_request, put_on_the_list, take_off
from pages.consent import ConsentText

# What of a delivery is about our senders or says the same again, and nothing about the person.
OF_THE_SENDING = ("id", "issue", "subscriber", "claimed_by", "claimed_at", "next_try_at")
# Somebody may sign up with the new address at the very moment it is confirmed here.
ROUNDS = 3


def owner_of(token: str) -> Subscriber | None:
    """Whose preferences this link opens. Links from before a change of address open nothing."""
    read = tokens.read_preferences_token(token)
    if read is None:
        return None
    public_id, number = read
    return Subscriber.objects.filter(public_id=public_id, address_number=number).first()


# --- a lost link ---


def ask_for_link(address: Address, *, may_answer: bool, now: datetime) -> None:
    """Mail somebody the link to their preferences, if we know them. Asks and starts the same anyhow."""
    with transaction.atomic():
        known = Subscriber.objects.filter(address_key=address.key).values_list("pk", flat=True)
        pk = known.first() or 0
        jobs.enqueue(
            "newsletter.send_link", subscriber=pk if may_answer else 0, asked_at=now.isoformat()
        )


def link_is_owed(subscriber: Subscriber, asked_at: datetime) -> bool:
    sent = subscriber.events.filter(kind=Event.Kind.LINK_MAIL, at__gte=asked_at)
    return not sent.exists() and not subscriptions.is_silenced(subscriber.address_key)


def note_link_mail(subscriber: Subscriber, *, now: datetime) -> None:
    _note_if_there(subscriber.public_id, Event.Kind.LINK_MAIL, now=now)


# --- another address ---


def ask_to_move(
    subscriber: Subscriber,
    new: Address,
    *,
    consent: ConsentText,
    page: str,
    may_answer: bool,
    now: datetime,
    network: str = "",
) -> None:
    """Note the wish for another address; a mail there asks its owner. Until then nothing changes.

    A known, a pending and a suppressed address are treated as any other here.
    """
    with transaction.atomic():
        reader = lock(subscriber.public_id)
        wish = 0
        is_new = reader is not None and _is_reader(reader) and reader.address_key != new.key
        if reader is not None and is_new and may_answer:
            wish = note_request(
                reader,
                new,
                consent=consent,
                page=page,
                network=network,
                now=now,
                replaces=reader.consent,
            ).pk
        jobs.enqueue("newsletter.ask_new_address", request=wish)


def open_wish(request: int) -> Consent | None:
    """The wish for another address, while it waits and its owner may be asked."""
    wish = Consent.objects.open().moves().select_related("subscriber").filter(pk=request).first()
    if wish is None or subscriptions.is_silenced(addresses.parse(wish.address).key):
        return None
    return wish


def was_asked(wish: Consent) -> bool:
    """Whether the new address has its mail already."""
    assert wish.subscriber is not None
    return wish.subscriber.events.filter(kind=Event.Kind.MOVE_MAIL, detail=_name(wish)).exists()


def new_move_link(wish: Consent, *, now: datetime) -> tuple[str, datetime] | None:
    """A link that confirms the new address; None if the wish is gone or too old."""
    with transaction.atomic():
        assert wish.subscriber is not None
        if lock(wish.subscriber.public_id) is None or not _still_open(wish):
            return None
        return subscriptions.new_link(wish, now=now)


def note_move_mail(wish: Consent, *, now: datetime) -> None:
    assert wish.subscriber is not None
    kind = Event.Kind.MOVE_MAIL
    _note_if_there(wish.subscriber.public_id, kind, now=now, detail=_name(wish))


def move_link_state(token: str, *, now: datetime) -> LinkState:
    """What pressing the button of this link would do. Never writes."""
    link = _move_link(token)
    if link is None or link.expires_at <= now or link.consent.subscriber is None:
        return LinkState.GONE
    if link.consent.confirmed_at is not None:
        is_current = link.consent.subscriber.consent_id == link.consent_id
        return LinkState.USED if is_current else LinkState.GONE
    return LinkState.OPEN if _is_reader(link.consent.subscriber) else LinkState.GONE


def move(token: str, *, now: datetime) -> Subscriber:
    """Send the newsletter to the new address from now on. Doing it twice changes nothing.

    Returns the row that has the address now: if it had one already, that one stays and the old one
    leaves the list. Raises LinkGone.
    """
    for left in reversed(range(ROUNDS)):
        try:
            with transaction.atomic():
                return _move(token, now=now)
        except IntegrityError:
            if not left:
                raise
    raise LinkGone


def _move(token: str, *, now: datetime) -> Subscriber:
    link = _move_link(token)
    if link is None or link.expires_at <= now or link.consent.subscriber is None:
        raise LinkGone
    new = addresses.parse(link.consent.address)
    # Both rows in one order, so that two who swap their addresses do not wait for each other.
    rows = Subscriber.objects.select_for_update().filter(
        Q(pk=link.consent.subscriber_id) | Q(address_key=new.key)
    )
    found = {row.pk: row for row in rows.order_by("pk")}
    reader = found.pop(link.consent.subscriber_id or 0, None)
    other = next(iter(found.values()), None)
    wish = Consent.objects.filter(pk=link.consent_id).first()
    if reader is None or wish is None or not _is_reader(reader):
        raise LinkGone
    if wish.confirmed_at is not None:
        if reader.consent_id == wish.pk:
            return reader
        raise LinkGone
    if subscriptions.is_silenced(new.key):
        raise LinkGone
    return _merge(reader, other, wish, now=now) if other else _rename(reader, new, wish, now=now)


def _rename(reader: Subscriber, new: Address, wish: Consent, *, now: datetime) -> Subscriber:
    old, old_key = reader.address, reader.address_key
    assert reader.consent is not None
    subscriptions.withdraw(reader.consent, now=now)
    with erasing():
        reader.consents.open().exclude(pk=wish.pk).delete()
    reader.address, reader.address_key = new.shown, new.key
    reader.address_number += 1
    put_on_the_list(reader, wish, now=now)
    # No later import may bring the old address back.
    Suppression.objects.add(old_key, Suppression.Reason.MOVED, now=now)
    note(reader, Event.Kind.MOVED, by=Event.By.READER, now=now, detail=old)
    return reader


def _merge(reader: Subscriber, other: Subscriber, wish: Consent, *, now: datetime) -> Subscriber:
    """The new address has a row: that one goes on, and the old one leaves."""
    if not _is_reader(other):
        copy = Consent.objects.create(
            subscriber=other,
            address=wish.address,
            text=wish.text,
            text_version=wish.text_version,
            text_sha256=wish.text_sha256,
            page=wish.page,
            requested_at=wish.requested_at,
            network=wish.network,
            network_until=wish.network_until,
            replaces=wish.replaces,
        )
        put_on_the_list(other, copy, now=now)
    _bring_along(reader, other)
    take_off(reader, now=now)
    Suppression.objects.add(reader.address_key, Suppression.Reason.MOVED, now=now)
    for row, detail in ((reader, other.address), (other, reader.address)):
        note(row, Event.Kind.MOVED, by=Event.By.READER, now=now, detail=detail)
    return other


def _bring_along(reader: Subscriber, other: Subscriber) -> None:
    """What the coach knows about the person goes on with the row that goes on."""
    other.tags.add(*reader.tags.all())
    reader.tags.clear()
    other.name = other.name or reader.name
    reader.name = ""
    other.save(update_fields=["name"])


def _move_link(token: str) -> ConfirmLink | None:
    links = ConfirmLink.objects.select_related("consent__subscriber")
    return links.filter(token_sha256=tokens.digest(token), consent__replaces__isnull=False).first()


# --- everything stored ---


def everything_about(subscriber: Subscriber, *, now: datetime) -> dict[str, object]:
    """All that is stored about somebody, under the names people read. New fields come by themselves.

    Times are still times here, for a page to format; `as_json` writes them as machines read them.
    """
    of_address = Suppression.objects.of(subscriber.address_key).order_by("created_at")
    return {
        "Stand": now,
        "Abo": _fields(subscriber, leave_out=("id", "consent")),
        "Einwilligungen": [
            _fields(row, leave_out=("subscriber", "address_hash"))
            for row in subscriber.consents.order_by("requested_at", "pk")
        ],
        "Verlauf": [
            _fields(row, leave_out=("id", "subscriber"))
            for row in subscriber.events.order_by("at", "pk")
        ],
        "Sperren": [_fields(row, leave_out=("id", "address_hash")) for row in of_address],
        "Zustellungen": [
            {"Betreff": row.issue.subject, **_fields(row, leave_out=OF_THE_SENDING)}
            for row in subscriber.deliveries.select_related("issue").order_by("pk")
        ],
        "Rückmeldungen": [
            _fields(row, leave_out=("id", "subscriber", "delivery", "event_id"))
            for row in subscriber.feedback.order_by("at", "pk")
        ],
    }


def note_export(subscriber: Subscriber, *, by: Event.By, now: datetime) -> None:
    _note_if_there(subscriber.public_id, Event.Kind.EXPORTED, by=by, now=now)


# --- erasing ---


def erase(public_id: uuid.UUID, *, by: Event.By, now: datetime) -> bool:
    """Delete everything personal at once. Returns whether there was anything.

    What stays names nobody: when which text was agreed to and withdrawn, a keyed hash to find that
    proof by, should the person ever ask for it, and one to keep imports from bringing them back.
    """
    with transaction.atomic():
        subscriber = lock(public_id)
        if subscriber is None:
            return False
        with erasing():
            Consent.objects.open().filter(
                Q(subscriber=subscriber) | Q(subscriber=None, address__iexact=subscriber.address)
            ).delete()
            for consent in subscriber.consents.all():
                _make_nameless(consent, now=now)
            # A message's own number may have been made of the address it could not reach.
            subscriber.feedback.update(event_id=Concat(Value("gelöscht-"), Cast("pk", TextField())))
            # With the row goes its history; deliveries stay counted, as nobody's.
            subscriber.delete()
        forgetting.forget(Address(subscriber.address, subscriber.address_key))
        Suppression.objects.add(subscriber.address_key, Suppression.Reason.ERASED, now=now)
        Event.objects.create(kind=Event.Kind.ERASED, by=by, at=now)
        return True


def _make_nameless(consent: Consent, *, now: datetime) -> None:
    """Inside `erasing()`. The consent ends with the erasure, if it had not ended before."""
    key = addresses.parse(consent.address).key
    consent.subscriber = None
    consent.address, consent.address_hash = "", suppression_hashes(key)[0]
    consent.network, consent.network_until, consent.evidence = "", None, {}
    if consent.withdrawn_at is None:
        consent.withdrawn_at = max(now, consent.confirmed_at or now)
    consent.save()


def _is_reader(subscriber: Subscriber) -> bool:
    return subscriber.status == Subscriber.Status.CONFIRMED


def _still_open(wish: Consent) -> bool:
    return Consent.objects.open().filter(pk=wish.pk).exists()


def _name(wish: Consent) -> str:
    # Not the address: nobody has confirmed that it is theirs.
    return f"Anfrage {wish.pk}"


def _note_if_there(
    public_id: uuid.UUID,
    kind: Event.Kind,
    *,
    now: datetime,
    by: Event.By = Event.By.SYSTEM,
    detail: str = "",
) -> None:
    with transaction.atomic():
        row = lock(public_id)
        if row is not None:
            note(row, kind, by=by, now=now, detail=detail)
