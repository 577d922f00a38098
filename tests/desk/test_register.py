"""The register of processing in docs/datenschutz.md says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.apps import apps

from coaching_site import periods
from coaching_site.environment import Copying
from pages import legal_facts
from pages.models import Practice

REGISTER = Path(__file__).resolve().parents[2] / "docs" / "datenschutz.md"
OURS = ("booking", "desk", "newsletter", "pages")


@pytest.fixture(scope="module")
def register() -> str:
    return REGISTER.read_text("utf-8")


@pytest.mark.parametrize("period", periods.ALL, ids=lambda period: period.what)
def test_the_register_names_every_period_and_what_enforces_it(register, period):
    enforced = f"`{period.enforced_by}`" if period.enforced_by else "Betreiber"

    assert f"| {period.what} | {period.how_long} | {enforced} |" in register


def test_the_register_names_everybody_who_gets_data(register, settings):
    settings.STRIPE_SECRET_KEY = "sk_test_1"
    settings.BACKUP_COPY = Copying(host="backup.example.net")

    for processor in legal_facts.processors(Practice()):
        assert f"| {processor.purpose} |" in register


def test_the_register_names_every_table_of_ours(register):
    """A new table must be put to one of the activities, also if it is about nobody."""
    tables = {
        model._meta.db_table for app in OURS for model in apps.get_app_config(app).get_models()
    }

    assert [table for table in sorted(tables) if f"`{table}`" not in register] == []
