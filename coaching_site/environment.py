"""Reads and checks the environment. A missing or odd value stops the start with one sentence.

Every variable is listed and explained in `.env.example`.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url
import pyrage
from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError

PROFILES = ("production", "local", "test")
LOG_FORMATS = ("json", "line")
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
SHORTEST_KEY = 32
# What a reply address needs after the plus must fit into its local part (newsletter.return_paths).
LONGEST_INBOX_NAME = 32
STRIPE_API = "https://api.stripe.com"
SHORTEST_SECRET = 16
NO_REPLY = re.compile(r"(do)?-?not?-?reply@", re.IGNORECASE)
# Secret and restricted keys (https://docs.stripe.com/keys).
LIVE_KEYS = ("sk_live_", "rk_live_")
TEST_KEYS = ("sk_test_", "rk_test_")
# The kinds of host keys that are in use (RFC 4253, RFC 5656, RFC 8709).
HOST_KEY_TYPE = re.compile(r"ssh-rsa|ssh-ed25519|ecdsa-sha2-nistp(256|384|521)")


@dataclass(frozen=True)
class Mailing:
    """How mail leaves the house. An empty host means: write files to the mail folder."""

    host: str
    port: int
    user: str
    password: str
    security: str
    sender: str
    coach: str


@dataclass(frozen=True)
class Paying:
    """The way to Stripe. An empty key means: nothing can be paid here."""

    secret_key: str
    # One while nothing changes; the new and the old one while a secret is being rotated.
    webhook_secrets: list[str]
    api_base: str

    @property
    def is_live(self) -> bool:
        return self.secret_key.startswith(LIVE_KEYS)


@dataclass(frozen=True)
class Hearing:
    """The mailbox that bounces come back to. An empty host means: nobody reads it."""

    address: str
    host: str
    port: int
    user: str
    password: str
    folder: str
    is_encrypted: bool
    # „user:password“ for the webhook of a mail provider; empty means: there is none. Mailgun signs too.
    webhook_secret: str
    mailgun_key: str


@dataclass(frozen=True)
class Copying:
    """The other host that backups are carried to by SFTP. An empty host means: there is none."""

    host: str = ""
    port: int = 22
    user: str = ""
    password: str = field(default="", repr=False)
    # Relative to where its user comes in unless it begins with a slash.
    folder: str = ""
    # Where the private key is that opens it; empty means that the password does.
    key_file: str = ""
    # The kind of its host key, and the key itself (RFC 4253 § 6.6).
    host_key_type: str = ""
    host_key: bytes = b""
    # Whether copies that are too old are deleted from here, or by that host.
    deletes_old: bool = True


@dataclass(frozen=True)
class BackingUp:
    """Who may read backups, as public keys, and where they are put. No key means: there are none."""

    recipients: list[str]
    folder: str
    copying: Copying


@dataclass(frozen=True)
class Environment:
    """All the settings an operator chooses, checked."""

    profile: str
    site_url: str
    hosts: list[str]
    secret_key: str
    link_keys: list[str]
    database: dict[str, Any]
    data_folder: str
    trusted_proxies: list[str]
    mailing: Mailing
    hearing: Hearing
    paying: Paying
    backing_up: BackingUp
    sending_timings: dict[str, float]
    log_format: str

    @property
    def is_production(self) -> bool:
        return self.profile == "production"


def read() -> Environment:
    """Read the process environment.

    Raises ImproperlyConfigured with a sentence that names the variable.
    """
    env = Env()
    try:
        return _read(env)
    except EnvError as error:
        raise ImproperlyConfigured(
            f"{error} Every variable is explained in .env.example."
        ) from None


def _read(env: Env) -> Environment:
    profile = env.str("SITE_PROFILE", "production")
    if profile not in PROFILES:
        raise ImproperlyConfigured(
            f"SITE_PROFILE is {profile!r}; use one of {', '.join(PROFILES)}."
        )
    site_url = _site_url(env.str("SITE_URL"), profile)
    fallback_keys: list[str] = env.list("LINK_FALLBACK_KEYS", [])
    proxies: list[str] = env.list("TRUSTED_PROXIES", [])
    return Environment(
        profile=profile,
        site_url=site_url,
        hosts=[str(urlsplit(site_url).hostname), *_hosts(env.list("EXTRA_HOSTS", []))],
        secret_key=_key("SECRET_KEY", env.str("SECRET_KEY")),
        link_keys=[
            _key("LINK_KEY", env.str("LINK_KEY")),
            *(_key("LINK_FALLBACK_KEYS", key) for key in fallback_keys),
        ],
        database=_database(env.str("DATABASE_URL")),
        data_folder=env.str("DATA_FOLDER", ".data"),
        trusted_proxies=[_network(value) for value in proxies],
        mailing=_mailing(env, profile),
        hearing=_hearing(env, profile),
        paying=_paying(env, profile),
        backing_up=_backing_up(env),
        sending_timings=env.dict("SENDING_TIMINGS", {}, subcast_values=float),
        log_format=log_format(env, profile),
    )


def log_format(env: Env, profile: str) -> str:
    """How lines of the log look. Raises ImproperlyConfigured."""
    chosen = env.str("LOG_FORMAT", "json" if profile == "production" else "line")
    if chosen not in LOG_FORMATS:
        raise ImproperlyConfigured(f"LOG_FORMAT is {chosen!r}; use {' or '.join(LOG_FORMATS)}.")
    return chosen


def _site_url(value: str, profile: str) -> str:
    address = urlsplit(value)
    if (
        address.scheme not in ("http", "https")
        or not address.hostname
        or address.path not in ("", "/")
    ):
        raise ImproperlyConfigured(
            f"SITE_URL is {value!r}; use an address like https://example.org."
        )
    # It stands in header fields of mails and in identities of the feed, which know ASCII alone.
    if not value.isascii():
        raise ImproperlyConfigured(
            f"SITE_URL is {value!r}; write it as https://xn--… (Punycode), as name servers know it."
        )
    if profile == "production" and address.scheme != "https":
        raise ImproperlyConfigured(
            f"SITE_URL is {value!r}, but the production profile serves https only. For one's own "
            "machine use `make run`, which chooses SITE_PROFILE=local."
        )
    if profile != "production" and address.hostname not in LOOPBACK_HOSTS:
        raise ImproperlyConfigured(
            f"SITE_PROFILE={profile} has no HTTPS and no secure cookies, so it serves this machine "
            f"only, not {address.hostname!r}. Use SITE_PROFILE=production."
        )
    return value.rstrip("/")


def _hosts(listed: list[str]) -> list[str]:
    return [host.strip() for host in listed if host.strip()]


def _key(name: str, value: str) -> str:
    if len(value) < SHORTEST_KEY:
        raise ImproperlyConfigured(
            f"{name} has {len(value)} characters; use at least {SHORTEST_KEY}."
        )
    return value


def _database(url: str) -> dict[str, Any]:
    try:
        parsed = dict(dj_database_url.parse(url))
    except (ValueError, dj_database_url.ParseError):
        parsed = {}
    if parsed.get("ENGINE") != "django.db.backends.postgresql":
        raise ImproperlyConfigured(
            "DATABASE_URL must look like postgres://user:password@host/name."
        )
    return parsed


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value.strip()))
    except ValueError:
        raise ImproperlyConfigured(
            f"TRUSTED_PROXIES contains {value!r}; use addresses or networks like 10.0.0.0/8."
        ) from None


def _mailing(env: Env, profile: str) -> Mailing:
    host = env.str("EMAIL_HOST", "")
    if not host and profile == "production":
        raise ImproperlyConfigured("EMAIL_HOST is missing: without it nobody gets a confirmation.")
    security = env.str("EMAIL_SECURITY", "starttls")
    if security not in ("starttls", "tls", "none"):
        raise ImproperlyConfigured(f"EMAIL_SECURITY is {security!r}; use starttls, tls or none.")
    return Mailing(
        host=host,
        port=env.int("EMAIL_PORT", 465 if security == "tls" else 587),
        user=env.str("EMAIL_USER", ""),
        password=env.str("EMAIL_PASSWORD", ""),
        security=security,
        sender=_answerable("MAIL_FROM", env.str("MAIL_FROM")),
        coach=_mailbox("COACH_EMAIL", env.str("COACH_EMAIL")),
    )


def _answerable(name: str, value: str) -> str:
    """Whoever gets a mail can answer it (UWG § 7 (2) 3 c)."""
    mailbox = _mailbox(name, value)
    if NO_REPLY.match(parseaddr(mailbox)[1]):
        raise ImproperlyConfigured(f"{name} is {value!r}; use an address that people may answer.")
    return mailbox


def _hearing(env: Env, profile: str) -> Hearing:
    return Hearing(
        address=_inbox_address(env.str("INBOX_ADDRESS", "").strip()),
        webhook_secret=_webhook_secret(env.str("ANYMAIL_WEBHOOK_SECRET", "")),
        mailgun_key=env.str("ANYMAIL_MAILGUN_SIGNING_KEY", ""),
        **_inbox(env.str("INBOX_URL", ""), profile),
    )


def _inbox_address(address: str) -> str:
    if not address:
        return ""
    local = _mailbox("INBOX_ADDRESS", address).partition("@")[0]
    if parseaddr(address)[1] != address or "+" in local or len(local) > LONGEST_INBOX_NAME:
        raise ImproperlyConfigured(
            f"INBOX_ADDRESS is {address!r}; use a bare address without a plus and with at most "
            f"{LONGEST_INBOX_NAME} characters before the @: the site puts its own after it."
        )
    return address


def _webhook_secret(secret: str) -> str:
    user, _, password = secret.partition(":")
    if secret and not (user and len(password) >= SHORTEST_SECRET):
        raise ImproperlyConfigured(
            "ANYMAIL_WEBHOOK_SECRET must look like user:password, with a password of at least "
            f"{SHORTEST_SECRET} characters."
        )
    return secret


def _inbox(url: str, profile: str) -> dict[str, Any]:
    """The parts of INBOX_URL. No sentence repeats a value: it holds a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    folder = unquote(parts.path.strip("/")) or "INBOX"
    is_known = parts.scheme in ("imap", "imaps") and parts.hostname and user and password
    if url and not is_known:
        raise ImproperlyConfigured(
            "INBOX_URL must look like imaps://user:password@host/Folder, with special characters "
            "of user and password in percent encoding."
        )
    told = user + password + folder
    if not (told.isascii() and told.isprintable()):
        raise ImproperlyConfigured(
            "INBOX_URL holds a letter that old mail servers do not take; use a user, a password and "
            "a folder without umlauts."
        )
    is_encrypted = parts.scheme == "imaps"
    if url and not is_encrypted and (profile == "production" or not _is_loopback(url)):
        raise ImproperlyConfigured(
            "INBOX_URL must begin with imaps://: the password would travel for everyone to read."
        )
    return {
        "host": parts.hostname or "",
        "port": port or (993 if is_encrypted else 143),
        "user": user,
        "password": password,
        "folder": folder,
        "is_encrypted": is_encrypted,
    }


