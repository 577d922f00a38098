"""The way over Stripe as a guest sees it: review, there and back, booked, called off."""

from __future__ import annotations

import logging
import re
import threading
import uuid
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from booking import availability, cancellation, checkout, mail, scheduling, stripe_gateway
from booking.models import Alarm, Booking, Deposit, Refund
from coaching_site import spam
from pages.models import Practice
from tests.booking.conftest import ADA, BEN, NINE, PRIVATELY, hold, new_type, order_form
from tests.stripe_sandbox import Answer

pytestmark = pytest.mark.usefixtures("clock")

WEBHOOK = "/stripe/webhook/"
DETAILS = "/termin/sparring/zeit/20270303T080000Z/"
MINUTE = timedelta(minutes=1)
LABEL = "Zahlungspflichtig buchen"


def words(response) -> str:
    return " ".join(response.content.decode().replace("\u00a0", " ").split())


def address(page: str, booking: Booking) -> str:
    return f"/termin/{page}/{mail.token(booking)}/"


def send_details(client, to=DETAILS, **changes):
    """A guest who took a minute to fill the form in."""
    made = spam.stamp(timezone.now() - MINUTE)
    answers = {"name": ADA.name, "email": ADA.email, "topic": "Mein Team", **PRIVATELY}
    return client.post(to, {**answers, "form_token": uuid.uuid4(), "stamp": made, **changes})


@pytest.fixture
def booking(paid_type, now) -> Booking:
    return hold(paid_type, now=now)


@pytest.fixture
def there(client, booking: Booking, stripe) -> Booking:
    """A guest who pressed the button and is looking at Stripe's page."""
    assert client.post(address("pruefen", booking), order_form(booking)).status_code == 303
    return booking


@pytest.fixture
def booked(there: Booking, stripe, now) -> Booking:
    stripe.pay(stripe.sessions[0]["id"])
    return checkout.look(there, now=now)


# --- before booking ---------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["/termin/sparring/", "/termin/sparring/2027-03-03/", DETAILS])
def test_each_step_names_what_is_due_and_what_calling_off_costs(client, paid_type, page):
    html = words(client.get(page))

    assert "300,00 € inkl. 19 % MwSt." in html
    assert "Beim Buchen zahlst du 150,00 € an. Damit ist der Termin für dich gebucht" in html
    assert "die Anzahlung wird auf den Preis angerechnet." in html
    assert "Den Rest von 150,00 € zahlst du nach dem Gespräch auf Rechnung." in html
    assert "Weitere Kosten gibt es nicht." in html
    day_and_hour = "bis Montag, 1. März 2027, 09:00 Uhr, Berliner Zeit (MEZ),"
    free_until = day_and_hour if page == DETAILS else "bis 48 Stunden vorher"
    assert f"Sagst du {free_until} ab, bekommst du die 150,00 € ganz zurück." in html
    assert "Danach behalte ich 47,50 €, und 102,50 € gehen zurück." in html
    assert "Dir bleibt der Nachweis gestattet" in html


def test_a_time_inside_the_hours_that_cost_says_so_before_anything_is_typed(client, paid_type):
    type(paid_type).objects.update(cancel_free_hours=24 * 60)

    html = words(client.get(DETAILS))

    assert "das ist für diesen Termin vorbei. Sagst du ab, behalte ich 47,50 €" in html
    assert "Ohne Kosten geht das für diesen Termin nicht mehr." in html


def test_the_offer_and_the_landing_page_say_so_too(client, paid_type):
    for page in ("/angebot/", "/"):
        assert "Beim Buchen zahlst du 150,00 € an" in words(client.get(page))


def test_the_first_step_names_the_ways_to_pay_and_the_steps(client, paid_type):
    html = words(client.get("/termin/sparring/"))

    assert "Bezahlt wird bei Stripe: mit Kredit- oder Debitkarte" in html
    assert "So läuft die Buchung" in html
    assert f"Mit „{LABEL}“ buchst du verbindlich" in html


