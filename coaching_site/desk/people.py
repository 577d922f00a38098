"""One person across all apps: everything stored about them, and erasing it (DSGVO Art. 15, 17, 20).

A person is an e-mail address. Who writes from it and follows the link in our mail has proved that
it is theirs. Whether an address is known here, nobody learns from any answer.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import date, datetime

from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.utils import timezone

from booking import guests
from booking.models import Booking
from coaching_site import jobs, links, periods
from coaching_site.desk import notes
from coaching_site.desk.models import WARN_BEFORE, PersonLink, PersonRequest
from coaching_site.periods import months_later
from newsletter import addresses, preferences
from newsletter.addresses import Address
from newsletter.imports import forgetting as imports
from newsletter.models import Event, Subscriber
from pages import testimonials

By, Kind = PersonRequest.By, PersonRequest.Kind

PURPOSE = "person"
# Art. 12 (3): without undue delay, at the latest within a month.
ANSWER_MONTHS = 1


# --- the link ---------------------------------------------------------------------------------


def ask_for_link(address: Address, *, may_answer: bool, now: datetime) -> None:
    """Mail somebody the link to their data, if we know them. Starts the same job anyhow."""
    with transaction.atomic():
        pk = 0
        if may_answer and is_known(address):
            expires_at = now + periods.PERSON_LINKS.life
            pk = PersonLink.objects.create(address=address.shown, expires_at=expires_at).pk
        jobs.enqueue("desk.send_person_link", link=pk)


def new_token(link: PersonLink) -> str:
    """A token of 256 bits for the mail; the row keeps its digest."""
    token = secrets.token_urlsafe(32)
    link.token_sha256 = _digest(token)
    link.save(update_fields=["token_sha256"])
    return token


def owner_of(token: str, *, now: datetime) -> Address | None:
    """Whose link this is; None once its day is over or all is erased."""
    found = PersonLink.objects.filter(token_sha256=_digest(token), expires_at__gt=now).first()
    return addresses.parse(found.address) if found else None


# --- everything -------------------------------------------------------------------------------


def is_known(address: Address) -> bool:
    reads = Subscriber.objects.filter(address_key=address.key).exists()
    spellings = spellings_of(address)
    return (
        reads
        or notes.knows(address)
        or any(guests.knows(each) or testimonials.knows(each) for each in spellings)
    )


def everything_about(address: Address, *, now: datetime) -> dict[str, object]:
    """All that is stored, by the names people read. Times are still times, for a page to format."""
    everything: dict[str, object] = {"Stand": now}
    for email in spellings_of(address):
        for name, rows in guests.everything_about(email).items():
            known = everything.setdefault(name, [])
            assert isinstance(known, list)
            assert isinstance(rows, list)
            known.extend(rows)
    everything["Zitate"] = [
        quote for email in spellings_of(address) for quote in testimonials.everything_about(email)
    ]
    everything["Notizen"] = notes.everything_about(address)
    reader = _reader(address)
    if reader is not None:
        for name, content in preferences.everything_about(reader, now=now).items():
            if name != "Stand":
                everything[f"Newsletter: {name}"] = content
    return everything


def note_export(address: Address, *, by: PersonRequest.By, now: datetime) -> None:
    """Keep in mind that somebody asked and was answered at once."""
    PersonRequest.objects.create(
        kind=Kind.EXPORT,
        by=by,
        address_hash=hashes_of(address)[0],
        asked_at=now,
        due_on=_due(now),
        done_at=now,
    )


# --- erasing ----------------------------------------------------------------------------------


def in_the_way(address: Address, *, now: datetime) -> list[str]:
    """Why some of it cannot go yet, in sentences."""
    return [
        reason for email in spellings_of(address) for reason in guests.in_the_way(email, now=now)
    ]


def erase(address: Address, *, by: PersonRequest.By, now: datetime) -> list[str]:
    """Erase somebody from all apps at once; returns what is in the way of the rest.

    The request stays open until nothing is, and is tried again every night. Afterwards only
    invoices name the person, and nothing leads there from the address.
    """
    with transaction.atomic():
        request = _request(address, by=by, now=now)
        names = _names(address)
        left = [
            reason for email in spellings_of(address) for reason in guests.erase(email, now=now)
        ]
        for email in spellings_of(address):
            testimonials.erase(email)
        notes.erase(address)
        _erase_reader(address, by=by, now=now)
        if not left:
            PersonLink.objects.filter(address__iexact=address.shown).delete()
            _forget_in_admin_log({address.shown, address.key, *names})
            request.address, request.done_at = "", now
        request.in_the_way = "\n".join(left)
        request.save()
    return left


def finish_open(*, now: datetime) -> int:
    """Try again what something was in the way of; returns how many are done now."""
    waiting = PersonRequest.objects.open().filter(kind=Kind.ERASE)
    return sum(
        not erase(addresses.parse(request.address), by=By(request.by), now=now)
        for request in waiting
    )


def warn_of_due(*, now: datetime) -> int:
    """Have the coach told of each request that must be done soon, once for each; returns how many."""
    soon = PersonRequest.objects.due_until(timezone.localdate(now) + WARN_BEFORE)
    told = 0
    for request in soon.filter(warned_at=None):
        with transaction.atomic():
            # Of any number who ask at once, one finds it unwarned.
            if soon.filter(pk=request.pk, warned_at=None).update(warned_at=now):
                jobs.enqueue("desk.warn_of_person_request", request_id=request.pk)
                told += 1
    return told


def asked_before(address: Address) -> list[PersonRequest]:
    """What somebody has asked for so far, done or not."""
    return list(PersonRequest.objects.filter(address_hash__in=hashes_of(address)))


def forget_links(*, now: datetime) -> int:
    """Delete links whose day is over; returns how many."""
    deleted, _ = PersonLink.objects.filter(expires_at__lte=now).delete()
    return deleted


def forget_requests(*, now: datetime) -> int:
    """Delete what was asked for and done, three years after that year; returns how many."""
    first_kept = periods.PERSON_REQUESTS.first_kept(now)
    deleted, _ = PersonRequest.objects.ended_before(first_kept).delete()
    return deleted


def _request(address: Address, *, by: PersonRequest.By, now: datetime) -> PersonRequest:
    """The open request to be erased; asking twice is asking once."""
    waiting = PersonRequest.objects.open().select_for_update()
    found = waiting.filter(kind=Kind.ERASE, address_hash__in=hashes_of(address)).first()
    return found or PersonRequest.objects.create(
        kind=Kind.ERASE,
        by=by,
        address=address.shown,
        address_hash=hashes_of(address)[0],
        asked_at=now,
        due_on=_due(now),
    )


def _erase_reader(address: Address, *, by: PersonRequest.By, now: datetime) -> None:
    reader = _reader(address)
    if reader is None:
        imports.forget(address)
        return
    who = Event.By.READER if by == By.PERSON else Event.By.COACH
    preferences.erase(reader.public_id, by=who, now=now)


def _forget_in_admin_log(words: Iterable[str]) -> None:
    """Django's own log of the admin repeats what a row was called."""
    for word in filter(None, words):
        LogEntry.objects.filter(object_repr__icontains=word).update(object_repr="gelöscht")


def _names(address: Address) -> set[str]:
    return {
        name
        for email in spellings_of(address)
        for name in Booking.objects.of_address(email).values_list("name", flat=True)
    }


def _reader(address: Address) -> Subscriber | None:
    return Subscriber.objects.filter(address_key=address.key).first()


def spellings_of(address: Address) -> list[str]:
    """Bookings keep an address as it was typed; its domain may stand there in Punycode."""
    return list(dict.fromkeys((address.shown.lower(), address.key)))


def hashes_of(address: Address) -> list[str]:
    return links.lasting_fingerprints(PURPOSE, address.key)


def _due(now: datetime) -> date:
    return months_later(timezone.localdate(now), ANSWER_MONTHS)


def _digest(token: str) -> str:
    return hashlib.sha256(token.strip(links.TRAILING).encode(errors="replace")).hexdigest()
