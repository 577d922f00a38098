"""The legal texts: what holds today, what is being written, and how it becomes a version.

A text is filled in when it is published and frozen as visitors read it; its hash is of these words.
When the practice's data or the facts in a block change afterwards, the version `is_outdated` until
the coach publishes the text again.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from coaching_site import german, markdown, on_demand
from pages import filling
from pages.legal_models import CHECKED_BY_A_LAWYER, LegalText
from pages.models import Practice

if TYPE_CHECKING:
    from pages import legal_pdf
else:
    legal_pdf = on_demand.Module("pages.legal_pdf")

Kind = LegalText.Kind

TEXTS = Path(__file__).parent / "texts"
# The words of the heading on the page; soft hyphens let it break on a phone.
TITLES = {
    Kind.IMPRINT: "Impressum",
    Kind.PRIVACY: "Datenschutz\u00aderklärung",
    Kind.TERMS: "Allgemeine Geschäfts\u00adbedingungen",
    Kind.WITHDRAWAL: "Widerrufs\u00adbelehrung",
    Kind.ACCESSIBILITY: "Barriere\u00adfreiheit",
}
# The names of their pages.
PAGES = {
    Kind.IMPRINT: "imprint",
    Kind.PRIVACY: "privacy",
    Kind.TERMS: "terms",
    Kind.WITHDRAWAL: "withdrawal_notice",
    Kind.ACCESSIBILITY: "accessibility",
}
_HOLE = re.compile(r"\[[^\[\]<>\n]+ fehlt noch\]")
# A start text belongs to no day; its file must be the same whenever it is drawn.
_START = datetime(2026, 11, 23, tzinfo=UTC)


class LegalTextError(Exception):
    """Why a text cannot be saved or published; the message is the sentence for the coach."""


class NothingNew(LegalTextError):
    pass


class NotWhole(LegalTextError):
    pass


class TooEarly(LegalTextError):
    pass


@dataclass(frozen=True)
class LegalVersion:
    """A text as visitors read it. Number 0 is the start text of the house, which nobody published.

    `text` is Markdown, `sha256` the hash of its UTF-8 bytes.
    """

    kind: Kind
    number: int
    text: str
    sha256: str
    valid_from: date | None = None
    published_at: datetime | None = None
    is_checked: bool = False

    @property
    def is_draft(self) -> bool:
        """Whether readers must be told that no lawyer has looked at it."""
        if self.kind in CHECKED_BY_A_LAWYER:
            return not (self.number and self.is_checked)
        return self.number == 0 and self.has_holes

    @property
    def has_holes(self) -> bool:
        return bool(_HOLE.search(self.text.replace("\\", "")))

    @property
    def title(self) -> str:
        return TITLES[self.kind]

    @property
    def html(self) -> SafeString:
        """The text for a page; holes are marked. What comes out of `markdown.html` is safe."""
        words = german.citations_kept_whole(markdown.html(self.text))
        written = _HOLE.sub(lambda hole: f"<mark>{hole[0]}</mark>", words)
        return mark_safe(written)  # noqa: S308


# --- reading ----------------------------------------------------------------------------------


def current(kind: LegalText.Kind, *, today: date | None = None) -> LegalVersion:
    """The version that holds on this day (in Berlin), else the start text filled in as of now."""
    row = current_row(kind, today=today)
    return as_version(row) if row else start(kind, Practice.current())


def current_row(kind: LegalText.Kind, *, today: date | None = None) -> LegalText | None:
    held = LegalText.objects.filter(kind=kind).in_force(today or timezone.localdate())
    return held.first()


def current_rows(*, today: date | None = None) -> dict[LegalText.Kind, LegalText]:
    """The published version that holds on this day, of each kind that has one; one query."""
    held = LegalText.objects.in_force(today or timezone.localdate())
    newest = held.order_by("kind", "-number").distinct("kind")
    return {Kind(row.kind): row for row in newest}


def version(kind: LegalText.Kind, number: int) -> LegalVersion | None:
    """An old version, the one that holds, or one that will."""
    row = LegalText.objects.published().filter(kind=kind, number=number).first()
    return as_version(row) if row else None


def as_version(row: LegalText) -> LegalVersion:
    """A published row as readers see it."""
    return LegalVersion(
        Kind(row.kind),
        row.number or 0,
        row.text,
        row.sha256,
        row.valid_from,
        row.published_at,
        row.checked_at is not None,
    )


def start(kind: LegalText.Kind, practice: Practice) -> LegalVersion:
    return unpublished(kind, start_source(kind), practice)


def unpublished(kind: LegalText.Kind, source: str, practice: Practice) -> LegalVersion:
    """How a source would read if it were published now."""
    text = filling.fill(source, practice).text
    return LegalVersion(kind, 0, text, _sha256(text))


@lru_cache
def start_source(kind: LegalText.Kind) -> str:
    return (TEXTS / f"{kind.value}.md").read_text("utf-8")


def pdf(kind: LegalText.Kind, *, today: date | None = None) -> bytes:
    """The current text as a file to attach; the same bytes for the same version and practice."""
    return pdf_of(current(kind, today=today))


def pdf_of(wanted: LegalVersion) -> bytes:
    practice = Practice.current()
    return _drawn(wanted, practice.brand)


@lru_cache(maxsize=16)
def _drawn(wanted: LegalVersion, brand: str) -> bytes:
    return legal_pdf.draw(
        title=wanted.title.replace("\u00ad", ""),
        text=wanted.text,
        brand=brand,
        made_at=wanted.published_at or _START,
        state=state_line(wanted),
        is_draft=wanted.is_draft,
    )


def state_line(wanted: LegalVersion) -> str:
    """„Stand: 25.11.2026, Fassung 3“, or that it is a start text."""
    if wanted.valid_from is None:
        return "Entwurf, noch nicht veröffentlicht"
    return f"Stand: {german.plain_date(wanted.valid_from)}, Fassung {wanted.number}"


def is_outdated(row: LegalText, practice: Practice) -> bool:
    """Whether its source, filled in today, would read differently from what was published."""
    return filling.fill(row.source, practice).text != row.text


def outdated() -> list[LegalText]:
    """The versions that hold today and would read differently if published again."""
    practice, rows = Practice.current(), current_rows()
    return [rows[kind] for kind in Kind if kind in rows and is_outdated(rows[kind], practice)]


# --- writing ----------------------------------------------------------------------------------


def draft(kind: LegalText.Kind) -> LegalText | None:
    return LegalText.objects.drafts().filter(kind=kind).first()


def source_to_edit(kind: LegalText.Kind) -> str:
    """The draft, else what was published last, else the start text."""
    rows = LegalText.objects.filter(kind=kind)
    row = rows.drafts().first() or rows.published().order_by("-number").first()
    return row.source if row else start_source(kind)


def save_draft(kind: LegalText.Kind, *, source: str, by: str, now: datetime) -> LegalText:
    """Keep what the coach wrote. Holes may stay in a draft; unknown placeholders may not."""
    _must_be_known(filling.fill(source, Practice.current()))
    if not source.strip():
        raise NotWhole("Der Text ist leer.")
    row, _ = LegalText.objects.drafts().update_or_create(
        kind=kind,
        number=None,
        defaults={"source": source.replace("\r\n", "\n"), "created_by": by, "changed_at": now},
    )
    return row


def discard_draft(kind: LegalText.Kind) -> None:
    LegalText.objects.drafts().filter(kind=kind).delete()


def publish(
    kind: LegalText.Kind,
    *,
    seen: str,
    valid_from: date,
    is_checked: bool,
    note: str,
    by: str,
    now: datetime,
) -> LegalText:
    """Freeze the draft as the next version; without a draft, the last source filled in anew.

    `seen` is the hash of the filled text the coach looked at. Raises NotWhole if something is
    missing in it or it has changed since, NothingNew if it reads as the last version does, TooEarly
    if it would hold before today or before that one.
    """
    today = timezone.localdate(now)
    if valid_from < today:
        raise TooEarly("Eine Fassung gilt frühestens ab heute.")
    with transaction.atomic():
        # Two publications at once would take the same number: the later one waits here.
        list(Practice.objects.select_for_update())
        source = source_to_edit(kind)
        filled = filling.fill(source, Practice.current())
        _must_be_publishable(filled, seen)
        last = LegalText.objects.published().filter(kind=kind).order_by("-number").first()
        if last and last.text == filled.text:
            raise NothingNew(f"Das ist schon Fassung {last.number}.")
        if last and last.valid_from and valid_from < last.valid_from:
            raise TooEarly(
                f"Fassung {last.number} gilt erst ab {german.plain_date(last.valid_from)}."
            )
        published = LegalText.objects.create(
            kind=kind,
            number=(last.number or 0) + 1 if last else 1,
            source=source,
            text=filled.text,
            sha256=_sha256(filled.text),
            valid_from=valid_from,
            published_at=now,
            checked_at=now if is_checked else None,
            changed_at=now,
            created_by=by,
            note=note,
        )
        discard_draft(kind)
    return published


def mark_checked(row: LegalText, *, now: datetime) -> None:
    """Note that a lawyer has looked at this version. Cannot be taken back."""
    LegalText.objects.published().filter(pk=row.pk, checked_at=None).update(checked_at=now)


def _must_be_known(filled: filling.Filled) -> None:
    if filled.unknown:
        raise NotWhole(
            f"Diese Platzhalter gibt es so nicht: {', '.join(filled.unknown)}. "
            "Was in [[ ]] steht, braucht eine Zeile für sich."
        )


def _must_be_publishable(filled: filling.Filled, seen: str) -> None:
    _must_be_known(filled)
    if filled.missing:
        raise NotWhole(f"Es fehlt noch: {', '.join(filled.missing)}.")
    if _sha256(filled.text) != seen:
        raise NotWhole("Der Text hat sich inzwischen geändert. Bitte sieh ihn noch einmal durch.")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
