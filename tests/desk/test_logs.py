"""What the site writes about its visitors: nothing that names them or opens anything."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings as site
from django.test import Client

from coaching_site import gunicorn, logs, networks, periods
from coaching_site.desk import people
from coaching_site.desk.models import PersonLink
from newsletter import addresses

COMPOSE = Path(__file__).resolve().parents[2] / "compose.yaml"
SECRET = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"  # as long as a real token


@pytest.fixture
def written(caplog):
    """Everything that is logged, at the levels the site runs with, as the operator reads it."""
    caplog.handler.addFilter(logs.WithoutSecrets())
    caplog.handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    caplog.set_level(logging.INFO)
    return lambda: caplog.text


def fail(*args: object, **kwargs: object) -> None:
    raise ZeroDivisionError


def test_a_page_that_fails_leaves_neither_its_token_nor_the_forms_address(
    db, written, monkeypatch, now
):
    token, address = SECRET, addresses.parse("ada@example.org")
    monkeypatch.setattr(people, "owner_of", lambda token, now: address)
    monkeypatch.setattr(people, "erase", fail)
    visitor = Client(raise_request_exception=False)

    answer = visitor.post(
        f"/datenschutz/meine-daten/{token}/loeschen/?email=ada@example.org",
        {"email": "ada@example.org", "name": "Ada Müller"},
        REMOTE_ADDR="198.51.100.77",
    )

    assert answer.status_code == 500
    assert "ZeroDivisionError" in written()
    for word in (token, "ada@example.org", "Müller", "198.51.100.77", "?email"):
        assert word not in written()


def test_a_form_that_works_leaves_nothing_at_all(db, written, client, monkeypatch):
    monkeypatch.setattr("coaching_site.spam.check", lambda data: None)

    client.post("/datenschutz/meine-daten/", {"email": "ada@example.org"})
    client.get(f"/datenschutz/meine-daten/{SECRET}/?x=ada@example.org")

    assert not PersonLink.objects.exists()
    for word in ("ada@example.org", SECRET):
        assert word not in written()


def test_the_server_keeps_no_list_of_visits():
    assert gunicorn.accesslog is None
    handlers: Any = site.LOGGING["handlers"]
    assert handlers["stderr"]["filters"] == ["no_secrets"]


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    return found


@pytest.mark.parametrize("name", services())
def test_no_service_keeps_its_log_without_end(name):
    options = services()[name]["logging"]["options"]

    assert int(options["max-file"]) <= 5
    assert int(options["max-size"].removesuffix("m")) <= 10


def test_the_database_logs_neither_rows_nor_statements():
    command = services()["database"]["command"]

    assert "log_error_verbosity=terse" in command
    assert "log_min_error_statement=panic" in command


def test_all_logs_go_to_one_place_that_somebody_turns_over():
    """The standard error of each process; a file of our own would be forgotten."""
    handlers: Any = site.LOGGING["handlers"]

    assert [each["class"] for each in handlers.values()] == ["logging.StreamHandler"]
    assert gunicorn.errorlog == "-"
    assert periods.LOGS.days <= 7


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("192.168.7.77", ""),
        ("93.184.216.34", "93.184.216.0/24"),
        ("2a01:4f8:5:6::7", "2a01:4f8:5::/48"),
    ],
)
def test_an_ip_address_is_cut_wherever_it_is_kept(rf, address, kept):
    assert networks.network_of(rf.get("/", REMOTE_ADDR=address)) == kept
