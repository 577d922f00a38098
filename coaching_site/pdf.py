"""Papers: A4 pages in an embedded open font, drawn in the margins of DIN 5008.

The same words and the same moment give the same bytes, so a paper's hash can be stored and a
paper drawn again can be compared. fpdf2 offers an outline and the document's language, but no tags
for text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import NamedTuple

from fontTools.ttLib import TTFont
from fpdf import FPDF, XPos, YPos
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace, TTFFont

# Millimetres, as DIN 5008 lays out a letter of form B.
LEFT, RIGHT, TOP, BOTTOM = 25.0, 20.0, 30.0, 27.0
ADDRESS_TOP, ADDRESS_HEIGHT = 45.0, 45.0
FACTS_LEFT, FACTS_TOP = 125.0, 50.0
FOLDS = (105.0, 210.0)
PAGE_HEIGHT, PAGE_WIDTH = 297.0, 210.0

FAMILY = "Source Sans Pro"
FACES = {"": "Regular", "B": "Bold", "I": "It", "BI": "BoldIt"}
BODY, SMALL, LINE = 10.5, 8.5, 5.2  # points, points, millimetres
HEADINGS = {0: (19, 8.5), 1: (13, 6.5), 2: (11, 5.6)}  # level: points, millimetres a line
INDENT = 5.5

INK, MUTED, ACCENT, HAIRLINE = (27, 29, 33), (85, 90, 99), (11, 90, 84), (220, 215, 203)

# What stands for a character the font cannot draw.
UNKNOWN = "\u25a0"
# What has no shape of its own, or another shape that will do.
WITHOUT_SHAPE = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF])
PLAIN = WITHOUT_SHAPE | {0x2010: "-", 0x2011: "-", 0x09: " "}


class Run(NamedTuple):
    """A piece of a paragraph in one face; `link` is an absolute address or empty."""

    text: str
    bold: bool = False
    italic: bool = False
    link: str = ""


Words = str | Sequence[Run]


@dataclass(frozen=True)
class Column:
    """A column of a table: its share of the width, and whether numbers stand in it."""

    heading: str
    share: float = 1
    right: bool = False


class Paper:
    """A paper being written from top to bottom. Pages break by themselves."""

    def __init__(
        self, title: str, *, brand: str, made_at: datetime, footer: Sequence[str] = ()
    ) -> None:
        """`made_at` is the aware moment the file says it was made; `footer` stands on every page."""
        self._sheet = _Sheet(drawable(brand), [drawable(line) for line in footer])
        self._sheet.set_title(drawable(title))
        self._sheet.set_author(drawable(brand))
        self._sheet.set_creator(drawable(brand))
        self._sheet.set_lang("de-DE")
        self._sheet.set_creation_date(made_at.astimezone(UTC))
        self._sheet.add_page()

    def letter(
        self, address: Sequence[str], facts: Sequence[tuple[str, str]], *, sender: str
    ) -> None:
        """Address field, facts beside it and fold marks (DIN 5008, form B). Only as the first thing."""
        sheet = self._sheet
        sheet.marks(FOLDS)
        with sheet.face("", SMALL - 1, MUTED):
            sheet.set_xy(LEFT, ADDRESS_TOP + 5)
            sheet.line_of(sender, 3.6, width=80)
        sheet.set_xy(LEFT, max(ADDRESS_TOP + 12.7, sheet.get_y()))
        for line in address:
            sheet.line_of(line, 5, width=80)
        lowest = max(ADDRESS_TOP + ADDRESS_HEIGHT, sheet.get_y())
        sheet.set_y(FACTS_TOP)
        for name, value in facts:
            with sheet.face("", SMALL, MUTED):
                sheet.set_x(FACTS_LEFT)
                sheet.cell(30, LINE, drawable(name))
            sheet.set_x(FACTS_LEFT + 30)
            sheet.multi_cell(0, LINE, drawable(value), align="L", new_x=XPos.LMARGIN)
        sheet.set_y(max(lowest, sheet.get_y()) + 8.5)

    def heading(self, text: str, *, level: int = 1) -> None:
        """A heading that also stands in the outline; level 0 is the paper's title."""
        sheet = self._sheet
        points, height = HEADINGS[min(level, 2)]
        self.space(0 if level == 0 else 3.5)
        if sheet.will_page_break(height + 2 * LINE):
            sheet.add_page()
        sheet.start_section(drawable(text), level=level, strict=False)
        with sheet.face("B", points):
            sheet.multi_cell(
                0, height, drawable(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
            )
        self.space(2.5 if level == 0 else 0.8)

    def paragraph(self, words: Words, *, small: bool = False, indent: int = 0) -> None:
        with self._sheet.indented(indent * INDENT):
            self._write(words, small=small)
        self.space(2.2)

    def items(self, items: Sequence[Words], *, numbered: bool = False, indent: int = 0) -> None:
        """A list, with bullets or numbers."""
        sheet = self._sheet
        for number, words in enumerate(items, 1):
            if sheet.will_page_break(LINE):
                sheet.add_page()
            sheet.set_x(LEFT + indent * INDENT)
            sheet.cell(INDENT, LINE, f"{number}." if numbered else "•")
            with sheet.indented((indent + 1) * INDENT):
                self._write(words)
            self.space(0.8)
        self.space(1.4)

    def table(
        self, columns: Sequence[Column], rows: Sequence[Sequence[str]], *, bold_rows: int = 0
    ) -> None:
        """Rows under headings that come again on every page; the last `bold_rows` are bold."""
        sheet = self._sheet
        sheet.set_draw_color(*HAIRLINE)
        sheet.set_line_width(0.2)
        with sheet.table(
            col_widths=tuple(column.share for column in columns),
            text_align=tuple("RIGHT" if column.right else "LEFT" for column in columns),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis="BOLD", color=INK, size_pt=SMALL + 0.5),
            line_height=LINE,
            align="LEFT",
            v_align="TOP",
        ) as table:
            bold_from = len(rows) - bold_rows
            for number, texts in enumerate([[each.heading for each in columns], *rows], -1):
                row = table.row(style=FontFace(emphasis="BOLD") if number >= bold_from else None)
                for place, text in enumerate(texts, 1):
                    gap = 0 if place == len(columns) else 2
                    row.cell(drawable(text), padding=(1, gap, 1, 0))
        self.space(3)

    def new_page(self) -> None:
        self._sheet.add_page()

    def space(self, millimetres: float) -> None:
        self._sheet.ln(millimetres)

    def as_bytes(self) -> bytes:
        """The file. Nothing can be added afterwards."""
        content = bytes(self._sheet.output())
        self._sheet.close_fonts()
        return content

    def _write(self, words: Words, *, small: bool = False) -> None:
        sheet = self._sheet
        size, height = (SMALL, 4.2) if small else (BODY, LINE)
        for run in [Run(words)] if isinstance(words, str) else words:
            style = ("B" if run.bold else "") + ("I" if run.italic else "")
            with sheet.face(style, size, ACCENT if run.link else MUTED if small else INK):
                sheet.write(height, drawable(run.text), link=run.link)
        sheet.ln(height)


