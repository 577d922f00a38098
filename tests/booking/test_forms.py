"""What the details form takes, and what it says about the rest."""

import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.http import QueryDict
from django.utils import timezone

from booking.forms import DetailsForm, OrderForm
from booking.models import BillingAddress, Booking, CallType
from coaching_site import spam
from tests.booking.conftest import hold, new_type

VIDEO = CallType(place_kind=CallType.Place.VIDEO)
PHONE = CallType(place_kind=CallType.Place.PHONE, place_detail="Ich rufe dich an.")


def form(call_type=VIDEO, **answers) -> DetailsForm:
    data = QueryDict(mutable=True)
    made = spam.stamp(timezone.now() - timedelta(minutes=1))
    data.update({"name": "Ada", "email": "ada@example.org", "stamp": made, **answers})
    return DetailsForm(data, call_type=call_type)


def guest_of(call_type=VIDEO, **answers):
    checked = form(call_type, **answers)
    assert checked.is_valid(), checked.errors
    return checked.guest()


def errors(field, **answers) -> list[str]:
    return [str(error) for error in form(**answers).errors.get(field, [])]


@pytest.mark.parametrize(
    "name",
    [
        "Jürgen Groß",
        "Ben O'Neil",
        "Seán Ó’Brien",
        "Łukasz Żółć",
        "李小龍",
        "J" * 200,
        " Ada \n",
        'Ada "die Erste" <Müller>',
    ],
)
def test_names_of_all_kinds_are_welcome(name):
    checked = form(name=name)

    assert checked.is_valid()
    assert checked.guest().name == name.strip()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "Gib deinen Namen ein."),
        ("   ", "Gib deinen Namen ein."),
        ("\u200b…", "Gib deinen Namen ein."),
        ("ü" * 201, "Kürze deinen Namen auf höchstens 200 Zeichen."),
        ("Ada\nMüller", "Schreib das in eine Zeile, ohne Umbrüche."),
        ("Ada\u2028Müller", "Schreib das in eine Zeile, ohne Umbrüche."),
        ("Gewonnen! https://betrug.example", "Schreib nur deinen Namen, ohne Link."),
    ],
)
def test_a_name_that_is_none_gets_a_sentence(name, sentence):
    assert errors("name", name=name) == [sentence]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" ada@EXAMPLE.org ", "ada@example.org"),
        ("Ada+Coach@example.org", "Ada+Coach@example.org"),
        ("ada@müller.de", "ada@müller.de"),
    ],
)
def test_addresses_are_put_in_order(typed, kept):
    checked = form(email=typed)

    assert checked.is_valid()
    assert checked.guest().email == kept


@pytest.mark.parametrize(
    "address",
    [
        "ada",
        "ada@",
        "ada@firma",
        "ada@@firma.de",
        "a da@firma.de",
        "jürgen@firma.de",
        "ada@firma.de, ben@firma.de",
        "Ada <ada@firma.de>",
        "ada@firma.de\nBcc: ben@firma.de",
        "ada@-firma.de",
        "a" * 65 + "@firma.de",
        "ada@localhost",
    ],
)
def test_a_wrong_address_gets_an_example(address):
    assert errors("email", email=address) == ["Gib eine E-Mail-Adresse wie name@firma.de ein."]


def test_a_missing_address_is_asked_for():
    assert errors("email", email="") == ["Gib deine E-Mail-Adresse ein."]


def test_a_phone_number_is_asked_for_only_when_it_is_needed():
    assert "phone" not in form(VIDEO).fields
    assert form(PHONE).errors["phone"] == ["Gib deine Telefonnummer ein."]
    assert form(PHONE, phone="+49 (170) 12 34-56").is_valid()


@pytest.mark.parametrize("phone", ["keine", "0", "12345; DROP", "+49 170 123456 nach 18 Uhr"])
def test_a_number_nobody_can_dial_gets_an_example(phone):
    assert form(PHONE, phone=phone).errors["phone"] == [
        "Gib eine Telefonnummer wie +49 170 1234567 ein."
    ]


