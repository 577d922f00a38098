"""What the details form takes, and what it says about the rest."""

import uuid
from datetime import timedelta

import pytest
from django.http import QueryDict
from django.utils import timezone

from booking.forms import DetailsForm
from booking.models import CallType
from coaching_site import spam

VIDEO = CallType(place_kind=CallType.Place.VIDEO)
PHONE = CallType(place_kind=CallType.Place.PHONE, place_detail="Ich rufe dich an.")


def form(call_type=VIDEO, **answers) -> DetailsForm:
    data = QueryDict(mutable=True)
    made = spam.stamp(timezone.now() - timedelta(minutes=1))
    data.update({"name": "Ada", "email": "ada@example.org", "stamp": made, **answers})
    return DetailsForm(data, call_type=call_type)


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
