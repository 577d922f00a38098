"""What has to be true of calendar and money, whatever happened before.

Asked of the database and of Stripe's own books, never of the product's rules: a rule that is wrong
must not be its own judge. Some of it holds at any moment. The rest, that both books agree, holds
once the jobs have run; `settle_down` lets them run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

from booking import checkout, invoicing
from booking.models import Alarm, Booking, Deposit, Invoice, Notification, Refund
from coaching_site import german
from pages.models import Practice
from tests.stripe_sandbox import Sandbox
from tests.stripe_sandbox.spec import Json

# Stripe's word for a refund, and what has to stand in our row.
SAYS = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "canceled",
}
MOST_RUNS = 5
OPENS = "/v1/checkout/sessions"


def problems(sandbox: Sandbox, now: datetime, *, settled: bool = True) -> list[str]:
    """Everything that is not as it should be. `settled`: the jobs have run and Stripe answered."""
    found = [
        *_two_at_one_time(now),
        *_money_that_is_nobodys(),
        *_booked_without_money(sandbox),
        *_mails_before_or_twice(sandbox),
        *_pages_that_take_money_for_nothing(sandbox, now),
    ]
    if settled:
        found += [*_payments_unknown_here(sandbox), *_refunds_that_differ(sandbox), *_stuck(now)]
        found += _papers_that_say_something_else()
    return found


def settle_down(sandbox: Sandbox, now: datetime) -> None:
    """Stripe is well again, and the jobs run until they have nothing left to ask or to write."""
    sandbox.faults.clear()
    for _ in range(MOST_RUNS):
        done = checkout.reconcile(now=now)
        if not done.is_away and not Refund.objects.filter(status="asked").exists():
            break
    invoicing.write_all_owed(now=now)


def time_of(sandbox: Sandbox) -> datetime:
    return datetime.fromtimestamp(sandbox.now, UTC)


# --- 1: at most one active booking for a time -----------------------------------------------------


def _two_at_one_time(now: datetime) -> Iterator[str]:
    active = [booking for booking in Booking.objects.all() if _takes_time(booking, now)]
    active.sort(key=lambda booking: (booking.calendar_id, booking.start))
    for first, second in pairwise(active):
        if first.calendar_id == second.calendar_id and second.start < first.end:
            yield f"1: {first} and {second} have the same time"


def _takes_time(booking: Booking, now: datetime) -> bool:
    if booking.status == "held":
        return booking.held_until is not None and booking.held_until > now
    return booking.status in ("confirmed", "requested")


# --- 2: no money is nobody's ----------------------------------------------------------------------


def _money_that_is_nobodys() -> Iterator[str]:
    """What came and neither went back nor is kept belongs to one booked call, or alarms."""
    owners: Counter[int] = Counter()
    for deposit in Deposit.objects.filter(status="paid").select_related("booking"):
        rest = deposit.paid_cents - deposit.refunded_cents - deposit.kept_cents
        if not rest or _lost_to_the_bank(deposit) or _alarms(deposit):
            continue
        if deposit.booking.status != "confirmed":
            yield f"2: {rest} cents of {deposit} are nobody's"
        else:
            owners[deposit.booking_id] += 1
    for booking, number in owners.items():
        if number > 1:
            yield f"2: booking {booking} has the money of {number} payments"


def _payments_unknown_here(sandbox: Sandbox) -> Iterator[str]:
    """Each payment at Stripe is written down once, with the right amount."""
    disputed = {each["charge"] for each in sandbox.disputes if each["status"] == "lost"}
    for charge in sandbox.charges:
        if not charge["paid"]:
            continue
        rows = Deposit.objects.filter(payment_intent=charge["payment_intent"])
        amounts = [(row.status, row.paid_cents) for row in rows]
        if amounts != [("paid", charge["amount"])]:
            yield f"2: {charge['amount']} cents at Stripe are {amounts} here"
            continue
        [row] = rows
        rest = charge["amount"] - charge["amount_refunded"]
        ours = row.paid_cents - row.refunded_cents
        if rest != ours and charge["id"] not in disputed:
            yield f"7: {rest} cents are left at Stripe, {ours} here"


def _lost_to_the_bank(deposit: Deposit) -> bool:
    return deposit.dispute_status == "lost"


def _alarms(deposit: Deposit) -> bool:
    about_money = Alarm.objects.exclude(kind="no_invoice")
    return about_money.filter(deposit=deposit, resolved_at=None).exists()


# --- 3: no booked call without its deposit --------------------------------------------------------


def _booked_without_money(sandbox: Sandbox) -> Iterator[str]:
    """Money that the site itself sends back again does not count; what the coach gives does."""
    sent_back = set(
        Refund.objects.filter(reason__in=["late", "guest", "coach"])
        .exclude(status__in=["failed", "canceled"])
        .values_list("deposit__payment_intent", flat=True)
    )
    paid = {
        (session["client_reference_id"], session["amount_total"])
        for session in sandbox.sessions
        if session["payment_status"] == "paid"
        and session["currency"] == "eur"
        and session["payment_intent"] not in sent_back
    }
    for booking in Booking.objects.filter(
        status="confirmed", deposit_waived=False, deposit_cents__gt=0
    ):
        if (booking.reference, booking.deposit_cents) not in paid:
            yield f"3: {booking} is booked, but not paid"


# --- 4: nobody is told twice, or before it is certain ---------------------------------------------


def _mails_before_or_twice(sandbox: Sandbox) -> Iterator[str]:
    owed = list(Notification.objects.select_related("booking", "refund"))
    confirmations: Counter[tuple[int, str]] = Counter()
    refunds: Counter[int | None] = Counter()
    tells_of_refunds = any(mail.kind == "refund" for mail in owed)
    was_back = _refunds_that_ever_succeeded(sandbox) if tells_of_refunds else set()
    for mail in owed:
        if mail.kind == "confirmation":
            confirmations[mail.booking_id, mail.audience] += 1
            if mail.booking.status not in ("confirmed", "cancelled"):
                yield f"4: {mail.booking} is confirmed by mail, but not booked"
        elif mail.kind == "refund" and mail.refund is not None:
            refunds[mail.refund_id] += 1
            if mail.refund.stripe_id not in was_back:
                yield f"4: the refund {mail.refund_id} is told, but Stripe never said so"
    for what, number in [*confirmations.items(), *refunds.items()]:
        if number > 1:
            yield f"4: {number} mails of the same, {what}"


def _refunds_that_ever_succeeded(sandbox: Sandbox) -> set[str]:
    about_refunds = [
        event["data"]["object"] for event in sandbox.events if event["type"].startswith("refund.")
    ]
    return {refund["id"] for refund in about_refunds if refund["status"] == "succeeded"}


# --- 5: no page takes money for a time that is not theirs -----------------------------------------


def _pages_that_take_money_for_nothing(sandbox: Sandbox, now: datetime) -> Iterator[str]:
    payable: Counter[str] = Counter()
    times = _times_told_to_stripe(sandbox)
    for session in _payable(sandbox):
        reference = str(session["client_reference_id"])
        payable[reference] += 1
        booking = Booking.objects.filter(reference=reference).first()
        if booking is None or not (
            booking.status == "held" and booking.held_until is not None and booking.held_until > now
        ):
            yield f"5: {booking or reference} can be paid for, but is not held"
        elif times[session["id"]] != german.when(booking.start, booking.guest_zone):
            yield f"5: {booking} can be paid for, but for {times[session['id']]}"
    for reference, number in payable.items():
        if number > 1:
            yield f"5: {reference} can be paid for on {number} pages"


def _payable(sandbox: Sandbox) -> list[Json]:
    """Open sessions. One whose address never left Stripe is nobody's: its answer was an error."""
    told = _times_told_to_stripe(sandbox)
    return [
        session
        for session in sandbox.sessions
        if session["status"] == "open"
        and session["expires_at"] > sandbox.now
        and session["id"] in told
    ]


