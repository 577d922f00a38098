"""Withdrawals at the desk: what the page says, what its buttons do, and who may press them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from booking import cancellation, deposits, invoicing, orders
from booking.errors import WithdrawalDecided
from booking.models import Booking, Deposit, Refund, Withdrawal, WithdrawalMail
from tests.booking.conftest import ADA
from tests.booking.desk import pay_and_bill, queries, staff, words
from tests.booking.papers import address_of, practice
from tests.booking.test_withdrawals import declare, send_all

LIST = reverse("admin:booking_withdrawal_changelist")


@pytest.fixture
def desk(client, db, clock):
    client.force_login(get_user_model().objects.create_superuser("coach"))
    return client


@pytest.fixture
def paid(paid_type, stripe, now) -> Booking:
    practice()
    return pay_and_bill(paid_type, stripe, now)


@pytest.fixture
def withdrawal(paid, now) -> Withdrawal:
    return declare(now, contract=paid.reference, message="Mit <b>Grüßen</b>")


def page(withdrawal: Withdrawal, name: str = "change") -> str:
    return reverse(f"admin:booking_withdrawal_{name}", args=[withdrawal.pk])


def opened(desk, withdrawal: Withdrawal, **changes: str) -> dict[str, str]:
    """What the page for accepting would send."""
    html = desk.get(page(withdrawal, "accept")).content.decode()
    fields = dict(re.findall(r'name="(amount|left)" value="([^"]*)"', html))
    return {"note": "", **fields, **changes}


def test_the_page_shows_all_that_a_decision_needs(desk, withdrawal):
    shown = words(desk.get(page(withdrawal)))

    for sentence in (
        "Nimm ihn an: Der Termin wird abgesagt, und das Geld geht zurück.",
        "Mo., 15.03.2027",
        "Mit &lt;b&gt;Grüßen&lt;/b&gt;",
        "über die Buchungsnummer",
        "Bis Montag, 15. März 2027, 24:00 Uhr (Berliner Zeit). Der Widerruf kam in der Frist.",
        "Steht noch bevor.",
        "Bezahlt 150,00 €, noch da 150,00 €.",
        "Eingangsbestätigung: wird verschickt",
    ):
        assert sentence in shown


def test_the_list_shows_what_is_open_and_what_is_overdue(desk, withdrawal, clock, now):
    assert "Mo., 15.03.2027" in words(desk.get(LIST))

    clock(now + timedelta(days=14))
    desk.force_login(get_user_model().objects.get())  # two weeks are a session's life

    assert "Mo., 15.03.2027 (überfällig)" in words(desk.get(LIST))
    assert "Ada Müller" in words(desk.get(LIST, {"stand": "ueberfaellig"}))
    first_page = words(desk.get(reverse("admin:index")))
    assert "Ein Widerruf ist offen." in first_page
    assert "überfällig seit Mo., 15.03.2027" in first_page


def test_a_repetition_is_named(desk, withdrawal, paid, now):
    declare(now, contract=paid.reference, message=withdrawal.message)

    assert words(desk.get(LIST)).count("offen, Wiederholung") == 1


def test_opening_the_page_for_accepting_changes_nothing(desk, withdrawal, paid):
    shown = words(desk.get(page(withdrawal, "accept")))

    assert "Das Geld geht auf dem Weg zurück, auf dem es kam" in shown
    paid.refresh_from_db()
    assert paid.status == "confirmed"


def test_accepting_cancels_refunds_and_links_the_papers(desk, withdrawal, paid, now):
    answer = desk.post(page(withdrawal, "accept"), opened(desk, withdrawal), follow=True)
    send_all(now)
    invoicing.write_all_owed(now=now)

    assert "Angenommen: 150,00 € gehen zurück." in words(answer)
    shown = words(desk.get(page(withdrawal)))
    assert "150,00 € erstattet" in shown
    assert "Stornorechnung TEST-2027-0002" in shown
    paid.refresh_from_db()
    assert paid.status == "cancelled"


def test_a_double_click_on_accept_refunds_once(desk, withdrawal):
    fields = opened(desk, withdrawal)

    for _ in range(2):
        assert desk.post(page(withdrawal, "accept"), fields).status_code == 302

    assert Refund.objects.count() == 1


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"amount": "150,01"}, "Höchstens 150,00 €."),
        ({"amount": "50"}, "Von diesem Widerruf darfst du nichts behalten"),
        ({"amount": "viel"}, "Schreib den Betrag wie 47,50."),
        ({"left": "1"}, "Inzwischen sind 150,00 € da."),
        ({"left": "kaputt"}, "Inzwischen sind 150,00 € da."),
    ],
)
def test_what_cannot_be_is_asked_again(desk, withdrawal, typed, sentence):
    shown = words(desk.post(page(withdrawal, "accept"), opened(desk, withdrawal, **typed)))

    assert sentence in shown
    assert 'name="left" value="15000"' in shown
    assert not Refund.objects.exists()


@pytest.fixture
def rendered(withdrawal: Withdrawal, paid: Booking, now) -> Withdrawal:
    """The call was held, early and at the guest's request, before it was withdrawn from."""
    orders.ask_for_early_start(paid, now=now)
    Booking.objects.update(start=now - timedelta(hours=2), end=now - timedelta(hours=1))
    return withdrawal


