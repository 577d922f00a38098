"""What takes time from a calendar: its bookings, and the busy times of other calendars."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from booking.models.bookings import TAKES_TIME, Booking
from booking.models.calendar import Calendar
from booking.slots import Interval, Taken

# What the querysets say, but in SQL: every page and every hold asks this, and to build the
# queryset costs Python more time than to answer costs Postgres. No call lasts a whole day, so the
# index by start finds the few of a span, however long the past and however many the calendars.
# Busy times have no pauses of their own and do not count toward limits.
TAKEN = """
    SELECT start, "end", buffer_before, buffer_after, true FROM booking_booking
    WHERE calendar_id = %(calendar)s AND status = ANY(%(taking)s)
    AND NOT (status = 'held' AND held_until <= %(now)s)
    AND NOT (status = 'requested' AND requested_until <= %(now)s)
    AND start < %(last)s AND start > %(first)s - interval '1 day' AND "end" > %(first)s
    AND id IS DISTINCT FROM %(besides)s
    UNION ALL
    SELECT busy.start, busy."end", 0, 0, false FROM booking_busytime AS busy
    JOIN booking_busyfeed AS feed ON feed.id = busy.feed_id
    WHERE feed.calendar_id = %(calendar)s AND feed.is_active
    AND busy.start < %(last)s AND busy."end" > %(first)s
"""


def taken_time(
    calendar: Calendar, span: Interval, *, now: datetime, besides: Booking | None = None
) -> list[Taken]:
    """The time that is taken at `now` from a span of this calendar; one booking can be left out."""
    values: dict[str, Any] = {
        "calendar": calendar.pk,
        "taking": TAKES_TIME,
        "now": now,
        "first": span.start,
        "last": span.end,
        "besides": besides.pk if besides else None,
    }
    with connection.cursor() as cursor:
        cursor.execute(TAKEN, values)
        return [
            Taken(start, end, timedelta(minutes=before), timedelta(minutes=after), counts=counts)
            for start, end, before, after, counts in cursor.fetchall()
        ]