def _times_told_to_stripe(sandbox: Sandbox) -> dict[str, str]:
    """What the page of each session says about when the call is."""
    return {
        request.answer["id"]: request.params["line_items"]["0"]["price_data"]["product_data"][
            "description"
        ]
        for request in sandbox.requests
        if (request.method, request.path, request.status) == ("POST", OPENS, 200)
    }


# --- 7: both books say the same about refunds -----------------------------------------------------


def _refunds_that_differ(sandbox: Sandbox) -> Iterator[str]:
    here = {
        row.stripe_id: (row.status, row.amount_cents)
        for row in Refund.objects.exclude(stripe_id="")
    }
    there = {each["id"]: (SAYS[each["status"]], each["amount"]) for each in sandbox.refunds}
    for reference in here.keys() | there.keys():
        if here.get(reference) != there.get(reference):
            yield f"7: {there.get(reference)} at Stripe is {here.get(reference)} here"
    for deposit in Deposit.objects.filter(status="paid"):
        counted = [row for row in deposit.refunds.all() if row.status not in ("failed", "canceled")]
        if deposit.refunded_cents != sum(row.amount_cents for row in counted):
            yield f"7: the refunds of {deposit} are added up wrong"


# --- 8: the papers say what became of the money ---------------------------------------------------


def _papers_that_say_something_else() -> Iterator[str]:
    """If invoices can be written: one a payment an appointment rests on, and they add up to what is left."""
    yield from _numbers_with_gaps()
    if Practice.current().missing_for_invoices():
        return
    for deposit in Deposit.objects.filter(status="paid").select_related("booking"):
        papers = list(Invoice.objects.filter(deposit=deposit).without_files())
        first = [paper for paper in papers if paper.kind != "storno" and paper.replaces_id is None]
        left = deposit.paid_cents - _gone_back(deposit)
        if _was_no_price(deposit):
            if papers:
                yield f"8: {deposit} was no price and has {papers}"
        elif len(first) > 1 or (left and not first and not _waits_for_an_address(deposit)):
            yield f"8: {deposit} has {len(first)} invoices"
        elif not first or _lost_to_the_bank(deposit) or _alarms(deposit):
            continue
        elif sum(paper.gross_cents for paper in papers) != left:
            yield f"8: {left} cents of {deposit} are left, its papers {papers} say otherwise"


