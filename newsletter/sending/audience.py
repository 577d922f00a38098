"""Who gets an issue: counted while it is written, frozen when it leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.models import (
    BinaryField,
    Case,
    CharField,
    Exists,
    Func,
    OuterRef,
    QuerySet,
    Value,
    When,
)

from newsletter.models import Delivery, Issue, Subscriber, Suppression, Tag

Why = Delivery.Why

SHA256_BLOCK = 64  # bytes

_FREEZE = """
    WITH candidates (id, why) AS MATERIALIZED ({candidates}),
    written AS (
        INSERT INTO newsletter_delivery (issue_id, subscriber_id, state, why, code, attempts, bounce)
        SELECT %s, id, CASE why WHEN '' THEN 'pending' ELSE 'excluded' END, why, '', 0, ''
        FROM candidates ORDER BY id
        RETURNING state
    )
    SELECT (SELECT count(*) FROM candidates),
        count(*) FILTER (WHERE state = 'pending'),
        count(*) FILTER (WHERE state = 'excluded')
    FROM written
"""


class DoesNotAddUp(Exception):
    """The ledger holds other rows than were chosen. Nothing of it may be kept."""


@dataclass(frozen=True)
class Frozen:
    """How many were to get an issue, will, and will not."""

    candidates: int
    prepared: int
    excluded: int


def people(tags: Iterable[Tag | int]) -> QuerySet[Subscriber]:
    """Confirmed readers with any of these tags, each once; everyone if there are none."""
    readers, wanted = Subscriber.objects.confirmed(), list(tags)
    if not wanted:
        return readers
    tagged = Subscriber.tags.through.objects.filter(tag__in=wanted)
    return readers.filter(pk__in=tagged.values("subscriber"))


def count(tags: Iterable[Tag | int]) -> int:
    """How many would get it now: reachable, and not suppressed."""
    return people(tags).filter(~suppressed(), unreachable_since__isnull=True).count()


def freeze(issue: Issue, *, now: datetime) -> Frozen:
    """Write who gets this issue into the ledger: one statement, so all of it or nothing.

    Call it in the transaction that starts the issue, with the issue's row locked. Raises
    DoesNotAddUp; a second run would raise IntegrityError.
    """
    why = Case(
        When(suppressed(), then=Value(Why.SUPPRESSED)),
        When(unreachable_since__isnull=False, then=Value(Why.UNREACHABLE)),
        default=Value(Why.NONE),
    )
    chosen = people(issue.tags.all()).annotate(why=why).values_list("pk", "why")
    candidates, values = chosen.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_FREEZE.format(candidates=candidates), [*values, issue.pk])
        frozen = Frozen(*cursor.fetchone())
    in_ledger = Delivery.objects.filter(issue=issue).count()
    if not frozen.prepared + frozen.excluded == frozen.candidates == in_ledger:
        raise DoesNotAddUp(frozen)
    return frozen


def suppressed(address_key: str = "address_key") -> Exists:
    """A condition on readers: whether their address is suppressed, for whatever reason.

    It is `models.suppression_hashes` inside the database, for each of the keys.
    """
    hashes = [_hash(OuterRef(address_key), key) for key in settings.LINK_KEYS]
    return Exists(Suppression.objects.filter(address_hash__in=hashes))


def _hash(text: OuterRef, secret: str) -> Func:
    """The HMAC-SHA256 (RFC 2104) of `salted_hmac("newsletter.suppression", text, secret=secret)`."""
    key = hashlib.sha256(f"newsletter.suppression{secret}".encode()).digest()
    block = key.ljust(SHA256_BLOCK, b"\0")
    outer, inner = bytes(byte ^ 0x5C for byte in block), bytes(byte ^ 0x36 for byte in block)
    digest = _sha256(outer, _sha256(inner, Func(text, Value("UTF8"), function="convert_to")))
    return Func(digest, Value("hex"), function="encode", output_field=CharField())


def _sha256(begin: bytes, rest: Func) -> Func:
    first = Value(begin, output_field=BinaryField())
    return Func(first, rest, function="sha256", arg_joiner=" || ", output_field=BinaryField())
