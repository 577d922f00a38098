"""What the local processes are told about payments."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from coaching_site.local.profile import Profile, StandIn


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "postgres://nobody@localhost/nothing")
    monkeypatch.setenv("PORT", "8123")
    for name in ("SITE_URL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_without_a_key_a_stand_in_takes_the_place_of_stripe(folder):
    with Profile.open() as profile:
        told, stand_in = profile.environment, profile.stand_in

    assert stand_in is not None
    assert told["STRIPE_SECRET_KEY"].startswith("sk_test_")
    assert told["STRIPE_WEBHOOK_SECRET"].startswith("whsec_")
    assert told["STRIPE_API_BASE"] == f"http://127.0.0.1:{stand_in.port}"
    assert "http://localhost:8123/stripe/webhook/" in stand_in.arguments(told["SITE_URL"], 8123)


def test_an_empty_key_is_no_key(folder, monkeypatch):
    monkeypatch.setenv("STRIPE_SECRET_KEY", "")

    with Profile.open() as profile:
        assert profile.environment["STRIPE_SECRET_KEY"].startswith("sk_test_")


def test_with_a_key_the_real_test_mode_is_used_as_it_is(folder, monkeypatch):
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_of_ones_own")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_of_ones_own")

    with Profile.open() as profile:
        assert profile.stand_in is None
        assert profile.environment["STRIPE_SECRET_KEY"] == "sk_test_of_ones_own"
        assert "STRIPE_API_BASE" not in profile.environment


def test_port_and_secret_stay_and_nobody_else_may_read_them(folder):
    first, second = (StandIn.of(folder, may_join=False) for _ in range(2))

    assert first == second
    for name in ("stripe_port", "stripe_webhook_secret"):
        assert (folder / name).stat().st_mode & 0o077 == 0


def test_a_port_that_another_program_took_is_given_up_unless_it_is_the_stand_in(folder):
    before = StandIn.of(folder, may_join=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", before.port))
        taken.listen()

        assert StandIn.of(folder, may_join=True) == before
        assert StandIn.of(folder, may_join=False).port != before.port