def test_a_part_needs_its_reason(desk, rendered):
    shown = words(desk.post(page(rendered, "accept"), opened(desk, rendered, amount="50")))

    assert "Schreib, warum nicht alles zurückgeht." in shown


def test_the_desk_shows_whether_the_early_start_was_asked_for(desk, withdrawal, paid, now):
    assert "nicht verlangt" in words(desk.get(page(withdrawal)))

    orders.ask_for_early_start(paid, now=now)

    assert "verlangt: " in words(desk.get(page(withdrawal)))


def test_part_of_the_money_goes_back_with_its_reason(desk, rendered):
    withdrawal = rendered
    fields = opened(desk, withdrawal, amount="100", note="Ein Drittel war erbracht.")

    desk.post(page(withdrawal, "accept"), fields)

    withdrawal.refresh_from_db()
    assert (withdrawal.status, withdrawal.note) == ("partly", "Ein Drittel war erbracht.")
    assert Deposit.objects.get().kept_cents == 5000


def test_money_that_moves_meanwhile_is_seen_before_anything_happens(desk, withdrawal, now):
    fields = opened(desk, withdrawal)
    deposits.refund_by_hand(Deposit.objects.get(), 1000, by="coach", now=now)

    shown = words(desk.post(page(withdrawal, "accept"), fields))

    assert "Inzwischen sind 140,00 € da." in shown
    withdrawal.refresh_from_db()
    assert withdrawal.is_open


def test_without_effect_needs_a_reason_that_is_mailed(desk, withdrawal):
    assert "Schreib den Grund." in words(
        desk.post(page(withdrawal, "without_effect"), {"note": ""})
    )

    desk.post(page(withdrawal, "without_effect"), {"note": "Die Frist ist um."})

    withdrawal.refresh_from_db()
    assert (withdrawal.status, withdrawal.decided_by) == ("without_effect", "coach")
    assert WithdrawalMail.objects.filter(kind="without_effect").exists()


def test_what_is_not_matched_is_matched_by_hand(desk, paid, now):
    unknown = declare(now, contract="weiß nicht", email="jemand@example.org")
    assert "Annehmen</a>" not in words(desk.get(page(unknown)))
    assert "Ordne den Widerruf einem Termin zu." in words(
        desk.get(page(unknown, "accept"), follow=True)
    )
    assert "Diese Buchungsnummer gibt es nicht." in words(
        desk.post(page(unknown, "match"), {"reference": "AAAAAAAA"})
    )

    desk.post(page(unknown, "match"), {"reference": f" {paid.reference.lower()} "})

    unknown.refresh_from_db()
    assert (unknown.booking, unknown.matched) == (paid, "by_hand")
    assert f"die Adresse ist nicht die der Buchung ({ADA.email})" in words(desk.get(page(unknown)))