def test_the_topic_may_have_paragraphs_but_not_be_a_novel():
    assert form(topic="Erstens\n\nZweitens").is_valid()
    assert errors("topic", topic="x" * 2001) == ["Kürze deinen Text auf höchstens 2000 Zeichen."]


def test_nul_and_half_surrogates_never_reach_the_database():
    checked = form(topic="a\0b\ud800c", name="Ada\0")

    assert checked.is_valid()
    assert (checked.guest().topic, checked.guest().name) == ("ab?c", "Ada")


def test_each_fresh_form_has_a_mark_of_its_own():
    marks = {DetailsForm(call_type=VIDEO)["form_token"].value() for _ in range(2)}

    assert len(marks) == 2


def test_a_sent_mark_is_kept():
    mark = uuid.uuid4()
    checked = form(form_token=str(mark))

    assert checked.is_valid()
    assert checked.cleaned_data["form_token"] == mark


MINE = {"website", "stamp", "form_token"}  # what the form brings along itself


def asked(call_type: CallType, *, required: bool | None = None) -> set[str]:
    fields = DetailsForm(call_type=call_type).fields
    return {
        name
        for name, field in fields.items()
        if name not in MINE and required in (None, field.required)
    }


def test_nothing_is_asked_that_the_call_does_not_need():
    """No salutation, no gender, no birthday; a telephone only where it rings."""
    assert asked(VIDEO) == {"name", "email", "company", "topic"}
    assert asked(VIDEO, required=True) == {"name", "email"}
    assert asked(PHONE, required=True) == {"name", "email", "phone"}
    whom_to_bill = {"customer", "vat_id", "street", "postal_code", "city", "country"}
    assert asked(DEAR) == {"name", "email", "company", "topic"} | whom_to_bill
    assert asked(CHEAP, required=True) == {"name", "email", "customer"}


def test_whoever_tells_what_it_is_about_is_warned_of_health_and_secrets():
    hint = DetailsForm(call_type=VIDEO).fields["topic"].help_text

    assert "keine Gesundheitsdaten" in hint
    assert "keine Geheimnisse deines Arbeitgebers" in hint


# --- a call that costs something ------------------------------------------------------------------

CHEAP = CallType(place_kind=CallType.Place.VIDEO, price_cents=250_00)
DEAR = CallType(place_kind=CallType.Place.VIDEO, price_cents=250_01)
BERLIN = {"street": "Rechenweg 1", "postal_code": "10115", "city": "Berlin"}
FIRM = {"customer": "company", "company": "Rechenwerk GmbH", **BERLIN}


def test_how_somebody_books_is_asked_without_a_default():
    fresh = DetailsForm(call_type=CHEAP)

    assert fresh["customer"].value() is None
    assert "checked" not in str(fresh["customer"])
    assert fresh.fields["customer"].required
    assert form(CHEAP).errors["customer"] == [
        "Wähle, ob du privat oder für ein Unternehmen buchst."
    ]


def test_a_free_call_asks_nobody_for_an_address():
    assert not {"customer", "street", "vat_id"} & set(DetailsForm(call_type=VIDEO).fields)
    assert guest_of(VIDEO, customer="company").customer == ""


@pytest.mark.parametrize("forged", ["", "firma", "PRIVATE", "\0"])
def test_what_is_no_answer_gets_a_sentence(forged):
    assert form(CHEAP, customer=forged).errors["customer"]


def test_a_company_names_itself_and_its_address_whatever_it_costs():
    found = form(CHEAP, customer="company").errors

    assert found["company"] == ["Nenn das Unternehmen. Oder wähle, dass du privat buchst."]
    assert {"street", "postal_code", "city"} <= set(found)
    assert "vat_id" not in found


