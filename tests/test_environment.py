"""Settings stop at start with one clear sentence when a value is missing or odd."""

from __future__ import annotations

import base64
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
        ({"SITE_URL": "https://präxis.example"}, "write it as https://xn--"),
        ({"SITE_PROFILE": "debug"}, "SITE_PROFILE is 'debug'"),
        ({"SITE_PROFILE": "local"}, "serves this machine"),
        ({"DATABASE_URL": None}, "DATABASE_URL"),
        ({"DATABASE_URL": "sqlite:///x.db"}, "DATABASE_URL must look like"),
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL must look like"),
        ({"EMAIL_HOST": None}, "EMAIL_HOST is missing"),
        ({"EMAIL_PORT": "smtp"}, "EMAIL_PORT"),
        ({"EMAIL_SECURITY": "ssl"}, "EMAIL_SECURITY is 'ssl'"),
        ({"MAIL_FROM": "nobody"}, "MAIL_FROM is 'nobody'"),
        ({"MAIL_FROM": "Praxis <no-reply@praxis.example>"}, "an address that people may answer"),
        ({"MAIL_FROM": "noreply@praxis.example"}, "an address that people may answer"),
        ({"MAIL_FROM": "DoNotReply@praxis.example"}, "an address that people may answer"),
        ({"MAIL_FROM": "Präxis <post@präxis.example>"}, "write the domain as xn--"),
        ({"COACH_EMAIL": None}, "COACH_EMAIL"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT is 'xml'"),
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


LIVE, TEST, SECRET = "sk_live_4f9c27", "rk_test_8d1e03", "whsec_2b7a55"
LOCAL = {"SITE_PROFILE": "local", "SITE_URL": "http://localhost:8000"}
STAND_IN = "http://127.0.0.1:12111"


def paying(environ, **changes: str | None):
    environ(**changes)
    return environment.read().paying


def test_without_a_key_nothing_can_be_paid(environ):
    found = paying(environ)

    assert (found.secret_key, found.webhook_secrets, found.is_live) == ("", [], False)
    assert found.api_base == "https://api.stripe.com"


@pytest.mark.parametrize("key", ["sk_live_1", "rk_live_1"])
def test_a_live_key_means_real_money(environ, key):
    assert paying(environ, STRIPE_SECRET_KEY=key, STRIPE_WEBHOOK_SECRET=SECRET).is_live


@pytest.mark.parametrize("key", ["sk_test_1", "rk_test_1"])
def test_a_test_key_is_good_everywhere(environ, key):
    for profile in ({}, LOCAL, {**LOCAL, "SITE_PROFILE": "test"}):
        found = paying(environ, STRIPE_SECRET_KEY=key, STRIPE_WEBHOOK_SECRET=SECRET, **profile)
        assert not found.is_live


def test_several_webhook_secrets_hold_while_one_is_rotated(environ):
    found = paying(environ, STRIPE_SECRET_KEY=TEST, STRIPE_WEBHOOK_SECRET="whsec_new, whsec_old")

    assert found.webhook_secrets == ["whsec_new", "whsec_old"]


@pytest.mark.parametrize("base", [STAND_IN, "http://localhost:12111/", "http://[::1]:12111"])
def test_a_stand_in_for_stripe_lives_on_this_machine(environ, base):
    found = paying(
        environ,
        STRIPE_SECRET_KEY=TEST,
        STRIPE_WEBHOOK_SECRET=SECRET,
        STRIPE_API_BASE=base,
        **LOCAL,
    )

    assert found.api_base == base.rstrip("/")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"STRIPE_SECRET_KEY": "pk_live_4f9c27"}, "STRIPE_SECRET_KEY is no secret key"),
        ({"STRIPE_SECRET_KEY": "4f9c27"}, "STRIPE_SECRET_KEY is no secret key"),
        ({"STRIPE_SECRET_KEY": LIVE, **LOCAL}, "is a live key, but SITE_PROFILE is local"),
        ({"STRIPE_SECRET_KEY": "rk_live_4f9c27", **LOCAL}, "is a live key"),
        ({"STRIPE_SECRET_KEY": LIVE, "STRIPE_WEBHOOK_SECRET": None}, "SECRET is missing"),
        ({"STRIPE_SECRET_KEY": TEST, "STRIPE_WEBHOOK_SECRET": ""}, "SECRET is missing"),
        ({"STRIPE_SECRET_KEY": TEST, "STRIPE_WEBHOOK_SECRET": " , "}, "SECRET is missing"),
        ({"STRIPE_SECRET_KEY": TEST, "STRIPE_WEBHOOK_SECRET": "2b7a55"}, "begin with whsec_"),
        (
            {"STRIPE_SECRET_KEY": TEST, "STRIPE_WEBHOOK_SECRET": f"{SECRET},2b7a55"},
            "begin with whsec_",
        ),
        ({"STRIPE_WEBHOOK_SECRET": "2b7a55"}, "begin with whsec_"),
        ({"STRIPE_API_BASE": STAND_IN}, "STRIPE_API_BASE must be https://api.stripe.com"),
        ({"STRIPE_API_BASE": "https://stripe.example/2b7a55"}, "STRIPE_API_BASE must be"),
        ({"STRIPE_API_BASE": "https://stripe.example", **LOCAL}, "STRIPE_API_BASE must be"),
    ],
)
def test_a_way_to_stripe_that_cannot_be_meant_is_refused_without_repeating_it(
    environ, changes, sentence
):
    environ(**{"STRIPE_WEBHOOK_SECRET": SECRET, **changes})

    with pytest.raises(ImproperlyConfigured, match=re.escape(sentence)) as refused:
        environment.read()

    for value in ("4f9c27", "8d1e03", "2b7a55"):
        assert value not in str(refused.value)


