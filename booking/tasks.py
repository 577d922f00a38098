"""Jobs: fetch, delegate, note what was done. The ledger decides; a job may run any number of times."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone
from procrastinate.contrib.django import app

from booking import (
    checkout,
    deposits,
    feeds_sync,
    invoicing,
    mail,
    reminders,
    scheduling,
    withdrawals,
)
from booking.errors import InvoiceIncomplete
from booking.models import (
    Alarm,
    Booking,
    BusyFeed,
    Notification,
    Refund,
    Withdrawal,
    WithdrawalMail,
)
from coaching_site import jobs

logger = logging.getLogger(__name__)

SEND = "booking.send_notification"
SEND_WITHDRAWAL = "booking.send_withdrawal_mail"
# For so long a mail without a job is looked for.
LOST_LIFE = timedelta(days=3)
# The mails that carry the invoices of what they tell.
BRING_PAPERS = (Notification.Kind.CONFIRMATION, Notification.Kind.REFUND)

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
    (Notification.Kind.FIRST_REMINDER, Booking.Side.GUEST): mail.first_reminder_to_guest,
    (Notification.Kind.SECOND_REMINDER, Booking.Side.GUEST): mail.second_reminder_to_guest,
    (Notification.Kind.FOLLOW_UP, Booking.Side.GUEST): mail.follow_up_to_guest,
    (Notification.Kind.PAID_TOO_LATE, Booking.Side.GUEST): mail.paid_too_late_to_guest,
    (Notification.Kind.PAID_TOO_LATE, Booking.Side.COACH): mail.paid_too_late_to_coach,
    (Notification.Kind.UNCONFIRMED, Booking.Side.COACH): mail.unconfirmed_to_coach,
}

WITHDRAWAL_MAILS: dict[str, Callable[[Withdrawal], None]] = {
    WithdrawalMail.Kind.RECEIPT: mail.withdrawal_receipt,
    WithdrawalMail.Kind.WARNING: mail.withdrawal_warning,
    WithdrawalMail.Kind.COACH: mail.withdrawal_to_coach,
    WithdrawalMail.Kind.ACCEPTED: mail.withdrawal_accepted,
    WithdrawalMail.Kind.WITHOUT_EFFECT: mail.withdrawal_without_effect,
    WithdrawalMail.Kind.LOST: mail.withdrawal_mail_lost,
    WithdrawalMail.Kind.DUE_SOON: mail.withdrawal_due_soon,
}


@app.task(name=SEND, retry=jobs.PATIENT)
def send_notification(notification_id: int) -> None:
    """Send what the ledger still owes; it counts as sent once the server has accepted it.

    The claim is written before the server is asked, so that of any number of workers one sends.
    """
    now = timezone.now()
    ledger = Notification.objects.filter(pk=notification_id)
    owed = ledger.with_its_booking().first()
    if owed is None or not owed.is_owed_at(now):
        return
    claimed_until = Notification.objects.claim(notification_id, now)
    if claimed_until is None:
        _come_back(notification_id)
        return
    try:
        _send(owed)
    except Exception as error:
        ledger.filter(claimed_until=claimed_until).update(
            claimed_until=None, last_error=f"{type(error).__name__}: {error}"[:200]
        )
        raise
    ledger.update(sent_at=timezone.now(), claimed_until=None, last_error="")


def _send(owed: Notification) -> None:
    if owed.invoice is not None:
        mail.invoice_to_guest(owed.booking, owed.invoice)
        return
    is_about_money = owed.booking.paid_cents and owed.kind in BRING_PAPERS
    if is_about_money and owed.audience == Booking.Side.GUEST:
        _write_papers(owed.booking)
    if owed.refund is not None:
        mail.refund_to_guest(owed.booking, owed.refund)
    else:
        MAILS[owed.kind, owed.audience](owed.booking)


def _write_papers(booking: Booking) -> None:
    """Write the invoices the mail brings along, if that is possible now.

    The mail itself is worth more to the guest; what could not be written follows in its own.
    """
    try:
        invoicing.write_owed(booking, now=timezone.now())
    except InvoiceIncomplete:
        pass  # the job below tells the coach
    except Exception:
        logger.exception("A mail of booking %s goes without its invoice.", booking.pk)


def _come_back(notification_id: int) -> None:
    """Somebody else is sending this mail; look again when they must be done or dead."""
    row = Notification.objects.unsent().filter(pk=notification_id).first()
    if row is not None and row.claimed_until is not None:
        jobs.enqueue(SEND, at=row.claimed_until, notification_id=notification_id)


@app.periodic(cron="* * * * *")
@app.task(name="booking.due_reminders", queueing_lock="booking.due_reminders")
def due_reminders(timestamp: int) -> None:
    """Owe what has become due. Late, twice or by two workers at once does no harm."""
    del timestamp
    reminders.owe_what_is_due(now=timezone.now())


@app.periodic(cron="*/5 * * * *")
@app.task(name="booking.owed_notifications", queueing_lock="booking.owed_notifications")
def owed_notifications(timestamp: int) -> None:
    """Start a new job for every mail that is owed and has none left: no lost job loses a mail.

    A job that failed for good is an answer, not a loss; the desk shows it.
    """
    del timestamp
    now = timezone.now()
    rows = Notification.objects.unsent().unclaimed(now).filter(created_at__gt=now - LOST_LIFE)
    owed = [row.pk for row in rows.with_its_booking() if row.is_owed_at(now)]
    for pk in set(owed) - jobs.on_record(SEND, "notification_id", owed):
        jobs.enqueue(SEND, notification_id=pk)


@app.periodic(cron="*/5 * * * *")
@app.task(name="booking.owed_invoices", queueing_lock="booking.owed_invoices")
def owed_invoices(timestamp: int) -> None:
    """Write each invoice that a payment or a refund owes and no mail has written on its way."""
    del timestamp
    invoicing.write_all_owed(now=timezone.now())


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


@app.task(name="booking.send_refund", retry=jobs.PATIENT)
def send_refund(refund_id: int) -> None:
    """Bring one refund to Stripe; should it not answer, again after a pause."""
    refund = Refund.objects.select_related("deposit").filter(pk=refund_id).first()
    if refund is not None:
        deposits.send(refund, now=timezone.now())


@app.task(name="booking.tell_about_alarm", retry=jobs.PATIENT)
def tell_about_alarm(alarm_id: int) -> None:
    """Tell the coach what about a payment needs a person, unless that is done already."""
    alarm = Alarm.objects.open().with_its_booking().filter(pk=alarm_id).first()
    if alarm is not None:
        mail.alarm_to_coach(alarm)


@app.periodic(cron="*/5 * * * *")
@app.task(name="booking.reconcile_payments", queueing_lock="booking.reconcile_payments")
def reconcile_payments(timestamp: int) -> None:
    """Settle what no webhook and no returning guest has settled."""
    del timestamp
    checkout.reconcile(now=timezone.now())


@app.task(name=SEND_WITHDRAWAL, retry=jobs.PATIENT)
def send_withdrawal_mail(mail_id: int) -> None:
    """Send what a withdrawal still owes; given up is only what cannot be delivered at all."""
    ledger = WithdrawalMail.objects.filter(pk=mail_id)
    claimed_until = WithdrawalMail.objects.claim(mail_id, timezone.now())
    if claimed_until is None:
        waiting = ledger.unsent().first()
        if waiting is not None and waiting.claimed_until is not None:
            jobs.enqueue(SEND_WITHDRAWAL, at=waiting.claimed_until, mail_id=mail_id)
        return
    owed = ledger.with_its_withdrawal().get()
    try:
        WITHDRAWAL_MAILS[owed.kind](owed.withdrawal)
    except Exception as error:
        ledger.filter(claimed_until=claimed_until).update(
            claimed_until=None, last_error=f"{type(error).__name__}: {error}"[:200]
        )
        if isinstance(error, jobs.Hopeless) or owed.attempts >= jobs.MOST_ATTEMPTS:
            withdrawals.give_up(owed, now=timezone.now())
        raise
    ledger.update(sent_at=timezone.now(), claimed_until=None, last_error="")


@app.periodic(cron="*/5 * * * *")
@app.task(name="booking.owed_withdrawal_mails", queueing_lock="booking.owed_withdrawal_mails")
def owed_withdrawal_mails(timestamp: int) -> None:
    """Start a new job for every mail to a withdrawal that is owed and has none left."""
    del timestamp
    rows = WithdrawalMail.objects.unsent().unclaimed(timezone.now())
    owed = list(rows.values_list("pk", flat=True))
    for pk in set(owed) - jobs.on_record(SEND_WITHDRAWAL, "mail_id", owed):
        jobs.enqueue(SEND_WITHDRAWAL, mail_id=pk)


@app.periodic(cron="11 5 * * *")
@app.task(name="booking.due_withdrawals", queueing_lock="booking.due_withdrawals")
def due_withdrawals(timestamp: int) -> None:
    """Warn of money that must be back soon. A run that was missed is made up for by the next."""
    del timestamp
    withdrawals.warn_of_due(now=timezone.now())