def test_a_free_call_says_nothing_of_paying(client, call_type, paid_type):
    html = words(client.get("/termin/kennenlernen/"))

    assert "Bezahlt wird" not in html
    assert "So läuft die Buchung" not in html


def test_without_payments_a_priced_call_keeps_its_words(client, paid_type, settings):
    settings.STRIPE_SECRET_KEY = ""

    html = words(client.get("/termin/sparring/"))

    assert "Dieses Gespräch kannst du hier noch nicht buchen." in html
    assert "Beim Buchen" not in html
    assert "Beim Buchen" not in words(client.get("/angebot/"))


def test_stripe_is_named_in_the_privacy_notice_only_while_it_is_used(client, stripe, settings):
    assert "Stripe Payments Europe" in words(client.get("/datenschutz/"))

    settings.STRIPE_SECRET_KEY = ""

    assert "Stripe" not in words(client.get("/datenschutz/"))


# --- the review -------------------------------------------------------------------------------


def test_the_button_says_these_words_and_no_other(client, booking):
    markup = client.get(address("pruefen", booking)).content.decode()

    (button,) = re.findall(r'<button type="submit"\s+class="button"[^>]*>([^<]*)</button>', markup)
    assert button == LABEL


def test_the_order_stands_directly_above_its_button_with_nothing_between(client, booking):
    markup = client.get(address("pruefen", booking)).content.decode()

    found = re.search(
        r'<dl class="summary order">(.*?)</dl>\s*'
        r'<p class="actions">\s*<button type="submit"\s+class="button"',
        markup,
        re.DOTALL,
    )
    assert found
    assert markup.index('name="early_start"') < found.start()
    # Links and boxes stand above, never between what is ordered and the button.
    assert not re.search(r"<a |<input", found[1])


def test_the_order_names_everything_the_law_asks_for(client, booking):
    html = words(client.get(address("pruefen", booking)))
    order = html[html.index("Deine Bestellung") :]

    for part in (
        "Sparring, 30 Minuten: Einzelcoaching, live, 1:1 und individuell, einmalig.",
        "Videogespräch",
        "Mittwoch, 3. März 2027, 09:00–09:30 Uhr, Berliner Zeit (MEZ)",
        "<strong>300,00 € inkl. 19 % MwSt.</strong>, keine weiteren Kosten",
        "<strong>150,00 €</strong>, wird auf den Preis angerechnet",
        "150,00 €, nach dem Gespräch auf Rechnung",
        "bis Mo., 01.03.2027, 09:00 Uhr, gehen 150,00 € zurück, danach 102,50 €; 47,50 € behalte ich",
    ):
        assert part in order


def test_the_booking_keeps_its_price_whatever_the_type_says_later(client, booking, paid_type):
    type(paid_type).objects.update(price_cents=99900, deposit_cents=99900)

    html = words(client.get(address("pruefen", booking)))

    assert "300,00 €" in html
    assert "999,00 €" not in html


def test_test_mode_is_told_near_the_button_and_real_money_says_nothing(client, booking, settings):
    html = words(client.get(address("pruefen", booking)))
    assert "Testbetrieb: Es wird kein echtes Geld abgebucht." in html[html.index(LABEL) :]

    settings.STRIPE_IS_LIVE = True

    assert "Testbetrieb" not in words(client.get(address("pruefen", booking)))


def test_a_free_booking_looks_as_before(client, call_type, stripe, now):
    html = words(client.get(address("pruefen", hold(call_type, now=now))))

    assert "Kostenlos buchen" in html
    assert LABEL not in html
    assert "Testbetrieb" not in html


def test_the_button_leads_to_stripe_with_get(client, booking, stripe):
    response = client.post(address("pruefen", booking), order_form(booking))

    (session,) = stripe.sessions
    assert (response.status_code, response.url) == (303, session["url"])