def test_the_page_for_matching_names_what_the_address_booked(desk, paid, now):
    withdrawal = declare(now, contract="am 9.9.2027")

    assert f"Mit dieser Adresse gebucht: {paid.reference}" in words(
        desk.get(page(withdrawal, "match"))
    )


def test_who_may_only_look_cannot_decide(client, clock, withdrawal):
    helper = staff(client, "view_withdrawal")

    assert "Annehmen</a>" not in words(helper.get(page(withdrawal)))
    for name in ("accept", "match", "without_effect"):
        assert helper.get(page(withdrawal, name)).status_code == 403


def test_nobody_edits_or_deletes_a_declaration_at_the_desk(desk, withdrawal):
    assert desk.post(page(withdrawal), {"name": "x"}).status_code == 403
    assert desk.get(page(withdrawal, "delete")).status_code == 403
    assert desk.get(reverse("admin:booking_withdrawal_add")).status_code == 403


def test_a_decided_one_offers_nothing_more(desk, withdrawal):
    desk.post(page(withdrawal, "without_effect"), {"note": "Die Frist ist um."})

    assert "Annehmen</a>" not in words(desk.get(page(withdrawal)))
    for name in ("accept", "without_effect"):
        shown = words(desk.get(page(withdrawal, name), follow=True))
        assert "Das ist schon entschieden." in shown


@pytest.mark.parametrize("stand", ["offen", "ueberfaellig", "entschieden", "alle"])
def test_the_list_costs_the_same_for_many(desk, withdrawal, paid, now, stand):
    address = f"{LIST}?stand={stand}"
    before = queries(desk, address)
    for number in range(3):
        declare(now, contract=paid.reference, message=str(number))

    assert queries(desk, address) == before


def test_a_booking_leads_to_its_withdrawals_and_they_lead_back(desk, withdrawal, paid):
    its_page = reverse("admin:booking_booking_change", args=[paid.pk])

    assert f'<a href="{page(withdrawal)}">Mo., 01.03.2027, 09:00 Uhr: offen</a>' in words(
        desk.get(its_page)
    )
    assert f'<a href="{its_page}">' in words(desk.get(page(withdrawal)))


def test_an_unpaid_bill_is_announced_to_fall_away_and_a_paid_one_asks_for_the_coach(
    desk, withdrawal, paid, clock, now
):
    address_of(paid)
    later = paid.end + timedelta(hours=1)
    bill = invoicing.issue_final(paid, now=later)
    assert "unbezahlt und wird storniert" in words(desk.get(page(withdrawal)))

    invoicing.note_paid(bill, on=later.date(), by="coach", now=later)
    assert "Überweise ihn zurück" in words(desk.get(page(withdrawal)))


def test_the_page_says_what_became_of_the_call(desk, withdrawal, paid, now):
    hour = timedelta(hours=1)
    Booking.objects.filter(pk=paid.pk).update(start=now - 2 * hour, end=now - hour)
    assert "Hat stattgefunden." in words(desk.get(page(withdrawal)))

    Booking.objects.filter(pk=paid.pk).update(no_show_at=now)
    assert "Der Gast ist nicht erschienen." in words(desk.get(page(withdrawal)))

    cancellation.cancel_by_coach(Booking.objects.get(pk=paid.pk), now=now)
    assert "Der Termin ist abgesagt." in words(desk.get(page(withdrawal)))


def test_a_payment_in_dispute_is_named_before_a_withdrawal_is_accepted(desk, withdrawal, stripe):
    stripe.open_dispute(stripe.intents[0]["id"])
    stripe.deliver_pending()

    assert "geht von ihr nichts zurück" in words(desk.get(page(withdrawal, "accept")))


def test_what_was_decided_meanwhile_is_not_matched_any_more(desk, paid, now):
    withdrawal = declare(now, contract="weiß nicht", email="jemand@example.org")
    desk.post(page(withdrawal, "without_effect"), {"note": "Es gibt keinen Vertrag."})

    shown = words(desk.post(page(withdrawal, "match"), {"reference": paid.reference}, follow=True))

    assert WithdrawalDecided.message in shown
    withdrawal.refresh_from_db()
    assert withdrawal.booking is None
