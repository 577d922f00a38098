"""What becomes of a line, and doing it: sets of lines at once, in SQL.

The check and the real run ask the same statement, so they count the same. It is asked anew when the
lines are taken over: whoever left meanwhile stays away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg.types.json import Jsonb

from newsletter import subscriptions
from newsletter.import_models import Import
from newsletter.imports.rows import UNKNOWN_VERSION, UNKNOWN_WORDS, Row
from newsletter.models import Event, Subscriber, Suppression, suppression_hashes

COLUMNS = (
    "run_id, number, file_number, line, address, address_key, key_hash, name, tags, wish, suppress,"
    " proven, requested_at, confirmed_at, left_at, created_at, evidence, record, note, outcome, why"
)

# A departure elsewhere counts here if it is younger than the consent here. If nobody knows when it
# was, it counts against a consent that was imported, not against one that was given here.
OVERTAKEN = """
    CASE WHEN r.left_at IS NULL THEN c.evidence <> '{}' ELSE r.left_at > s.confirmed_at END
"""

FILLS = """
    (s.name = '' AND r.name <> '') OR EXISTS (
        SELECT FROM unnest(r.tags) word WHERE NOT EXISTS (
            SELECT FROM newsletter_subscriber_tags given JOIN newsletter_tag t ON t.id = given.tag_id
            WHERE given.subscriber_id = s.id AND lower(t.name) = lower(word)))
"""

# „outcome/why“, from the strongest reason to the weakest. Someone confirmed here who is suppressed
# is not sent anything anyway; someone who was erased and came back by themselves is a reader.
DECISION = f"""
    CASE
    WHEN r.wish = 'none' THEN r.outcome || '/'
    WHEN r.address_key = ANY(%(barred)s) AND s.status IS DISTINCT FROM 'confirmed'
        THEN 'skipped/barred'
    WHEN s.status = 'pending' THEN 'waiting/waiting'
    WHEN r.wish IN ('left', 'barred') AND s.status = 'confirmed' AND NOT ({OVERTAKEN})
        THEN 'same/returned'
    WHEN r.wish = 'barred' THEN 'barred/'
    WHEN r.wish = 'left' AND s.id IS NULL THEN 'left/'
    WHEN r.wish = 'left' AND s.status = 'unsubscribed' THEN 'same/left_too'
    WHEN r.wish = 'left' THEN 'taken_off/'
    WHEN s.status = 'unsubscribed' THEN 'skipped/left'
    WHEN s.id IS NULL AND r.wish = 'pending' THEN 'pending/'
    WHEN s.id IS NULL AND r.wish = 'active' AND r.proven THEN 'new/'
    WHEN s.id IS NULL AND r.wish = 'active' THEN 'unproven/no_proof'
    WHEN s.id IS NULL THEN 'unproven/no_yes'
    WHEN s.status = 'unproven' AND r.wish = 'active' AND r.proven THEN 'promoted/'
    WHEN {FILLS} THEN 'filled/'
    ELSE 'same/'
    END
"""

KNOWN = """
    LEFT JOIN newsletter_subscriber s ON s.address_key = r.address_key
    LEFT JOIN newsletter_consent c ON c.id = s.consent_id
"""

# Batches look a few thousand keys up in tables that may hold a million. On disks of today a page
# anywhere costs little more than the next one; else the planner reads the whole table each time.
LOOK_UP = "SET LOCAL random_page_cost = 1.1"

# --- while checking -------------------------------------------------------------------------

# Plain, without the table's keys: filled by COPY, read once, empty again at the commit.
INCOMING = """
    CREATE TEMP TABLE IF NOT EXISTS newsletter_incoming (LIKE newsletter_importrow)
    ON COMMIT DELETE ROWS
