"""ZIP files that are handed on while they are being put together: none is ever whole in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from io import RawIOBase
from typing import TYPE_CHECKING

from coaching_site.desk.export_kinds import Part

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PART_BYTES = 512 * 1024


@dataclass(frozen=True)
class Entry:
    """One file in the archive, dated by the day it was made."""

    name: str
    made_on: date
    content: bytes


class _Outbox(RawIOBase):
    """Takes what the archive writes until it is sent. It cannot go back, and so needs no disk."""

    def __init__(self) -> None:
        self.waiting: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        piece = bytes(data)
        self.waiting.append(piece)
        self.size += len(piece)
        return len(piece)

    def take(self) -> bytes:
        pieces, self.waiting, self.size = self.waiting, [], 0
        return b"".join(pieces)


def zip_parts(entries: Iterable[Entry]) -> Iterator[Part]:
    """An archive of these files; each is fetched when its turn has come."""
    outbox, count = _Outbox(), 0
    # PDFs are compressed already.
    with zipfile.ZipFile(outbox, "w", zipfile.ZIP_STORED) as archive:
        for entry in entries:
            day = (entry.made_on.year, entry.made_on.month, entry.made_on.day, 12, 0, 0)
            archive.writestr(zipfile.ZipInfo(entry.name, day), entry.content)
            count += 1
            if outbox.size >= PART_BYTES:
                yield Part(outbox.take(), count)
                count = 0
    yield Part(outbox.take(), count)
