"""Withdrawing from a contract: what is declared stays, what follows is right, and the days are counted right."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from booking import cancellation, deposits, invoicing, orders, scheduling, withdrawals
from booking.errors import MustGoBackWhole, NotMatched, RefundChanged, WithdrawalDecided
from booking.models import (
    Booking,
    Deposit,
    Invoice,
    Notification,
    Refund,
    Withdrawal,
    WithdrawalMail,
)
from booking.withdrawals import Declaration
from coaching_site.append_only import erasing
from tests.booking.conftest import ADA, BEN, HALF_PAST_NINE, hold
from tests.booking.desk import pay_and_bill
from tests.booking.papers import address_of, practice
from tests.booking.test_races import at_once, kinds

Match, Status = Withdrawal.Match, Withdrawal.Status


@pytest.fixture
def paid(paid_type, stripe, now) -> Booking:
    practice()
    return pay_and_bill(paid_type, stripe, now)


def declare(now, **changes) -> Withdrawal:
    said = {"name": "Ada Müller", "contract": "mein Sparring", "email": ADA.email, **changes}
    return withdrawals.receive(Declaration(**said), now=now)


def accept(withdrawal: Withdrawal, *, back: int, left: int = 15000, note: str = "", now):
    return withdrawals.accept(
        withdrawal, back_cents=back, left_cents=left, note=note, by="coach", now=now
    )


def send_all(now) -> None:
    for refund in Refund.objects.unfinished():
        deposits.send(refund, now=now)


# --- what was declared ----------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_unknown_number_is_recorded_and_confirmed_all_the_same(now):
    withdrawal = declare(now, contract="AAAAAAAA")

    assert (withdrawal.booking, withdrawal.matched, withdrawal.status) == (None, "", "open")
    assert set(withdrawal.mails.values_list("kind", flat=True)) == {"receipt", "coach"}


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["name", "contract", "email", "message", "received_at"])
def test_what_was_declared_never_changes(now, field):
    withdrawal = declare(now)
    value = now + timedelta(days=1) if field == "received_at" else "x@example.org"

    with pytest.raises(IntegrityError, match="stays as it is"), transaction.atomic():
        Withdrawal.objects.update(**{field: value})
    with pytest.raises(IntegrityError, match="stays as it is"), transaction.atomic():
        Withdrawal.objects.filter(pk=withdrawal.pk)._raw_delete("default")


@pytest.mark.django_db
def test_only_retention_deletes_a_declaration(now):
    withdrawal = declare(now)

    with erasing():
        withdrawal.mails.all().delete()
        withdrawal.delete()

    assert not Withdrawal.objects.exists()


@pytest.mark.django_db
def test_the_same_sent_twice_is_recorded_twice_confirmed_twice_and_shown_as_a_repetition(now):
    first, second = declare(now), declare(now + timedelta(seconds=1))

    rows = Withdrawal.objects.with_repetition()
    assert [(row.pk, row.is_repetition) for row in rows] == [
        (second.pk, True),
        (first.pk, False),
    ]
    assert WithdrawalMail.objects.filter(kind="receipt").count() == 2


# --- matching -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{}", "Nr. {}", "buchung {} vom März", "{0.lower}", "split"])
def test_a_number_finds_its_booking_however_it_is_written(confirmed, now, form):
    number = confirmed.reference
    written = {
        "{0.lower}": number.lower(),
        "split": f"{number[:4]} {number[4:]}",
    }.get(form) or form.format(number)

    withdrawal = declare(now, contract=written, email="jemand@example.org")

    assert (withdrawal.booking, withdrawal.matched) == (confirmed, Match.REFERENCE)


@pytest.mark.parametrize(
    "written",
    ["Termin am 3.3.2027", "03.03.27 um 9 Uhr", "3. März", "gebucht am 1. März 2027", "2027-03-03"],
)
def test_address_and_date_find_the_booking_when_there_is_no_number(confirmed, now, written):
    withdrawal = declare(now, contract=written, email=ADA.email.upper())

    assert (withdrawal.booking, withdrawal.matched) == (confirmed, Match.DATE)


@pytest.mark.parametrize("written", ["Termin am 4.3.2027", "3.3.2026"])
def test_another_date_is_another_contract(confirmed, now, written):
    assert declare(now, contract=written).booking is None


def test_an_address_with_one_booking_is_enough(confirmed, now):
    assert declare(now).matched == Match.EMAIL
    assert declare(now, email=BEN.email).matched == Match.NONE


def test_who_uses_another_address_makes_the_bookings_own_be_warned(confirmed, now):
    own = declare(now, contract=confirmed.reference)
    other = declare(now, contract=confirmed.reference, email="jemand@example.org")

    assert own.is_own_address
    assert not other.is_own_address
    assert [mail.withdrawal for mail in WithdrawalMail.objects.filter(kind="warning")] == [other]


def test_the_coach_can_match_by_hand_until_it_is_decided(confirmed, now):
    withdrawal = declare(now, email="jemand@example.org")

    matched = withdrawals.match_by_hand(withdrawal, confirmed, now=now)

    assert (matched.booking, matched.matched) == (confirmed, Match.BY_HAND)
    assert matched.mails.filter(kind="warning").exists()
    withdrawals.find_without_effect(matched, note="Kein Vertrag.", by="coach", now=now)
    with pytest.raises(WithdrawalDecided):
        withdrawals.match_by_hand(matched, confirmed, now=now)


# --- the period -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("concluded", "state", "last"),
    [
        # A Monday: the fourteenth day after it is a Monday.
        (datetime(2027, 3, 1, 8, tzinfo=UTC), "BE", date(2027, 3, 15)),
        # Half past midnight in Berlin is the evening before in UTC.
        (datetime(2027, 2, 28, 23, 30, tzinfo=UTC), "BE", date(2027, 3, 15)),
        # A Saturday's fortnight ends on a Saturday, so on Monday.
        (datetime(2027, 3, 6, 8, tzinfo=UTC), "BE", date(2027, 3, 22)),
        # Good Friday 2027 is 26 March; Easter Monday the 29th: Tuesday.
        (datetime(2027, 3, 12, 8, tzinfo=UTC), "BE", date(2027, 3, 30)),
        # Women's day is free in Berlin alone (Monday, 8 March 2027).
        (datetime(2027, 2, 22, 8, tzinfo=UTC), "BE", date(2027, 3, 9)),
        (datetime(2027, 2, 22, 8, tzinfo=UTC), "HH", date(2027, 3, 8)),
        # Without a state those of all Germany count.
        (datetime(2027, 3, 12, 8, tzinfo=UTC), "", date(2027, 3, 30)),
    ],
)
def test_the_period_ends_on_the_fourteenth_day_or_the_next_working_one(
    paid_type, concluded, state, last
):
    paid_type.calendar.federal_state = state
    booking = Booking(
        calendar=paid_type.calendar, confirmed_at=concluded, price_cents=30000, call_type=paid_type
    )

    assert withdrawals.last_day(booking) == last


def test_the_last_day_ends_at_midnight_in_germany(paid, now):
    midnight = datetime(2027, 3, 15, 23, tzinfo=UTC)
    last, late = midnight - timedelta(seconds=1), midnight

    assert withdrawals.is_inside_period(declare(last, contract=paid.reference))
    assert not withdrawals.is_inside_period(declare(late, contract=paid.reference))


def test_a_free_call_is_no_contract_to_withdraw_from(confirmed):
    assert withdrawals.last_day(confirmed) is None


def test_a_late_withdrawal_is_recorded_and_can_be_accepted(paid, now, stripe):
    stripe.advance(40 * 86400)
    late = now + timedelta(days=40)

    withdrawal = accept(declare(late, contract=paid.reference), back=15000, now=late)

    assert withdrawal.status == Status.REFUNDED


# --- accepting ------------------------------------------------------------------------------------


def test_accepting_frees_the_time_refunds_all_and_writes_the_storno(paid, now):
    withdrawal = accept(declare(now, contract=paid.reference), back=15000, now=now)
    send_all(now)
    invoicing.write_all_owed(now=now)

    paid.refresh_from_db()
    refund, storno = Refund.objects.get(), Invoice.objects.get(kind="storno")
    assert (paid.status, paid.cancelled_by) == ("cancelled", "guest")
    assert (refund.amount_cents, refund.reason, refund.status) == (15000, "withdrawal", "succeeded")
    assert (storno.refund, storno.gross_cents) == (refund, -15000)
    assert (withdrawal.status, withdrawal.refund, withdrawal.decided_by) == (
        "refunded",
        refund,
        "coach",
    )
    assert withdrawal.mails.filter(kind="accepted").count() == 1


def test_a_withdrawal_goes_before_the_terms_of_cancelling(paid, now):
    """Called off the evening before, a quarter was kept: the withdrawal brings it back."""
    late = paid.start - timedelta(hours=12)
    cancellation.cancel_by_guest(paid, now=late)
    kept = Deposit.objects.get().kept_cents
    assert kept

    accept(declare(late, contract=paid.reference), back=kept, left=kept, now=late)

    deposit = Deposit.objects.get()
    assert (deposit.refunded_cents, deposit.kept_cents) == (15000, 0)


def test_what_was_rendered_early_is_paid_for_and_the_reason_is_told(paid, now):
    orders.ask_for_early_start(paid, now=now)
    after = paid.end + timedelta(hours=1)

    withdrawal = accept(
        declare(after, contract=paid.reference), back=5000, note="Eine Stunde von drei.", now=after
    )

    deposit = Deposit.objects.get()
    assert (withdrawal.status, withdrawal.note) == ("partly", "Eine Stunde von drei.")
    assert (deposit.refunded_cents, deposit.kept_cents) == (5000, 10000)


def test_less_than_everything_needs_a_reason(paid, now):
    orders.ask_for_early_start(paid, now=now)
    after = paid.end + timedelta(hours=1)

    with pytest.raises(IntegrityError, match="withdrawal_less_has_a_reason"), transaction.atomic():
        accept(declare(after, contract=paid.reference), back=5000, now=after)

    assert not Refund.objects.exists()


@pytest.mark.parametrize(
    ("asked_early", "when"),
    [(False, "after the call"), (True, "before the call")],
    ids=["held without the guest's asking for it", "asked for and not held yet"],
)
def test_nothing_is_kept_of_what_was_not_rendered_at_the_guests_request(
    paid, asked_early, when, now
):
    if asked_early:
        orders.ask_for_early_start(paid, now=now)
    at = paid.end if when == "after the call" else now

    with pytest.raises(MustGoBackWhole):
        accept(declare(at, contract=paid.reference), back=5000, note="Eine Stunde.", now=at)

    assert not Refund.objects.exists()


def test_of_a_withdrawal_that_came_too_late_the_coach_may_give_back_a_part(paid, now):
    late = now + timedelta(days=30)

    assert (
        accept(declare(late, contract=paid.reference), back=5000, note="Kulanz.", now=late).status
        == "partly"
    )


def test_accepting_twice_is_the_same_as_once(paid, now):
    withdrawal = declare(now, contract=paid.reference)

    accept(withdrawal, back=15000, now=now)
    accept(withdrawal, back=15000, now=now)

    assert Refund.objects.count() == 1
    assert withdrawal.mails.filter(kind="accepted").count() == 1


def test_a_repetition_is_decided_along_with_the_first(paid, now):
    first, second = (declare(now, contract=paid.reference) for _ in range(2))

    accept(first, back=15000, now=now)

    second.refresh_from_db()
    assert second.status == "refunded"
    assert not second.mails.filter(kind="accepted").exists()


def test_money_that_changed_since_the_coach_looked_stops_the_decision(paid, now):
    withdrawal = declare(now, contract=paid.reference)
    deposits.refund_by_hand(Deposit.objects.get(), 1000, by="coach", now=now)

    with pytest.raises(RefundChanged):
        accept(withdrawal, back=15000, now=now)

    paid.refresh_from_db()
    assert paid.status == "confirmed"


def test_what_is_matched_with_nothing_cannot_be_accepted(db, now):
    with pytest.raises(NotMatched):
        accept(declare(now), back=0, left=0, now=now)


def test_another_address_learns_nothing_but_the_guest_learns_that_the_call_is_off(paid, now):
    withdrawal = declare(now, contract=paid.reference, email="jemand@example.org")

    accept(withdrawal, back=15000, now=now)

    told = Notification.objects.filter(kind="cancellation")
    assert [mail.audience for mail in told] == ["guest"]


def test_the_time_is_free_again(paid, paid_type, now):
    accept(declare(now, contract=paid.reference), back=15000, now=now)

    assert not Booking.objects.taking_time(now).exists()


def test_without_effect_changes_nothing_but_tells_why(paid, now):
    withdrawal = declare(now, contract=paid.reference)

    for _ in range(2):
        withdrawals.find_without_effect(withdrawal, note="Die Frist ist um.", by="coach", now=now)

    withdrawal.refresh_from_db()
    paid.refresh_from_db()
    assert (withdrawal.status, withdrawal.note) == ("without_effect", "Die Frist ist um.")
    assert paid.status == "confirmed"
    assert not Refund.objects.exists()
    assert withdrawal.mails.filter(kind="without_effect").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_accept_at_once_refund_once(paid, now):
    withdrawal = declare(now, contract=paid.reference)

    answers = at_once([lambda: accept(withdrawal, back=15000, now=now)] * 2)

    assert kinds(answers) == {"Withdrawal": 2}
    assert Refund.objects.count() == 1


def test_the_list_knows_what_is_overdue(paid, now):
    withdrawal = declare(now)
    due = now + timedelta(days=14)

    assert withdrawal.due_at == due
    assert not Withdrawal.objects.overdue(due - timedelta(seconds=1)).exists()
    assert list(Withdrawal.objects.overdue(due)) == [withdrawal]


def test_two_bookings_of_an_address_are_told_apart_by_the_coach(confirmed, call_type, now):
    scheduling.confirm(hold(call_type, now=now, start=HALF_PAST_NINE + timedelta(hours=1)), now=now)

    assert declare(now).booking is None


# --- an invoice for the rest ----------------------------------------------------------------------


@pytest.fixture
def bill(paid, now) -> Invoice:
    """What is left to transfer after the call, which the guest had not asked for so early."""
    address_of(paid)
    return invoicing.issue_final(paid, now=after(paid))


def after(booking: Booking) -> datetime:
    return booking.end + timedelta(hours=1)


def test_a_bill_not_paid_yet_is_cancelled_with_its_contract_and_once(bill, paid):
    withdrawal = declare(after(paid))
    invoicing.write_all_owed(now=after(paid))
    assert not bill.cancelled_by.exists()

    accept(withdrawal, back=15000, now=after(paid))
    for _ in range(2):
        invoicing.write_all_owed(now=after(paid))

    storno = bill.cancelled_by.get()
    assert (storno.gross_cents, storno.content.reason) == (-15000, "Der Vertrag wurde widerrufen.")
    assert Notification.objects.filter(invoice=storno, audience="guest").count() == 1


def test_a_bill_is_cancelled_even_if_some_of_the_deposit_is_kept(bill, paid):
    Booking.objects.update(early_start_text="Ja.", early_start_at=paid.confirmed_at)
    withdrawal = declare(after(paid))

    accept(withdrawal, back=5000, note="Eine halbe Stunde.", now=after(paid))
    invoicing.write_all_owed(now=after(paid))

    assert bill.cancelled_by.count() == 1


def test_a_bill_that_was_paid_is_left_to_the_coach(bill, paid):
    invoicing.note_paid(bill, on=after(paid).date(), by="coach", now=after(paid))

    accept(declare(after(paid)), back=15000, now=after(paid))
    invoicing.write_all_owed(now=after(paid))

    assert not bill.cancelled_by.exists()


def test_a_cancellation_that_cannot_be_drawn_is_tried_again(bill, paid, monkeypatch):
    accept(declare(after(paid)), back=15000, now=after(paid))
    with monkeypatch.context() as broken:
        broken.setattr("booking.invoice_pdf.draw", lambda data: 1 / 0)
        assert invoicing.write_all_owed(now=after(paid)) == 0

    invoicing.write_all_owed(now=after(paid))

    assert bill.cancelled_by.count() == 1