def test_stripe_is_asked_to_take_money_not_to_book(client, there, stripe):
    (asked,) = [each for each in stripe.requests if each.path == "/v1/checkout/sessions"]

    assert "submit_type=pay" in asked.text
    assert "book" not in re.findall(r"submit_type=(\w+)", asked.text)


def test_who_comes_back_reads_that_nothing_was_charged_and_goes_on_where_they_were(
    client, there, stripe
):
    page = client.get(address("pruefen", there))

    assert (
        "Nichts wurde abgebucht. Dein Termin ist noch bis 09:35 Uhr, Berliner Zeit (MEZ), "
        "für dich gehalten." in words(page)
    )
    assert (
        client.post(address("pruefen", there), order_form(there)).url == stripe.sessions[0]["url"]
    )
    assert len(stripe.sessions) == 1


def test_who_paid_in_another_tab_finds_the_booked_page_not_that_sentence(client, there, stripe):
    stripe.pay(stripe.sessions[0]["id"])

    assert client.get(address("pruefen", there)).url == address("gebucht", there)


def test_nobody_says_nothing_was_charged_without_knowing(client, there, stripe):
    stripe.faults.server_error(times=None)

    html = words(client.get(address("pruefen", there)))

    assert "Nichts wurde abgebucht" not in html
    assert "Hast du schon bezahlt? Dann warte auf meine E-Mail." in html


def test_after_the_hold_the_guest_is_asked_once_more(client, there, stripe, clock, now):
    stripe.advance(36 * 60)
    clock(now + 36 * MINUTE)
    review = address("pruefen", there)

    sent = order_form(there)
    asked = client.post(review, sent)
    again = client.post(review, {**sent, "erneut": "ja"})

    assert asked.status_code == 409
    assert "jetzt noch einmal bestätigen?" in words(asked)
    assert LABEL in words(asked)
    assert again.url == stripe.sessions[1]["url"]


def test_giving_the_time_back_ends_the_page_at_stripe(client, there, stripe):
    html = words(client.post(address("freigeben", there)))

    assert "Die Zeit ist wieder frei" in html
    assert stripe.sessions[0]["status"] == "expired"


# --- Stripe away --------------------------------------------------------------------------------

TROUBLES = ["server_error", "rate_limit", "reset", "silence"]


@pytest.fixture
def impatient(monkeypatch):
    """So that silence does not last eight seconds."""
    monkeypatch.setattr(stripe_gateway, "TIMEOUT", (0.3, 0.3))
    stripe_gateway._client.cache_clear()
    yield
    stripe_gateway._client.cache_clear()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("trouble", TROUBLES)
class TestAway:
    def test_the_review_stays_and_says_that_nothing_was_charged(
        self, client, booking, stripe, trouble
    ):
        getattr(stripe.faults, trouble)(times=None)

        response = client.post(address("pruefen", booking), order_form(booking))

        html = words(response)
        assert response.status_code == 503
        assert "Der Zahlungsdienst antwortet gerade nicht." in html
        assert "Nichts wurde abgebucht." in html
        assert "für dich gehalten" in html
        assert LABEL in html
        stripe.faults.clear()
        assert client.post(address("pruefen", booking), order_form(booking)).status_code == 303

    def test_the_way_back_says_that_the_payment_is_being_checked(
        self, client, there, stripe, trouble
    ):
        getattr(stripe.faults, trouble)(times=None)

        response = client.get(address("bezahlt", there))

        assert response.status_code == 503
        assert "Deine Zahlung wird geprüft" in words(response)
        assert "Nichts wurde abgebucht" not in words(response)

    def test_the_time_stays_held_when_it_cannot_be_given_back(
        self, client, there, stripe, trouble, now
    ):
        getattr(stripe.faults, trouble)(times=None)

        response = client.post(address("freigeben", there))

        there.refresh_from_db()
        assert response.status_code == 503
        assert "lässt sich die Zeit nicht freigeben" in words(response)
        assert "Nichts wurde abgebucht" not in words(response)
        assert there.is_held(now)

    def test_a_new_form_of_the_same_guest_keeps_what_was_typed(
        self, client, there, stripe, trouble
    ):
        getattr(stripe.faults, trouble)(times=None)

        response = send_details(client, DETAILS.replace("T080000Z", "T090000Z"), company="Werk 7")

        html = words(response)
        assert response.status_code == 503
        assert "Der Zahlungsdienst antwortet gerade nicht. Deine Angaben sind noch da" in html
        assert "Nichts wurde abgebucht" not in html
        for typed in (ADA.name, ADA.email, "Mein Team", "Werk 7"):
            assert typed in html
        assert Booking.objects.count() == 1


