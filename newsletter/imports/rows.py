"""From the cells of a line to what it asks for. Knows nobody who is on the list already."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from functools import lru_cache
from typing import Any

from newsletter import addresses, portable
from newsletter.import_models import NAME_LENGTH, TAG_LENGTH, Import, ImportFile, ImportRow, Outcome
from newsletter.imports import quick_addresses, times
from newsletter.imports.columns import NO, YES, Column, Meaning, meaning
from newsletter.imports.files import Record
from newsletter.models import Suppression

Wish = ImportRow.Wish

MAX_TAGS = 50
NOTE_LENGTH = 200
# Words fit for every consent whose own words the old list did not bring along.
UNKNOWN_WORDS = (
    "Der Wortlaut dieser Einwilligung ist nicht überliefert. Dass sie gegeben wurde, belegen Zeiten "
    "und Kennungen der früheren Liste; sie stehen beim Nachweis."
)
UNKNOWN_VERSION = "Import ohne Wortlaut"
SUBSTACK_DELETIONS = "@deletion-request.substack.com"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]+")
_HASH = re.compile(r"[0-9a-f]{64}")
_STATUS_WORDS = {
    "confirmed": Wish.ACTIVE,
    "unsubscribed": Wish.LEFT,
    "pending": Wish.PENDING,
    "unproven": Wish.UNCLEAR,
}
_UNREADABLE = "Die Einwilligungen sind unleserlich geworden."
_SUPPRESSIONS = frozenset(Suppression.Reason.values)


class BadLine(ValueError):
    """The line cannot be imported; its text is the reason in German."""


@dataclass(slots=True)
class Row:
    """What a line says and asks for."""

    line: int
    address: str = ""
    address_key: str = ""
    name: str = ""
    tags: list[str] = field(default_factory=list)
    wish: str = Wish.NONE.value
    suppress: list[str] = field(default_factory=list)
    proven: bool = False
    requested_at: datetime | None = None
    confirmed_at: datetime | None = None
    left_at: datetime | None = None
    created_at: datetime | None = None
    evidence: dict[str, Any] | None = None
    record: dict[str, Any] | None = None
    note: str = ""
    outcome: str = Outcome.SAME.value


class Interpreter:
    """Reads the lines of one file, mapped and with its provenance."""

    def __init__(self, run: Import, file: ImportFile, headings: Sequence[str]) -> None:
        mapping: Mapping[str, str] = run.mapping
        self.places = {
            Column(mapping[heading]): place
            for place, heading in reversed(list(enumerate(headings)))
            if mapping.get(heading)
        }
        self.width = len(headings)
        self.run = run
        self.everyone = file.everyone
        self.own = Column.CONSENTS in self.places
        self.tags = [clean(run.tag, TAG_LENGTH)] if run.tag else []
        self.agreed_at = (
            datetime.combine(run.consent_date, time(12), tzinfo=UTC) if run.consent_date else None
        )
        self.latest = run.created_at

    def read(self, record: Record) -> Row:
        """One line as a row; a bad one says why, and never stops the others."""
        if record.problem:
            return self._bad(record, record.problem)
        try:
            row = self._read(record)
        except BadLine as error:
            return self._bad(record, str(error))
        if row.address_key.endswith(SUBSTACK_DELETIONS):
            row.wish, row.outcome = Wish.NONE.value, Outcome.GONE.value
        return row

    def _read(self, record: Record) -> Row:
        cells = record.cells
        if len(cells) < self.width and self._missing(len(cells)):
            raise BadLine(f"Diese Zeile hat {len(cells)} statt {self.width} Spalten.")
        if len(cells) > self.width and any(cell.strip() for cell in cells[self.width :]):
            raise BadLine(f"Diese Zeile hat {len(cells)} statt {self.width} Spalten.")
        get = {column: self._cell(cells, place) for column, place in self.places.items()}
        if Column.REASON in self.places:
            return self._suppression(record.line, get)
        address = self._address(get.get(Column.EMAIL, ""))
        row = Row(
            line=record.line,
            address=address.shown,
            address_key=address.key,
            name=self._name(get),
            tags=clean_tags(get.get(Column.TAGS, "")),
            created_at=self._moment(get.get(Column.CREATED_AT, "")),
            left_at=self._moment(get.get(Column.LEFT_AT, "")),
        )
        if self.own:
            self._own_record(row, get)
        else:
            self._wish(row, get)
            self._proof(row, get)
        if row.wish in (Wish.ACTIVE, Wish.UNCLEAR) and self.tags:
            row.tags = clean_tags("", [*row.tags, *self.tags])
        return row

    def _missing(self, count: int) -> bool:
        """Whether a line ends before the last column that means something."""
        return count <= max(self.places.values())

    def _cell(self, cells: Sequence[str], place: int) -> str:
        text = cells[place].strip(" ") if place < len(cells) else ""
        return portable.unprotect(text).strip()

    def _address(self, text: str) -> addresses.Address:
        if not text:
            raise BadLine("Die E-Mail-Adresse fehlt.")
        try:
            return quick_addresses.parse(text)
        except addresses.NotAnAddress:
            pass
        inner = re.fullmatch(r"[^<>]*<\s*(?:mailto:)?([^<>]+?)\s*>", text)
        plain = inner[1] if inner else text.removeprefix("mailto:")
        try:
            return quick_addresses.parse(plain)
        except addresses.NotAnAddress:
            raise BadLine("Das ist keine E-Mail-Adresse, an die man etwas schicken kann.") from None

    def _name(self, get: Mapping[Column, str]) -> str:
        name = get.get(Column.NAME, "")
        if not name:
            name = f"{get.get(Column.FIRST_NAME, '')} {get.get(Column.LAST_NAME, '')}"
        return clean(name, NAME_LENGTH)

    def _moment(self, text: str) -> datetime | None:
        """A moment that lies before the upload; lists know no future."""
        moment = times.parse(text) if text else None
        return moment if moment is not None and moment <= self.latest else None

    # --- what the line asks for ---------------------------------------------------------------

    def _wish(self, row: Row, get: Mapping[Column, str]) -> None:
        """The worst of what the columns say: one no among many yeses is a no."""
        if get.get(Column.DELETED_AT):
            row.wish, row.outcome = Wish.NONE.value, Outcome.GONE.value
            row.note = "In der Quelle gelöscht."
            return
        word = get.get(Column.STATUS, "")
        said = meaning(word) if Column.STATUS in self.places else Meaning.YES
        reason = self._why_barred(said, get)
        if reason is not None:
            since = get.get(Column.COMPLAINED_AT) or get.get(Column.BARRED_AT, "")
            row.wish, row.suppress = Wish.BARRED.value, [reason.value]
            row.left_at = self._moment(since) or row.left_at
        elif said is Meaning.LEFT or self._has_left(get):
            row.wish = Wish.LEFT.value
        elif said is Meaning.YES and self._is_clearly_on(get):
            row.wish = Wish.ACTIVE.value
        else:
            row.wish = Wish.UNCLEAR.value
        if Column.STATUS in self.places and said is not Meaning.YES:
            row.note = f"Status „{clean(word, 60)}“." if word else "Der Status ist leer."

    def _why_barred(self, said: Meaning, get: Mapping[Column, str]) -> Suppression.Reason | None:
        """The strongest reason to write to nobody there; only a bounce may their owners lift."""
        if said is Meaning.COMPLAINED or get.get(Column.COMPLAINED_AT):
            return Suppression.Reason.COMPLAINT
        if said is Meaning.BLOCKED:
            return Suppression.Reason.BLOCKED
        if said is Meaning.BOUNCED or get.get(Column.BARRED_AT) or self.everyone == "barred":
            return Suppression.Reason.BOUNCED
        return None

    def _has_left(self, get: Mapping[Column, str]) -> bool:
        off = get.get(Column.IS_OFF, "").casefold()
        on = get.get(Column.IS_ON, "").casefold()
        return bool(
            self.everyone == "left"
            or get.get(Column.LEFT_AT)
            or (off and off not in NO)
            or on in NO
        )

    def _is_clearly_on(self, get: Mapping[Column, str]) -> bool:
        return Column.IS_ON not in self.places or get.get(Column.IS_ON, "").casefold() in YES

    # --- what proves it -----------------------------------------------------------------------

    def _proof(self, row: Row, get: Mapping[Column, str]) -> None:
        """A consent's time, either the line's own with evidence, or that of the whole list."""
        if row.wish != Wish.ACTIVE:
            return
        asked, confirmed = (
            self._moment(get.get(column, ""))
            for column in (Column.REQUESTED_AT, Column.CONFIRMED_AT)
        )
        # A confirmation time alone is what tools write when somebody was added by hand.
        own_proof = asked is not None and (
            confirmed is not None or _is_ip(get.get(Column.REQUESTED_IP, ""))
        )
        if not own_proof and not self.run.has_provenance:
            return
        row.proven = True
        begun = asked or confirmed if own_proof else self.agreed_at
        assert begun is not None
        row.requested_at = begun
        row.confirmed_at = max(begun, confirmed or begun) if own_proof else begun
        row.evidence = self._evidence(row.line, get)

    def _evidence(self, line: int, get: Mapping[Column, str]) -> dict[str, Any]:
        """The line's own words, uncorrected, and where they stood."""
        told = {
            column.value: clean(get[column], 60)
            for column in (
                Column.REQUESTED_AT,
                Column.REQUESTED_IP,
                Column.CONFIRMED_AT,
                Column.CONFIRMED_IP,
            )
            if get.get(column)
        }
        where = {"import": self.run.pk, "file": self.run.file_name, "line": line}
        agreed = {"list_date": str(self.run.consent_date)} if self.run.consent_date else {}
        return {**where, **agreed, **told}

    # --- our own export -----------------------------------------------------------------------

    def _own_record(self, row: Row, get: Mapping[Column, str]) -> None:
        wish = _STATUS_WORDS.get(get.get(Column.STATUS, ""))
        if wish is None:
            raise BadLine("Diesen Status kennt der eigene Export nicht.")
        row.wish = wish.value
        consents = [_consent(each) for each in _json_list(get.get(Column.CONSENTS, ""))]
        current = [each for each in consents if each["current"]]
        if len(current) > 1:
            raise BadLine("Mehr als eine Einwilligung nennt sich die geltende.")
        is_given = bool(current and current[0]["confirmed_at"] and not current[0]["withdrawn_at"])
        row.confirmed_at = times.parse(get.get(Column.CONFIRMED_AT, ""))
        row.proven = is_given and row.confirmed_at is not None
        row.created_at = times.parse(get.get(Column.CREATED_AT, ""))
        row.left_at = times.parse(get.get(Column.LEFT_AT, ""))
        words = get.get(Column.SUPPRESSED, "")
        row.suppress = sorted(_SUPPRESSIONS & set(words.split()))
        row.record = {
            "consents": consents,
            "public_id": _uuid(get.get(Column.PUBLIC_ID, "")),
            "address_number": _small_number(get.get(Column.ADDRESS_NUMBER, "")),
            "unreachable_since": _text(times.parse(get.get(Column.UNREACHABLE_SINCE, ""))),
            "mail_requested_at": _text(times.parse(get.get(Column.MAIL_REQUESTED_AT, ""))),
            "mail_sent_at": _text(times.parse(get.get(Column.MAIL_SENT_AT, ""))),
        }

    def _suppression(self, line: int, get: Mapping[Column, str]) -> Row:
        """A line of the suppressions' own export: an address or its hash, and why it is barred."""
        reason = get.get(Column.REASON, "")
        if reason not in _SUPPRESSIONS:
            known = ", ".join(sorted(_SUPPRESSIONS))
            raise BadLine(f"Diesen Grund einer Sperre gibt es nicht. Es gibt: {known}.")
        since = self._moment(get.get(Column.CREATED_AT, ""))
        row = Row(
            line=line, wish=Wish.BARRED.value, suppress=[reason], created_at=since, left_at=since
        )
        digest = get.get(Column.ADDRESS_HASH, "").lower()
        if get.get(Column.EMAIL):
            address = self._address(get[Column.EMAIL])
            row.address, row.address_key = address.shown, address.key
        elif _HASH.fullmatch(digest):
            row.record = {"address_hash": digest}
        else:
            raise BadLine("Hier fehlt die E-Mail-Adresse oder ihr Prüfwert.")
        return row

    def _bad(self, record: Record, reason: str) -> Row:
        """For the report: what stands where the address should be."""
        place = self.places.get(Column.EMAIL, 0)
        shown = record.cells[place] if place < len(record.cells) else ""
        return Row(
            line=record.line,
            address=clean(shown, addresses.LONGEST),
            note=reason[:NOTE_LENGTH],
            outcome=Outcome.INVALID.value,
        )


