"""Withdrawing from a contract (BGB §§ 355–357a): declared by anybody, decided by the coach.

A declaration counts from its receipt. So it is always recorded, whatever it says and however late
it comes, and nothing is told to its author but that it has come.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise

from django.db import transaction

from booking import cancellation, notices, public_holidays
from booking.errors import MustGoBackWhole, NotMatched, RefundChanged, WithdrawalDecided
from booking.models import Booking, Calendar, Notification, Withdrawal, WithdrawalMail
from booking.models.bookings import REFERENCE_LENGTH
from booking.models.withdrawals import GERMAN_TIME, WARN_BEFORE
from coaching_site import german, jobs

Match, Kind = Withdrawal.Match, WithdrawalMail.Kind

# BGB § 355 (2): from the day after the contract was concluded (§ 187 (1)).
PERIOD = timedelta(days=14)
SATURDAY = 5

_MONTH_NUMBERS = {name.lower(): number for number, name in enumerate(german.MONTHS, start=1)}
# „3.3.2027“, „03.03.“, „3. März 2027“, „2027-03-03“
_GERMAN_DATE = re.compile(
    rf"\b(\d{{1,2}})\.\s*(\d{{1,2}}\.|{'|'.join(_MONTH_NUMBERS)})\s*(\d{{4}}|\d{{2}})?(?!\d)",
    re.IGNORECASE,
)
_ISO_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")


@dataclass(frozen=True)
class Declaration:
    """What somebody wrote into the form."""

    name: str
    contract: str
    email: str
    message: str = ""


@dataclass(frozen=True)
class SpokenDate:
    """A day as people write it, with or without its year."""

    day: int
    month: int
    year: int | None

    def means(self, day: date) -> bool:
        return (self.day, self.month) == (day.day, day.month) and self.year in (None, day.year)


def receive(declared: Declaration, *, now: datetime) -> Withdrawal:
    """Record a declaration and owe its receipt. Said twice, it is recorded and confirmed twice."""
    with transaction.atomic():
        booking, how = match(declared.contract, declared.email)
        withdrawal = Withdrawal.objects.create(
            name=declared.name,
            contract=declared.contract,
            email=declared.email,
            message=declared.message,
            received_at=now,
            booking=booking,
            matched=how,
        )
        _owe(withdrawal, Kind.RECEIPT, now=now)
        _owe(withdrawal, Kind.COACH, now=now)
        _warn_of_another_address(withdrawal, now=now)
        return withdrawal


def match(contract: str, email: str) -> tuple[Booking | None, Withdrawal.Match]:
    """The booking that is meant, if only one can be: by its number, else by address and date."""
    by_number = list(Booking.objects.with_its_type().filter(reference__in=_numbers(contract))[:2])
    if by_number:
        return _only(by_number, Match.REFERENCE)
    of_address = list(
        Booking.objects.with_its_type().of_address(email).filter(confirmed_at__isnull=False)
    )
    dates = list(_dates(contract))
    if dates:
        meant = [each for each in of_address if _is_of_one(each, dates)]
        return _only(meant, Match.DATE)
    return _only(of_address, Match.EMAIL)


def match_by_hand(withdrawal: Withdrawal, booking: Booking, *, now: datetime) -> Withdrawal:
    """The coach knows which booking is meant. Raises WithdrawalDecided."""
    with transaction.atomic():
        row = Withdrawal.objects.locked(withdrawal)
        if not row.is_open:
            raise WithdrawalDecided
        if row.booking_id != booking.pk:
            row.booking, row.matched = booking, Match.BY_HAND
            row.save()
            _warn_of_another_address(row, now=now)
        return row


def last_day(booking: Booking) -> date | None:
    """The last day of the withdrawal period in Germany; None where there is no right to withdraw."""
    if booking.confirmed_at is None or not booking.is_contract_of_a_consumer:
        return None
    return last_day_from(booking.confirmed_at, booking.calendar)


def last_day_from(concluded_at: datetime, calendar: Calendar) -> date:
    """The last day of the period of a contract concluded then.

    A weekend or a public holiday at its end moves it to the next working day (BGB § 193).
    """
    day = concluded_at.astimezone(GERMAN_TIME).date() + PERIOD
    while _is_free(day, calendar.federal_state):
        day += timedelta(days=1)
    return day


def is_inside_period(withdrawal: Withdrawal) -> bool:
    """Whether it came before the last day was over, 24:00 in Germany."""
    day = last_day(withdrawal.booking) if withdrawal.booking else None
    return day is not None and withdrawal.received_at < end_of(day)


def end_of(day: date) -> datetime:
    """24:00 of a day in Germany."""
    return datetime.combine(day + timedelta(days=1), time(), GERMAN_TIME)


def may_keep_some(withdrawal: Withdrawal) -> bool:
    """Whether less than everything may go back.

    Of a withdrawal in time only if the guest asked for the early start and the call had begun
    (BGB § 357a (2)). What the coach grants beyond that right is theirs to decide.
    """
    booking = withdrawal.booking
    if booking is None or not is_inside_period(withdrawal):
        return True
    return booking.early_start_at is not None and booking.start <= withdrawal.received_at


def refundable_cents(booking: Booking) -> int:
    """What of the payment could still go back, whatever the terms of cancelling say."""
    deposit = booking.deposits.that_booked().first()
    return deposit.refundable_cents if deposit else 0


def accept(
    withdrawal: Withdrawal,
    *,
    back_cents: int,
    left_cents: int,
    note: str = "",
    by: str,
    now: datetime,
) -> Withdrawal:
    """End the appointment, send the money back the way it came, and tell its author. Twice is once.

    `back_cents` less than there is needs a `note`: what was rendered early is paid for
    (BGB § 357a (2)). `left_cents` is what the coach saw. The refund brings its Stornorechnung, once
    Stripe has confirmed it. Raises NotMatched, NotBooked, NothingToRefund, RefundChanged or
    MustGoBackWhole.
    """
    with transaction.atomic():
        same = _lock_all_that_say_so(withdrawal)
        row = next(each for each in same if each.pk == withdrawal.pk)
        if not row.is_open:
            return row
        if row.booking is None:
            raise NotMatched
        if left_cents != refundable_cents(row.booking):
            raise RefundChanged
        is_whole = back_cents == left_cents
        if not (is_whole or may_keep_some(row)):
            raise MustGoBackWhole
        row.refund = cancellation.cancel_for_withdrawal(
            row.booking, refund_cents=back_cents, who=by, now=now
        )
        row.note = "" if is_whole else note
        row.status = Withdrawal.Status.REFUNDED if is_whole else Withdrawal.Status.PARTLY
        _decide(row, same, by=by, now=now)
        _owe(row, Kind.ACCEPTED, now=now)
        _tell_the_guest(row, now=now)
        return row


def find_without_effect(withdrawal: Withdrawal, *, note: str, by: str, now: datetime) -> Withdrawal:
    """Note that nothing follows from it, and tell its author why. Twice is the same as once."""
    with transaction.atomic():
        same = _lock_all_that_say_so(withdrawal)
        row = next(each for each in same if each.pk == withdrawal.pk)
        if row.is_open:
            row.status, row.note = Withdrawal.Status.WITHOUT_EFFECT, note
            _decide(row, same, by=by, now=now)
            _owe(row, Kind.WITHOUT_EFFECT, now=now)
        return row


def warn_of_due(*, now: datetime) -> int:
    """Owe the coach a mail about each withdrawal whose money must be back soon, once for each."""
    soon = Withdrawal.objects.money_outstanding().due_until(now + WARN_BEFORE).first_said()
    unwarned = soon.exclude(mails__kind=Kind.DUE_SOON)
    for withdrawal in unwarned:
        with transaction.atomic():
            _owe(withdrawal, Kind.DUE_SOON, now=now)
    return len(unwarned)


def give_up(mail: WithdrawalMail, *, now: datetime) -> None:
    """A mail can not be delivered: the desk shows it, and the coach is told once."""
    with transaction.atomic():
        WithdrawalMail.objects.filter(pk=mail.pk).update(failed_at=now)
        if mail.kind not in WithdrawalMail.TO_COACH:
            _owe(mail.withdrawal, Kind.LOST, now=now)


# --- deciding -------------------------------------------------------------------------------------


def _lock_all_that_say_so(withdrawal: Withdrawal) -> list[Withdrawal]:
    rows = Withdrawal.objects.same_as(withdrawal).with_its_booking()
    return list(rows.select_for_update(of=("self",)).order_by("pk"))


def _decide(row: Withdrawal, same: list[Withdrawal], *, by: str, now: datetime) -> None:
    """Note the decision. Whoever declared the same several times meant it once."""
    row.decided_at, row.decided_by = now, by
    row.save()
    for other in same:
        if other.is_open and other.pk != row.pk:
            other.booking, other.matched = row.booking, row.matched
            other.status, other.note, other.refund = row.status, row.note, row.refund
            other.decided_at, other.decided_by = now, by
            other.save()


def _tell_the_guest(row: Withdrawal, *, now: datetime) -> None:
    """With another address, the booking's own must learn that the appointment is off."""
    if row.booking is not None and not row.is_own_address:
        booking = Booking.objects.get(pk=row.booking.pk)
        notices.announce(booking, Notification.Kind.CANCELLATION, to=[Booking.Side.GUEST], now=now)


