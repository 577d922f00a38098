"""The practice: one row, true numbers only."""

import pytest
from django.db import IntegrityError

from pages.models import Practice

pytestmark = pytest.mark.django_db


def test_reading_the_practice_writes_nothing():
    practice = Practice.current()

    assert practice.readers_value == "5000"
    assert Practice.objects.count() == 0


def test_there_is_never_a_second_practice():
    with pytest.raises(IntegrityError, match="practice_is_one_row"):
        Practice.objects.create(pk=2)


@pytest.mark.parametrize("lost", [{"readers_source": ""}, {"coached_as_of": None}])
def test_a_number_without_source_or_date_is_refused(lost):
    with pytest.raises(IntegrityError, match="practice_claims_have_source_and_date"):
        Practice.objects.create(pk=1, **lost)


def test_it_names_what_the_imprint_still_lacks():
    practice = Practice(first_name="A", last_name="B", street="C 1", postal_code="1", city="D")

    assert practice.missing() == ["E-Mail-Adresse für Besucher", "Telefon"]