def clean(text: str, length: int) -> str:
    """One line without control characters; what Postgres or a mail header would choke on is gone."""
    plain = _CONTROL.sub(" ", text) if not text.isprintable() else text
    if not plain.isascii():
        plain = plain.encode(errors="ignore").decode()
    return " ".join(plain.split())[:length].rstrip()


def clean_tags(cell: str, more: Sequence[str] = ()) -> list[str]:
    """Each tag once, whatever its case; the first spelling stays."""
    return list(_tags_of(cell, tuple(more))) if cell or more else []


@lru_cache(maxsize=1024)  # a list has few combinations and many lines
def _tags_of(cell: str, more: tuple[str, ...]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for word in [*portable.split_tags(cell), *more]:
        plain = clean(word, TAG_LENGTH)
        if plain:
            found.setdefault(plain.lower(), plain)
    return tuple(found.values())[:MAX_TAGS]


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _json_list(text: str) -> list[Any]:
    """What Postgres could keep as JSON: no NaN, no NUL, no half of a surrogate pair."""
    try:
        value = json.loads(text or "[]", parse_constant=_no_constant)
        plain = json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        value, plain = None, b""
    if not isinstance(value, list) or b"\\u0000" in plain:
        raise BadLine(_UNREADABLE)
    return value


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _consent(told: Any) -> dict[str, Any]:
    """One consent of our own export, checked for what the database will ask of it."""
    if not isinstance(told, dict):
        raise BadLine(_UNREADABLE)
    moments = {
        name: times.parse(str(told.get(name) or ""))
        for name in ("requested_at", "confirmed_at", "withdrawn_at")
    }
    text = str(told.get("text") or "").replace("\0", "")
    asked, given, taken = moments.values()
    in_order = (
        asked is not None
        and (given is None or given >= asked)
        and (taken is None or (given is not None and taken >= given))
    )
    evidence = told.get("evidence")
    if not text or not in_order:
        raise BadLine(
            "Eine Einwilligung hat keinen Wortlaut oder ihre Zeiten passen nicht zusammen."
        )
    return {
        "address": clean(str(told.get("address") or ""), addresses.LONGEST),
        "text": text,
        "text_version": clean(str(told.get("text_version") or ""), 40) or UNKNOWN_VERSION,
        "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "page": clean(str(told.get("page") or ""), 200),
        "evidence": evidence if isinstance(evidence, dict) else {},
        "current": told.get("current") is True,
        **{name: _text(moment) for name, moment in moments.items()},
    }


def _small_number(text: str) -> int:
    """A number from 1 on that Postgres keeps in two bytes; 1 for anything else."""
    return min(int(text), 32_767) if re.fullmatch(r"[1-9][0-9]{0,5}", text) else 1


def _uuid(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
