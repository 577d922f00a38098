"""How our own export spells things, so that the import reads back what the export wrote."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

EMAIL = "E-Mail-Adresse"
NAME = "Name"
STATUS = "Status"
TAGS = "Schlagwörter"
CREATED_AT = "eingetragen am"
CONFIRMED_AT = "bestätigt am"
LEFT_AT = "abgemeldet am"
SUPPRESSED = "Sperre"
MAIL_REQUESTED_AT = "E-Mail angefordert am"
MAIL_SENT_AT = "E-Mail verschickt am"
PUBLIC_ID = "Kennung"
ADDRESS_NUMBER = "wievielte Adresse"
UNREACHABLE_SINCE = "unzustellbar seit"
CONSENTS = "Einwilligungen"
HEADER = (
    EMAIL,
    NAME,
    STATUS,
    TAGS,
    CREATED_AT,
    CONFIRMED_AT,
    LEFT_AT,
    SUPPRESSED,
    MAIL_REQUESTED_AT,
    MAIL_SENT_AT,
    PUBLIC_ID,
    ADDRESS_NUMBER,
    UNREACHABLE_SINCE,
    CONSENTS,
)
# The file of suppressions; by hand, a line may name an address instead of a hash.
ADDRESS_HASH = "Prüfwert der Adresse"
REASON = "Grund"
SUPPRESSION_HEADER = (ADDRESS_HASH, EMAIL, REASON, CREATED_AT)

# To a spreadsheet a formula (OWASP, CSV injection). Apostrophes before one count as well: else
# „'=x“ written plainly and „=x“ written with protection would look the same.
_RUNS = re.compile(r"'*[=+\-@\t\r]")
_PROTECTED = re.compile(r"'+[=+\-@\t\r]")


def protect(text: str) -> str:
    """The cell so that no spreadsheet runs it."""
    return f"'{text}" if _RUNS.match(text) else text


def unprotect(text: str) -> str:
    """The cell as it was before `protect`; other cells stay as they are."""
    return text[1:] if text[:1] == "'" and _PROTECTED.match(text) else text


def join_tags(tags: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="").writerow(tags)
    return line.getvalue() if tags else ""


def split_tags(cell: str) -> list[str]:
    """Tags as the tools write them: a;b or a, b or "a","b, c"."""
    delimiter = ";" if ";" in re.sub(r'"[^"]*"', "", cell) else ","
    try:
        words = next(csv.reader([cell], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        words = cell.split(delimiter)
    return [word for word in (" ".join(word.split()) for word in words) if word]