def _numbers_with_gaps() -> Iterator[str]:
    series: dict[tuple[str, int], list[int]] = {}
    for paper in Invoice.objects.without_files():
        series.setdefault((paper.series, paper.year), []).append(paper.position)
    for name, positions in series.items():
        if sorted(positions) != list(range(1, len(positions) + 1)):
            yield f"8: the numbers of {name} are {sorted(positions)}"


def _gone_back(deposit: Deposit) -> int:
    back = Refund.objects.filter(deposit=deposit, status="succeeded")
    return sum(refund.amount_cents for refund in back)


def _was_no_price(deposit: Deposit) -> bool:
    """Money that did not fit or came too late: it goes back as it came."""
    late = Refund.objects.filter(deposit=deposit, reason="late")
    return late.exists() or Alarm.objects.filter(deposit=deposit, kind="mismatch").exists()


def _waits_for_an_address(deposit: Deposit) -> bool:
    return Alarm.objects.filter(deposit=deposit, kind="no_invoice", resolved_at=None).exists()


# --- nothing is stuck -----------------------------------------------------------------------------


def _stuck(now: datetime) -> Iterator[str]:
    for deposit in Deposit.objects.filter(status__in=["prepared", "open"], expires_at__lte=now):
        yield f"stuck: {deposit} is unfinished although it has expired"
    for refund in Refund.objects.filter(status="asked"):
        yield f"stuck: {refund} was never sent"
