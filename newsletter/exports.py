"""The whole list as a file: nothing is lost, and the import reads the same people back.

Rows are fetched in small portions by their key, so memory stays flat and no cursor stays open while
somebody's line is slow.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.utils import timezone

from coaching_site.desk.csv_export import csv_part
from coaching_site.desk.export_kinds import Part, portions
from newsletter import portable
from newsletter.models import Consent, Event, Subscriber, Suppression, suppression_hashes

PORTION = 1_000
CSV_TYPE = "text/csv; charset=utf-8"

PEOPLE_COLUMNS = ("E-Mail-Adresse", "Status", "eingetragen", "bestätigt", "abgemeldet", "Fassung")
CONSENT_COLUMNS = (
    "E-Mail-Adresse",
    "Wortlaut",
    "Fassung",
    "SHA-256",
    "Seite",
    "eingetragen",
    "bestätigt",
    "widerrufen",
)


# --- files for the desk -----------------------------------------------------------------------


def whole_csv(rows: Sequence[int], *, now: datetime) -> Iterator[Part]:
    """The whole list, as the import reads it back."""
    return _in_portions(csv_lines())


def whole_json(rows: Sequence[int], *, now: datetime) -> Iterator[Part]:
    """All there is about the list."""
    return _in_portions(json_lines(now=now))


def whole_suppressions(rows: Sequence[int], *, now: datetime) -> Iterator[Part]:
    return _in_portions(suppression_lines())


def chosen_people(rows: Sequence[int], *, now: datetime) -> Iterator[Part]:
    """These subscribers as a table, in this order."""
    yield csv_part([PEOPLE_COLUMNS], begins=True)
    for portion in portions(rows, PORTION):
        found = Subscriber.objects.select_related("consent").in_bulk(portion)
        yield csv_part(_person_cells(found[pk]) for pk in portion if pk in found)


def chosen_consents(rows: Sequence[int], *, now: datetime) -> Iterator[Part]:
    """These consents with their whole words, in this order."""
    yield csv_part([CONSENT_COLUMNS], begins=True)
    for portion in portions(rows, PORTION):
        found = Consent.objects.in_bulk(portion)
        yield csv_part(_consent_cells(found[pk]) for pk in portion if pk in found)


def entries() -> int:
    """How many objects the JSON file will hold."""
    return (
        Subscriber.objects.count()
        + Suppression.objects.count()
        + Consent.objects.filter(subscriber=None).count()
        + Event.objects.filter(subscriber=None).count()
    )


def _in_portions(lines: Iterator[str]) -> Iterator[Part]:
    """A heading or bracket counts as a row; nobody is told more rows than there are."""
    while portion := list(islice(lines, PORTION)):
        yield Part("".join(portion).encode(), len(portion))


def _person_cells(row: Subscriber) -> list[object]:
    return [
        row.address,
        row.get_status_display(),
        _local(row.created_at),
        _local(row.confirmed_at),
        _local(row.unsubscribed_at),
        row.consent.text_version if row.consent else "",
    ]


def _consent_cells(row: Consent) -> list[object]:
    return [
        row.address,
        row.text,
        row.text_version,
        row.text_sha256,
        row.page,
        _local(row.requested_at),
        _local(row.confirmed_at),
        _local(row.withdrawn_at),
    ]


def _local(moment: datetime | None) -> str:
    """„2027-03-01 09:00:00“ in the practice's zone: sorts, and spreadsheets know it as a time."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}" if moment else ""


# --- the whole list, line by line -------------------------------------------------------------


def csv_lines() -> Iterator[str]:
    """UTF-8 with BOM and semicolons, which German spreadsheets open as a table."""
    yield bom_csv_line(portable.HEADER)
    for person, suppressed in _people():
        yield csv_line(_cells(person, suppressed))


def suppression_lines() -> Iterator[str]:
    """The suppressions, also of people who are not on the list; the import takes them back."""
    yield bom_csv_line(portable.SUPPRESSION_HEADER)
    for row in Suppression.objects.order_by("pk").iterator(PORTION):
        yield csv_line([row.address_hash, "", row.reason, _text(row.created_at) or ""])


def json_lines(*, now: datetime) -> Iterator[str]:
    """All there is about the list as one JSON object: history, suppressions, proofs of the erased."""
    nameless = Consent.objects.filter(subscriber=None).order_by("pk")
    erasures = Event.objects.filter(subscriber=None).order_by("pk")
    suppressions = Suppression.objects.order_by("pk")
    yield f'{{"exported_at": "{_text(now)}"'
    yield from _array("subscribers", (_whole(*each) for each in _people()))
    yield from _array("suppressions", map(_suppression, suppressions.iterator(PORTION)))
    yield from _array("nameless_consents", map(_whole_consent, nameless.iterator(PORTION)))
    yield from _array("erasures", map(_event, erasures.iterator(PORTION)))
    yield "}\n"