def _paying(env: Env, profile: str) -> Paying:
    key = env.str("STRIPE_SECRET_KEY", "")
    listed: list[str] = env.list("STRIPE_WEBHOOK_SECRET", [])
    secrets = [secret.strip() for secret in listed if secret.strip()]
    base = env.str("STRIPE_API_BASE", STRIPE_API).rstrip("/")
    # None of these sentences repeats a value: it may be a key.
    if key and not key.startswith(LIVE_KEYS + TEST_KEYS):
        raise ImproperlyConfigured(
            "STRIPE_SECRET_KEY is no secret key; use one that begins with "
            f"{', '.join(TEST_KEYS + LIVE_KEYS)}."
        )
    if key.startswith(LIVE_KEYS) and profile != "production":
        raise ImproperlyConfigured(
            f"STRIPE_SECRET_KEY is a live key, but SITE_PROFILE is {profile}; use a test key."
        )
    if key and not secrets:
        raise ImproperlyConfigured(
            "STRIPE_WEBHOOK_SECRET is missing: without it nobody knows whether Stripe is speaking."
        )
    if any(not secret.startswith("whsec_") for secret in secrets):
        raise ImproperlyConfigured("STRIPE_WEBHOOK_SECRET must begin with whsec_.")
    if base != STRIPE_API and (profile == "production" or not _is_loopback(base)):
        raise ImproperlyConfigured(
            f"STRIPE_API_BASE must be {STRIPE_API}, or an address of this machine outside production."
        )
    return Paying(key, secrets, base)


