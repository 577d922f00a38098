"""CSV files that spreadsheets open without running anything in them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence

from django.http import HttpRequest, HttpResponse

# A cell that begins with one of these is a formula to a spreadsheet (OWASP, CSV injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# But a sum below zero is nothing else.
AMOUNT = re.compile(r"-[0-9]+,[0-9]{2}")


# Whoever may look at rows may not for that carry all of them out of the house.
PERMISSION = "desk.export_data"


def may_export(request: HttpRequest) -> bool:
    return bool(request.user.has_perm(PERMISSION))


def csv_response(
    filename: str, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> HttpResponse:
    """A CSV download for German spreadsheets: UTF-8 with BOM, semicolons, formulas defused."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response.write("\ufeff")
    writer = csv.writer(response, delimiter=";")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_harmless(value) for value in row])
    return response


def _harmless(value: object) -> str:
    text = "" if value is None else str(value)
    if AMOUNT.fullmatch(text):
        return text
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