def test_a_refused_key_is_told_in_a_sentence_and_alarms_the_coach(client, booking, stripe):
    stripe.faults.refuse(403, "no", on="POST /v1/checkout/sessions", times=None)

    response = client.post(address("pruefen", booking), order_form(booking))

    assert response.status_code == 503
    assert "Die Zahlung lässt sich gerade nicht öffnen." in words(response)
    assert "Nichts wurde abgebucht." in words(response)
    assert Alarm.objects.get().kind == Alarm.Kind.REFUSED


def test_a_new_form_of_the_same_guest_ends_the_page_that_is_open(client, there, stripe):
    response = send_details(client, DETAILS.replace("T080000Z", "T090000Z"))

    assert response.status_code == 302
    assert stripe.sessions[0]["status"] == "expired"


def test_who_paid_before_sending_the_form_again_gets_what_they_paid_for(client, there, stripe):
    stripe.pay(stripe.sessions[0]["id"])

    response = client.get(send_details(client, form_token=there.form_token).url)

    assert response.url == address("gebucht", there)


# --- back from Stripe -----------------------------------------------------------------------------


def test_who_paid_comes_to_the_booked_page_before_any_webhook(client, there, stripe):
    stripe.pay(stripe.sessions[0]["id"])

    page = client.get(address("bezahlt", there), follow=True)

    html = words(page)
    assert page.redirect_chain == [(address("gebucht", there), 302)]
    assert "Dein Termin ist gebucht" in html
    assert "<dt>Bezahlt</dt> <dd> 150,00 € </dd>" in html
    assert "150,00 €, nach dem Gespräch auf Rechnung" in html


@pytest.mark.parametrize("session", ["", "?sitzung=cs_test_erfunden", "?sitzung=%00"])
def test_a_forged_way_back_books_nothing(client, there, session, now):
    response = client.get(address("bezahlt", there) + session)

    there.refresh_from_db()
    html = words(response)
    assert response.status_code == 200
    assert "Noch ist keine Zahlung da" in html
    assert "Stand neu laden" in html
    assert there.is_held(now)
    assert not there.paid_cents


def test_a_forged_way_back_without_having_been_at_stripe(client, booking):
    html = words(client.get(address("bezahlt", booking)))

    booking.refresh_from_db()
    assert "Noch ist keine Zahlung da" in html
    assert "noch bis 09:15 Uhr, Berliner Zeit (MEZ), für dich gehalten" in html
    assert not booking.is_confirmed


def test_money_for_a_time_that_was_gone_goes_back_and_other_times_are_offered(
    client, there, paid_type, stripe, clock, now
):
    stripe.pay(stripe.sessions[0]["id"])
    late = now + 36 * MINUTE
    clock(late)
    hold(paid_type, guest=BEN, now=late)

    html = words(client.get(address("bezahlt", there)))

    assert "Dein Geld geht zurück" in html
    assert "150,00 € gehen zurück" in html
    assert html.count("/termin/sparring/zeit/") == 3
    assert there.reference in html


