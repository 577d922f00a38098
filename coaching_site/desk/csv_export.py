"""CSV files that spreadsheets open without running anything in them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from django.http import HttpRequest, HttpResponse

from coaching_site.desk.export_kinds import CSV, Part
from coaching_site.desk.permissions import EXPORT

# A cell that begins with one of these is a formula to a spreadsheet (OWASP, CSV injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# But a sum below zero is nothing else.
AMOUNT = re.compile(r"-[0-9]+,[0-9]{2}")


def may_export(request: HttpRequest) -> bool:
    return bool(request.user.has_perm(EXPORT))


def csv_response(
    filename: str, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> HttpResponse:
    """A CSV download for German spreadsheets: UTF-8 with BOM, semicolons, formulas defused."""
    response = HttpResponse(csv_part([header], begins=True).data, content_type=CSV)
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response.write(csv_part(rows).data)
    return response


def csv_part(rows: Iterable[Sequence[object]], *, begins: bool = False) -> Part:
    """Some lines of such a file; what begins one is its heading and counts for no row."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";")
    count = 0
    for row in rows:
        writer.writerow([_harmless(value) for value in row])
        count += 1
    return Part(text.getvalue().encode("utf-8-sig" if begins else "utf-8"), 0 if begins else count)


def _harmless(value: object) -> str:
    text = "" if value is None else str(value)
    if AMOUNT.fullmatch(text):
        return text
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
