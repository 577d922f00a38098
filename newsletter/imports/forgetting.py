"""Takes somebody who is being erased out of every list on its way in: its lines, and its file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.db import transaction
from django.db.models import Q

from newsletter.addresses import Address
from newsletter.import_models import Import, ImportPiece, ImportRow, Outcome
from newsletter.imports import running

Status = Import.Status

# Whatever the file was taken for: how it may really be written.
ENCODINGS = ("utf-8", "cp1252", "iso8859-15", "mac-roman", "utf-16-le", "utf-16-be")
# An address that was cut by the border of two pieces, however it is written.
OVERLAP = 1_024
FILE_GONE = (
    "Jemand aus dieser Liste hat verlangt, gelöscht zu werden. Deshalb ist die Datei gelöscht, bevor "
    "sie ganz gelesen war; übernommen wurde nichts. Lade sie noch einmal hoch, ohne diese Person."
)


def forget(address: Address) -> None:
    """Blank the person's lines, so that none is taken over, and drop the files they stand in.

    A list that is read to its end goes on without its file; its columns cannot be mapped anew. One
    that is not has failed, and says why without saying who.
    """
    with transaction.atomic():
        _blank_lines(address)
        for run in _with_file():
            if _stands_in(run, address):
                _drop_file(run)


def _blank_lines(address: Address) -> None:
    """Lines that were not understood or came twice have no key, but show what stood in them."""
    shown = Q(address__icontains=address.key) | Q(address__icontains=address.shown)
    ImportRow.objects.filter(Q(address_key=address.key) | Q(shown, address_key="")).update(
        address="",
        address_key="",
        key_hash=None,
        name="",
        tags=[],
        wish=ImportRow.Wish.NONE,
        outcome=Outcome.GONE,
        evidence=None,
        record=None,
        note="",
    )


def _with_file() -> list[Import]:
    """Locked: the worker that reads one of them waits, and then finds how it stands."""
    held = ImportPiece.objects.values("file__run")
    return list(Import.objects.select_for_update().filter(pk__in=held).order_by("pk"))


def _stands_in(run: Import, address: Address) -> bool:
    written = _written(address)
    return any(
        written.search(window)
        for file in run.files.all()
        for window in _windows(running.pieces(file))
    )


def _windows(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Each piece with the end of the one before, as `_plain` writes it."""
    before = b""
    for piece in pieces:
        window = before + _plain(piece)
        yield window
        before = window[-OVERLAP:]


def _written(address: Address) -> re.Pattern[bytes]:
    """The address as a file may spell it; not as the end or the beginning of another."""
    spelled = {address.key, address.shown.lower(), _with_capital_umlauts(address.shown.lower())}
    forms = {_plain(form) for each in spelled for form in _encoded(each)}
    either = b"|".join(sorted(map(re.escape, forms)))
    return re.compile(rb"(?<![a-z0-9._%+-])(?:" + either + rb")(?![a-z0-9-]|\.[a-z0-9])")


def _encoded(text: str) -> Iterator[bytes]:
    for name in ENCODINGS:
        try:
            yield text.encode(name)
        except UnicodeEncodeError:  # a file in this encoding cannot hold it
            continue


def _plain(data: bytes) -> bytes:
    """Plain letters small, and one byte each in UTF-16 too."""
    return data.replace(b"\0", b"").lower()


def _with_capital_umlauts(text: str) -> str:
    """What is left of „MÜNCHEN“ when only its plain letters are lower-cased."""
    return "".join(letter if letter.isascii() else letter.upper() for letter in text)


def _drop_file(run: Import) -> None:
    ImportPiece.objects.filter(file__run=run).delete()
    is_read = run.taking_over or run.status in (Status.CHECKED, Status.DONE)
    if not is_read:
        running.delete_rows(run.pk)
        run.status, run.problem = Status.FAILED, FILE_GONE
        run.save(update_fields=["status", "problem"])
