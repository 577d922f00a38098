"""What the tests of invoices have in common."""

from __future__ import annotations

import re
import zlib
from datetime import datetime

from booking import checkout, deposits
from booking.models import BillingAddress, Booking, Invoice, Refund
from coaching_site.german import NBSP
from pages.models import Practice

IBAN = "DE02 1203 0000 0000 2020 51"


def practice(**changes: object) -> Practice:
    """One that lacks nothing an invoice must say."""
    values: dict[str, object] = {
        "first_name": "Kim",
        "last_name": "Muster",
        "street": "Musterweg 1",
        "postal_code": "12345",
        "city": "Berlin",
        "tax_number": "12/345/67890",
        "iban": IBAN,
        **changes,
    }
    return Practice.objects.create(pk=1, **values)


def address_of(booking: Booking, **changes: object) -> BillingAddress:
    values: dict[str, object] = {
        "name": booking.name,
        "company": "Rechenwerk GmbH",
        "street": "Beispielstraße 12",
        "postal_code": "10115",
        "city": "Berlin",
        **changes,
    }
    return BillingAddress.objects.create(booking=booking, **values)


def give_back(booking: Booking, cents: int, *, now: datetime) -> Refund:
    """A refund that has gone back at Stripe."""
    deposit = booking.deposits.get()
    refund = deposits.refund_by_hand(deposit, cents, by="coach", now=now)
    deposits.send(refund, now=now)
    checkout.reconcile(now=now)
    refund.refresh_from_db()
    assert refund.is_back
    return refund


def sums(booking: Booking) -> tuple[int, int, int]:
    """Net, VAT and gross of all of a booking's papers."""
    rows = Invoice.objects.filter(booking=booking)
    values = rows.values_list("net_cents", "vat_cents", "gross_cents")
    net, vat, gross = zip(*values, strict=True)
    return sum(net), sum(vat), sum(gross)


def plain(text: str) -> str:
    return text.replace(NBSP, " ")


def words_in(pdf: bytes) -> str:
    """What a reader finds in the file, in the order in which it is drawn.

    The strings are glyph numbers of each font; the fonts' tables in the file say which letters.
    """
    objects = dict(_objects(pdf))
    fonts = {
        name: _letters(objects[_ref(objects[number], rb"/ToUnicode")])
        for name, number in _fonts(pdf)
    }
    text: list[str] = []
    for content in objects.values():
        if b" Tf" in content and b"BT" in content:
            text += _shown(content, fonts)
    return plain("\n".join(" ".join(line.split()) for line in text if line.strip()))


def _objects(pdf: bytes) -> list[tuple[int, bytes]]:
    found = []
    for match in re.finditer(rb"(?:^|\n)(\d+) 0 obj\n(.*?)\nendobj", pdf, re.DOTALL):
        head, _, stream = match[2].partition(b"stream\n")
        if stream and b"/FlateDecode" in head:
            head += zlib.decompress(stream.rpartition(b"\nendstream")[0])
        else:
            head += stream
        found.append((int(match[1]), head))
    return found


def _fonts(pdf: bytes) -> list[tuple[str, int]]:
    return [(m[1].decode(), int(m[2])) for m in re.finditer(rb"/(F\d+) (\d+) 0 R", pdf)]


def _ref(content: bytes, name: bytes) -> int:
    match = re.search(name + rb" (\d+) 0 R", content)
    assert match is not None
    return int(match[1])


def _letters(cmap: bytes) -> dict[int, str]:
    return {
        int(glyph, 16): bytes.fromhex(code.decode()).decode("utf-16-be")
        for glyph, code in re.findall(rb"<([0-9A-F]{4})> <([0-9A-F]+)>", cmap)
        if len(code) >= 4
    }


def _shown(content: bytes, fonts: dict[str, dict[int, str]]) -> list[str]:
    shown, font = [], {}
    for name, string in re.findall(rb"/(F\d+) [\d.]+ Tf|\(((?:\\.|[^\\)])*)\) Tj", content):
        if name:
            font = fonts[name.decode()]
            continue
        raw = re.sub(
            rb"\\(.)", lambda m: {b"r": b"\r", b"n": b"\n"}.get(m[1], m[1]), string, flags=re.DOTALL
        )
        glyphs = [int.from_bytes(raw[at : at + 2]) for at in range(0, len(raw), 2)]
        shown.append("".join(font.get(glyph, "?") for glyph in glyphs))
    return shown
