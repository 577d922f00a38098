"""Which mails a booking owes. Writing the ledger and starting the job is one step."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from booking.models import Booking, Invoice, Notification, Refund
from coaching_site import jobs

ADD = """
    INSERT INTO booking_notification
        (booking_id, kind, audience, start, sequence, refund_id, invoice_id, created_at, attempts,
         last_error)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 0, '')
    ON CONFLICT DO NOTHING
    RETURNING id
"""


def announce(
    booking: Booking,
    kind: Notification.Kind,
    *,
    now: datetime,
    to: Iterable[Booking.Side] = tuple(Booking.Side),
) -> None:
    """Owe these sides the mail, once. Call it in the transaction that gives the reason."""
    for audience in to:
        owe(booking, kind, audience, sequence=booking.sequence, now=now)


def owe(
    booking: Booking,
    kind: Notification.Kind,
    audience: Booking.Side,
    *,
    sequence: int = 0,
    refund: Refund | None = None,
    invoice: Invoice | None = None,
    now: datetime,
) -> bool:
    """Owe one side this mail, and say whether that is new. Many may ask at once.

    What tells of a change is owed once for each of the booking's `sequence`, a reminder once for
    a start, and what tells of a refund or an invoice once for that one.
    """
    values: list[Any] = [
        booking.pk,
        kind,
        audience,
        booking.start,
        sequence,
        refund.pk if refund else None,
        invoice.pk if invoice else None,
        now,
    ]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(ADD, values)
            added = cursor.fetchone()
        if added is not None:
            jobs.enqueue("booking.send_notification", notification_id=added[0])
    return added is not None
