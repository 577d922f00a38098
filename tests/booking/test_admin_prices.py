"""Prices as the coach types and reads them, and what is entered without paying."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from booking.admin.fields import EurosField
from booking.models import Booking, CallType
from tests.booking.conftest import ADA, new_type
from tests.booking.desk import words

TYPES = reverse("admin:booking_calltype_changelist")


@pytest.fixture
def desk(client, db, clock):
    user = get_user_model().objects.create_superuser("coach")
    client.force_login(user)
    return client


def page_of(call_type: CallType) -> str:
    return reverse("admin:booking_calltype_change", args=[call_type.pk])


def saved(desk, call_type: CallType, **changes: str):
    """The page sent back as it is, but for these fields."""
    form = desk.get(page_of(call_type)).context["adminform"].form
    fields = {
        name: value
        for name in form.fields
        if (value := form[name].value()) is not None and value is not False
    }
    sent = {name: form.fields[name].prepare_value(value) for name, value in fields.items()}
    inline = {"questions-TOTAL_FORMS": "0", "questions-INITIAL_FORMS": "0"}
    return desk.post(page_of(call_type), {**sent, **inline, **changes}, follow=True)


def test_cents_are_euros_in_the_page(desk, paid_type):
    page = words(desk.get(page_of(paid_type)))

    for name, value in (("price", "300,00"), ("deposit", "150,00"), ("cancel_keep", "10,00")):
        assert f'name="{name}_cents" value="{value}"' in page


def test_euros_are_cents_in_the_database(desk, paid_type):
    response = saved(desk, paid_type, price_cents="1.234,50", deposit_cents="47,5 €")

    paid_type.refresh_from_db()
    assert response.status_code == 200
    assert (paid_type.price_cents, paid_type.deposit_cents) == (123450, 4750)
    assert paid_type.cancel_keep_cents == 1000


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"price_cents": "abc"}, "Schreib den Betrag wie 47,50."),
        ({"price_cents": "1000000"}, "Höchstens 999.999,99 €."),
        ({"price_cents": ""}, "Gib einen Betrag ein"),
        ({"deposit_cents": "300,01"}, "Die Anzahlung ist höher als der Preis."),
        ({"deposit_cents": "0,49"}, "Stripe nimmt Zahlungen ab 0,50 €."),
        ({"price_cents": "0,49", "deposit_cents": "0"}, "Stripe nimmt Zahlungen ab 0,50 €."),
        ({"needs_approval": "on"}, "Anfragen gibt es nur bei kostenlosen Gesprächen."),
        ({"cancel_keep_percent": "101"}, "kleiner oder gleich 100"),
    ],
)
def test_a_price_that_cannot_be_is_answered_at_its_field(desk, paid_type, changes, sentence):
    page = words(saved(desk, paid_type, **changes))

    paid_type.refresh_from_db()
    assert sentence in page
    assert f'id="id_{next(iter(changes))}_error"' in page
    assert (paid_type.price_cents, paid_type.deposit_cents) == (30000, 15000)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {},
            "300,00 €, davon 150,00 € beim Buchen, 150,00 € später. Sagt der Gast bis 48 Stunden "
            "vorher ab, geht alles zurück; danach behältst du 47,50 € von 150,00 €.",
        ),
        ({"deposit_cents": 0}, "300,00 €, beim Buchen zu bezahlen."),
        ({"cancel_keep_percent": 100}, "behältst du 150,00 € von 150,00 €."),
        (
            {"cancel_keep_percent": 0, "cancel_keep_cents": 0},
            "Sagt der Gast ab, geht immer alles zurück.",
        ),
        ({"price_cents": 0, "deposit_cents": 0}, "Kostenlos; beim Buchen wird nichts bezahlt."),
    ],
)
def test_the_terms_are_told_as_they_come_to(desk, paid_type, changes, sentence):
    CallType.objects.update(**changes)

    assert sentence in words(desk.get(page_of(paid_type)))


def test_without_stripe_the_page_says_that_nobody_can_book(desk, calendar):
    priced = new_type(calendar, price_cents=30000)

    assert "Stripe ist nicht eingerichtet" in words(desk.get(page_of(priced)))
    assert "300,00 €, nur im Angebot" in words(desk.get(TYPES))


def test_real_money_waits_for_the_papers(desk, paid_type, settings):
    settings.STRIPE_IS_LIVE = True

    assert "stehen nur im Angebot, bis das fertig ist: Vorname," in words(
        desk.get(page_of(paid_type))
    )


def test_with_stripe_there_is_nothing_to_say(desk, paid_type):
    page = words(desk.get(page_of(paid_type)))

    assert "nur im Angebot" not in page


def test_the_list_shows_the_price_of_what_can_be_paid(desk, paid_type, call_type):
    page = words(desk.get(TYPES))

    assert '<td class="field-price">300,00 €</td>' in page
    assert '<td class="field-price">kostenlos</td>' in page


def test_a_new_type_is_free(desk, calendar):
    page = words(desk.get(reverse("admin:booking_calltype_add")))

    assert 'name="price_cents" value="0,00"' in page


def test_what_is_typed_stays_as_it_was_typed():
    assert EurosField().prepare_value("47.5x") == "47.5x"


# --- by hand ----------------------------------------------------------------------------------------


def test_who_enters_a_priced_call_knows_that_nobody_pays_online(desk, paid_type):
    add = reverse("admin:booking_booking_add")
    assert "Ohne Online-Zahlung eingetragen wird „Sparring“" in words(desk.get(add))

    response = desk.post(
        add,
        {
            "call_type": paid_type.pk,
            "day": "2027-03-03",
            "time": "09:00",
            "name": ADA.name,
            "email": ADA.email,
        },
        follow=True,
    )

    assert "Ohne Online-Zahlung." in words(response)
    assert Booking.objects.get().deposit_waived


def test_where_all_calls_are_free_payment_is_no_topic(desk, call_type):
    assert "Online-Zahlung" not in words(desk.get(reverse("admin:booking_booking_add")))