def _backing_up(env: Env) -> BackingUp:
    listed: list[str] = env.list("BACKUP_RECIPIENTS", [])
    return BackingUp(
        [_recipient(key.strip()) for key in listed if key.strip()],
        env.str("BACKUP_FOLDER", ""),
        _copying(env),
    )


def _recipient(key: str) -> str:
    """A public key. No sentence repeats the value: it may be the secret one."""
    if key.upper().startswith("AGE-SECRET-KEY-"):
        raise ImproperlyConfigured(
            "BACKUP_RECIPIENTS holds a secret key; it wants the public one, which begins with age1, "
            "and the secret one belongs to another machine."
        )
    try:
        pyrage.x25519.Recipient.from_str(key)
    except pyrage.RecipientError:
        raise ImproperlyConfigured(
            "BACKUP_RECIPIENTS holds something that is no public key; use keys that begin with age1, "
            "as `manage.py backup --new-key` prints them, with commas between."
        ) from None
    return key


def _copying(env: Env) -> Copying:
    """Where backups are carried to. No sentence repeats a value: the address may hold a password."""
    url, key_file = env.str("BACKUP_COPY_URL", ""), env.str("BACKUP_COPY_KEY", "")
    if not url:
        return Copying()
    try:
        parts = urlsplit(url)
        port = parts.port or 22
    except ValueError:
        parts, port = urlsplit(""), 22
    folder = unquote(parts.path).rstrip("/")
    if not (parts.scheme == "sftp" and parts.hostname and parts.username and folder):
        raise ImproperlyConfigured(
            "BACKUP_COPY_URL must look like sftp://user@host:22/folder, or sftp://user:password@host/"
            "folder, with special characters of user and password in percent encoding."
        )
    if bool(parts.password) == bool(key_file):
        raise ImproperlyConfigured(
            "The host of BACKUP_COPY_URL is opened either by the private key in the file that "
            "BACKUP_COPY_KEY names or by a password in the address; give one of the two."
        )
    host_key_type, host_key = _host_key(env.str("BACKUP_COPY_HOST_KEY", ""))
    return Copying(
        host=parts.hostname,
        port=port,
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        folder=folder.removeprefix("/~/"),
        key_file=key_file,
        host_key_type=host_key_type,
        host_key=host_key,
        deletes_old=env.bool("BACKUP_COPY_DELETE_OLD", True),
    )


