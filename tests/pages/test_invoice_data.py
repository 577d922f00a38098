"""What invoices need of the practice: checked where it is typed, and kept out of the imprint."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from pages.models import Practice, real_iban

WHOLE = {
    "first_name": "Kim",
    "last_name": "Muster",
    "street": "Musterweg 1",
    "postal_code": "12345",
    "city": "Berlin",
    "tax_number": "12/345/67890",
}


@pytest.mark.parametrize("iban", ["DE02120300000000202051", "DE02 1203 0000 0000 2020 51"])
def test_an_iban_may_be_typed_in_groups(iban):
    real_iban(iban)


@pytest.mark.parametrize(
    "iban", ["DE02120300000000202052", "DE0212030000000020205", "12", "", "DE02-1203"]
)
def test_an_iban_with_a_slip_is_refused(iban):
    with pytest.raises(ValidationError, match="Ziffer für Ziffer"):
        real_iban(iban)


def test_nothing_is_missing_of_a_whole_practice():
    assert Practice(**WHOLE).missing_for_invoices() == []


@pytest.mark.parametrize(
    ("gone", "label"),
    [
        ("last_name", "Nachname"),
        ("street", "Straße und Hausnummer"),
        ("tax_number", "Steuernummer"),
    ],
)
def test_what_is_missing_is_named_as_the_form_names_it(gone, label):
    assert Practice(**{**WHOLE, gone: " "}).missing_for_invoices() == [label]


def test_a_business_id_is_no_vat_id():
    assert Practice(vat_id="DE123456789").has_vat_id
    assert not Practice(vat_id="DE123456789-00001").has_vat_id


@pytest.mark.parametrize("number", ["12/345/67890", "151/815/08156", "1121081508150"])
def test_a_tax_number_is_taken_as_the_tax_office_writes_it(number):
    Practice(**{**WHOLE, "tax_number": number}).clean_fields()


def test_a_vat_id_is_no_tax_number():
    with pytest.raises(ValidationError, match="12/345/67890"):
        Practice(**{**WHOLE, "tax_number": "DE123456789"}).clean_fields()


@pytest.mark.parametrize("page", ["/impressum/", "/", "/datenschutz/"])
def test_tax_number_and_account_stand_on_no_page(client, db, page):
    Practice.objects.create(pk=1, **WHOLE, iban="DE02120300000000202051")

    answer = client.get(page).content.decode()

    assert "12/345/67890" not in answer
    assert "DE021203" not in answer
