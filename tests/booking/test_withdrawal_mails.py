"""Mails to a withdrawal: the receipt says all that was declared, and none is lost in silence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from booking import orders, withdrawals
from booking.models import Booking, Refund, Withdrawal, WithdrawalMail
from booking.tasks import due_withdrawals, owed_withdrawal_mails, send_withdrawal_mail
from coaching_site import jobs
from coaching_site.mail import Undeliverable
from tests.booking.conftest import ADA
from tests.booking.desk import pay_and_bill
from tests.booking.papers import practice, words_in
from tests.booking.test_invoices_reach_people import papers
from tests.booking.test_withdrawals import accept, declare, send_all
from tests.mail_server import text

pytestmark = pytest.mark.usefixtures("db", "clock")

COACH = "coach@praxis.example"
OTHER = "jemand@example.org"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _practice(db) -> None:
    practice()


@pytest.fixture
def paid(paid_type, stripe, now) -> Booking:
    return pay_and_bill(paid_type, stripe, now)


def plain(message) -> str:
    return text(message).replace("\u00a0", " ")


def subjects(messages) -> list[str]:
    return [str(message["Subject"]) for message in messages]


def test_the_receipt_says_all_that_was_declared_and_when(now, mailbox, run_jobs):
    declare(now, contract="AAAAAAAA", message="Zwei\nZeilen mit https://example.org")
    run_jobs()

    [message] = mailbox.to(ADA.email)
    said = plain(message)
    for sentence in (
        "Name: Ada Müller",
        "Vertrag: AAAAAAAA",
        f"E-Mail: {ADA.email}",
        "Zwei\nZeilen mit https://example.org",
        "Eingegangen: Montag, 1. März 2027, 09:00 Uhr, Berliner Zeit (MEZ)",
        "Diese Mail bestätigt den Eingang.",
        "/vertrag-widerrufen/eingegangen/",
        "Impressum:",
    ):
        assert sentence in said


def test_the_receipt_does_not_say_whether_a_booking_was_found(now, mailbox, run_jobs, confirmed):
    declare(now, contract=confirmed.reference, email=OTHER)
    run_jobs()

    [message] = mailbox.to(OTHER)
    assert confirmed.name not in plain(message).replace("Ada Müller", "", 2)
    assert "angenommen" not in plain(message)


def test_the_coach_reads_until_when_the_money_must_be_back(now, mailbox, run_jobs):
    declare(now)
    run_jobs()

    [message] = mailbox.to(COACH)
    assert subjects([message]) == ["Widerruf von Ada Müller"]
    assert message["Reply-To"] == ADA.email
    assert "Zu erstatten bis Montag, 15. März 2027" in plain(message)


def test_another_address_makes_the_bookings_own_be_warned(paid, now, mailbox, run_jobs):
    run_jobs()
    mailbox.clear()
    declare(now, contract=paid.reference, email=OTHER)
    run_jobs()

    [warning] = mailbox.to(ADA.email)
    assert f"Widerruf zu deiner Buchung {paid.reference}" in subjects([warning])
    assert OTHER not in plain(warning)
    assert subjects(mailbox.to(OTHER)) == ["Dein Widerruf ist eingegangen"]


def test_a_receipt_that_fails_for_now_is_owed_and_tried_again(now, mailbox, run_jobs, settings):
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    withdrawal = declare(now)
    receipt = withdrawal.mails.get(kind="receipt")
    with pytest.raises(OSError):
        send_withdrawal_mail(receipt.pk)

    assert Withdrawal.objects.filter(pk=withdrawal.pk).exists()
    settings.EMAIL_PORT = port
    send_withdrawal_mail(receipt.pk)
    send_withdrawal_mail(receipt.pk)

    assert len(mailbox.to(ADA.email)) == 1
    receipt.refresh_from_db()
    assert (receipt.sent_at, receipt.attempts) == (now, 2)


def test_a_receipt_that_fails_for_good_alarms_the_coach(now, mailbox, run_jobs):
    withdrawal = declare(now)
    mailbox.refuse_with = "550 5.1.1 no such user"
    with pytest.raises(Undeliverable):
        send_withdrawal_mail(withdrawal.mails.get(kind="receipt").pk)
    mailbox.refuse_with = None
    run_jobs()

    assert WithdrawalMail.objects.failed_of_open().count() == 1
    lost = [each for each in mailbox.to(COACH) if "kam nicht an" in str(each["Subject"])]
    assert "Eingangsbestätigung" in plain(lost[0])


def test_what_nobody_takes_for_days_is_given_up_and_alarms(now, mailbox, settings):
    settings.EMAIL_PORT = 1
    receipt = declare(now).mails.get(kind="receipt")
    for _ in range(jobs.MOST_ATTEMPTS):
        with pytest.raises(OSError):
            send_withdrawal_mail(receipt.pk)

    receipt.refresh_from_db()
    assert receipt.failed_at == now
    assert receipt.withdrawal.mails.filter(kind="lost").exists()


def test_a_lost_job_loses_no_receipt(now, mailbox, run_jobs):
    declare(now)
    ProcrastinateJob.objects.all()._raw_delete("default")

    owed_withdrawal_mails(0)
    run_jobs()

    assert subjects(mailbox.to(ADA.email)) == ["Dein Widerruf ist eingegangen"]


def test_accepting_tells_the_sum_takes_the_call_out_of_the_calendar_and_brings_the_storno(
    paid, now, mailbox, run_jobs
):
    withdrawal = declare(now, contract=paid.reference)
    run_jobs()
    mailbox.clear()

    accept(withdrawal, back=15000, now=now)
    run_jobs()
    send_all(now)
    run_jobs()

    accepted, refunded = mailbox.to(ADA.email)
    assert "150,00 € gehen zurück, auf dem Weg, auf dem du bezahlt hast" in plain(accepted)
    assert "text/calendar" in [part.get_content_type() for part in accepted.walk()]
    [(name, content)] = papers(refunded)
    assert name.startswith("Stornorechnung-TEST-2027-")
    assert "Stornorechnung" in words_in(content)
    assert Refund.objects.get().status == "succeeded"


def test_less_than_everything_tells_why(paid, now, mailbox, run_jobs):
    orders.ask_for_early_start(paid, now=now)
    after = paid.end
    withdrawal = declare(after, contract=paid.reference)
    accept(withdrawal, back=5000, note="Zwei Drittel waren erbracht.", now=after)
    run_jobs()

    [accepted] = [each for each in mailbox.to(ADA.email) if "angenommen" in str(each["Subject"])]
    assert "Warum nicht alles zurückgeht: Zwei Drittel waren erbracht." in plain(accepted)
    assert not any(part.get_content_type() == "text/calendar" for part in accepted.walk())


def test_without_effect_tells_the_reason(now, mailbox, run_jobs):
    withdrawals.find_without_effect(
        declare(now), note="Ich finde keinen Vertrag.", by="coach", now=now
    )
    run_jobs()

    said = [plain(each) for each in mailbox.to(ADA.email)]
    assert any("Ich finde keinen Vertrag." in each for each in said)


def test_whoever_is_refused_reads_which_body_settles_disputes_and_whether_the_coach_takes_part(
    now, mailbox, run_jobs
):
    withdrawals.find_without_effect(declare(now), note="Zu spät.", by="coach", now=now)
    run_jobs()

    [refused] = [plain(each) for each in mailbox.to(ADA.email) if "Zu spät." in plain(each)]
    words = " ".join(refused.split())
    assert "Universalschlichtungsstelle des Bundes" in words
    assert "bin ich nicht verpflichtet, und ich nehme daran nicht teil" in words


def test_the_confirmation_of_a_paid_booking_links_the_form(paid, mailbox, run_jobs):
    run_jobs()

    [message] = mailbox.to(ADA.email)
    assert "Vertrag widerrufen: http" in plain(message)
    assert "/vertrag-widerrufen/?termin=" in plain(message)


def test_the_confirmation_of_a_free_call_does_not(confirmed, mailbox, run_jobs):
    run_jobs()

    [message] = mailbox.to(ADA.email)
    assert "widerrufen" not in plain(message)


# --- the money must be back soon ------------------------------------------------------------------


@pytest.fixture
def pass_days(clock, run_jobs, now) -> Callable[[int, int], None]:
    """Lets days pass: each has the day's job, and then what it started."""

    def pass_to(first: int, last: int) -> None:
        for day in range(first, last + 1):
            clock(now + day * DAY)
            due_withdrawals(0)
            run_jobs()

    return pass_to


