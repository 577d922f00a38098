"""The uploaded file: refused if it is no list, kept in pieces, read back line by line.

Nothing here holds more than a piece, a line or a sample in memory, whatever the file claims to be.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import struct
import zipfile
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO

from newsletter.errors import ImportRefused

MEGABYTE = 1024 * 1024
PIECE = MEGABYTE
MAX_BYTES = 150 * MEGABYTE
MAX_COLUMNS = 250
MAX_LINE = MEGABYTE
MAX_ENTRIES = 20
MAX_RATIO = 200
RATIO_COUNTS_FROM = 5 * MEGABYTE
MAX_DIRECTORY = 64 * 1024
# An open quote swallows what follows. No name has this many lines.
MAX_LINES_OF_A_CELL = 200
SAMPLE_BYTES = 256 * 1024
SAMPLE_ROWS = 30

DELIMITERS = {",": "Komma ,", ";": "Semikolon ;", "\t": "Tabulator", "|": "Senkrechter Strich |"}
ENCODINGS = {
    "utf-8-sig": "UTF-8",
    "cp1252": "Windows-1252 (westeuropäisch)",
    "utf-16": "UTF-16 („Unicode-Text“ aus Excel)",
    "iso8859-15": "ISO-8859-15 (Latin-9)",
    "mac-roman": "Mac Roman",
}

_SEP_LINE = re.compile(r'\ufeff?"?sep=(.)"?\r?\n?')
_BAD_QUOTES = "Die Anführungszeichen dieser Zeile gehen nicht auf."
_LONG_CELL = "Eine Zelle dieser Zeile ist viel zu lang."
_DAMAGED = "Die ZIP-Datei ist beschädigt. Lade sie noch einmal herunter."
# All that the library raises when an archive is not what it says.
_BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)


@dataclass(frozen=True)
class Part:
    """One CSV of an upload."""

    name: str
    stream: IO[bytes]


@dataclass(frozen=True)
class Reading:
    """How bytes become cells."""

    encoding: str
    delimiter: str


@dataclass
class Record:
    """Cells of one record and the physical line it begins on; or what is wrong with it."""

    line: int
    cells: list[str]
    problem: str = ""


# --- taking the upload apart ----------------------------------------------------------------


def parts(name: str, upload: IO[bytes]) -> Iterator[Part]:
    """The upload's CSV files: itself, or what is in the ZIP. Raises ImportRefused."""
    head = upload.read(4)
    upload.seek(0)
    if head[:2] == b"PK" or name.lower().endswith(".zip"):
        yield from _unzipped(upload)
    else:
        yield Part(plain_name(name), upload)


