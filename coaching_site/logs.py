"""Keeps what opens doors out of the logs."""

from __future__ import annotations

import logging
import re

# The part of an address that only its owner knows: a signed link, a feed's secret.
KEY = re.compile(r"(?<=/)[\w.:-]{20,}(?=[/?\s]|$)")


class WithoutSecrets(logging.Filter):
    """Django names the address of a page that failed; it may be somebody's key."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.") and isinstance(record.args, tuple):
            record.args = tuple(
                KEY.sub("…", arg) if isinstance(arg, str) else arg for arg in record.args
            )
        return True
