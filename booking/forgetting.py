"""Lets go of guests: what identifies them, what they wrote, and at last the whole appointment.

Every rule works in small transactions and may run twice. Rows somebody is at work on wait for
another day. Invoices keep whom they were made out to, whatever becomes of the booking (DSGVO
Art. 17 (3) b).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from booking.models import (
    Alarm,
    BillingAddress,
    Booking,
    Deposit,
    Invoice,
    InvoicePayment,
    Notification,
    OneOffLink,
    Order,
    Refund,
    Withdrawal,
    WithdrawalMail,
)
from booking.models.bookings import NAMELESS, BookingQuerySet
from coaching_site import periods
from coaching_site.append_only import erasing

BATCH = 500

NO_FREE_TEXT = {"topic": "", "answers": [], "cancellation_note": "", "overridden": ""}
NOBODY = {
    **NO_FREE_TEXT,
    "name": NAMELESS,
    "email": "",
    "company": "",
    "phone": "",
    "visitor_zone": "Europe/Berlin",
    "followup_consent_text": "",
    "followup_consent_at": None,
    "newsletter_consent_text": "",
}


def drop_unfinished(*, now: datetime) -> int:
    """Delete bookings that never became one, a week after they were last held."""
    until = periods.UNFINISHED.first_kept(now)
    return _in_batches(never_finished().filter(held_until__lte=until), delete_unfinished)


def drop_free_text(*, now: datetime) -> int:
    """Blank what guests and coach wrote about a call, half a year after it."""
    over = Booking.objects.filter(end__lt=periods.FREE_TEXT.first_kept(now))
    written = ~Q(topic="") | ~Q(answers=[]) | ~Q(cancellation_note="") | ~Q(overridden="")
    return _in_batches(
        over.filter(written), lambda pks: Booking.objects.filter(pk__in=pks).update(**NO_FREE_TEXT)
    )


def drop_networks(*, now: datetime) -> int:
    """Forget where orders came from, after three months."""
    cutoff = periods.ORDER_NETWORKS.first_kept(now)
    return Order.objects.filter(ordered_at__lt=cutoff).forget_networks()


def make_old_nameless(*, now: datetime) -> int:
    """Take the guest out of appointments, three years after the year of the call."""
    old = Booking.objects.filter(end__lt=periods.BOOKINGS.first_kept(now)).exclude(email="")
    return _in_batches(old, make_nameless)


def drop_withdrawals(*, now: datetime) -> int:
    """Delete decided withdrawals, six years after the year they came in (HGB § 257 (1) 2, (4))."""
    cutoff = periods.WITHDRAWALS.first_kept(now)
    with transaction.atomic(), erasing():
        old = Withdrawal.objects.filter(received_at__lt=cutoff).exclude(
            status=Withdrawal.Status.OPEN
        )
        pks = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True))
        WithdrawalMail.objects.filter(withdrawal__in=pks).delete()
        Withdrawal.objects.filter(pk__in=pks).delete()
    return len(pks)


def drop_billed(*, now: datetime) -> int:
    """Delete appointments with their papers and payments, eight years after the year of the last.

    Together or not at all: a payment without its invoice would be billed anew.
    """
    cutoff = periods.INVOICES.first_kept(now)
    kept = Invoice.objects.filter(booking=OuterRef("pk"), issued_on__gte=cutoff.date())
    paid = Deposit.objects.filter(booking=OuterRef("pk"), created_at__gte=cutoff)
    back = Refund.objects.filter(deposit__booking=OuterRef("pk"), created_at__gte=cutoff)
    over = Booking.objects.filter(email="", end__lt=cutoff, created_at__lt=cutoff)
    withdrawn = Withdrawal.objects.filter(booking=OuterRef("pk"))
    over = over.filter(~Exists(kept), ~Exists(paid), ~Exists(back), ~Exists(withdrawn))
    return _in_batches(over, _delete_whole)


def never_finished() -> BookingQuerySet:
    """Holds that ran out and led to nothing: nothing asked for, nothing paid, nothing in doubt."""
    states = (Booking.Status.HELD, Booking.Status.EXPIRED)
    attempts = Deposit.objects.filter(booking=OuterRef("pk"))
    in_doubt = Alarm.objects.open().filter(deposit__booking=OuterRef("pk"))
    withdrawn = Withdrawal.objects.filter(booking=OuterRef("pk"))
    return Booking.objects.filter(
        ~Exists(attempts.exclude(status=Deposit.Status.CLOSED)),
        ~Exists(in_doubt),
        ~Exists(withdrawn),
        status__in=states,
        requested_until__isnull=True,
        confirmed_at__isnull=True,
    )


def make_nameless(pks: Collection[int]) -> None:
    """Keep when an appointment was and what it cost, and nothing that says whose it was."""
    rows = Booking.objects.filter(pk__in=pks)
    rows.filter(status=Booking.Status.HELD).update(status=Booking.Status.EXPIRED, network="")
    rows.update(**NOBODY)
    BillingAddress.objects.filter(booking__in=pks).delete()
    Order.objects.filter(booking__in=pks).forget_networks()
    OneOffLink.objects.filter(bookings__in=pks).update(note="")
    mails = Notification.objects.filter(booking__in=pks)
    mails.unsent().delete()
    mails.update(last_error="")


def delete_unfinished(pks: Collection[int]) -> None:
    """Delete bookings of `never_finished`, with their attempts to pay."""
    Alarm.objects.filter(deposit__booking__in=pks).delete()
    Deposit.objects.filter(booking__in=pks).delete()
    with erasing():
        Order.objects.filter(booking__in=pks).delete()
    Booking.objects.filter(pk__in=pks).delete()


def _delete_whole(pks: Collection[int]) -> None:
    with erasing():
        Notification.objects.filter(booking__in=pks).delete()
        InvoicePayment.objects.filter(invoice__booking__in=pks).delete()
        # What cancels or replaces an invoice came after it, and goes before it.
        for invoice in Invoice.objects.without_files().filter(booking__in=pks).order_by("-pk"):
            invoice.delete()
        Alarm.objects.filter(deposit__booking__in=pks).delete()
        Refund.objects.filter(deposit__booking__in=pks).delete()
        Deposit.objects.filter(booking__in=pks).delete()
        Order.objects.filter(booking__in=pks).delete()
        Booking.objects.filter(pk__in=pks).delete()


def _in_batches(rows: BookingQuerySet, do: Callable[[list[int]], object]) -> int:
    """Do it to all rows, some at a time; each time fewer are left."""
    count = 0
    while True:
        with transaction.atomic():
            free = rows.order_by("pk").select_for_update(skip_locked=True, of=("self",))
            pks = list(free.values_list("pk", flat=True)[:BATCH])
            if not pks:
                return count
            do(pks)
        count += len(pks)