def _array(name: str, objects: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield f',\n"{name}": [\n'
    separator = ""
    for each in objects:
        yield separator + json.dumps(each, ensure_ascii=False)
        separator = ",\n"
    yield "\n]"


def _people() -> Iterator[tuple[Subscriber, list[str]]]:
    """Everyone with tags and consents, oldest first, and why they are suppressed."""
    last = 0
    while portion := list(
        Subscriber.objects.filter(pk__gt=last)
        .prefetch_related("tags", "consents", "events")
        .order_by("pk")[:PORTION]
    ):
        reasons = _suppressed(portion)
        for person in portion:
            yield person, reasons.get(person.address_key, [])
        last = portion[-1].pk


def _suppressed(portion: list[Subscriber]) -> dict[str, list[str]]:
    by_hash = {
        digest: person.address_key
        for person in portion
        for digest in suppression_hashes(person.address_key)
    }
    found: dict[str, list[str]] = {}
    rows = Suppression.objects.filter(address_hash__in=list(by_hash)).order_by("reason")
    for digest, reason in rows.values_list("address_hash", "reason"):
        reasons = found.setdefault(by_hash[digest], [])
        if reason not in reasons:
            reasons.append(reason)
    return found


def _object(person: Subscriber, suppressed: list[str]) -> dict[str, Any]:
    return {
        "public_id": str(person.public_id),
        "address": person.address,
        "address_number": person.address_number,
        "unreachable_since": _text(person.unreachable_since),
        "name": person.name,
        "status": person.status,
        "tags": sorted(tag.name for tag in person.tags.all()),
        "created_at": _text(person.created_at),
        "confirmed_at": _text(person.confirmed_at),
        "unsubscribed_at": _text(person.unsubscribed_at),
        "mail_requested_at": _text(person.mail_requested_at),
        "mail_sent_at": _text(person.mail_sent_at),
        "suppressed": suppressed,
        "consents": [
            _consent(consent, person) for consent in sorted(person.consents.all(), key=_by_time)
        ],
    }


def _whole(person: Subscriber, suppressed: list[str]) -> dict[str, Any]:
    """The person with what no spreadsheet would know what to do with."""
    return {
        **_object(person, suppressed),
        "consents": [
            {**_consent(consent, person), **_whole_consent(consent)}
            for consent in sorted(person.consents.all(), key=_by_time)
        ],
        "events": [_event(each) for each in sorted(person.events.all(), key=_by_moment)],
    }


def _cells(person: Subscriber, suppressed: list[str]) -> list[str]:
    told = _object(person, suppressed)
    return [
        told["address"],
        told["name"],
        told["status"],
        portable.join_tags(told["tags"]),
        told["created_at"] or "",
        told["confirmed_at"] or "",
        told["unsubscribed_at"] or "",
        " ".join(suppressed),
        told["mail_requested_at"] or "",
        told["mail_sent_at"] or "",
        told["public_id"],
        str(told["address_number"]),
        told["unreachable_since"] or "",
        json.dumps(told["consents"], ensure_ascii=False),
    ]


def _consent(consent: Consent, person: Subscriber) -> dict[str, Any]:
    """What the import reads back."""
    return {"current": consent.pk == person.consent_id, **_words(consent)}


def _whole_consent(consent: Consent) -> dict[str, Any]:
    """`number` is what `replaces` speaks of."""
    return {
        "number": consent.pk,
        "replaces": consent.replaces_id,
        "kind": consent.kind,
        **_words(consent),
        "address_hash": consent.address_hash,
        "network": consent.network,
        "network_until": _text(consent.network_until),
    }


def _words(consent: Consent) -> dict[str, Any]:
    return {
        "address": consent.address,
        "text": consent.text,
        "text_version": consent.text_version,
        "text_sha256": consent.text_sha256,
        "page": consent.page,
        "requested_at": _text(consent.requested_at),
        "confirmed_at": _text(consent.confirmed_at),
        "withdrawn_at": _text(consent.withdrawn_at),
        "evidence": consent.evidence,
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "by": event.by,
        "at": _text(event.at),
        "detail": event.detail,
    }


def _suppression(row: Suppression) -> dict[str, Any]:
    return {
        "address_hash": row.address_hash,
        "reason": row.reason,
        "created_at": _text(row.created_at),
    }


def _by_moment(event: Event) -> tuple[datetime, int]:
    return event.at, event.pk


def _by_time(consent: Consent) -> tuple[datetime, int]:
    return consent.requested_at, consent.pk


def _text(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None


class _Echo:
    """Hands each written line back instead of keeping it."""

    def write(self, text: str) -> str:
        return text


def csv_line(cells: Sequence[str]) -> str:
    """One line, its cells protected from spreadsheets that would run them."""
    protected = [portable.protect(cell) for cell in cells]
    line: str = csv.writer(_Echo(), delimiter=";").writerow(protected)
    return line


def bom_csv_line(header: Sequence[str]) -> str:
    """The first line of a file that spreadsheets take for UTF-8."""
    return "\ufeff" + csv_line(header)
