"""The addresses that mail of the list comes back to: each names one delivery, and none can be forged.

They rest on plus addressing (RFC 5233): `post+b-…@praxis.example` lands in `post@praxis.example`. The
part after the plus is signed, so whoever makes one up takes nobody off the list. Mail systems change
the case of letters, hence base32 (RFC 4648 section 6); a local part holds 64 characters (RFC 5321
section 4.5.3.1.1).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from email.utils import parseaddr
from enum import Enum

from django.conf import settings
from django.utils.crypto import salted_hmac


class Kind(Enum):
    """What it means when something comes back to the address, or names it."""

    BOUNCE = "b"
    LEAVE = "a"
    MESSAGE = "m"  # no address but our Message-ID


# 80 bits: nobody guesses them by sending mail.
SIGNATURE_BYTES = 10
# A 64-bit number and its signature are 18 bytes, 29 letters; „+b-“ comes before them.
LONGEST_LOCAL_PART = 64 - 3 - 29

_NAMED = re.compile(r"(?:\+|<|^)([bam])-([a-z2-7]{18,29})@", re.IGNORECASE)


def envelope_sender(delivery: int) -> str:
    """Where the mail servers on the way send what they could not deliver (RFC 5321 section 4.4).

    Without an inbox it is the sender's own address, as for every other mail.
    """
    return _with_tag(Kind.BOUNCE, delivery) or parseaddr(settings.DEFAULT_FROM_EMAIL)[1]


def unsubscribe_mailbox(delivery: int) -> str:
    """Any mail to this address unsubscribes whom the delivery was for; "" without an inbox."""
    return _with_tag(Kind.LEAVE, delivery)


def message_id(delivery: int) -> str:
    """The Message-ID of a delivery: what comes back tells by it what it is about.

    For servers that put a sender of their own on the envelope. One delivery, one id: a mail that
    had to be sent twice after a crash can be recognised as one (RFC 5322 section 3.6.4).
    """
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    return f"<{Kind.MESSAGE.value}-{_sign(Kind.MESSAGE, delivery)}@{domain}>"


def read(text: str) -> tuple[Kind, int] | None:
    """What an address (or Message-ID) in this text is for, and its delivery.

    The first that was made here counts; None if none was.
    """
    for found in _NAMED.finditer(text):
        kind, token = Kind(found[1].lower()), found[2].upper()
        delivery = _verify(kind, token)
        if delivery is not None:
            return kind, delivery
    return None


def _with_tag(kind: Kind, delivery: int) -> str:
    local, _, domain = settings.INBOX_ADDRESS.rpartition("@")
    return f"{local}+{kind.value}-{_sign(kind, delivery)}@{domain}" if domain else ""


def _sign(kind: Kind, delivery: int) -> str:
    number = delivery.to_bytes((delivery.bit_length() + 7) // 8)
    raw = number + _signature(kind, number, settings.LINK_KEYS[0])
    return base64.b32encode(raw).decode().rstrip("=").lower()


def _verify(kind: Kind, token: str) -> int | None:
    try:
        raw = base64.b32decode(token + "=" * (-len(token) % 8))
    except binascii.Error:
        return None
    number, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
    is_ours = any(
        hmac.compare_digest(signature, _signature(kind, number, key)) for key in settings.LINK_KEYS
    )
    return int.from_bytes(number) if is_ours else None


def _signature(kind: Kind, number: bytes, key: str) -> bytes:
    whole = salted_hmac(
        f"newsletter.return_path.{kind.value}", number, secret=key, algorithm="sha256"
    )
    return whole.digest()[:SIGNATURE_BYTES]
