"""What the desk can export: one table. A kind names the function that makes its file.

That function is called `(rows, *, now)` with the keys of the chosen rows (none where the kind takes
all there are) and the time the file was asked for. It hands out the file part by part and gives the
same bytes for the same data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

CSV = "text/csv; charset=utf-8"
JSON = "application/json"
ZIP = "application/zip"


@dataclass(frozen=True)
class Part:
    """Some bytes of a file, and how many rows are done with them."""

    data: bytes
    rows: int


Maker = Callable[..., Iterator[Part]]


@dataclass(frozen=True)
class ExportKind:
    """`permission` is needed beside the one to export at all; so many rows are handed out at once."""

    name: str
    title: str
    unit: str
    content_type: str
    permission: str
    maker: str
    at_once: int = 500


ALL: Sequence[ExportKind] = (
    ExportKind(
        "people",
        "Abos als Tabelle",
        "Abos",
        CSV,
        "newsletter.view_subscriber",
        "newsletter.exports.chosen_people",
    ),
    ExportKind(
        "consents",
        "Einwilligungen als Tabelle",
        "Einwilligungen",
        CSV,
        "newsletter.view_consent",
        "newsletter.exports.chosen_consents",
    ),
    ExportKind(
        "list_csv",
        "Ganze Liste (CSV)",
        "Abos",
        CSV,
        "newsletter.view_subscriber",
        "newsletter.exports.whole_csv",
    ),
    ExportKind(
        "list_json",
        "Ganze Liste mit Verlauf (JSON)",
        "Einträge",
        JSON,
        "newsletter.view_subscriber",
        "newsletter.exports.whole_json",
    ),
    ExportKind(
        "suppressions",
        "Sperren (CSV)",
        "Sperren",
        CSV,
        "newsletter.view_subscriber",
        "newsletter.exports.whole_suppressions",
    ),
    ExportKind(
        "bookings",
        "Termine als Tabelle",
        "Termine",
        CSV,
        "booking.view_booking",
        "booking.admin.files.bookings",
    ),
    ExportKind(
        "payments",
        "Zahlungen als Tabelle",
        "Zahlungen",
        CSV,
        "booking.view_deposit",
        "booking.admin.files.payments",
    ),
    ExportKind(
        "invoices",
        "Rechnungen als Tabelle",
        "Rechnungen",
        CSV,
        "booking.view_invoice",
        "booking.admin.files.invoices",
    ),
    ExportKind(
        "invoice_files",
        "Rechnungen als PDF (ZIP)",
        "Rechnungen",
        ZIP,
        "booking.view_invoice",
        "booking.admin.files.papers",
        at_once=50,
    ),
)
BY_NAME = {kind.name: kind for kind in ALL}


def portions(rows: Iterable[int], size: int) -> Iterator[list[int]]:
    """The keys in lists of at most so many, in their order."""
    keys = iter(rows)
    while portion := list(islice(keys, size)):
        yield portion