def test_money_that_does_not_fit_is_looked_at_by_the_coach(client, booking, stripe):
    stripe.faults.tamper(amount_total=14900)
    client.post(address("pruefen", booking), order_form(booking))
    stripe.pay(stripe.sessions[0]["id"])

    html = words(client.get(address("bezahlt", booking)))
    pressed = client.post(address("pruefen", booking), order_form(booking))

    assert "Zu deiner Zahlung gibt es eine Frage" in html
    assert "Zahl bitte nicht noch einmal." in html
    assert client.get(address("pruefen", booking)).url == address("bezahlt", booking)
    assert pressed.status_code == 409
    assert "Ich sehe es mir an und melde mich bei dir." in words(pressed)
    assert "Nichts wurde abgebucht" not in words(pressed)


def test_after_the_hold_nothing_was_charged(client, there, stripe, clock, now):
    stripe.advance(36 * 60)
    clock(now + 36 * MINUTE)

    html = words(client.get(address("bezahlt", there)))

    assert "<title> Nichts wurde abgebucht" in html or "<title>Nichts wurde abgebucht" in html
    assert address("pruefen", there) in html


@pytest.mark.parametrize("method", ["get", "head"])
def test_the_way_back_is_neither_stored_nor_indexed(client, there, method):
    response = getattr(client, method)(address("bezahlt", there))

    assert "no-store" in response["Cache-Control"]
    assert method == "head" or 'content="noindex"' in response.content.decode()


def test_the_way_back_is_only_looked_at(client, there):
    assert client.post(address("bezahlt", there)).status_code == 405


def test_a_mangled_way_back_says_so(client, paid_type):
    response = client.get("/termin/bezahlt/K7QF3M2P.falsch/")

    assert response.status_code == 404
    assert "Dieser Link führt zu keinem Termin" in words(response)


def test_the_way_back_names_where_to_ask(client, there):
    Practice.objects.update_or_create(pk=1, defaults={"email": "hallo@praxis.example"})

    html = words(client.get(address("bezahlt", there)))

    assert "mailto:hallo@praxis.example" in html
    assert f"Buchungsnummer <strong>{there.reference}</strong>" in html


# --- calling off and moving ---------------------------------------------------------------------


def test_the_page_names_the_exact_sum_and_one_press_sends_it_back(client, booked, run_jobs):
    cancel = address("absagen", booked)
    html = words(client.get(cancel))

    after = client.post(cancel, {"zurueck": "15000"}, follow=True)

    assert "Du bekommst <strong>150,00 €</strong> zurück, also alles" in html
    assert "Ohne Kosten absagen geht bis Montag, 1. März 2027, 09:00 Uhr" in html
    assert "150,00 € gehen zurück" in words(after)
    run_jobs()
    later = words(client.get(cancel))
    assert "150,00 € sind am Montag, 1. März 2027 erstattet worden" in later
    assert "behalte ich" not in later


def test_after_the_free_hours_the_page_names_what_is_kept(client, booked, clock):
    clock(NINE - timedelta(hours=47))
    cancel = address("absagen", booked)

    before = words(client.get(cancel))
    after = words(client.post(cancel, {"zurueck": "10250"}, follow=True))

    assert "Du bekommst <strong>102,50 €</strong> zurück" in before
    assert "<strong>47,50 €</strong> behalte ich" in before
    assert "Dir bleibt der Nachweis gestattet" in before
    assert "102,50 € gehen zurück" in after
    assert "47,50 € behalte ich, wie bei der Buchung vereinbart." in after
    assert "Dir bleibt der Nachweis gestattet" in after


@pytest.mark.parametrize("shown", ["15000", "", "viel", None])
def test_a_sum_that_changed_while_the_page_was_open_is_shown_before_anything_happens(
    client, booked, clock, shown
):
    clock(NINE - timedelta(hours=48) + timedelta(seconds=1))

    response = client.post(address("absagen", booked), {} if shown is None else {"zurueck": shown})

    booked.refresh_from_db()
    html = words(response)
    assert response.status_code == 409
    assert "Noch ist nichts abgesagt" in html
    assert "Du bekommst <strong>102,50 €</strong> zurück" in html
    assert 'name="zurueck" value="10250"' in html
    assert booked.is_confirmed
    assert not Refund.objects.exists()


