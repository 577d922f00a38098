"""What is stored about a guest, and letting go of it when they ask (DSGVO Art. 15, 17)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from booking import forgetting, invoicing
from booking.models import (
    BillingAddress,
    Booking,
    Deposit,
    Invoice,
    Notification,
    Order,
    Refund,
    Withdrawal,
)
from booking.models.papers import owing_papers
from coaching_site import german, stored

OF_THE_SITE = ("id", "booking", "calendar", "call_type", "one_off", "form_token", "network")
# The network is a person's, whatever it is to the site.
ORDER_SHOWN = ("id", "booking", "declarations", "papers", "sha256")
OF_STRIPE = ("key", "request", "session_url", "deposit", "tries")


def knows(email: str) -> bool:
    withdrawals = Withdrawal.objects.filter(email__iexact=email)
    return Booking.objects.of_address(email).exists() or withdrawals.exists()


def everything_about(email: str) -> dict[str, object]:
    """All that is stored under an address, by the names people read; times are still times."""
    bookings = Booking.objects.of_address(email)
    of_them = {"booking__in": bookings.values("pk")}
    return {
        "Termine": [_told(row) for row in bookings.with_its_type().order_by("start")],
        "Rechnungsanschriften": [
            stored.fields(row, leave_out=OF_THE_SITE)
            for row in BillingAddress.objects.filter(**of_them).order_by("pk")
        ],
        "Bestellungen": [
            {**stored.fields(row, leave_out=ORDER_SHOWN), **_declared(row)}
            for row in Order.objects.filter(**of_them).order_by("ordered_at")
        ],
        "Zahlungen": [
            stored.fields(row, leave_out=(*OF_THE_SITE, *OF_STRIPE))
            for row in Deposit.objects.filter(**of_them).order_by("created_at")
        ],
        "Erstattungen": [
            stored.fields(row, leave_out=("id", "asked_by", *OF_STRIPE))
            for row in Refund.objects.filter(deposit__booking__in=bookings).order_by("created_at")
        ],
        "Rechnungen": [
            {"Rechnungsnummer": row.number, "Inhalt": _lines(row.data)}
            for row in Invoice.objects.filter(**of_them).order_by("created_at")
        ],
        "Widerrufe": [
            stored.fields(row, leave_out=("id", "booking", "refund", "decided_by"))
            for row in Withdrawal.objects.of_person(email).order_by("received_at", "pk")
        ],
        "E-Mails zu Terminen": [
            {"Anlass": row.get_kind_display(), "an": row.get_audience_display(), "am": row.sent_at}
            for row in Notification.objects.filter(**of_them, sent_at__isnull=False)
        ],
    }


def in_the_way(email: str, *, now: datetime) -> list[str]:
    """Why some appointments cannot be forgotten yet, in sentences for the guest and the coach."""
    rows = Booking.objects.of_address(email).with_its_type().order_by("start")
    return [reason for row in rows if (reason := _reason_to_keep(row, now=now))]


def erase(email: str, *, now: datetime) -> list[str]:
    """Take a guest out of all appointments at once; returns what was in the way of some.

    Those are left as they are. Payments stay without a name, invoices and withdrawals with it, as
    the law wants (Art. 17 (3) b, HGB § 257).
    """
    with transaction.atomic():
        rows = Booking.objects.of_address(email).with_its_type().select_for_update(of=("self",))
        reasons = {row.pk: _reason_to_keep(row, now=now) for row in rows.order_by("pk")}
        free = [pk for pk, reason in reasons.items() if not reason]
        vain = list(forgetting.never_finished().filter(pk__in=free).values_list("pk", flat=True))
        forgetting.delete_unfinished(vain)
        forgetting.make_nameless(set(free) - set(vain))
    return [reason for reason in reasons.values() if reason]


def _reason_to_keep(booking: Booking, *, now: datetime) -> str:
    when = german.when(booking.start, booking.calendar.tz)
    for applies, sentence in REASONS:
        if applies(booking, now):
            return sentence.format(when=when)
    return ""


def _is_coming(booking: Booking, now: datetime) -> bool:
    return booking.is_confirmed and booking.end > now


def _is_asked_for(booking: Booking, now: datetime) -> bool:
    return booking.can_be_accepted(now)


def _is_being_paid(booking: Booking, now: datetime) -> bool:
    return booking.is_being_paid


def _is_disputed(booking: Booking, now: datetime) -> bool:
    return booking.is_disputed


def _goes_back(booking: Booking, now: datetime) -> bool:
    return Refund.objects.unfinished().filter(deposit__booking=booking).exists()


def _is_withdrawn_from(booking: Booking, now: datetime) -> bool:
    return Withdrawal.objects.open().filter(booking=booking).exists()


def _lacks_papers(booking: Booking, now: datetime) -> bool:
    return owing_papers().filter(booking=booking).exists()


def _owes_the_rest(booking: Booking, now: datetime) -> bool:
    took_place = booking.is_confirmed and booking.no_show_at is None
    return took_place and booking.open_cents > 0 and not invoicing.is_billed(booking)


REASONS: tuple[tuple[Callable[[Booking, datetime], bool], str], ...] = (
    (_is_coming, "Das Gespräch am {when} steht noch bevor. Es muss vorher abgesagt werden."),
    (_is_asked_for, "Die Anfrage für den {when} ist offen. Sie muss vorher zurückgezogen werden."),
    (_is_being_paid, "Für den {when} läuft gerade eine Zahlung."),
    (_is_disputed, "Die Zahlung für den {when} wird bei der Bank bestritten."),
    (_goes_back, "Die Erstattung für den {when} ist noch unterwegs."),
    (_is_withdrawn_from, "Der Widerruf zum Termin am {when} ist noch nicht bearbeitet."),
    (_lacks_papers, "Die Rechnung für den {when} wird noch geschrieben."),
    (_owes_the_rest, "Das Gespräch am {when} ist noch nicht abgerechnet."),
)


def _told(booking: Booking) -> dict[str, object]:
    answers = [f"{each['question']} {each['answer']}" for each in booking.answers]
    return {
        "Gespräch": booking.call_type.title,
        **stored.fields(booking, leave_out=OF_THE_SITE),
        "Antworten": answers,
    }


def _declared(order: Order) -> dict[str, object]:
    return {
        "Erklärungen": [each["text"] for each in order.declarations],
        "Rechtstexte": order.versions,
    }


def _lines(data: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in data.items() if value not in (None, "", [], {})}
