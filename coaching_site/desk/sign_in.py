"""How often somebody may try to sign in. Every try counts, right or wrong, before it is looked at.

Strangers must not lock the coach out: a name is counted together with the network its tries come
from. Many networks that guess one name together only leave each of them fewer tries.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta

from coaching_site import limits

QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)

TRIES_A_NETWORK = 30  # in a quarter of an hour, whatever the name
TRIES_OF_A_NAME = 10  # in a quarter of an hour, from one network
# So many tries of one name in an hour, from anywhere, are an attack; then each network has these.
ATTACK = 100
TRIES_UNDER_ATTACK = 3
# Behind a proxy that TRUSTED_PROXIES does not name, everybody seems to come from one place.
TRIES_FROM_NOWHERE = 100
TRIES_OF_CODES = 10  # in a quarter of an hour, by one user from one network


def count_password(name: str, *, network: str, now: datetime) -> None:
    """Count one try of a password, for names that exist and those that do not. Raises TooMany."""
    known_as = unicodedata.normalize("NFKC", name).strip().casefold()
    tries = TRIES_OF_A_NAME if network else TRIES_FROM_NOWHERE
    if network:
        limits.hit("sign_in.network", network, limit=TRIES_A_NETWORK, per=QUARTER, now=now)
        try:
            limits.hit("sign_in.name", known_as, limit=ATTACK, per=HOUR, now=now)
        except limits.TooMany:
            tries = TRIES_UNDER_ATTACK
    limits.hit("sign_in.both", f"{network} {known_as}", limit=tries, per=QUARTER, now=now)


def count_code(user: int, *, network: str, now: datetime) -> None:
    """Count one try of a second factor. Raises TooMany."""
    limits.hit("sign_in.code", f"{network} {user}", limit=TRIES_OF_CODES, per=QUARTER, now=now)
