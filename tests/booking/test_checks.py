"""What `manage.py check --deploy` says about payments."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks

from pages.models import Practice
from tests.booking.conftest import new_type


def said(*, databases: bool = True) -> dict[str, list[str]]:
    """The messages about payments, by their number."""
    found: dict[str, list[str]] = {}
    names = ["default"] if databases else None
    for message in run_checks(include_deployment_checks=True, databases=names):
        if str(message.id).startswith("booking."):
            found.setdefault(str(message.id), []).append(message.msg)
    return found


@pytest.fixture
def live(settings):
    settings.SITE_PROFILE = "production"
    settings.STRIPE_SECRET_KEY, settings.STRIPE_IS_LIVE = "sk_live_1", True


def test_real_money_without_finished_papers_is_an_error(db, live):
    messages = said()["booking.E001"]

    assert "Stripe nimmt echtes Geld an, aber es fehlt: Vorname." in messages
    assert len(messages) == len(Practice.current().placeholders())


def test_without_a_database_nothing_is_asked_of_it(live):
    assert "booking.E001" not in said(databases=False)


def test_test_money_may_be_tried_before_the_papers_are_ready(db, settings):
    settings.STRIPE_SECRET_KEY = "sk_test_1"

    assert said() == {}


def test_a_test_key_in_production_is_a_warning(db, settings):
    settings.SITE_PROFILE, settings.STRIPE_SECRET_KEY = "production", "sk_test_1"

    assert list(said()) == ["booking.W002"]


def test_a_live_key_in_production_is_as_it_should_be(db, live):
    assert "booking.W002" not in said()


def test_a_priced_type_nobody_can_pay_is_a_warning(calendar):
    new_type(calendar, title="Sparring", price_cents=30000)
    new_type(calendar, title="Alt", slug="alt", price_cents=30000, is_active=False)
    new_type(calendar, title="Kennenlernen", slug="frei")

    assert said()["booking.W001"] == [
        "„Sparring“ kostet etwas, aber Stripe ist nicht eingerichtet."
    ]


def test_a_priced_type_with_a_key_is_fine(paid_type):
    assert "booking.W001" not in said()