def _warn_of_another_address(withdrawal: Withdrawal, *, now: datetime) -> None:
    if withdrawal.booking is not None and not withdrawal.is_own_address:
        _owe(withdrawal, Kind.WARNING, now=now)


def _owe(withdrawal: Withdrawal, kind: WithdrawalMail.Kind, *, now: datetime) -> None:
    mail, is_new = WithdrawalMail.objects.get_or_create(
        withdrawal=withdrawal, kind=kind, defaults={"created_at": now}
    )
    if is_new:
        jobs.enqueue("booking.send_withdrawal_mail", mail_id=mail.pk)


# --- matching -------------------------------------------------------------------------------------


def _only(found: list[Booking], how: Withdrawal.Match) -> tuple[Booking | None, Withdrawal.Match]:
    return (found[0], how) if len(found) == 1 else (None, Match.NONE)


def _numbers(contract: str) -> set[str]:
    """Whatever could be a booking number: „acde fghj“ and „ACDE-FGHJ“ are ones as well."""
    words = re.findall(r"[A-Z0-9]+", contract.upper())
    pairs = [first + second for first, second in pairwise(words)]
    return {word for word in [*words, *pairs] if len(word) == REFERENCE_LENGTH}


def _dates(text: str) -> Iterator[SpokenDate]:
    for day, month, year in _GERMAN_DATE.findall(text):
        number = _MONTH_NUMBERS.get(month.lower()) or int(month.rstrip("."))
        yield SpokenDate(int(day), number, _year(year))
    for year, month, day in _ISO_DATE.findall(text):
        yield SpokenDate(int(day), int(month), int(year))


def _year(text: str) -> int | None:
    if not text:
        return None
    return int(text) + (2000 if len(text) == 2 else 0)


def _is_of_one(booking: Booking, dates: list[SpokenDate]) -> bool:
    """Whether one of these is the day of the call or the day it was booked."""
    moments = [moment for moment in (booking.start, booking.confirmed_at) if moment]
    days = [moment.astimezone(booking.calendar.tz).date() for moment in moments]
    return any(spoken.means(day) for spoken in dates for day in days)


def _is_free(day: date, state: str) -> bool:
    return day.weekday() >= SATURDAY or day in public_holidays.of_year(state, day.year)