def due_soon(mailbox) -> list[str]:
    return [each for each in subjects(mailbox.to(COACH)) if each.startswith("Bald fällig")]


def test_five_days_before_the_money_must_be_back_the_coach_is_told_once(now, mailbox, pass_days):
    declare(now)

    pass_days(0, 8)
    assert due_soon(mailbox) == []
    pass_days(9, 20)

    assert due_soon(mailbox) == ["Bald fällig: Widerruf von Ada Müller"]
    told = plain(mailbox.to(COACH)[-1])
    assert "endet am Montag, 15. März 2027" in told
    assert "Ordne ihn vorher einem Termin zu." in told
    assert "/verwaltung/booking/withdrawal/" in told
    assert "\n\n\n" not in told


def test_what_is_decided_and_paid_back_needs_no_warning(paid, now, mailbox, pass_days):
    accept(declare(now, contract=paid.reference), back=15000, now=now)
    send_all(now)

    pass_days(0, 20)

    assert due_soon(mailbox) == []


def test_a_refund_that_does_not_arrive_is_warned_of(paid, now, mailbox, pass_days):
    accept(declare(now, contract=paid.reference), back=15000, now=now)
    ProcrastinateJob.objects.filter(task_name="booking.send_refund")._raw_delete("default")

    pass_days(9, 10)

    assert len(due_soon(mailbox)) == 1
    assert "die Erstattung ist noch nicht angekommen (beauftragt)" in plain(mailbox.to(COACH)[-1])


def test_the_same_declared_twice_is_warned_of_once(now, mailbox, pass_days):
    declare(now)
    declare(now)

    pass_days(9, 10)

    assert len(due_soon(mailbox)) == 1


def test_a_day_that_crashed_is_made_up_for_by_the_next(now, mailbox, pass_days, monkeypatch):
    declare(now)
    with monkeypatch.context() as broken:
        broken.setattr("coaching_site.jobs.enqueue", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            withdrawals.warn_of_due(now=now + 9 * DAY)
    assert not WithdrawalMail.objects.filter(kind="due_soon").exists()

    pass_days(10, 12)

    assert len(due_soon(mailbox)) == 1


def test_a_warning_that_was_overtaken_by_the_refund_is_not_sent(paid, now, mailbox, run_jobs):
    withdrawal = declare(now, contract=paid.reference)
    withdrawals.warn_of_due(now=now + 9 * DAY)
    accept(withdrawal, back=15000, now=now + 9 * DAY)
    send_all(now)

    run_jobs()

    assert due_soon(mailbox) == []