def test_the_new_sum_can_then_be_agreed_to(client, booked, clock):
    clock(NINE - timedelta(hours=47))
    cancel = address("absagen", booked)
    page = client.post(cancel, {"zurueck": "15000"}).content.decode()
    (sum_shown,) = re.findall(r'name="zurueck"\s+value="(\d+)"', page)

    client.post(cancel, {"zurueck": sum_shown})

    assert Refund.objects.get().amount_cents == 10250


def test_what_the_bank_fights_over_is_said(client, booked, stripe):
    stripe.deliver_pending()
    stripe.open_dispute(stripe.intents[0]["id"])
    stripe.deliver_pending()
    cancel = address("absagen", booked)

    assert "Deine Bank prüft gerade die Zahlung." in words(client.get(cancel))
    after = words(client.post(cancel, {"zurueck": "15000"}, follow=True))
    assert "Deine Bank prüft gerade die Zahlung." in after
    assert "gehen zurück" not in after


def test_a_refund_that_failed_is_not_called_on_its_way(client, booked, stripe, now, run_jobs):
    stripe.faults.refuse_refunds()
    cancellation.cancel_by_guest(booked, now=now)
    run_jobs()

    html = words(client.get(address("gebucht", booked)))

    assert "Die Erstattung von 150,00 € hat nicht geklappt." in html


def test_the_booked_page_keeps_the_terms_in_sight(client, booked):
    html = words(client.get(address("gebucht", booked)))

    assert "Sagst du bis Montag, 1. März 2027, 09:00 Uhr, Berliner Zeit (MEZ), ab" in html
    assert "Danach behalte ich 47,50 €, und 102,50 € gehen zurück." in html


def test_moving_says_that_the_payment_goes_along(client, booked, now):
    availability.check(booked.call_type, start=NINE + timedelta(days=1), now=now)

    days = words(client.get(address("verschieben", booked)))
    asked = words(client.get(f"{address('verschieben', booked)}zeit/20270304T080000Z/"))

    assert "Deine Zahlung gilt dann für die neue Zeit." in days
    assert "Beim Buchen zahlst du" not in days
    assert "Deine Zahlung von 150,00 € gilt für die neue Zeit weiter" in asked


# --- the webhook --------------------------------------------------------------------------------


def test_a_forged_event_changes_nothing(there, stripe):
    stripe.pay(stripe.sessions[0]["id"])
    (event, *_) = stripe.pending

    for forged in ({"secrets": ["whsec_falsch"]}, {"header": ""}, {"header": "t=1,v1=00"}):
        assert stripe.deliver(event, **forged).status == 400
    assert stripe.deliver(event, age=3600).status == 400
    there.refresh_from_db()
    assert not there.is_confirmed


def test_an_event_without_a_signature_is_refused(client, stripe):
    assert client.post(WEBHOOK, b"{}", content_type="application/json").status_code == 400


@pytest.mark.parametrize("method", ["get", "head", "put", "delete"])
def test_only_post_reaches_the_webhook(client, stripe, method):
    assert getattr(client, method)(WEBHOOK).status_code == 405


def test_the_webhook_needs_no_cookie_and_no_token(there, stripe, settings):
    stripe.send_with(
        lambda url, body, headers: _answer(
            Client(enforce_csrf_checks=True).post(
                urlsplit(url).path, body, content_type="application/json", headers=headers
            )
        )
    )
    stripe.pay(stripe.sessions[0]["id"])

    assert {answer.status for answer in stripe.deliver_pending()} == {200}


def _answer(response) -> Answer:
    return Answer(response.status_code, response.content.decode())


def test_events_that_are_not_ours_are_accepted_and_ignored(there, stripe):
    stripe.pay(stripe.sessions[0]["id"])
    event = stripe.event("checkout.session.completed")
    strange = {**event, "id": "evt_strange", "type": "invoice.paid"}
    foreign = {
        **event,
        "id": "evt_foreign",
        "data": {"object": {**event["data"]["object"], "id": "cs_test_x", "metadata": {}}},
    }

    assert stripe.deliver(strange).status == stripe.deliver(foreign).status == 200
    there.refresh_from_db()
    assert not there.is_confirmed


