"""What decides about a span of a calendar: its plan, bookings, blocks, other calendars' busy times."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from booking.models.bookings import TAKES_TIME, Booking
from booking.models.calendar import DAY, PLAN, Calendar
from booking.slots import Hours, Interval, Taken
from coaching_site import compiled

# What the querysets say, but in SQL: every page and every hold asks this, and to build the
# queryset costs Python more time than to answer costs Postgres. No call lasts a whole day, so the
# index by start finds the few of a span, however long the past and however many the calendars.
# Busy times and blocks have no pauses of their own and do not count toward limits.
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
    UNION ALL
    SELECT start, "end", 0, 0, false FROM booking_block
    WHERE calendar_id = %(calendar)s AND start < %(last)s AND "end" > %(first)s
"""
# Both answers in one trip: a row has either its six columns of the plan or those of what is taken.
PLAN_AND_TAKEN = f"SELECT * FROM ({PLAN}) AS plan FULL JOIN ({TAKEN}) AS taken ON false"  # noqa: S608
PLAN_COLUMNS = 6

# The dates of the plan reach beyond the span: zones differ by up to a day, and windows that begin
# on the dates before reach in.
MARGIN = 3 * DAY


def hours_and_taken(
    calendar: Calendar, span: Interval, *, now: datetime, besides: Booking | None = None
) -> tuple[Hours, list[Taken]]:
    """The coach's hours around a span and the time that is taken from it at `now`, in one query.

    One booking can be left out.
    """
    first_day, last_day = (span.start - MARGIN).date(), (span.end + MARGIN).date()
    values: dict[str, Any] = {
        "calendar": calendar.pk,
        "first_day": first_day,
        "last_day": last_day,
        "taking": TAKES_TIME,
        "now": now,
        "first": span.start,
        "last": span.end,
        "besides": besides.pk if besides else None,
    }
    with compiled.cursor() as cursor:
        cursor.execute(PLAN_AND_TAKEN, values)
        rows = cursor.fetchall()
    taken = [row[PLAN_COLUMNS:] for row in rows if row[PLAN_COLUMNS] is not None]
    plan = (row[:PLAN_COLUMNS] for row in rows if row[PLAN_COLUMNS] is None)
    return calendar.planned_hours(plan, first_day, last_day), [
        Taken(start, end, timedelta(minutes=before), timedelta(minutes=after), counts=counts)
        for start, end, before, after, counts in taken
    ]
