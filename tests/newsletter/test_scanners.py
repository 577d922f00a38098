"""Machines open every link of every mail, again and again. Nothing changes, and nothing leaks."""

from __future__ import annotations

import logging
import re
from email.message import EmailMessage

import pytest
from django.apps import apps
from django.test import Client

from coaching_site import logs
from newsletter import mail, subscriptions
from tests import mail_server
from tests.newsletter.conftest import ADA, DAYS, MINUTES, sign_up
from tests.newsletter.test_limits import ask_for_link
from tests.newsletter.test_preferences import ask_to_move
from tests.newsletter.test_views import shown

pytestmark = pytest.mark.django_db

ROUNDS = 20


def every_row() -> dict[str, list[dict[str, object]]]:
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values())
        for model in apps.get_models()
    }


@pytest.fixture
def every_mail(client, ask, reader, mailbox, run_jobs, now) -> list[EmailMessage]:
    """One of each kind that the list sends."""
    subscriptions.confirm(ask("bob@leser.example"), now=now)
    sign_up("new@leser.example", now)
    sign_up(ADA, now + 2 * DAYS)
    ask_for_link(client, ADA)
    ask_to_move(client, reader)
    run_jobs()
    return list(mailbox.messages)


def links_of(message) -> set[str]:
    words = mail_server.text(message) + mail_server.html(message)
    found = set(re.findall(r"http://localhost:8000(/[^\s\"<]*)", words))
    return {path for path in found if path.startswith("/newsletter/")}


def test_a_scanner_that_opens_every_link_of_every_mail_changes_nothing(every_mail):
    subjects = {str(message["Subject"]) for message in every_mail}
    assert len(subjects) == 5
    links = {link for message in every_mail for link in links_of(message)}
    assert len(links) >= 5
    before = every_row()

    for _ in range(ROUNDS):
        scanner = Client()
        for link in links:
            assert scanner.get(link).status_code == 200
            assert scanner.head(link).status_code == 200

    assert every_row() == before


def test_nor_does_one_that_follows_the_links_on_those_pages(every_mail):
    links = {link for message in every_mail for link in links_of(message)}
    seen: set[str] = set()
    before = every_row()

    while links:
        link = links.pop()
        seen.add(link)
        answer = Client().get(link)
        found = re.findall(r'href="(/newsletter/[^"#]*)"', answer.content.decode())
        links |= set(found) - seen

    assert any(path.endswith("/loeschen/") for path in seen)
    assert every_row() == before


def test_no_mail_of_the_list_repeats_what_somebody_typed_or_advertises(every_mail):
    for message in every_mail:
        words = mail_server.text(message) + mail_server.html(message)

        assert message["Auto-Submitted"] == "auto-generated"
        assert "leser.example" not in words
        assert "neu.example" not in words
        assert "/termin/" not in words
        assert "/angebot/" not in words


def test_the_mails_that_ask_to_confirm_do_not_even_show_the_brand(every_mail):
    for message in every_mail:
        if "bestätige" in str(message["Subject"]):
            above_the_imprint = mail_server.html(message).partition('class="muted"')[0]
            assert "<strong" not in above_the_imprint
            assert 'class="cap"' not in above_the_imprint


def test_a_page_that_fails_keeps_its_token_out_of_the_log(reader, caplog, monkeypatch):
    monkeypatch.setattr(subscriptions, "unsubscribe", lambda *_, **__: 1 / 0)
    path = mail.unsubscribe_url(reader).removeprefix("http://localhost:8000")
    token = path.split("/")[3]
    caplog.handler.addFilter(logs.WithoutSecrets())

    with caplog.at_level(logging.DEBUG, logger="django"):
        assert Client(raise_request_exception=False).post(path).status_code == 500

    assert "Internal Server Error" in caplog.text
    assert token not in caplog.text
    assert str(reader.public_id) not in caplog.text


@pytest.mark.parametrize("kind", ["einstellungen", "abmelden", "bestaetigen", "adresse"])
def test_no_page_behind_a_link_tells_its_address_to_anybody(reader, kind):
    for path in (f"/newsletter/{kind}/x/", mail.preferences_url(reader)[21:]):
        response = Client().get(path)

        assert response["Referrer-Policy"] == "no-referrer"
        assert "http" not in re.sub(
            r"http://localhost:8000|http://www\.w3\.org\S+", "", shown(response)
        )


def test_the_tokens_are_long_and_no_row_holds_one(reader, ask, now):
    token = ask("new@leser.example", now + MINUTES)

    rows = str(every_row())
    assert len(token) >= 43
    assert token not in rows
    assert mail.unsubscribe_url(reader).split("/")[5] not in rows