def plain_name(name: str) -> str:
    """A file's own name, without folders and what no page should show."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(letter for letter in last if letter.isprintable())[:200] or "liste.csv"


def pieces(stream: IO[bytes], *, allowance: int) -> Iterator[bytes]:
    """The stream in pieces, refused as soon as it is too long or turns out to be no text."""
    read = 0
    wide = False
    while data := _read(stream):
        if not read:
            wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            _refuse_known_binaries(data)
        read += len(data)
        if read > allowance:
            raise ImportRefused(
                f"Die Datei ist zu groß: mehr als {MAX_BYTES // MEGABYTE} MB sind es ausgepackt nicht wert. "
                "Teile die Liste in mehrere Dateien."
            )
        if not wide and b"\0" in data:
            raise ImportRefused(
                "Das ist keine Textdatei. Speichere die Liste in deinem Programm als CSV (UTF-8)."
            )
        yield data
    if not read:
        raise ImportRefused("Die Datei ist leer.")


def _read(stream: IO[bytes]) -> bytes:
    try:
        return stream.read(PIECE)
    except _BROKEN_ZIP as error:
        raise ImportRefused(_DAMAGED) from error


def _refuse_known_binaries(data: bytes) -> None:
    known = {
        b"PK": "eine ZIP-Datei in der ZIP-Datei oder eine Excel-Datei",
        b"%PDF": "eine PDF-Datei",
        b"\xd0\xcf\x11\xe0": "eine alte Excel-Datei",
        b"\x1f\x8b": "eine gepackte Datei (gzip)",
        b"\x89PNG": "ein Bild",
        b"\xff\xd8\xff": "ein Bild",
        b"Rar!": "eine gepackte Datei (RAR)",
        b"7z\xbc\xaf": "eine gepackte Datei (7z)",
    }
    for magic, what in known.items():
        if data.startswith(magic):
            raise ImportRefused(f"Das ist {what}. Speichere die Liste als CSV (UTF-8).")


def _unzipped(upload: IO[bytes]) -> Iterator[Part]:
    _refuse_odd_directory(upload)
    try:
        with zipfile.ZipFile(upload) as archive:
            entries = [entry for entry in archive.infolist() if not _is_clutter(entry)]
            _refuse_odd_entries(entries)
            for entry in sorted(entries, key=lambda entry: entry.filename):
                with archive.open(entry) as stream:
                    yield Part(plain_name(entry.filename), stream)
    except _BROKEN_ZIP as error:
        raise ImportRefused(_DAMAGED) from error


def _refuse_odd_directory(upload: IO[bytes]) -> None:
    """Look at the end of the archive before the library reads a list of a million entries."""
    size = upload.seek(0, io.SEEK_END)
    upload.seek(max(0, size - 65_557))
    tail = upload.read()
    upload.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise ImportRefused(_DAMAGED)
    entries, directory = struct.unpack("<HI", tail[at + 10 : at + 16])
    if entries > MAX_ENTRIES or directory > MAX_DIRECTORY or b"PK\x06\x07" in tail:
        raise ImportRefused(
            f"In der ZIP-Datei sind zu viele Dateien; erlaubt sind {MAX_ENTRIES} CSV-Dateien."
        )


def _is_clutter(entry: zipfile.ZipInfo) -> bool:
    """What packers add by themselves."""
    name = entry.filename
    return entry.is_dir() or name.startswith("__MACOSX/") or name.endswith(".DS_Store")


def _refuse_odd_entries(entries: list[zipfile.ZipInfo]) -> None:
    if not entries:
        raise ImportRefused("Die ZIP-Datei enthält keine Datei.")
    for entry in entries:
        _refuse_odd_entry(entry)
    if sum(entry.file_size for entry in entries) > MAX_BYTES:
        raise ImportRefused(
            f"Ausgepackt ist die ZIP-Datei größer als {MAX_BYTES // MEGABYTE} MB. "
            "Teile die Liste in mehrere Dateien."
        )


def _refuse_odd_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    folders = re.split(r"[/\\]", name)
    if ".." in folders or folders[0] == "" or re.match(r"[A-Za-z]:", name):
        raise ImportRefused("In der ZIP-Datei steht ein Pfad, der aus ihr hinausführt.")
    if entry.flag_bits & 0x1:
        raise ImportRefused("Die ZIP-Datei ist verschlüsselt. Packe sie ohne Kennwort.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ImportRefused("Die ZIP-Datei ist auf eine Art gepackt, die hier niemand liest.")
    if not name.lower().endswith((".csv", ".txt", ".tsv")):
        raise ImportRefused(
            f"In der ZIP-Datei steckt etwas anderes als CSV-Dateien: {plain_name(name)}"
        )
    packed = max(1, entry.compress_size)
    if entry.file_size > RATIO_COUNTS_FROM and entry.file_size / packed > MAX_RATIO:
        raise ImportRefused("Die ZIP-Datei ist verdächtig stark gepackt und wird nicht geöffnet.")


# --- guessing -------------------------------------------------------------------------------


class EncodingGuess:
    """Told every piece of the file, because the one umlaut may stand at its end."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._is_utf8 = True
        self._wide: bool | None = None

    def feed(self, data: bytes) -> None:
        if self._wide is None:
            self._wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        if self._is_utf8 and not self._wide:
            try:
                self._utf8.decode(data)
            except UnicodeDecodeError:
                self._is_utf8 = False

    def result(self) -> str:
        if self._wide:
            return "utf-16"
        return "utf-8-sig" if self._is_utf8 else "cp1252"


