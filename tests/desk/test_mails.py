"""The coach's page of mails: all of them, as they would leave, without a trace."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from coaching_site.desk import mail_register
from coaching_site.desk.mail_register import REGISTER
from pages.mail_wording import OPEN, Words
from tests.test_house import ROOT

pytestmark = pytest.mark.django_db

MAILS = "/verwaltung/mails/"
# What is a question, and not the transaction it is asked in.
ASKS = ("SELECT", "INSERT", "UPDATE", "DELETE")
CONFIRMATION = "booking.confirmation_guest"
# What a coach may do with mails, and no more.
OWN = "coach@praxis.example"


def rows() -> dict[str, int]:
    return {
        model._meta.db_table: model._default_manager.count()
        for model in apps.get_models()
        if model._meta.managed
    }


def address(key: str, *rest: str) -> str:
    return "/".join([MAILS.rstrip("/"), key, *rest, ""])


def staff(client: Client, *permissions: str) -> User:
    """Signs somebody of the desk in who may do just this."""
    user = User.objects.create_user("desk", email=OWN, password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return user


def test_no_mail_is_forgotten():
    """Whatever has a subject is a mail; it stands in the register."""
    templates = ROOT / "templates"
    mails = {
        f"{path.relative_to(templates).parts[0]}.{path.name.removesuffix('.subject.txt')}"
        for path in templates.glob("*/mail/*.subject.txt")
    }

    assert set(REGISTER) == mails
    assert set(OPEN) <= mails


def test_looking_at_every_mail_leaves_no_trace(whole, mailbox, admin_client):
    """No row, no job, no number of an invoice: all tables have as many rows as before."""
    before = rows()

    for each in REGISTER.values():
        message = mail_register.shown(each, now=timezone.now())
        assert message.subject
        assert "Vorname" in message.body or each.group != mail_register.Group.CALLS
        assert not any(mark in message.body for mark in ("{", "None"))
    for each in REGISTER:
        assert admin_client.get(address(each)).status_code == 200

    after = rows()
    after["django_session"] = before["django_session"]
    assert after == before
    assert mailbox.messages == []


def test_samples_name_nobody(whole):
    """Only placeholders: addresses of example.org, and the practice's own."""
    for each in REGISTER.values():
        message = mail_register.shown(each, now=timezone.now())
        [to] = message.to
        assert to.endswith(("@example.org", OWN))


def test_the_list_asks_as_much_with_many_wordings_as_with_none(admin_client, whole):
    with CaptureQueriesContext(connection) as few:
        admin_client.get(MAILS)
    for key in OPEN:
        mail_register.reword(REGISTER[key], Words(greeting="Moin,"))
    with CaptureQueriesContext(connection) as many:
        answer = admin_client.get(MAILS)

    assert len(many) == len(few) < 15
    assert answer.content.decode().count("deine Worte") == len(OPEN)


def test_no_page_of_a_mail_asks_more_than_fifteen_times(admin_client, whole):
    asked = {}
    for key, each in REGISTER.items():
        if each.words:
            mail_register.reword(each, Words(subject="Eigen", greeting="Moin,"))
        for path in (address(key), address(key, "html")):
            with CaptureQueriesContext(connection) as queries:
                admin_client.get(path)
            asked[path] = sum(each["sql"].startswith(ASKS) for each in queries)

    assert {path: count for path, count in asked.items() if count >= 15} == {}
