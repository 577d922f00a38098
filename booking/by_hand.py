"""Appointments the coach enters or moves. The rules are asked like for guests; the coach may go above them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from booking import diagnosis, notices, scheduling
from booking.diagnosis import Finding
from booking.errors import SlotRefused
from booking.models import Booking, CallType, Notification
from booking.scheduling import Guest


class Objections(SlotRefused):
    """Rules speak against this time. `findings` are all of them."""

    message = "Noch nicht eingetragen: Es spricht etwas dagegen."

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__()
        self.findings = findings

    @property
    def can_be_overridden(self) -> bool:
        return all(finding.can_be_overridden for finding in self.findings)

    @property
    def text(self) -> str:
        return diagnosis.in_one_text(self.findings)


def book(
    call_type: CallType,
    *,
    start: datetime,
    guest: Guest,
    form_token: uuid.UUID,
    override: str = "",
    tell_guest: bool = True,
    now: datetime,
) -> Booking:
    """Book for the coach. One form is one booking, however often it is sent.

    `override` is the text of the objections the coach has read and put aside. If by now others
    speak against it, they are raised: nobody puts aside what they have not seen. Raises
    Objections, or SlotTaken if the database has the last word.
    """
    with transaction.atomic():
        scheduling.lock(call_type.calendar)
        known = Booking.objects.from_form(form_token).with_its_type().first()
        if known is not None:
            return known
        objections = _objections(
            diagnosis.findings(call_type, start=start, now=now), override=override
        )
        booking = scheduling.book_by_hand(
            call_type,
            start=start,
            guest=guest,
            form_token=form_token,
            overridden=objections.text,
            now=now,
        )
        # Nobody is invited to what is over; and the coach needs no mail about their own entry.
        if tell_guest and booking.start > now:
            notices.announce(
                booking, Notification.Kind.CONFIRMATION, now=now, to=[Booking.Side.GUEST]
            )
        return booking


def move(booking: Booking, *, start: datetime, override: str = "", now: datetime) -> Booking:
    """Move for the coach, by the same rules as booking by hand; both sides are told.

    Raises Objections, SlotTaken, or NotMovable if there is no appointment to move.
    """
    with transaction.atomic():
        scheduling.lock(booking.call_type.calendar)
        booking = Booking.objects.locked(booking)
        scheduling.still_movable(booking, by=Booking.Side.COACH, now=now)
        if booking.start == start:
            return booking
        objections = _objections(
            diagnosis.findings(booking.call_type, start=start, now=now, besides=booking),
            override=override,
        )
        return scheduling.move(
            booking, start=start, by=Booking.Side.COACH, overridden=objections.text, now=now
        )


def _objections(findings: Sequence[Finding], *, override: str) -> Objections:
    """What speaks against it, all of it read and put aside; else it is raised."""
    objections = Objections(findings)
    if not objections.can_be_overridden or objections.text not in ("", override):
        raise objections
    return objections