"""

# The first line of an address counts: within the batch by its number, beyond it by the unique index
# of the report. What the index refuses comes in as a repetition.
REPORT = f"""
    INSERT INTO newsletter_importrow ({COLUMNS})
    SELECT run_id, number, file_number, line, address, address_key,
        CASE WHEN address_key <> '' THEN md5(address_key)::uuid END, name, tags, wish, suppress,
        proven, requested_at, confirmed_at, left_at, created_at, evidence, record, note,
        split_part(decided, '/', 1), split_part(decided, '/', 2)
    FROM (
        SELECT r.*, {DECISION} AS decided
        FROM (
            SELECT n.*, row_number() OVER (PARTITION BY address_key ORDER BY number) AS time
            FROM newsletter_incoming n
        ) r {KNOWN}
        WHERE r.time = 1 OR r.address_key = ''
        ORDER BY r.number
        OFFSET 0
    ) decision
    ON CONFLICT (run_id, key_hash) DO NOTHING
"""  # noqa: S608 – all of it is written here

REPORT_REPEATED = f"""
    INSERT INTO newsletter_importrow ({COLUMNS})
    SELECT run_id, number, file_number, line, address, '', NULL, '', '{{}}', 'none', '{{}}', false,
        NULL, NULL, NULL, NULL, NULL, NULL, note, 'duplicate', ''
    FROM newsletter_incoming n
    WHERE n.number NOT IN (  -- hashed whatever the planner believes of a table that just grew
        SELECT e.number FROM newsletter_importrow e
        WHERE e.run_id = %(run)s AND e.number BETWEEN %(first)s AND %(last)s
    )
"""  # noqa: S608 – all of it is written here

# --- while taking over ----------------------------------------------------------------------

LOCK = """
    SELECT s.id FROM newsletter_subscriber s
    JOIN newsletter_importrow r ON r.address_key = s.address_key
    WHERE r.run_id = %(run)s AND r.number BETWEEN %(first)s AND %(last)s
    ORDER BY s.id FOR UPDATE OF s
"""

# All that is needed of the lines, and ids drawn beforehand, so that subscriber and consent can name
# each other at once.
BATCH = f"""
    CREATE TEMP TABLE newsletter_batch ON COMMIT DROP AS
    SELECT d.*,
        CASE WHEN d.outcome IN ('new', 'unproven', 'left', 'pending')
            THEN nextval(pg_get_serial_sequence('newsletter_subscriber', 'id'))
            ELSE d.known_id END AS subscriber_id,
        CASE WHEN d.outcome IN ('new', 'promoted') AND NOT d.own
            OR d.outcome IN ('new', 'promoted', 'left', 'pending') AND d.has_current
            THEN nextval(pg_get_serial_sequence('newsletter_consent', 'id')) END AS consent_id
    FROM (
        SELECT number, address, address_key, name, tags, suppress, requested_at, confirmed_at,
            left_at, created_at, evidence, record, known_id, known_public_id, status,
            split_part(decided, '/', 1) AS outcome, split_part(decided, '/', 2) AS why,
            outcome AS old_outcome, why AS old_why, record IS NOT NULL AS own,
            coalesce(record @> '{{"consents": [{{"current": true}}]}}', false) AS has_current
        FROM (
            SELECT r.*, s.id AS known_id, s.public_id AS known_public_id, s.status,
                {DECISION} AS decided
            FROM newsletter_importrow r {KNOWN}
            WHERE r.run_id = %(run)s AND r.number BETWEEN %(first)s AND %(last)s
            ORDER BY r.number
            OFFSET 0
        ) decision
    ) d
"""  # noqa: S608 – all of it is written here

RESTATE = """
    UPDATE newsletter_importrow r SET outcome = b.outcome, why = b.why
    FROM newsletter_batch b
    WHERE r.run_id = %(run)s AND r.number = b.number
        AND (b.old_outcome, b.old_why) IS DISTINCT FROM (b.outcome, b.why)
