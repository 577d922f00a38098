"""E-mail addresses: what counts as one, and when two are the same."""

from __future__ import annotations

from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

LONGEST = 254  # RFC 5321 section 4.5.3.1.3, without the angle brackets


class NotAnAddress(ValueError):
    """The text is no e-mail address our mail server could deliver to."""


@dataclass(frozen=True)
class Address:
    """One mailbox: `shown` for people, `key` to find it again."""

    shown: str
    key: str

    @property
    def mailbox(self) -> str:
        """The address for the envelope: the local part as typed, the domain in Punycode."""
        return f"{self.shown.rpartition('@')[0]}@{self.key.rpartition('@')[2]}"


def parse(text: str) -> Address:
    """Read one bare address; nothing is asked from the network.

    The key is lower-cased, with the domain in Punycode. Dots and plus tags stay: whether they mean
    anything is the mailbox owner's affair. Raises NotAnAddress.
    """
    try:
        valid = validate_email(
            text.strip(), strict=True, allow_smtputf8=False, check_deliverability=False
        )
    except EmailNotValidError as error:
        raise NotAnAddress from error
    assert valid.ascii_email is not None
    return Address(shown=valid.normalized, key=valid.ascii_email.lower())
