"""Who may read backups: a public key on the host that writes them, a secret one anywhere else."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyrage
from django.conf import settings

from coaching_site.desk.backups.errors import KeyExists, KeyUnreadable

STANDARD_INPUT = Path("-")


def recipients() -> list[pyrage.x25519.Recipient]:
    return [pyrage.x25519.Recipient.from_str(key) for key in settings.BACKUP_RECIPIENTS]


def make(path: Path, *, now: datetime) -> str:
    """Write a new secret key for its owner's eyes, as `age-keygen` does; returns the public one.

    Raises KeyExists and OSError.
    """
    identity = pyrage.x25519.Identity.generate()
    public = str(identity.to_public())
    created = now.astimezone(UTC).isoformat(timespec="seconds")
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyExists from None
    with os.fdopen(number, "w") as file:
        file.write(f"# created: {created}\n# public key: {public}\n{identity}\n")
    return public


def read(path: Path) -> pyrage.x25519.Identity:
    """The secret key in a file, or in what is typed when it is „-“. Raises KeyUnreadable."""
    try:
        text = sys.stdin.read() if path == STANDARD_INPUT else path.read_text("ascii")
        lines = text.splitlines()
        (secret,) = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        return pyrage.x25519.Identity.from_str(secret)
    except (OSError, ValueError, pyrage.IdentityError):
        raise KeyUnreadable from None
