"""Jobs: fetch, delegate, note what was done. The ledger decides; a job may run any number of times."""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import F
from django.utils import timezone
from procrastinate.contrib.django import app

from booking import mail, scheduling
from booking.models import Booking, Notification
from coaching_site import jobs

MAILS: dict[tuple[str, str], Callable[[Booking], None]] = {
    (Notification.Kind.CONFIRMATION, Booking.Side.GUEST): mail.confirmation_to_guest,
    (Notification.Kind.CONFIRMATION, Booking.Side.COACH): mail.confirmation_to_coach,
    (Notification.Kind.CANCELLATION, Booking.Side.GUEST): mail.cancellation_to_guest,
    (Notification.Kind.CANCELLATION, Booking.Side.COACH): mail.cancellation_to_coach,
    (Notification.Kind.REQUEST, Booking.Side.GUEST): mail.request_to_guest,
    (Notification.Kind.REQUEST, Booking.Side.COACH): mail.request_to_coach,
    (Notification.Kind.LAPSE, Booking.Side.GUEST): mail.request_over_to_guest,
    (Notification.Kind.LAPSE, Booking.Side.COACH): mail.request_over_to_coach,
    (Notification.Kind.MOVED, Booking.Side.GUEST): mail.moved_to_guest,
    (Notification.Kind.MOVED, Booking.Side.COACH): mail.moved_to_coach,
}


@app.task(name="booking.send_notification", retry=jobs.PATIENT)
def send_notification(notification_id: int) -> None:
    """Send what the ledger still owes; it counts as sent once the server has accepted it."""
    row = Notification.objects.filter(pk=notification_id)
    owed = row.select_related("booking__call_type", "booking__calendar").first()
    if owed is None or not owed.is_owed:
        return
    row.update(attempts=F("attempts") + 1)
    try:
        MAILS[owed.kind, owed.audience](owed.booking)
    except Exception as error:
        row.update(last_error=f"{type(error).__name__}: {error}"[:200])
        raise
    row.update(sent_at=timezone.now(), last_error="")


@app.periodic(cron="*/10 * * * *")
@app.task(name="booking.free_expired_holds", queueing_lock="booking.free_expired_holds")
def free_expired_holds(timestamp: int) -> None:
    """Forget where guests came from who did not come back; end requests nobody answered."""
    del timestamp
    scheduling.free_expired_holds(now=timezone.now())
