"""Archives that are sent while they are made."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import date

from coaching_site.desk import zip_export
from coaching_site.desk.zip_export import Entry, zip_parts

DAY = date(2027, 3, 1)


def test_each_file_is_fetched_when_its_turn_has_come(monkeypatch):
    monkeypatch.setattr(zip_export, "PART_BYTES", 1000)
    fetched = []

    def entries() -> Iterator[Entry]:
        for number in range(3):
            fetched.append(number)
            yield Entry(f"{number}.pdf", DAY, b"x" * 1000)

    parts = zip_parts(entries())
    first = next(parts)

    assert fetched == [0]
    assert (1000 < len(first.data) < 1200, first.rows) == (True, 1)
    archive = zipfile.ZipFile(io.BytesIO(first.data + b"".join(part.data for part in parts)))
    assert archive.testzip() is None
    assert archive.namelist() == ["0.pdf", "1.pdf", "2.pdf"]


def test_an_archive_of_nothing_can_be_opened():
    archive = zipfile.ZipFile(io.BytesIO(b"".join(part.data for part in zip_parts([]))))

    assert archive.namelist() == []
