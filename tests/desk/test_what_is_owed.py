"""`manage.py legalcheck` of a running site: what is owed to people is counted, and nobody is named."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.utils import timezone

from booking.models import WithdrawalMail
from coaching_site.desk import people
from coaching_site.desk.models import PersonRequest
from newsletter import addresses
from tests.booking.conftest import ADA
from tests.booking.test_withdrawals import declare
from tests.pages.test_compliance import run

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def test_receipts_and_refunds_and_requests_are_counted_and_nobody_is_named(confirmed, now, clock):
    declare(now)
    people.erase(addresses.parse(ADA.email), by=PersonRequest.By.PERSON, now=now)
    PersonRequest.objects.update(due_on=timezone.localdate(now) + 20 * DAY)

    clock(now + 16 * DAY)
    code, lines = run()

    assert code == 1
    for line in (
        "MUSS  Widerrufe, deren Eingang noch nicht bestätigt ist: 1.",
        "MUSS  Widerrufe, deren Geld schon zurück sein müsste: 1.",
        "SOLL  Anfragen zu Daten, deren Frist in den nächsten Tagen endet: 1.",
    ):
        assert line in lines
    assert not any(word in line for line in lines for word in ("Ada", ADA.email))

    clock(now + 21 * DAY)
    assert "MUSS  Anfragen zu Daten, deren Frist vorbei ist: 1." in run()[1]


def test_money_that_is_due_in_a_few_days_is_a_reminder(now, clock):
    WithdrawalMail.objects.filter(withdrawal=declare(now)).update(sent_at=now)

    clock(now + 10 * DAY)

    lines = run()[1]
    assert "SOLL  Widerrufe, deren Geld in den nächsten Tagen zurück sein muss: 1." in lines
    assert not any("Eingang noch nicht bestätigt" in line for line in lines)


def test_a_receipt_on_its_way_is_not_missing_yet(now, clock):
    declare(now)

    assert not any("Widerrufe" in line for line in run()[1])


def test_a_confirmation_that_was_not_there_before_the_call_is_named(confirmed, clock):
    clock(confirmed.start)

    assert "MUSS  Termine, deren Bestätigung nicht vor dem Gespräch ankam: 1." in run()[1]


def test_what_is_owed_to_people_keeps_no_deployment_back(confirmed, clock):
    clock(confirmed.start)

    found = run_checks(include_deployment_checks=True, databases=["default"])

    [message] = [each for each in found if "Bestätigung nicht vor dem Gespräch" in each.msg]
    assert message.id == "pages.W001"
