"""Lists to bring along, and the way from the file to the result."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from datetime import date, datetime

from newsletter.imports import running
from newsletter.imports.running import Provenance
from newsletter.models import Import, ImportRow, Subscriber

WORDS = "Ja, schickt mir „5000 CTOs“, etwa einmal im Monat."
PROVEN = Provenance(
    source="Liste aus der alten Website", consent_date=date(2026, 5, 4), consent_text=WORDS
)
NOTHING_KNOWN = Provenance()


def csv_bytes(*lines: str, encoding: str = "utf-8") -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode(encoding)


def zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def upload(data: bytes, now: datetime, name: str = "liste.csv") -> Import:
    return running.take_in(name, io.BytesIO(data), by=None, now=now)


def checked(
    data: bytes,
    now: datetime,
    *,
    provenance: Provenance = PROVEN,
    name: str = "liste.csv",
    mapping: Mapping[str, str] | None = None,
) -> Import:
    run = upload(data, now, name)
    running.begin_check(run, mapping=mapping or run.mapping, provenance=provenance, now=now)
    running.work(run.pk, clock=lambda: now)
    run.refresh_from_db()
    return run


def taken_over(run: Import, now: datetime) -> Import:
    running.start(run, now=now)
    running.work(run.pk, clock=lambda: now)
    run.refresh_from_db()
    return run


def bring(
    data: bytes,
    now: datetime,
    *,
    provenance: Provenance = PROVEN,
    name: str = "liste.csv",
    mapping: Mapping[str, str] | None = None,
) -> Import:
    """Upload, check and take over; the check must have promised what happened."""
    run = checked(data, now, provenance=provenance, name=name, mapping=mapping)
    run = taken_over(run, now)
    assert run.status == "done", run.problem
    assert run.check_counts == run.counts
    return run


def lines(run: Import, outcome: str | None = None) -> list[tuple[int, str, str]]:
    """The report: line, address, reason."""
    rows: Iterable[ImportRow] = ImportRow.objects.filter(run=run).order_by("number")
    return [
        (row.line, row.address, row.reason)
        for row in rows
        if outcome is None or row.outcome == outcome
    ]


def people() -> dict[str, str]:
    return dict(Subscriber.objects.order_by("address_key").values_list("address", "status"))