def test_an_event_of_the_other_mode_is_accepted_and_ignored(there, stripe):
    stripe.pay(stripe.sessions[0]["id"])
    event = {**stripe.event("checkout.session.completed"), "livemode": True}

    assert stripe.deliver(event).status == 200
    there.refresh_from_db()
    assert not there.is_confirmed


def test_without_a_secret_stripe_comes_again(there, stripe, settings):
    stripe.pay(stripe.sessions[0]["id"])
    settings.STRIPE_WEBHOOK_SECRETS = []

    assert {answer.status for answer in stripe.deliver_pending()} == {500}
    settings.STRIPE_WEBHOOK_SECRETS = [stripe.webhook_secret]
    assert {answer.status for answer in stripe.deliver_pending()} == {200}
    there.refresh_from_db()
    assert there.is_confirmed


def test_while_a_secret_is_rotated_both_are_good(there, stripe, settings):
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_neu", stripe.webhook_secret]
    stripe.pay(stripe.sessions[0]["id"])
    event = stripe.event("checkout.session.completed")

    assert stripe.deliver(event).status == 200
    assert stripe.deliver(event, secrets=["whsec_neu"]).status == 200
    assert stripe.deliver(event, secrets=["whsec_neu", stripe.webhook_secret]).status == 200
    assert stripe.deliver(event, secrets=["whsec_uralt"]).status == 400


@pytest.mark.django_db(transaction=True)
def test_an_event_that_meets_a_lock_is_decided_the_next_time(there, stripe, settings, monkeypatch):
    monkeypatch.setattr(checkout, "LOCK_PATIENCE", "200ms")
    stripe.pay(stripe.sessions[0]["id"])
    event = stripe.event("checkout.session.completed")
    is_locked, is_done = threading.Event(), threading.Event()

    def keep_the_row() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1 FROM booking_booking WHERE id = %s FOR UPDATE", [there.pk])
            is_locked.set()
            is_done.wait(20)
            cursor.execute("ROLLBACK")
        connections.close_all()

    other = threading.Thread(target=keep_the_row)
    other.start()
    try:
        assert is_locked.wait(10)
        locked_out = stripe.deliver(event)
    finally:
        is_done.set()
        other.join()

    there.refresh_from_db()
    assert locked_out.status == 503
    assert not there.is_confirmed
    assert stripe.deliver(event).status == 200
    there.refresh_from_db()
    assert there.is_confirmed
    assert Deposit.objects.get().unsettled_cents == 15000


def test_nothing_of_a_guest_or_a_key_gets_into_logs_or_pages(
    client, there, stripe, settings, caplog
):
    caplog.set_level(logging.DEBUG, logger="booking")
    caplog.set_level(logging.INFO)
    stripe.pay(stripe.sessions[0]["id"])
    event = stripe.event("checkout.session.completed")
    stripe.deliver(event, secrets=["whsec_falsch"])
    stripe.faults.server_error(times=2)
    stripe.deliver(event)
    stripe.deliver(event)
    page = words(client.get(address("gebucht", there)))

    for secret in (
        settings.STRIPE_SECRET_KEY,
        stripe.webhook_secret,
        stripe.sessions[0]["id"],
        stripe.intents[0]["id"],
    ):
        assert secret not in caplog.text
        assert secret not in page
    assert ADA.email not in caplog.text
    assert ADA.name not in caplog.text


def test_money_of_another_type_is_never_shown_on_a_free_call(client, calendar, stripe, now):
    free = hold(new_type(calendar), now=now)
    scheduling.confirm(free, now=now)

    html = words(client.get(address("absagen", free)))

    assert "Wenn du jetzt absagst" not in html
    assert 'name="zurueck"' not in html
