"""ZIP files that are sent while they are being put together: no file of theirs is ever whole in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from io import RawIOBase
from typing import TYPE_CHECKING

from django.http import StreamingHttpResponse

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


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

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        piece = bytes(data)
        self.waiting.append(piece)
        return len(piece)

    def take(self) -> bytes:
        pieces, self.waiting = self.waiting, []
        return b"".join(pieces)


def zip_response(filename: str, entries: Iterable[Entry]) -> StreamingHttpResponse:
    """A download of these files; each is fetched when its turn has come."""
    response = StreamingHttpResponse(_pieces(entries), content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def _pieces(entries: Iterable[Entry]) -> Iterator[bytes]:
    outbox = _Outbox()
    # PDFs are compressed already.
    with zipfile.ZipFile(outbox, "w", zipfile.ZIP_STORED) as archive:
        for entry in entries:
            day = (entry.made_on.year, entry.made_on.month, entry.made_on.day, 12, 0, 0)
            archive.writestr(zipfile.ZipInfo(entry.name, day), entry.content)
            yield outbox.take()
    yield outbox.take()