INBOX = "imaps://post%40praxis.example:ge%3Aheim@mail.praxis.example"


def hearing(environ, **changes: str | None):
    environ(**changes)
    return environment.read().hearing


def test_without_an_inbox_nobody_reads_what_comes_back(environ):
    found = hearing(environ)

    assert (found.address, found.host, found.webhook_secret) == ("", "", "")


def test_the_inbox_is_read_over_tls_in_its_main_folder_unless_told_otherwise(environ):
    found = hearing(environ, INBOX_URL=INBOX)

    assert (found.host, found.port, found.folder) == ("mail.praxis.example", 993, "INBOX")
    assert (found.user, found.password) == ("post@praxis.example", "ge:heim")
    assert found.is_encrypted
    other = hearing(environ, INBOX_URL=f"{INBOX}:1993/Mein%20Ordner")
    assert (other.port, other.folder) == (1993, "Mein Ordner")


def test_an_inbox_without_tls_lives_on_this_machine(environ):
    found = hearing(environ, INBOX_URL="imap://post:4f9c27@127.0.0.1:1143/INBOX", **LOCAL)

    assert (found.port, found.is_encrypted) == (1143, False)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"INBOX_URL": "imap://post:4f9c27@127.0.0.1"}, "INBOX_URL must begin with imaps://"),
        ({"INBOX_URL": "imap://post:4f9c27@mail.example", **LOCAL}, "must begin with imaps://"),
        ({"INBOX_URL": "https://post:4f9c27@mail.example"}, "INBOX_URL must look like"),
        ({"INBOX_URL": "imaps://post@mail.example/4f9c27"}, "INBOX_URL must look like"),
        ({"INBOX_URL": "imaps://post:4f9c27@mail.example:x"}, "INBOX_URL must look like"),
        ({"INBOX_URL": "imaps://post:4f9c27@[mail.example"}, "INBOX_URL must look like"),
        ({"INBOX_URL": "imaps://post:4f9c27@mail.example/R%C3%BCck"}, "without umlauts"),
        ({"INBOX_URL": "imaps://post:4f9c27%0D%0A@mail.example"}, "without umlauts"),
        ({"INBOX_ADDRESS": "nobody"}, "INBOX_ADDRESS is 'nobody'"),
        ({"INBOX_ADDRESS": "Post <post@praxis.example>"}, "use a bare address"),
        ({"INBOX_ADDRESS": "post+x@praxis.example"}, "without a plus"),
        ({"INBOX_ADDRESS": f"{'n' * 33}@praxis.example"}, "at most 32 characters"),
        ({"ANYMAIL_WEBHOOK_SECRET": "4f9c27"}, "must look like user:password"),
        ({"ANYMAIL_WEBHOOK_SECRET": "praxis:4f9c27"}, "at least 16 characters"),
    ],
)
def test_an_inbox_that_cannot_be_meant_is_refused_without_repeating_the_password(
    environ, changes, sentence
):
    environ(**changes)

    with pytest.raises(ImproperlyConfigured, match=re.escape(sentence)) as refused:
        environment.read()

    assert "4f9c27" not in str(refused.value)


ED25519 = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + bytes(32)
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


