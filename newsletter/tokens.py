"""What stands in the links of our mails: how it is made and how it is read."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid

from coaching_site import links

UNSUBSCRIBE = "newsletter.unsubscribe"
PREFERENCES = "newsletter.preferences"

# Mail programs glue punctuation or „=3D“ to a link; none of that can be part of a token.
_TOKEN = re.compile(r"[A-Za-z0-9_.-]*")


def new_confirm_token() -> str:
    """A random token of 256 bits. It stands in one mail; the database keeps only its digest."""
    return secrets.token_urlsafe(32)


def digest(confirm_token: str) -> str:
    return hashlib.sha256(trim(confirm_token).encode()).hexdigest()


def unsubscribe_token(public_id: uuid.UUID, issue: int = 0) -> str:
    """The way out. `issue` says whose footer it stands in, 0 that it stands in no issue."""
    return links.sign(UNSUBSCRIBE, f"{public_id}_{issue}" if issue else str(public_id))


def read_unsubscribe_token(token: str) -> tuple[uuid.UUID, int] | None:
    """Whose link this is and from which issue (or 0), or None if it was not made here."""
    value = links.read(UNSUBSCRIBE, trim(token))
    if value is None:
        return None
    public_id, _, issue = value.partition("_")
    return uuid.UUID(public_id), int(issue or 0)


def preferences_token(public_id: uuid.UUID, address_number: int) -> str:
    """Opens the preferences of one person at one address, and no longer after it changed."""
    return links.sign(PREFERENCES, f"{public_id}_{address_number}")


def read_preferences_token(token: str) -> tuple[uuid.UUID, int] | None:
    """Whose link this is and for which of their addresses, or None if it was not made here."""
    value = links.read(PREFERENCES, trim(token))
    if value is None:
        return None
    public_id, _, number = value.partition("_")
    return uuid.UUID(public_id), int(number)


def trim(token: str) -> str:
    """The token without what was glued to it."""
    found = _TOKEN.match(token)
    return found[0].rstrip(".") if found else ""
