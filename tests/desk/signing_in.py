"""Somebody at the desk's door: a name, a password, and an app on a phone."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from coaching_site.desk import two_factor

DESK = "/verwaltung/"
LOGIN = f"{DESK}login/"
CODE = f"{DESK}login/code/"
STATE = f"{DESK}zwei-schritte/"
SET_UP = f"{STATE}einrichten/"
NEW_CODES = f"{STATE}codes/"
PASSWORD = "zwei lange Woerter"


def coach(name: str = "coach") -> User:
    return User.objects.create_superuser(name, password=PASSWORD)


def digits(key: str, *, later: int = 0) -> str:
    """What an app with this key shows now, or so many half minutes later."""
    clock = TOTP(bytes.fromhex(key), drift=later)
    return f"{clock.token():06d}"


def with_app(user: User, now) -> tuple[TOTPDevice, list[str]]:
    """Set up with the digits of half a minute ago, so that those of now are still fresh."""
    key = two_factor.new_key()
    try:
        return two_factor.set_up(user, key=key, digits=digits(key, later=-1), now=now)
    except two_factor.WrongDigits:
        # Another half minute began in between.
        return two_factor.set_up(user, key=key, digits=digits(key, later=-1), now=now)


def give_password(client: Client, name: str = "coach", password: str = PASSWORD, **more):
    return client.post(LOGIN, {"username": name, "password": password, "next": DESK}, **more)


def sealed_key(page: str) -> tuple[str, str]:
    """The key of the set-up page as the form sends it back, and in hexadecimal."""
    sealed = re.search(r'name="key" value="([^"]+)"', page)
    assert sealed is not None
    return unescape(sealed[1]), unescape(sealed[1]).split(":")[0]


def shown_codes(page: str) -> list[str]:
    return re.findall(r"<code>([0-9A-Z-]{19})</code>", page)


def path_of(response) -> str:
    return str(urlsplit(response["Location"]).path)