"""

# Links in mails name the public id. It comes along, unless somebody here has it already.
ADD_SUBSCRIBERS = """
    INSERT INTO newsletter_subscriber (id, public_id, address, address_key, name, status, consent_id,
        created_at, confirmed_at, unsubscribed_at, mail_requested_at, mail_sent_at, address_number,
        unreachable_since)
    SELECT subscriber_id,
        CASE WHEN own_id IS NULL OR own_time > 1
            OR EXISTS (SELECT FROM newsletter_subscriber x WHERE x.public_id = own_id)
            THEN gen_random_uuid() ELSE own_id END,
        address, address_key, name,
        CASE outcome WHEN 'new' THEN 'confirmed' WHEN 'left' THEN 'unsubscribed' ELSE outcome END,
        consent_id,
        coalesce(created_at, requested_at, left_at, %(now)s),
        CASE WHEN outcome = 'new' OR own THEN confirmed_at END,
        CASE WHEN outcome = 'left' THEN coalesce(left_at, %(now)s)
            WHEN own AND outcome <> 'new' THEN left_at END,
        CASE WHEN outcome = 'pending' THEN coalesce(asked_at, created_at, %(now)s)
            WHEN own THEN asked_at END,
        -- An import sends nothing, so no mail may be owed.
        CASE WHEN outcome = 'pending' THEN coalesce(sent_at, asked_at, created_at, %(now)s)
            WHEN own THEN coalesce(sent_at, asked_at) END,
        -- Else the links of somebody's former mailbox would open their preferences again.
        coalesce((record ->> 'address_number')::smallint, 1),
        (record ->> 'unreachable_since')::timestamptz
    FROM (
        SELECT b.*,
            (record ->> 'public_id')::uuid AS own_id,
            row_number() OVER (PARTITION BY record ->> 'public_id' ORDER BY number) AS own_time,
            (record ->> 'mail_requested_at')::timestamptz AS asked_at,
            (record ->> 'mail_sent_at')::timestamptz AS sent_at
        FROM newsletter_batch b
        WHERE b.outcome IN ('new', 'unproven', 'left', 'pending')
    ) added
    -- In one order, so that two imports with the same people wait for each other in turn.
    ORDER BY address_key
    ON CONFLICT (address_key) DO NOTHING
"""

ADD_CONSENTS = """
    INSERT INTO newsletter_consent (id, subscriber_id, address, kind, text, text_version,
        text_sha256, page, requested_at, confirmed_at, evidence)
    SELECT b.consent_id, b.subscriber_id, b.address, 'newsletter', %(text)s, %(version)s, %(sha256)s,
        %(page)s, b.requested_at, b.confirmed_at, b.evidence
    FROM newsletter_batch b
    WHERE b.consent_id IS NOT NULL AND NOT b.own
"""

ADD_OWN_CONSENTS = """
    INSERT INTO newsletter_consent (id, subscriber_id, address, kind, text, text_version,
        text_sha256, page, requested_at, confirmed_at, withdrawn_at, evidence)
    SELECT CASE WHEN (c ->> 'current')::boolean THEN b.consent_id
            ELSE nextval(pg_get_serial_sequence('newsletter_consent', 'id')) END,
        b.subscriber_id, c ->> 'address', 'newsletter', c ->> 'text', c ->> 'text_version',
        c ->> 'text_sha256', c ->> 'page', (c ->> 'requested_at')::timestamptz,
        (c ->> 'confirmed_at')::timestamptz, (c ->> 'withdrawn_at')::timestamptz, c -> 'evidence'
    FROM newsletter_batch b
    CROSS JOIN LATERAL jsonb_array_elements(b.record -> 'consents') AS c
    WHERE b.own AND b.outcome IN ('new', 'promoted', 'left', 'pending')
"""

PROMOTE = """
    UPDATE newsletter_subscriber s
    SET status = 'confirmed', consent_id = b.consent_id, confirmed_at = b.confirmed_at,
        unsubscribed_at = NULL, unreachable_since = (b.record ->> 'unreachable_since')::timestamptz,
        name = CASE WHEN s.name = '' THEN b.name ELSE s.name END
    FROM newsletter_batch b
    WHERE s.id = b.known_id AND b.outcome = 'promoted'
"""

FILL_NAMES = """
    UPDATE newsletter_subscriber s SET name = b.name
    FROM newsletter_batch b
    WHERE s.id = b.known_id AND b.outcome = 'filled' AND s.name = '' AND b.name <> ''
