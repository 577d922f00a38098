"""The second factor of a sign-in: six digits from an app (RFC 6238) or, once each, a recovery code.

django-otp keeps the app's key, refuses digits that were used before (RFC 6238, 5.2) and makes
everybody wait after wrong ones, twice as long each time. Its recovery codes stand in the database as
they are typed; ours are hashes, for nothing needs to read them and backups travel.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Any

import django_otp
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.db.models import F, Func, Value
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp.util import random_hex

from coaching_site import limits
from coaching_site.desk.models import RecoveryCodes

CODES = 10
# Crockford's alphabet: nothing in it looks like anything else. 16 of 32 letters are 80 bits, too
# many to guess even for whoever holds the hash.
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LOOKALIKES = str.maketrans("OIL", "011")
LENGTH = 16
GROUP = 4
KEY_BYTES = 20  # RFC 4226, 4: 160 bits
# Where a user object keeps what the database said about it.
HAS_DEVICE = "has_second_factor"


class Refused(Exception):
    """What somebody typed does not open. `message` is for their eyes, `field` is where."""

    field: str
    message: str


class WrongDigits(Refused):
    field = "digits"
    message = (
        "Dieser Code stimmt nicht oder wurde schon benutzt. "
        "Warte auf den nächsten in deiner App und gib ihn ein."
    )


class WrongRecoveryCode(Refused):
    field = "recovery"
    message = "Dieser Wiederherstellungscode stimmt nicht oder wurde schon benutzt."


class WrongPassword(Refused):
    field = "password"
    message = "Dieses Passwort stimmt nicht."


def is_verified(user: User | AnonymousUser) -> bool:
    """Whether this session has shown its second factor (`OTPMiddleware` sets it by request)."""
    return getattr(user, "otp_device", None) is not None


def is_enough(user: User | AnonymousUser) -> bool:
    """Whether the desk may open: verified, or neither set up nor required.

    Every page asks several times. The database is asked once for each user object, and each request
    has its own; whoever sets a device up meanwhile is verified by it.
    """
    return is_verified(user) or not (settings.SECOND_FACTOR_REQUIRED or has_device(user))


def device_of(user: User | AnonymousUser) -> Any:
    """The user's app, a TOTPDevice, or None."""
    return TOTPDevice.objects.devices_for_user(user, confirmed=True).first() if user.pk else None


def has_device(user: User | AnonymousUser) -> bool:
    """Whether an app is set up, as it was when this user object was first asked."""
    if is_verified(user):
        return True
    if not hasattr(user, HAS_DEVICE):
        setattr(user, HAS_DEVICE, device_of(user) is not None)
    return bool(getattr(user, HAS_DEVICE))


def new_key() -> str:
    """A key for an app, in hexadecimal. It is stored when a code has shown that the app has it."""
    return str(random_hex(KEY_BYTES))


def set_up(user: User, *, key: str, digits: str, now: datetime) -> tuple[Any, list[str]]:
    """Make the app that holds `key` the user's only one; returns its device and new recovery codes.

    The sessions of the device before it are no longer verified. Raises WrongDigits.
    """
    with transaction.atomic():
        get_user_model().objects.select_for_update().get(pk=user.pk)
        TOTPDevice.objects.filter(user=user).delete()
        device = TOTPDevice.objects.create(user=user, name="App", key=key)
        if not device.verify_token(_plain(digits)):
            raise WrongDigits
        return device, renew_recovery_codes(user, now=now)


def check_digits(user: User, *, digits: str, now: datetime) -> Any:
    """Returns the device whose six digits these are. Raises WrongDigits or, after some, TooMany."""
    device = device_of(user)
    if device is None:
        raise WrongDigits
    may_try, why_not = device.verify_is_allowed()
    if not may_try:
        raise limits.TooMany(why_not["locked_until"] - now)
    if django_otp.verify_token(user, device.persistent_id, _plain(digits)) is None:
        raise WrongDigits
    return device


def spend_recovery_code(user: User, *, code: str) -> Any:
    """Returns the device this code stands in for, and forgets the code. Raises WrongRecoveryCode."""
    device, digest = device_of(user), _digest(code)
    # One statement: of two who send the same code at once, one finds it.
    found = RecoveryCodes.objects.filter(user=user, digests__contains=[digest]).update(
        digests=Func(F("digests"), Value(digest), function="array_remove")
    )
    if device is None or not found:
        raise WrongRecoveryCode
    return device


def renew_recovery_codes(user: User, *, now: datetime) -> list[str]:
    """Ten new codes, to be shown once; those before end."""
    codes = [_new_code() for _ in range(CODES)]
    digests = [_digest(code) for code in codes]
    RecoveryCodes.objects.update_or_create(user=user, defaults={"digests": digests, "made_at": now})
    return codes


def codes_left(user: User) -> int:
    row = RecoveryCodes.objects.filter(user=user).first()
    return len(row.digests) if row else 0


def remove(user: User) -> bool:
    """Forget the user's app and codes; returns whether there was anything to forget."""
    with transaction.atomic():
        apps, _ = TOTPDevice.objects.filter(user=user).delete()
        codes, _ = RecoveryCodes.objects.filter(user=user).delete()
    return bool(apps + codes)


def _plain(digits: str) -> str:
    """„123 456“, as apps show it."""
    return "".join(digits.split())


def _new_code() -> str:
    """„7Q2M-X9RA-0KTB-54HW“."""
    letters = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    return "-".join(letters[at : at + GROUP] for at in range(0, LENGTH, GROUP))


def _digest(code: str) -> str:
    """However it was typed: small letters, spaces, an O for a zero."""
    letters = "".join(letter for letter in code.upper() if letter.isalnum())
    return hashlib.sha256(letters.translate(LOOKALIKES).encode()).hexdigest()
