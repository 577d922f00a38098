"""What the mails say about money, as their readers get them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from booking import cancellation, checkout, deposits, mail, scheduling
from booking.models import Alarm, Booking, Deposit, Refund
from pages.models import Practice
from tests.booking.conftest import ADA, BEN, NINE, hold, new_type
from tests.mail_server import html, text

COACH = "coach@praxis.example"
PROOF = "Dir bleibt der Nachweis gestattet"


@pytest.fixture(autouse=True)
def practice(db) -> Practice:
    return Practice.objects.create(pk=1, first_name="Kim", last_name="Muster")


@pytest.fixture
def booked(paid_type, stripe, now) -> Booking:
    booking = hold(paid_type, now=now)
    checkout.begin(booking, now=now)
    stripe.pay(stripe.sessions[0]["id"])
    return checkout.look(booking, now=now)


def plain(message) -> str:
    return text(message).replace("\u00a0", " ")


def both(message) -> list[str]:
    """Plain text and HTML, each on one line and without tags."""
    without_tags = re.sub(r"<style>.*?</style>|<[^>]+>", "", html(message), flags=re.DOTALL)
    return [" ".join(part.split()) for part in (plain(message), without_tags)]


def sent(mailbox, to: str) -> list[str]:
    """The two forms of the one mail to this reader."""
    (message,) = mailbox.to(to)
    return both(message)


def test_the_confirmation_names_price_payment_rest_and_terms(booked, mailbox):
    mail.confirmation_to_guest(booked)

    for words in sent(mailbox, ADA.email):
        assert "Preis: 300,00 € inkl. 19 % MwSt." in words
        assert "Bezahlt: 150,00 €, auf den Preis angerechnet" in words
        assert "Noch offen: 150,00 €, nach dem Gespräch auf Rechnung" in words
        assert (
            "Sagst du bis Montag, 1. März 2027, 09:00 Uhr, Berliner Zeit (MEZ), ab, bekommst du "
            "die 150,00 € ganz zurück. Danach behalte ich 47,50 €, und 102,50 € gehen zurück."
            in words
        )
        assert PROOF in words
        assert "Den Rest zahlst du bei einer Absage nicht." in words


def test_a_type_paid_in_full_has_no_rest(calendar, stripe, now, mailbox):
    whole = new_type(calendar, slug="ganz", price_cents=9900, cancel_keep_percent=100)
    booking = hold(whole, now=now, start=NINE + timedelta(days=2))
    checkout.begin(booking, now=now)
    stripe.pay(stripe.sessions[0]["id"])

    mail.confirmation_to_guest(checkout.look(booking, now=now))

    for words in sent(mailbox, ADA.email):
        assert "Bezahlt: 99,00 €" in words
        assert "Danach behalte ich sie." in words
        assert "Noch offen" not in words
        assert "Den Rest" not in words


def test_who_books_after_the_free_hours_reads_that_they_are_over(paid_type, stripe, now, mailbox):
    late = NINE - timedelta(hours=30)
    booking = hold(paid_type, now=late)
    checkout.begin(booking, now=late)
    stripe.pay(stripe.sessions[0]["id"])

    mail.confirmation_to_guest(checkout.look(booking, now=late))

    for words in sent(mailbox, ADA.email):
        assert "Ohne Kosten absagen ging bis 48 Stunden vorher" in words
        assert "Sagst du ab, behalte ich 47,50 €, und 102,50 € gehen zurück." in words


def test_a_free_call_says_nothing_about_money(confirmed, mailbox):
    mail.confirmation_to_guest(confirmed)
    mail.confirmation_to_coach(confirmed)

    assert not any("€" in plain(message) for message in mailbox.messages)


def test_the_coach_reads_what_was_paid(booked, mailbox):
    mail.confirmation_to_coach(booked)

    for words in sent(mailbox, COACH):
        assert "Preis: 300,00 € inkl. 19 % MwSt., bezahlt 150,00 €, noch offen 150,00 €" in words
        assert "danach bleiben dir 47,50 €" in words


def test_calling_off_in_time_promises_all_of_it_and_nothing_has_gone_yet(booked, now, mailbox):
    called_off = cancellation.cancel_by_guest(booked, now=now)

    mail.cancellation_to_guest(called_off)
    mail.cancellation_to_coach(called_off)

    for words in sent(mailbox, ADA.email):
        assert "Bezahlt hast du 150,00 €. Ich erstatte dir 150,00 €" in words
        assert "erstattet" not in words
        assert PROOF not in words
        assert "Noch offen" not in words
    for words in sent(mailbox, COACH):
        assert "150,00 € gehen von selbst zurück." in words


def test_calling_off_late_names_what_is_kept_and_the_right_to_prove_less(booked, mailbox):
    called_off = cancellation.cancel_by_guest(booked, now=NINE - timedelta(hours=47))

    mail.cancellation_to_guest(called_off)
    mail.cancellation_to_coach(called_off)

    for words in sent(mailbox, ADA.email):
        assert "Ich erstatte dir 102,50 €" in words
        assert "47,50 € behalte ich, wie bei der Buchung vereinbart." in words
        assert PROOF in words
    for words in sent(mailbox, COACH):
        assert "102,50 € gehen von selbst zurück. 47,50 € bleiben bei dir." in words


def test_what_the_bank_fights_over_is_not_promised(booked, stripe, now, mailbox):
    stripe.deliver_pending()
    stripe.open_dispute(stripe.intents[0]["id"])
    stripe.deliver_pending()

    mail.cancellation_to_guest(cancellation.cancel_by_guest(booked, now=now))

    for words in sent(mailbox, ADA.email):
        assert "Ich erstatte dir" not in words
        assert "Deine Bank prüft gerade die Zahlung." in words


def test_moving_carries_the_payment_and_names_the_new_terms(booked, now, mailbox):
    moved = scheduling.move(booked, start=NINE + timedelta(days=1), by=Booking.Side.GUEST, now=now)

    mail.moved_to_guest(moved)
    mail.moved_to_coach(moved)

    for words in sent(mailbox, ADA.email):
        assert "Deine Zahlung gilt für die neue Zeit weiter." in words
        assert "Sagst du bis Dienstag, 2. März 2027, 09:00 Uhr, Berliner Zeit (MEZ), ab" in words
    for words in sent(mailbox, COACH):
        assert "Die Zahlung gilt für die neue Zeit weiter." in words


def test_the_refund_mail_comes_when_it_is_certain_and_says_that_banks_take_days(
    booked, now, mailbox, run_jobs
):
    cancellation.cancel_by_guest(booked, now=now)

    run_jobs()

    refund = Refund.objects.get()
    (message,) = [each for each in mailbox.to(ADA.email) if "Erstattung" in each["Subject"]]
    assert refund.is_back
    assert message["Subject"] == "Erstattung zu deinem Termin, Mi., 03.03.2027"
    for words in both(message):
        assert "deine Erstattung ist raus: 150,00 €" in words
        assert "fünf bis zehn Werktage" in words
        assert booked.reference in words


def test_who_paid_too_late_reads_that_nothing_is_booked_and_the_money_comes_back(
    paid_type, stripe, now, mailbox
):
    booking = hold(paid_type, now=now)
    checkout.begin(booking, now=now)
    stripe.pay(stripe.sessions[0]["id"])
    late = now + timedelta(minutes=36)
    hold(paid_type, now=late, guest=BEN)
    checkout.reconcile(now=late)

    mail.paid_too_late_to_guest(booking)
    mail.paid_too_late_to_coach(booking)

    for words in sent(mailbox, ADA.email):
        assert "Gebucht ist deshalb nichts." in words
        assert "Ich erstatte dir 150,00 €, also alles" in words
        assert "erstattet" not in words
    for words in sent(mailbox, COACH):
        assert "hat 150,00 € bezahlt" in words
        assert "Du musst nichts tun." in words


@pytest.mark.parametrize("kind", Alarm.Kind.values)
def test_an_alarm_says_what_happened_what_to_do_and_where(booked, now, mailbox, kind):
    Booking.objects.update(name="<b>Ada</b>")
    deposits.alarm(Deposit.objects.get(), Alarm.Kind(kind), detail="Näheres", now=now)
    alarm = Alarm.objects.with_its_booking().get()

    mail.alarm_to_coach(alarm)

    (message,) = mailbox.to(COACH)
    assert message["Subject"] == f"Bitte ansehen: {alarm.get_kind_display()}, {booked.reference}"
    for words in both(message):
        assert f"{alarm.get_kind_display()} (Näheres)." in words
        assert re.search(r"Was zu tun ist: \S[^.]+\.", words)
    assert f"/verwaltung/booking/booking/{booked.pk}/change/" in plain(message)
    assert "<b>Ada" not in html(message)


def test_every_kind_of_alarm_has_a_sentence_of_its_own(booked, now, mailbox):
    sentences = set()
    for kind in Alarm.Kind:
        deposits.alarm(Deposit.objects.get(), kind, now=now)
        mail.alarm_to_coach(Alarm.objects.with_its_booking().get(kind=kind))
        found = re.search(r"Was zu tun ist: (.+)", plain(mailbox.messages[-1]))
        assert found
        sentences.add(found[1])

    assert len(sentences) == len(Alarm.Kind)


def test_no_mail_about_money_has_holes(booked, stripe, now, mailbox):
    moved = scheduling.move(booked, start=NINE + timedelta(days=1), by=Booking.Side.GUEST, now=now)
    for each in (mail.confirmation_to_guest, mail.confirmation_to_coach, mail.moved_to_guest):
        each(moved)
    mail.moved_to_coach(moved)
    called_off = cancellation.cancel_by_guest(moved, now=NINE - timedelta(hours=20))
    for each in (mail.cancellation_to_guest, mail.cancellation_to_coach):
        each(called_off)
    mail.paid_too_late_to_guest(called_off)
    mail.paid_too_late_to_coach(called_off)
    mail.refund_to_guest(called_off, Refund.objects.get())
    deposits.alarm(Deposit.objects.get(), Alarm.Kind.DISPUTE, now=now)
    mail.alarm_to_coach(Alarm.objects.with_its_booking().get())

    assert len(mailbox.messages) == 10
    for message in mailbox.messages:
        assert "\n\n\n" not in plain(message), message["Subject"]
        assert not re.search(r"[{}]|&nbsp;|  ", plain(message)), message["Subject"]