class _Sheet(FPDF):
    """fpdf2 asks for a class of its own to draw the top and the bottom of each page."""

    def __init__(self, brand: str, lines: Sequence[str]) -> None:
        super().__init__(format="A4")
        self._brand, self._lines = brand, lines
        for style, name in FACES.items():
            self.add_font(FAMILY, style, _font_file(name))
        self.set_margins(LEFT, TOP, RIGHT)
        self.set_auto_page_break(True, BOTTOM)
        self.set_font(FAMILY, "", BODY)
        self.set_text_color(*INK)
        self.c_margin = 0

    def header(self) -> None:
        self._line_mark(LEFT + 2, 12)
        with self.face("", SMALL, MUTED):
            self.set_xy(LEFT + 8, 14)
            self.cell(0, 4, self._brand)
        self.set_xy(LEFT, TOP)

    def footer(self) -> None:
        with self.face("", SMALL - 0.5, MUTED):
            self.set_y(-18)
            for line in self._lines[:3]:
                self.line_of(line, 3.6, width=125)
            # Left-aligned: the number of pages is put in when the width is no longer asked for.
            self.set_xy(PAGE_WIDTH - RIGHT - 18, -18)
            self.cell(18, 3.6, f"Seite {self.page_no()} von {{nb}}")

    def close_fonts(self) -> None:
        """fpdf2 leaves the font files open."""
        for font in self.fonts.values():
            if isinstance(font, TTFFont):
                font.ttfont.close()

    def marks(self, heights: Sequence[float]) -> None:
        """Short lines at the left edge: where a letter is folded."""
        self.set_draw_color(*HAIRLINE)
        self.set_line_width(0.2)
        for height in heights:
            self.line(5, height, 9, height)

    def line_of(self, text: str, height: float, *, width: float) -> None:
        """A line that begins where the one before began; a long one breaks."""
        self.multi_cell(width, height, drawable(text), align="L", new_x=XPos.LEFT, new_y=YPos.NEXT)

    @contextmanager
    def face(self, style: str, points: float, colour: tuple[int, int, int] = INK) -> Iterator[None]:
        self.set_font(FAMILY, style, points)
        self.set_text_color(*colour)
        yield
        self.set_font(FAMILY, "", BODY)
        self.set_text_color(*INK)

    @contextmanager
    def indented(self, millimetres: float) -> Iterator[None]:
        """Lines begin further to the right, after a page break too."""
        self.set_left_margin(LEFT + millimetres)
        self.set_x(LEFT + millimetres)
        yield
        self.set_left_margin(LEFT)
        self.set_x(LEFT)

    def _line_mark(self, x: float, y: float) -> None:
        """The site's mark: a line with a gap between two bars."""
        self.set_line_width(0.9)
        self.set_draw_color(*INK)
        self.line(x, y, x, y + 1.6)
        self.line(x, y + 6.4, x, y + 8)
        self.set_draw_color(*ACCENT)
        self.line(x - 2, y + 2.6, x + 2, y + 2.6)
        self.line(x - 2, y + 5.4, x + 2, y + 5.4)


def drawable(text: str) -> str:
    """The text in characters the font has; those it lacks are replaced by a visible block."""
    plain = unicodedata.normalize("NFC", text).translate(PLAIN)
    plain = re.sub(r"\r\n?", "\n", plain)
    return "".join(char if char == "\n" or ord(char) in _known() else UNKNOWN for char in plain)


@cache
def _known() -> frozenset[int]:
    """The code points every face can draw."""
    known = []
    for name in FACES.values():
        with TTFont(_font_file(name), lazy=True) as face:
            known.append(frozenset(face.getBestCmap()))
    return frozenset.intersection(*known)


@cache
def _font_file(face: str) -> str:
    return str(resources.files("font_source_sans_pro") / "files" / f"SourceSansPro-{face}.ttf")
