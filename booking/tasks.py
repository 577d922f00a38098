"""Jobs: fetch, delegate, note what was done. The ledger decides; a job may run any number of times."""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import F
from django.utils import timezone
from procrastinate.contrib.django import app

from booking import feeds_sync, mail, scheduling
from booking.models import Booking, BusyFeed, Notification
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


@app.periodic(cron="*/5 * * * *")
@app.task(name="booking.refresh_feeds", queueing_lock="booking.refresh_feeds")
def refresh_feeds(timestamp: int) -> None:
    """Start a job for each calendar feed that is due, so that a slow one delays no other."""
    del timestamp
    for feed in BusyFeed.objects.due(timezone.now()):
        feeds_sync.read_soon(feed)


@app.task(name="booking.refresh_feed")
def refresh_feed(feed_id: int) -> None:
    """Read one feed. Should it fail, it is due again in a few minutes."""
    feed = BusyFeed.objects.read_from().filter(pk=feed_id).first()
    if feed is not None:
        feeds_sync.refresh(feed, now=timezone.now())


@app.task(name="booking.tell_about_feed", retry=jobs.PATIENT)
def tell_about_feed(feed_id: int, is_well: bool) -> None:
    """Tell the coach that a feed fails, or that it is well again, if that still is so."""
    feed = BusyFeed.objects.read_from().filter(pk=feed_id).first()
    if feed is None or is_well == feed.is_failing:
        return
    (mail.feed_well_to_coach if is_well else mail.feed_failing_to_coach)(feed)


@app.periodic(cron="*/10 * * * *")
@app.task(name="booking.free_expired_holds", queueing_lock="booking.free_expired_holds")
def free_expired_holds(timestamp: int) -> None:
    """Forget where guests came from who did not come back; end requests nobody answered."""
    del timestamp
    scheduling.free_expired_holds(now=timezone.now())