def test_without_a_recipient_nothing_is_saved(environ):
    environ()

    found = environment.read().backing_up

    assert (found.recipients, found.folder) == ([], "")


def test_several_may_read_backups(environ):
    environ(BACKUP_RECIPIENTS=f"{RECIPIENT}, {RECIPIENT}", BACKUP_FOLDER="/var/backups/site")

    found = environment.read().backing_up

    assert (found.recipients, found.folder) == ([RECIPIENT, RECIPIENT], "/var/backups/site")


@pytest.mark.parametrize(
    ("recipients", "sentence"),
    [
        (f"{RECIPIENT[:-1]}4f9c27", "is no public key"),
        (f"{RECIPIENT},4f9c27", "is no public key"),
        ("AGE-SECRET-KEY-14f9c27", "holds a secret key"),
    ],
)
def test_a_recipient_that_cannot_be_meant_is_refused_without_repeating_it(
    environ, recipients, sentence
):
    environ(BACKUP_RECIPIENTS=recipients)

    with pytest.raises(ImproperlyConfigured, match=sentence) as refused:
        environment.read()

    assert "4f9c27" not in str(refused.value)


# As `ssh-keyscan -t ed25519` prints one, and its bytes.
SCANNED = f"box.example ssh-ed25519 {base64.b64encode(ED25519).decode()}"


def test_without_an_address_nothing_is_carried(environ):
    environ(BACKUP_COPY_HOST_KEY="nonsense")

    assert environment.read().backing_up.copying == environment.Copying()


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        ("sftp://u1:ge%3Aheim%2F1@box.example:23/backups/", "/backups"),
        ("sftp://u1:ge%3Aheim%2F1@box.example:23/~/backups", "backups"),
    ],
)
def test_another_host_is_opened_by_a_password_in_its_address(environ, address, folder):
    environ(BACKUP_COPY_URL=address, BACKUP_COPY_HOST_KEY=SCANNED)

    found = environment.read().backing_up.copying

    assert (found.host, found.port, found.folder) == ("box.example", 23, folder)
    assert (found.user, found.password, found.key_file) == ("u1", "ge:heim/1", "")
    assert (found.host_key_type, found.host_key) == ("ssh-ed25519", ED25519)
    assert found.deletes_old


def test_another_host_is_opened_by_a_key(environ):
    environ(
        BACKUP_COPY_URL="sftp://u1@[2001:db8::1]/backups",
        BACKUP_COPY_KEY="/data/copy_key",
        BACKUP_COPY_HOST_KEY=SCANNED.partition(" ")[2],
        BACKUP_COPY_DELETE_OLD="no",
    )

    found = environment.read().backing_up.copying

    assert (found.host, found.port, found.key_file) == ("2001:db8::1", 22, "/data/copy_key")
    assert not found.deletes_old


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"BACKUP_COPY_URL": "https://u1:4f9c27@box.example/b"}, "must look like sftp://"),
        ({"BACKUP_COPY_URL": "sftp://u1:4f9c27@box.example"}, "must look like sftp://"),
        ({"BACKUP_COPY_URL": "sftp://:4f9c27@box.example/b"}, "must look like sftp://"),
        ({"BACKUP_COPY_URL": "sftp://u1:4f9c27@box.example:x/b"}, "must look like sftp://"),
        ({"BACKUP_COPY_URL": "sftp://u1@box.example/b"}, "give one of the two"),
        ({"BACKUP_COPY_KEY": "/data/key"}, "give one of the two"),
        ({"BACKUP_COPY_HOST_KEY": ""}, "BACKUP_COPY_HOST_KEY must be"),
        ({"BACKUP_COPY_HOST_KEY": "box.example ssh-ed25519"}, "BACKUP_COPY_HOST_KEY must be"),
        ({"BACKUP_COPY_HOST_KEY": "ssh-ed25519 %%%"}, "BACKUP_COPY_HOST_KEY must be"),
        ({"BACKUP_COPY_HOST_KEY": "ssh-rsa AAAAC3NzaC1l"}, "BACKUP_COPY_HOST_KEY must be"),
    ],
)
def test_a_host_that_cannot_be_meant_or_known_is_refused_without_repeating_it(
    environ, changes, sentence
):
    good = {
        "BACKUP_COPY_URL": "sftp://u1:4f9c27@box.example/b",
        "BACKUP_COPY_HOST_KEY": SCANNED,
    }
    environ(**good | changes)

    with pytest.raises(ImproperlyConfigured, match=sentence) as refused:
        environment.read()

    assert "4f9c27" not in str(refused.value)


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
