"""Writing an issue: begin one, save it, mend its page in the archive. Nothing typed gets lost."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count

from django.db import IntegrityError, transaction

from newsletter.errors import NewsletterError
from newsletter.models import Edition, Issue, Picture, Tag

SLUG_LENGTH = 70  # leaves room for a number behind it
NAMELESS = "ausgabe"

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_PICTURE = re.compile(r"bild:([0-9]{1,9})")


class NotADraft(NewsletterError):
    """It was pressed „Senden“ meanwhile, perhaps in another tab."""

    message = (
        "Diese Ausgabe ist kein Entwurf mehr. Nimm sie erst zurück, "
        "dann lässt sie sich wieder ändern. Dein Text steht unten."
    )


class NotSentYet(NewsletterError):
    """Only what was sent has a page in the archive to be mended."""

    message = "Diese Ausgabe wurde noch nicht verschickt. Ändere den Entwurf selbst."


class WrittenMeanwhile(NewsletterError):
    """Somebody saved a newer version; `current` is what they wrote."""

    message = (
        "Die Ausgabe wurde inzwischen an anderer Stelle gespeichert. Beide Fassungen stehen hier: "
        "Übernimm, was du brauchst, und speichere noch einmal. Das ersetzt die andere."
    )

    def __init__(self, current: Issue) -> None:
        self.current = current
        super().__init__(self.message)


class SlugTaken(NewsletterError):
    """Another issue took the address a moment ago."""

    message = "Diese Adresse hat schon eine andere Ausgabe."


@dataclass(frozen=True)
class Draft:
    """What can be written. An empty `slug` is made from the subject."""

    subject: str
    preheader: str
    body: str
    slug: str
    in_archive: bool
    tags: Iterable[Tag]


def begin(draft: Draft, *, now: datetime) -> Issue:
    """Keep a new draft. Raises SlugTaken."""
    issue = Issue(created_at=now)
    with transaction.atomic():
        _write(issue, draft, now=now)
    return issue


def save(pk: int, draft: Draft, *, version: datetime | None, now: datetime) -> Issue:
    """Keep what was written on top of `version`, the time that version was saved.

    Raises NotADraft, WrittenMeanwhile and SlugTaken; nothing is changed then.
    """
    with transaction.atomic():
        issue = Issue.objects.select_for_update().get(pk=pk)
        if not issue.may_be_written:
            raise NotADraft
        if issue.changed_at != version:
            raise WrittenMeanwhile(issue)
        _write(issue, draft, now=now)
    return issue


def mend(
    pk: int,
    *,
    subject: str,
    body: str,
    in_archive: bool,
    version: datetime | None,
    now: datetime,
) -> Issue:
    """Correct what the archive shows; the mails that went out stay as they were (`Edition`).

    Raises NotSentYet and WrittenMeanwhile.
    """
    with transaction.atomic():
        issue = Issue.objects.select_for_update().get(pk=pk)
        if issue.started_at is None:
            raise NotSentYet
        if issue.changed_at != version:
            raise WrittenMeanwhile(issue)
        issue.subject, issue.body, issue.in_archive = subject, body, in_archive
        issue.changed_at = now
        issue.save(update_fields=["subject", "body", "in_archive", "changed_at"])
    return issue


def free_slug(subject: str, *, but: int | None = None) -> str:
    """„Über Größe“ → `ueber-groesse`, or `ueber-groesse-2` where an issue other than `but` has it."""
    stem = _plain(subject) or NAMELESS
    others = Issue.objects.filter(slug__startswith=stem)
    if but is not None:
        others = others.exclude(pk=but)
    taken = set(others.values_list("slug", flat=True))
    names = chain([stem], (f"{stem}-{number}" for number in count(2)))
    return next(name for name in names if name not in taken)


def pictures_in_issues() -> dict[int, list[Issue]]:
    """Which issues name which picture, by the picture's number."""
    found: dict[int, list[Issue]] = {}
    for issue in Issue.objects.filter(body__contains="bild:").only("pk", "subject", "body"):
        for number in {int(each) for each in _PICTURE.findall(issue.body)}:
            found.setdefault(number, []).append(issue)
    return found


def was_mailed(picture: Picture) -> bool:
    """Whether mails in people's mailboxes ask for it."""
    return Edition.objects.filter(html__contains=str(picture.file.name)).exists()


def is_used(picture: Picture) -> bool:
    return picture.pk in pictures_in_issues() or was_mailed(picture)


def _write(issue: Issue, draft: Draft, *, now: datetime) -> None:
    issue.subject, issue.preheader, issue.body = draft.subject, draft.preheader, draft.body
    issue.in_archive, issue.changed_at = draft.in_archive, now
    issue.slug = draft.slug or free_slug(draft.subject, but=issue.pk)
    try:
        with transaction.atomic():
            issue.save()
    except IntegrityError:
        raise SlugTaken from None
    issue.tags.set(draft.tags)


def _plain(text: str) -> str:
    """Small letters a to z, digits and single hyphens."""
    spelled = unicodedata.normalize("NFC", text).lower().translate(_UMLAUTS)
    ascii_only = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only)[:SLUG_LENGTH].strip("-")
