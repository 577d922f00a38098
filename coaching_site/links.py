"""Signed links for mails. They are rebuilt when needed and never stored.

The keys are `LINK_KEYS`: the first signs, all of them verify, so a key can be changed without
breaking the links in old mails.
"""

from __future__ import annotations

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.utils.crypto import salted_hmac

# What mail programs leave at the end of a link that was cut out of a sentence.
TRAILING = ".,;:!?)>]}'\"= "


def sign(purpose: str, value: str) -> str:
    """Return a token for `value` that only opens links of this purpose (HMAC-SHA256)."""
    return _signer(purpose).sign(value)


def read(purpose: str, token: str) -> str | None:
    """Return what was signed, or None if the token is mangled, forged or of another purpose."""
    try:
        return _signer(purpose).unsign(token.strip(TRAILING))
    except (BadSignature, UnicodeEncodeError):  # half a surrogate pair has no bytes to sign
        return None


def fingerprint(purpose: str, value: str) -> str:
    """A keyed hash that tells equal values apart from others and never tells the value.

    For what is counted for a few hours: a new key makes all fingerprints new.
    """
    key = settings.LINK_KEYS[0]
    return salted_hmac(f"fingerprint.{purpose}", value, secret=key, algorithm="sha256").hexdigest()


def lasting_fingerprints(purpose: str, value: str) -> list[str]:
    """As `fingerprint`, for rows that live for years: the first to store, all of them to look for."""
    return [
        salted_hmac(f"lasting.{purpose}", value, secret=key, algorithm="sha256").hexdigest()
        for key in settings.LINK_KEYS
    ]


def absolute(path: str) -> str:
    """The full address of a path, for mails and feeds."""
    return f"{settings.SITE_URL}{path}"


def _signer(purpose: str) -> Signer:
    first, *older = settings.LINK_KEYS
    return Signer(key=first, fallback_keys=[*older], salt=f"link.{purpose}", sep=".")
