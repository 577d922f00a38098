"""A withdrawal is a business letter: shown to whoever wrote it, kept whatever else is erased."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from booking import forgetting, withdrawals
from booking.models import Booking, Withdrawal, WithdrawalMail
from booking.withdrawals import Declaration
from coaching_site.desk import people
from coaching_site.desk.models import PersonRequest
from newsletter import addresses
from tests.booking.conftest import ADA
from tests.desk.leftovers import places_of

ADDRESS = addresses.parse(ADA.email)
DAY = timedelta(days=1)


@pytest.fixture
def declared(confirmed, now) -> Withdrawal:
    said = Declaration(
        name="Ada Müller",
        contract=str(confirmed.reference),
        email="ADA@example.org",
        message="Nein",
    )
    return withdrawals.receive(said, now=now)


def decide(withdrawal: Withdrawal, now: datetime) -> None:
    withdrawals.find_without_effect(withdrawal, note="Kostenlos.", by="coach", now=now)


def test_whoever_asks_is_shown_their_withdrawals(declared, now):
    told = people.everything_about(ADDRESS, now=now)

    assert "Nein" in json.dumps(told["Widerrufe"], default=str, ensure_ascii=False)
    assert people.is_known(ADDRESS)


def test_an_open_withdrawal_is_in_the_way_of_an_erasure(declared, confirmed, now):
    (reason,) = people.in_the_way(ADDRESS, now=confirmed.end + DAY)

    assert "noch nicht bearbeitet" in reason


def test_a_decided_one_keeps_its_words_when_all_else_is_erased(declared, confirmed, now, run_jobs):
    decide(declared, now)
    run_jobs()

    people.erase(ADDRESS, by=PersonRequest.By.PERSON, now=confirmed.end + DAY)
    run_jobs()

    kept = places_of("ada@example.org", "Ada Müller")
    assert kept == {"booking_withdrawal.name", "booking_withdrawal.email"}


def test_it_goes_when_its_sixth_new_year_begins_in_berlin(declared, now):
    decide(declared, now)
    midnight = datetime(2033, 12, 31, 23, tzinfo=UTC)

    assert forgetting.drop_withdrawals(now=midnight - timedelta(minutes=1)) == 0
    assert forgetting.drop_withdrawals(now=midnight) == 1
    assert not WithdrawalMail.objects.exists()


def test_an_open_one_never_goes_by_itself(declared):
    assert forgetting.drop_withdrawals(now=datetime(2050, 1, 1, tzinfo=UTC)) == 0


def test_a_hold_that_somebody_withdrew_from_stays(held, now):
    said = Declaration(name="Ada", contract=str(held.reference), email=ADA.email, message="")
    declared = withdrawals.receive(said, now=now)
    Withdrawal.objects.filter(pk=declared.pk).update(booking=held, matched=Withdrawal.Match.BY_HAND)

    forgetting.drop_unfinished(now=now + 30 * DAY)

    assert Booking.objects.filter(pk=held.pk).exists()
