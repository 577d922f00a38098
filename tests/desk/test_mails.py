"""The coach's page of mails: all of them, as they would leave, without a trace."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.utils import timezone

from coaching_site.desk import mail_register
from coaching_site.desk.mail_register import REGISTER
from tests.test_house import ROOT

pytestmark = pytest.mark.django_db


def rows() -> dict[str, int]:
    return {
        model._meta.db_table: model._default_manager.count()
        for model in apps.get_models()
        if model._meta.managed
    }


def test_no_mail_is_forgotten():
    """Whatever has a subject is a mail; it stands in the register."""
    templates = ROOT / "templates"
    mails = {
        f"{path.relative_to(templates).parts[0]}.{path.name.removesuffix('.subject.txt')}"
        for path in templates.glob("*/mail/*.subject.txt")
    }

    assert set(REGISTER) == mails


def test_each_mail_is_shown_whole_and_nothing_of_it_is_kept(whole, mailbox):
    before = rows()

    for each in REGISTER.values():
        message = mail_register.shown(each, now=timezone.now())
        assert message.subject
        assert message.body

    assert rows() == before
    assert mailbox.messages == []