"""

TAGGED = """
    FROM newsletter_batch b
    CROSS JOIN LATERAL unnest(b.tags) AS word
    WHERE b.outcome IN ('new', 'unproven', 'left', 'pending', 'promoted', 'filled')
"""
# In order, so that two imports that make the same tags wait for each other instead of forever.
ADD_TAGS = f"""
    INSERT INTO newsletter_tag (name)
    SELECT DISTINCT ON (lower(word)) word {TAGGED} ORDER BY lower(word), word
    ON CONFLICT DO NOTHING
"""
GIVE_TAGS = f"""
    INSERT INTO newsletter_subscriber_tags (subscriber_id, tag_id)
    SELECT DISTINCT b.subscriber_id, t.id
    {TAGGED.replace("WHERE", "JOIN newsletter_tag t ON lower(t.name) = lower(word) WHERE")}
    ON CONFLICT DO NOTHING
"""

MAKES_SUBSCRIBER = "('new', 'unproven', 'left', 'pending')"


class Raced(Exception):
    """Somebody signed up between looking and adding; the lines are decided anew."""


@dataclass(frozen=True)
class Range:
    """Some lines of an import, first and last included."""

    run: Import
    first: int
    last: int

    @property
    def params(self) -> dict[str, Any]:
        return {"run": self.run.pk, "first": self.first, "last": self.last}


def report(run: Import, numbered: Sequence[tuple[int, int, Row]]) -> dict[str, int]:
    """Keep these lines (number, file, row) with what would become of them; counts by outcome."""
    barred = _barred([row.address_key for _, _, row in numbered if row.wish != "none"])
    with connection.cursor() as cursor:
        cursor.execute(LOOK_UP)
        cursor.execute(INCOMING)
        cursor.execute("TRUNCATE newsletter_incoming")
        with cursor.copy(f"COPY newsletter_incoming ({COLUMNS}) FROM STDIN") as copy:
            for number, file_number, row in numbered:
                copy.write_row(_values(run.pk, number, file_number, row))
        first, last = numbered[0][0], numbered[-1][0]
        cursor.execute(REPORT, {"barred": barred})
        cursor.execute(REPORT_REPEATED, {"run": run.pk, "first": first, "last": last})
        return _counted(
            cursor,
            "FROM newsletter_importrow WHERE run_id = %s AND number BETWEEN %s AND %s",
            [run.pk, first, last],
        )


def take_over(lines: Range, *, now: datetime) -> dict[str, int]:
    """Let these lines happen, all or none of them; counts by outcome. Raises Raced."""
    params = {**lines.params, **_words(lines.run), "now": now}
    with connection.cursor() as cursor:
        cursor.execute(LOOK_UP)
        cursor.execute(LOCK, params)
        barred = _barred(_keys(cursor, lines))
        cursor.execute("DROP TABLE IF EXISTS newsletter_batch")
        cursor.execute(BATCH, {**params, "barred": barred})
        _let_the_returned_stay(cursor)
        _add_subscribers(cursor, params)
        for statement in (
            RESTATE,
            ADD_CONSENTS,
            ADD_OWN_CONSENTS,
            PROMOTE,
            FILL_NAMES,
            ADD_TAGS,
            GIVE_TAGS,
        ):
            cursor.execute(statement, params)
        _suppress(cursor, now)
        _unsubscribe(cursor, now)
        return _counted(cursor, "FROM newsletter_batch", [])


def _values(run: int, number: int, file_number: int, row: Row) -> tuple[Any, ...]:
    return (
        run,
        number,
        file_number,
        row.line,
        row.address,
        row.address_key,
        None,
        row.name,
        row.tags,
        row.wish,
        row.suppress,
        row.proven,
        row.requested_at,
        row.confirmed_at,
        row.left_at,
        row.created_at,
        Jsonb(row.evidence) if row.evidence is not None else None,
        Jsonb(row.record) if row.record is not None else None,
        row.note,
        row.outcome,
        "",
    )


def _words(run: Import) -> dict[str, str]:
    """What imported consents say they agreed to, and where."""
    text = run.consent_text or UNKNOWN_WORDS
    version = f"Import {run.consent_date or ''}".strip() if run.consent_text else UNKNOWN_VERSION
    return {
        "text": text,
        "version": version,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "page": f"Import: {run.source or run.file_name}"[:200],
    }


def _keys(cursor: CursorWrapper, lines: Range) -> list[str]:
    cursor.execute(
        "SELECT address_key FROM newsletter_importrow"
        " WHERE run_id = %(run)s AND number BETWEEN %(first)s AND %(last)s AND wish <> 'none'",
        lines.params,
    )
    return [key for (key,) in cursor.fetchall()]


def _barred(keys: Sequence[str]) -> list[str]:
    """Those of them that are suppressed, under any key addresses were ever hashed with."""
    if not keys or not Suppression.objects.exists():
        return []
    return list(Suppression.objects.among(keys))


def _add_subscribers(cursor: CursorWrapper, params: dict[str, Any]) -> None:
    cursor.execute(
        f"SELECT count(*) FROM newsletter_batch WHERE outcome IN {MAKES_SUBSCRIBER}"  # noqa: S608
    )
    (wanted,) = cursor.fetchone() or (0,)
    cursor.execute(ADD_SUBSCRIBERS, params)
    if cursor.rowcount != wanted:
        raise Raced


def _let_the_returned_stay(cursor: CursorWrapper) -> None:
    """A hash tells nobody's name, so look whether it is a reader's who has come back since.

    Only reasons that end with a sign-up of one's own are asked for; the others hold anyway.
    """
    lifted = list(Suppression.LIFTED_BY_THE_OWNER)
    cursor.execute(
        "SELECT record ->> 'address_hash', created_at FROM newsletter_batch"
        " WHERE record ->> 'address_hash' IS NOT NULL AND suppress <@ %s::varchar[]",
        [lifted],
    )
    since = dict(cursor.fetchall())
    if not since:
        return
    readers = Subscriber.objects.confirmed().values_list("address_key", "confirmed_at")
    returned = [
        digest
        for key, confirmed_at in readers.iterator()
        for digest in suppression_hashes(key)
        if digest in since and (since[digest] is None or since[digest] <= confirmed_at)
    ]
    cursor.execute(
        "UPDATE newsletter_batch SET outcome = 'same', why = 'returned'"
        " WHERE record ->> 'address_hash' = ANY(%s) AND suppress <@ %s::varchar[]",
        [returned, lifted],
    )


def _suppress(cursor: CursorWrapper, now: datetime) -> None:
    cursor.execute(
        "SELECT address_key, record ->> 'address_hash', suppress, created_at FROM newsletter_batch"
        " WHERE suppress <> '{}'"
        " AND outcome IN ('barred', 'new', 'unproven', 'left', 'pending', 'promoted')"
    )
    Suppression.objects.bulk_create(
        [
            Suppression(
                address_hash=digest or suppression_hashes(key)[0],
                reason=reason,
                created_at=(since if digest else None) or now,
            )
            for key, digest, reasons, since in cursor.fetchall()
            for reason in reasons
        ],
        ignore_conflicts=True,
    )


def _unsubscribe(cursor: CursorWrapper, now: datetime) -> None:
    """Take off whoever is on the list here and left or bounced there; the list's own rule does it."""
    cursor.execute(
        "SELECT known_public_id, coalesce(left_at, %(now)s) FROM newsletter_batch"
        " WHERE known_id IS NOT NULL AND outcome IN ('taken_off', 'barred')"
        " AND status <> 'unsubscribed'",
        {"now": now},
    )
    for public_id, left_at in cursor.fetchall():
        subscriptions.unsubscribe(public_id, now=left_at, by=Event.By.SYSTEM)


def _counted(cursor: CursorWrapper, source: str, params: list[int]) -> dict[str, int]:
    cursor.execute(f"SELECT outcome, count(*) {source} GROUP BY outcome", params)
    return {str(outcome): int(count) for outcome, count in cursor.fetchall()}