def test_a_company_becomes_the_recipient():
    checked = form(CHEAP, **FIRM, vat_id=" de 123456789 ")

    assert checked.is_valid(), checked.errors
    guest = checked.guest()
    assert (guest.customer, guest.company) == ("company", "Rechenwerk GmbH")
    assert guest.billing
    assert (guest.billing.vat_id, guest.billing.country) == ("DE123456789", "Deutschland")


def test_a_consumer_gives_an_address_only_where_a_full_invoice_is_due():
    assert form(CHEAP, customer="private").is_valid()
    assert set(form(DEAR, customer="private").errors) == {"street", "postal_code", "city"}
    assert guest_of(DEAR, customer="private", **BERLIN).billing


def test_what_was_typed_for_a_company_is_not_kept_of_a_consumer():
    checked = form(CHEAP, **{**FIRM, "customer": "private"}, vat_id="unsinn")

    assert checked.is_valid()
    assert (checked.guest().company, checked.guest().billing) == ("", None)


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("vat_id", "DE12", "Eine deutsche USt-IdNr. besteht aus DE und neun Ziffern."),
        ("vat_id", "ATU12345678", "Eine deutsche USt-IdNr. besteht aus DE und neun Ziffern."),
        ("postal_code", "1011", "Eine Postleitzahl in Deutschland hat 5 Ziffern."),
        ("postal_code", "٠١٢٣٤", "Eine Postleitzahl in Deutschland hat 5 Ziffern."),
        ("country", "Atlantis", "Wähle ein Land aus der Liste."),
        ("street", "a\nb", "Schreib das in eine Zeile, ohne Umbrüche."),
        ("city", "x" * 101, "Kürze das Feld „Ort“ auf höchstens 100 Zeichen."),
    ],
)
def test_an_address_that_cannot_be_right_gets_a_sentence_at_its_field(field, typed, sentence):
    assert form(DEAR, **{**FIRM, field: typed}).errors[field] == [sentence]


def test_austria_is_billed_to_consumers_and_left_to_the_coach_for_companies():
    vienna = {**BERLIN, "postal_code": "1010", "city": "Wien", "country": "Österreich"}

    assert form(DEAR, customer="private", **vienna).is_valid()
    assert "schreibe ich von Hand" in str(form(DEAR, **{**FIRM, **vienna}).errors["country"])


def test_a_held_booking_shows_what_was_typed_before(calendar, stripe, now):
    dear = new_type(calendar, price_cents=300_00)
    guest = guest_of(dear, **FIRM, vat_id="DE123456789")
    held = hold(dear, guest=guest, now=now)

    again = DetailsForm(call_type=dear, held=held)

    assert again["customer"].value() == "company"
    assert [again[name].value() for name in ("street", "postal_code", "city", "vat_id")] == [
        *("Rechenweg 1", "10115", "Berlin", "DE123456789"),
    ]


def test_who_changes_their_mind_is_not_billed_by_the_old_address(calendar, stripe, now):
    cheap = new_type(calendar, price_cents=100_00)
    held = hold(cheap, guest=guest_of(cheap, **FIRM), now=now)
    assert BillingAddress.objects.filter(booking=held, company="Rechenwerk GmbH").exists()

    hold(cheap, guest=guest_of(cheap, customer="private"), form_token=held.form_token, now=now)

    assert not BillingAddress.objects.exists()


def test_the_database_knows_no_company_without_a_name(held):
    with pytest.raises(IntegrityError, match="booking_for_a_company_names_it"):
        Booking.objects.filter(pk=held.pk).update(customer="company", company="")


def test_a_box_is_wrong_only_once_it_was_sent_empty():
    asked = OrderForm(asks_for_early_start=True)
    sent = OrderForm(QueryDict("seen=x"), asks_for_early_start=True)

    assert 'aria-invalid="false"' in str(asked["early_start"])
    assert 'aria-invalid="true"' in str(sent["early_start"])
