"""Archives that are sent while they are made."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import date

from coaching_site.desk.zip_export import Entry, zip_response

DAY = date(2027, 3, 1)


def test_each_file_is_fetched_when_its_turn_has_come():
    fetched = []

    def entries() -> Iterator[Entry]:
        for number in range(3):
            fetched.append(number)
            yield Entry(f"{number}.pdf", DAY, b"x" * 1000)

    pieces = iter(zip_response("papiere.zip", entries()))
    first = next(pieces)

    assert fetched == [0]
    assert 1000 < len(first) < 1200
    archive = zipfile.ZipFile(io.BytesIO(first + b"".join(pieces)))
    assert archive.testzip() is None
    assert archive.namelist() == ["0.pdf", "1.pdf", "2.pdf"]


def test_an_archive_of_nothing_can_be_opened():
    archive = zipfile.ZipFile(io.BytesIO(zip_response("leer.zip", []).getvalue()))

    assert archive.namelist() == []
