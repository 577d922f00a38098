"""Papers: embedded font, German page numbers, the same bytes for the same words."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import zlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from coaching_site import pdf

ROOT = Path(__file__).resolve().parent.parent
MADE = datetime(2027, 3, 1, 8, 0, tzinfo=UTC)


def paper(*, made_at: datetime = MADE, lines: int = 1) -> bytes:
    sheet = pdf.Paper("Probe", brand="Praxis", made_at=made_at, footer=["Praxis, Teststraße 1"])
    sheet.heading("Größe zählt", level=0)
    for number in range(lines):
        sheet.paragraph(f"Absatz {number}: „Maß“ für 49,00 €.")
    sheet.items(["eins", [pdf.Run("zwei", bold=True)]], numbered=True)
    columns = [pdf.Column("Leistung", 3), pdf.Column("Betrag", right=True)]
    sheet.table(columns, [["Gespräch", "49,00 €"], ["Summe", "49,00 €"]], bold_rows=1)
    return sheet.as_bytes()


def pages(content: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b(?!s)", content))


def test_the_same_words_and_moment_give_the_same_bytes_in_any_process():
    # The order of sets differs from one process to the next.
    command = (
        "import hashlib; from tests.test_pdf import paper; "
        "print(hashlib.sha256(paper()).hexdigest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", command],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.strip() == hashlib.sha256(paper()).hexdigest()


def test_the_moment_counts_not_the_zone_it_is_told_in():
    east = MADE.astimezone(timezone(timedelta(hours=5)))

    assert paper(made_at=east) == paper()
    assert paper(made_at=MADE + timedelta(seconds=1)) != paper()


def test_a_paper_says_its_title_and_language_and_brings_its_font():
    content = paper()

    assert b"/Lang (de-DE)" in content
    assert "Probe".encode("utf-16-be") in content or b"/Title (Probe)" in content
    assert b"/FontFile2" in content
    assert b"Helvetica" not in content


def test_headings_stand_in_the_outline():
    assert b"/Outlines" in paper()


def test_a_long_paper_breaks_into_pages():
    assert pages(paper()) == 1
    assert pages(paper(lines=120)) > 2


@pytest.mark.parametrize("text", ["日本語", "😀", "a\ud800b", "\x00\x07", "שלום"])
def test_what_the_font_lacks_becomes_a_visible_block(text):
    assert pdf.UNKNOWN in pdf.drawable(text)
    sheet = pdf.Paper("Probe", brand=text, made_at=MADE, footer=[text])
    sheet.letter([text], [(text, text)], sender=text)
    sheet.heading(text)
    sheet.paragraph([pdf.Run(text, italic=True, link="https://praxis.example/")])
    sheet.table([pdf.Column(text)], [[text]])

    assert sheet.as_bytes().startswith(b"%PDF")


def test_an_umlaut_in_two_characters_is_one():
    assert pdf.drawable("u\u0308ber\u200b\u2011all") == "über-all"


def test_one_word_longer_than_the_line_is_cut():
    sheet = pdf.Paper("Probe", brand="Praxis", made_at=MADE)
    sheet.paragraph("W" * 400)
    sheet.table([pdf.Column("A"), pdf.Column("B", right=True)], [["W" * 200, "1"]])

    assert pages(sheet.as_bytes()) == 1


def test_a_name_longer_than_the_window_of_an_envelope_breaks_and_moves_the_rest_down():
    def height(name: str) -> float:
        sheet = pdf.Paper("Probe", brand="Praxis", made_at=MADE)
        sheet.letter([name, "Ort"], [("Nummer", "1")], sender="Praxis, " * 30)
        below = sheet._sheet.get_y()
        sheet.as_bytes()
        return below

    assert height("Kim") < height("Gesellschaft für " * 40)


def test_what_is_written_is_compressed_text_not_a_picture():
    streams = re.findall(rb"stream\n(.*?)\nendstream", paper(), re.DOTALL)

    assert any(b"Tj" in zlib.decompress(part) for part in streams if part[:1] == b"x")