def guess_delimiter(sample: bytes, encoding: str, known: Iterable[str]) -> str:
    """The delimiter that yields known headings, or else the most columns of equal number."""
    text = sample.decode(encoding, errors="replace")
    told = _SEP_LINE.match(text)
    if told and told[1] in DELIMITERS:
        return told[1]
    headings = {word.casefold() for word in known}

    def quality(delimiter: str) -> tuple[int, int, float]:
        records = _sample_rows(text, delimiter)
        if not records:
            return (0, 0, 0.0)
        if len(records[0].cells) > MAX_COLUMNS:
            return (0, 0, 2.0)  # better than none: it will be refused for what it is
        rows = [record.cells for record in records]
        names = sum(cell.strip().casefold() in headings for cell in rows[0])
        width = len(rows[0])
        alike = sum(len(row) == width for row in rows) / len(rows)
        return (names, 1 if width > 1 else 0, alike * min(width, 20))

    return max(DELIMITERS, key=quality)


def _sample_rows(text: str, delimiter: str) -> list[Record]:
    lines = list(io.StringIO(text, newline=""))[: SAMPLE_ROWS * 4]
    if len(lines) > 1:
        lines = lines[:-1] if not lines[-1].endswith(("\n", "\r")) else lines
    return list(islice(Records(iter(lines), delimiter), SAMPLE_ROWS))


# --- reading --------------------------------------------------------------------------------


class PieceStream(io.RawIOBase):
    """Pieces as a file one can read on and on."""

    def __init__(self, source: Iterable[bytes]) -> None:
        super().__init__()
        self._source = iter(source)
        self._rest = memoryview(b"")
        self.taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if not self._rest:
            self._rest = memoryview(next(self._source, b""))
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        self.taken += count
        return count


def text_lines(stream: PieceStream, encoding: str) -> Iterator[str]:
    """Physical lines with their ends, as the csv module wants them. Raises ImportRefused."""
    text = io.TextIOWrapper(
        io.BufferedReader(stream, 64 * 1024), encoding=encoding, errors="replace", newline=""
    )
    try:
        yield from _lines(text)
    except UnicodeError as error:  # UTF-16 without its mark, or cut in the middle
        raise ImportRefused(
            "Die Datei lässt sich mit diesem Zeichensatz nicht lesen. Wähle einen anderen."
        ) from error


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    number = 0
    read = text.readline
    while line := read(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE:
            raise ImportRefused(
                f"Zeile {number} ist länger als eine Million Zeichen. Das ist keine Liste."
            )
        yield line


@dataclass
class Records:
    """Iterates over the records of a CSV file and goes on after a broken one.

    An opening quote without its end would swallow the rest of the file. Then the line it stands in
    is reported, and reading goes on with the very next line.
    """

    lines: Iterator[str]
    delimiter: str
    _waiting: deque[str] = field(default_factory=deque)
    _taken: list[str] = field(default_factory=list)
    _line: int = 0

    def __iter__(self) -> Iterator[Record]:
        first = next(self.lines, None)
        if first is not None and _SEP_LINE.fullmatch(first):
            self._line = 1
        elif first is not None:
            self._waiting.append(first)
        reader = self._reader()
        while True:
            begun = self._line + 1
            self._taken.clear()
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield self._give_back(begun, str(error))
                reader = self._reader()
                continue
            if cells is None:
                return
            if not cells:  # an empty line
                continue
            yield self._checked(begun, cells)

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._feed(), delimiter=self.delimiter, strict=True)

    def _feed(self) -> Iterator[str]:
        taken = self._taken
        while True:
            line = self._waiting.popleft() if self._waiting else next(self.lines, None)
            if line is None:
                return
            self._line += 1
            taken.append(line)
            if len(taken) > MAX_LINES_OF_A_CELL:
                raise csv.Error("too many lines")
            yield line

    def _checked(self, line: int, cells: list[str]) -> Record:
        problem = ""
        if len(cells) > MAX_COLUMNS:
            problem = (
                f"Diese Zeile hat {len(cells)} Spalten, erlaubt sind {MAX_COLUMNS}. "
                "Prüfe das Trennzeichen."
            )
        return Record(line, cells, problem)

    def _give_back(self, begun: int, error: str) -> Record:
        """Report the first line taken, and read the others again as lines of their own."""
        self._waiting.extendleft(reversed(self._taken[1:]))
        self._line -= len(self._taken) - 1
        start = self._taken[0].rstrip("\r\n").split(self.delimiter, 3)[:3]
        problem = _LONG_CELL if "field larger" in error and len(self._taken) == 1 else _BAD_QUOTES
        return Record(begun, [cell[:200].strip('" ') for cell in start], problem)
