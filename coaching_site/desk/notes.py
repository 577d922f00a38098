"""What the coach notes about somebody, for nobody else at the practice's door to read.

It is data about a person all the same: told when they ask (DSGVO Art. 15), erased with them, and
not kept longer than their appointments.
"""

from __future__ import annotations

from datetime import datetime

from coaching_site import periods, stored
from coaching_site.desk.models import PersonNote
from newsletter.addresses import Address


def add(address: Address, *, text: str, by: str, now: datetime) -> PersonNote:
    return PersonNote.objects.create(address_key=address.key, text=text, by=by, at=now)


def of(address: Address) -> list[PersonNote]:
    """The newest first."""
    return list(PersonNote.objects.filter(address_key=address.key))


def knows(address: Address) -> bool:
    return PersonNote.objects.filter(address_key=address.key).exists()


def everything_about(address: Address) -> list[dict[str, object]]:
    return [stored.fields(note, leave_out=("id", "by")) for note in of(address)]


def erase(address: Address) -> None:
    PersonNote.objects.filter(address_key=address.key).delete()


def forget(*, now: datetime) -> int:
    """Delete notes that are older than their period; returns how many."""
    old = PersonNote.objects.filter(at__lt=periods.NOTES.first_kept(now))
    deleted, _ = old.delete()
    return deleted
