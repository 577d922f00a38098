"""What the desk shows of the money: at the booking, in the lists, in files."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.test import override_settings
from django.urls import reverse

from booking import availability, by_hand, cancellation, checkout, deposits
from booking.admin import money
from booking.models import Alarm, Booking, Deposit
from coaching_site.german import NBSP
from tests.booking.conftest import ADA, BEN, HALF_PAST_NINE, NINE, hold, somebody
from tests.booking.desk import pay, queries, staff, words

BOOKINGS = reverse("admin:booking_booking_changelist")
PAYMENTS = reverse("admin:booking_deposit_changelist")
ALARMS = reverse("admin:booking_alarm_changelist")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk(client, db, clock):
    user = get_user_model().objects.create_superuser("coach")
    client.force_login(user)
    return client


@pytest.fixture
def booked(paid_type, stripe, now) -> Booking:
    return pay(paid_type, stripe, now)


def page_of(desk, booking: Booking) -> str:
    return words(desk.get(reverse("admin:booking_booking_change", args=[booking.pk])))


def alarm(deposit: Deposit, now, kind=Alarm.Kind.LATE, about="") -> Alarm:
    deposits.alarm(deposit, kind, about=about, now=now)
    return Alarm.objects.get(deposit=deposit, kind=kind, about=about)


# --- the booking's own page -------------------------------------------------------------------


def test_the_booking_says_what_it_costs_and_what_came(desk, booked):
    page = page_of(desk, booked)

    for name, amount in (
        ("Preis", "300,00 €"),
        ("beim Buchen fällig", "150,00 €"),
        ("Rest, nach dem Buchen", "150,00 €"),
        ("bezahlt", "150,00 €"),
        ("behalten", "0,00 €"),
    ):
        assert f"<dt>{name}</dt> <dd> {amount} </dd>" in page


@pytest.mark.parametrize(("livemode", "mode"), [(False, "/test"), (True, "")])
def test_the_booking_leads_to_the_payment_at_stripe(desk, booked, livemode, mode):
    Deposit.objects.update(livemode=livemode)
    deposit = Deposit.objects.get()

    page = page_of(desk, booked)

    assert f"https://dashboard.stripe.com{mode}/payments/{deposit.payment_intent}" in page
    assert deposit.session_id in page
    assert ("Testmodus" in page) is not livemode


def test_the_booking_tells_what_went_back_why_and_by_whom(desk, booked, now):
    deposit = Deposit.objects.get()
    refund = deposits.refund_by_hand(deposit, 5000, by="coach", now=now)
    assert "beauftragt, wird geprüft" in page_of(desk, booked)

    deposits.send(refund, now=now)

    page = page_of(desk, booked)
    for text in ("50,00 €", "erstattet", "von Hand", "<td>coach</td>", "Mo., 01.03.2027"):
        assert text in page
    assert "wird geprüft" not in page


def test_a_refund_whose_answer_got_lost_is_not_called_done(desk, booked, stripe, now):
    refund = deposits.refund_by_hand(Deposit.objects.get(), 5000, by="coach", now=now)
    stripe.faults.lose_answer(on="POST /v1/refunds", times=2)
    with pytest.raises(Exception, match="Zahlungsdienst"):
        deposits.send(refund, now=now)

    assert "beauftragt, wird geprüft" in page_of(desk, booked)


def test_a_refund_that_failed_says_why(desk, booked, stripe, now):
    deposits.send(
        deposits.refund_by_hand(Deposit.objects.get(), 5000, by="coach", now=now), now=now
    )
    stripe.refund_fails(stripe.refunds[0]["id"], "expired_or_canceled_card")
    stripe.deliver_pending()

    page = page_of(desk, booked)

    assert "gescheitert (expired_or_canceled_card)" in page
    assert "Eine Erstattung ist gescheitert." in page


def test_a_dispute_names_its_last_day(desk, booked, stripe):
    stripe.open_dispute(stripe.intents[0]["id"])
    stripe.deliver_pending()

    page = page_of(desk, booked)

    assert "Stripe wartet auf deine Belege, bis " in page
    assert "Die Zahlung wird bestritten; solange lässt Stripe keine Erstattung zu." in page


def test_what_the_coach_entered_is_said_to_be_without_payment(desk, paid_type, now):
    booking = by_hand.book(paid_type, start=NINE, guest=ADA, form_token=uuid.uuid4(), now=now)

    assert "Ohne Zahlung eingetragen." in page_of(desk, booking)


def test_a_free_call_has_no_payment_box(desk, confirmed):
    assert 'id="zahlung"' not in page_of(desk, confirmed)


# --- the lists ------------------------------------------------------------------------------------


def test_the_list_of_appointments_has_a_word_about_the_money(desk, paid_type, stripe, now):
    booked = pay(paid_type, stripe, now)
    being_paid = hold(paid_type, now=now, guest=BEN, start=HALF_PAST_NINE)
    checkout.begin(being_paid, now=now)

    page = words(desk.get(BOOKINGS))
    assert '<td class="field-paid">150,00 € bezahlt</td>' in page
    assert '<td class="field-paid">wird bezahlt</td>' in page

    deposits.refund_by_hand(booked.deposits.get(), 5000, by="coach", now=now)
    assert "150,00 € bezahlt, 50,00 € zurück" in words(desk.get(BOOKINGS))


@pytest.mark.parametrize("word", ["reference", "Müller", "ada@", "session", "intent"])
def test_a_payment_is_found_by_everything_that_names_it(desk, paid_type, stripe, now, word):
    booked = pay(paid_type, stripe, now)
    pay(paid_type, stripe, now, guest=BEN, start=HALF_PAST_NINE)
    deposit = booked.deposits.get()
    names = {
        "reference": booked.reference,
        "session": deposit.session_id,
        "intent": deposit.payment_intent,
    }

    page = words(desk.get(PAYMENTS, {"q": names.get(word, word)}))

    assert ADA.name in page
    assert BEN.name not in page


def test_a_payment_cannot_be_written(desk, booked):
    deposit = Deposit.objects.get()
    own = reverse("admin:booking_deposit_change", args=[deposit.pk])

    assert desk.get(own).status_code == 200
    assert desk.post(own, {"paid_cents": 1}).status_code == 403
    assert desk.get(reverse("admin:booking_deposit_add")).status_code == 403
    assert desk.post(reverse("admin:booking_deposit_delete", args=[deposit.pk])).status_code == 403


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"bestritten": "ja"}, False),
        ({"erstattung": "unterwegs"}, True),
        ({"erstattung": "zurück"}, False),
        ({"status__exact": "paid"}, True),
        ({"status__exact": "open"}, False),
    ],
)
def test_payments_can_be_filtered(desk, booked, now, asked, found):
    deposits.refund_by_hand(Deposit.objects.get(), 5000, by="coach", now=now)

    assert (ADA.name in words(desk.get(PAYMENTS, asked))) is found


def test_what_needs_a_person_says_what_to_do(desk, booked, now):
    Deposit.objects.update(dispute_id="du_1", dispute_status="needs_response")
    deposit = Deposit.objects.get()
    for kind in Alarm.Kind:
        alarm(deposit, now, kind)

    page = words(desk.get(ALARMS))

    for sentence in (
        "biete dem Gast eine andere Zeit an",
        "Reich bei Stripe vor Ablauf der Frist deine Belege ein",
        "stripe_check",
        "erstatte beim Termin noch einmal",
        f"/payments/{deposit.payment_intent}",
        reverse("admin:booking_booking_change", args=[booked.pk]),
    ):
        assert sentence in page


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("needs_response", "bis Mo., 08.03.2027, 09:00 Uhr deine Belege ein"),
        ("under_review", "warte auf ihre Entscheidung"),
        ("won", "zu deinen Gunsten beendet"),
        ("lost", "Die Bank hat dem Gast das Geld zurückgegeben"),
    ],
)
def test_the_advice_about_a_dispute_follows_its_state(desk, booked, now, status, sentence):
    alarm(Deposit.objects.get(), now, Alarm.Kind.DISPUTE)
    Deposit.objects.update(
        dispute_id="du_1", dispute_status=status, dispute_due_by=now + timedelta(days=7)
    )

    assert sentence in words(desk.get(ALARMS))
    assert sentence in page_of(desk, booked)


@pytest.mark.parametrize("way", ["button", "action"])
def test_who_is_done_with_it_is_written_down_once(desk, booked, now, clock, way):
    row = alarm(Deposit.objects.get(), now)

    def press():
        if way == "button":
            return desk.post(reverse("admin:booking_alarm_resolve", args=[row.pk]), follow=True)
        chosen = {"action": "resolve", "_selected_action": [row.pk]}
        return desk.post(f"{ALARMS}?stand=alle", chosen, follow=True)

    assert "Erledigt: 1." in words(press())
    clock(now + MINUTE)
    assert "Das war schon erledigt." in words(press())

    row.refresh_from_db()
    assert (row.resolved_at, row.resolved_by) == (now, "coach")
    assert ADA.name not in words(desk.get(ALARMS))
    assert ADA.name in words(desk.get(ALARMS, {"stand": "erledigt"}))


def test_looking_alone_settles_no_alarm(client, clock, booked, now):
    row = alarm(Deposit.objects.get(), now)
    helper = staff(client, "view_alarm")
    resolve = reverse("admin:booking_alarm_resolve", args=[row.pk])

    assert "formaction" not in words(helper.get(ALARMS))
    assert helper.post(resolve).status_code == 403
    assert helper.get(reverse("admin:booking_alarm_change", args=[row.pk])).status_code == 200
    row.refresh_from_db()
    assert row.resolved_at is None


def test_a_link_alone_settles_no_alarm(desk, booked, now):
    row = alarm(Deposit.objects.get(), now)

    assert desk.get(reverse("admin:booking_alarm_resolve", args=[row.pk])).status_code == 405


def test_the_first_page_says_how_much_waits(desk, booked, now):
    index = reverse("admin:index")
    assert "fehlt deine Entscheidung" not in words(desk.get(index))

    alarm(Deposit.objects.get(), now)

    assert "Zu einer Zahlung fehlt deine Entscheidung." in words(desk.get(index))


def test_thirty_rows_take_as_many_queries_as_one(desk, paid_type, stripe, now):
    def counts() -> list[int]:
        return [queries(desk, address) for address in (BOOKINGS, PAYMENTS, ALARMS)]

    slots = availability.offered_slots(paid_type, now=now)[:30]

    def one(start) -> None:
        booking = pay(paid_type, stripe, now, guest=somebody(), start=start)
        deposit = booking.deposits.get()
        deposits.send(deposits.refund_by_hand(deposit, 100, by="coach", now=now), now=now)
        alarm(deposit, now)

    one(slots[0].start)
    few = counts()
    for slot in slots[1:]:
        one(slot.start)

    assert counts() == few
    assert max(few) <= 20


# --- files ----------------------------------------------------------------------------------------


def test_the_export_of_appointments_has_the_money(desk, booked):
    cancellation.cancel_by_guest(booked, now=NINE - timedelta(hours=1))

    chosen = {"action": "export", "_selected_action": [booked.pk]}
    text = desk.post(f"{BOOKINGS}?wann=alle", chosen).content.decode("utf-8-sig")

    header, row = text.splitlines()
    assert header.endswith(
        "Preis;Beim Buchen fällig;Bezahlt;Erstattet;Behalten;Ohne Zahlung eingetragen"
    )
    assert row.endswith("300,00;150,00;150,00;102,50;47,50;")


def test_the_export_of_payments_names_guest_and_payment(desk, booked):
    deposit = Deposit.objects.get()

    response = desk.post(PAYMENTS, {"action": "export", "_selected_action": [deposit.pk]})

    text = response.content.decode("utf-8-sig")
    assert response["Content-Disposition"] == 'attachment; filename="zahlungen.csv"'
    for value in (ADA.email, booked.reference, "150,00", deposit.payment_intent):
        assert value in text


# --- what can go back from here -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "key", "sentence"),
    [
        ({"livemode": True}, "sk_test_1", "anderen Modus von Stripe"),
        ({}, "", "Stripe ist nicht eingerichtet"),
        ({"dispute_id": "dp_1", "dispute_status": "lost"}, "sk_test_1", "Die Bank hat dem Gast"),
        ({"refunded_cents": 15000}, "sk_test_1", "Es ist schon alles zurück"),
    ],
    ids=["other mode", "no Stripe", "lost", "nothing left"],
)
def test_the_desk_says_why_nothing_can_go_back(booked, changes, key, sentence):
    deposit = Deposit.objects.get()
    for name, value in changes.items():
        setattr(deposit, name, value)

    with override_settings(STRIPE_SECRET_KEY=key):
        assert sentence in money.why_no_refund(deposit)


def test_a_lost_dispute_stands_in_the_word_about_the_money(booked):
    Deposit.objects.update(dispute_id="dp_1", dispute_status="lost")

    assert money.word(Booking.objects.get()) == f"150,00{NBSP}€ im Streit verloren"
    assert money.state(Deposit.objects.get()).endswith("im Streit verloren")
    Deposit.objects.update(dispute_id="", dispute_status="")