def _host_key(line: str) -> tuple[str, bytes]:
    """The kind and the bytes of a key, as `ssh-keyscan` prints it, with the host before it or not."""
    kind, key = "", b""
    words = [word for word in line.split() if not word.startswith("#")]
    for place, word in enumerate(words[:2]):
        if HOST_KEY_TYPE.fullmatch(word) and len(words) > place + 1:
            kind, key = word, _from_base64(words[place + 1])
    # The bytes begin with the same name, after its length (RFC 4253 § 6.6).
    if not kind or not key.startswith(len(kind).to_bytes(4, "big") + kind.encode()):
        raise ImproperlyConfigured(
            "BACKUP_COPY_HOST_KEY must be one line as `ssh-keyscan HOST` prints it, like „host "
            "ssh-ed25519 AAAA…“: without it nobody knows to whom the backups go."
        )
    return kind, key


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in LOOPBACK_HOSTS


def _mailbox(name: str, value: str) -> str:
    _, address = parseaddr(value)
    user, at, domain = address.partition("@")
    if not (user and at and domain) or "\n" in value:
        raise ImproperlyConfigured(f"{name} is {value!r}; use an address like mail@example.org.")
    # The name before it may hold any letter; the address goes onto envelopes as it is.
    if not address.isascii():
        raise ImproperlyConfigured(
            f"{name} is {value!r}; write the domain as xn--… (Punycode), and no umlaut before the @."
        )
    return value
