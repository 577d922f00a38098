"""Settings stop at start with one clear sentence when a value is missing or odd."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from coaching_site import environment

ROOT = Path(__file__).resolve().parent.parent

GOOD = {
    "SITE_PROFILE": "production",
    "SITE_URL": "https://praxis.example",
    "SECRET_KEY": "s" * 50,
    "LINK_KEY": "l" * 50,
    "DATABASE_URL": "postgres://site:secret@db/site",
    "EMAIL_HOST": "mail.praxis.example",
    "MAIL_FROM": "Praxis <post@praxis.example>",
    "COACH_EMAIL": "coach@praxis.example",
}


@pytest.fixture
def environ(monkeypatch):
    """The process environment with these variables alone; None takes one away."""

    def set_to(**changes: str | None) -> None:
        found = {**GOOD, **changes}
        monkeypatch.setattr(os, "environ", {k: v for k, v in found.items() if v is not None})

    return set_to


def test_a_complete_environment_is_read(environ):
    environ()

    found = environment.read()

    assert found.is_production
    assert found.hosts == ["praxis.example"]
    assert found.database["NAME"] == "site"
    assert found.mailing.port == 587


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY has 5 characters"),
        ({"LINK_KEY": None}, "LINK_KEY"),
        ({"LINK_FALLBACK_KEYS": "old"}, "LINK_FALLBACK_KEYS has 3 characters"),
        ({"SITE_URL": None}, "SITE_URL"),
        ({"SITE_URL": "praxis.example"}, "SITE_URL is 'praxis.example'"),
        ({"SITE_URL": "http://praxis.example"}, "serves https only"),
        ({"SITE_PROFILE": "debug"}, "SITE_PROFILE is 'debug'"),
        ({"SITE_PROFILE": "local"}, "serves this machine"),
        ({"DATABASE_URL": None}, "DATABASE_URL"),
        ({"DATABASE_URL": "sqlite:///x.db"}, "DATABASE_URL must look like"),
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL must look like"),
        ({"EMAIL_HOST": None}, "EMAIL_HOST is missing"),
        ({"EMAIL_PORT": "smtp"}, "EMAIL_PORT"),
        ({"EMAIL_SECURITY": "ssl"}, "EMAIL_SECURITY is 'ssl'"),
        ({"MAIL_FROM": "nobody"}, "MAIL_FROM is 'nobody'"),
        ({"COACH_EMAIL": None}, "COACH_EMAIL"),
        ({"TRUSTED_PROXIES": "proxy"}, "TRUSTED_PROXIES contains 'proxy'"),
    ],
)
def test_a_missing_or_odd_value_is_named_in_one_sentence(environ, changes, sentence):
    environ(**changes)

    with pytest.raises(ImproperlyConfigured, match=re.escape(sentence)):
        environment.read()


def test_the_local_profile_is_refused_for_a_public_address(environ):
    environ(SITE_PROFILE="local", SITE_URL="http://praxis.example")

    with pytest.raises(ImproperlyConfigured, match="no secure cookies"):
        environment.read()


def test_the_example_file_explains_every_variable():
    source = (ROOT / "coaching_site" / "environment.py").read_text()
    source += (ROOT / "coaching_site" / "gunicorn.py").read_text()
    used = set(re.findall(r'env(?:\.\w+|iron\.get)\("([A-Z_]+)"', source))

    explained = set(re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))

    assert used
    assert explained >= used


def test_production_cookies_travel_over_https_alone():
    code = (
        "from coaching_site import settings as s;"
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_SSL_REDIRECT,"
        " s.SECURE_HSTS_SECONDS > 31536000, s.DEBUG)"
    )

    shown = subprocess.run(
        [sys.executable, "-c", code], env=GOOD, cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert shown.stdout.split() == ["True", "True", "True", "True", "False"]
