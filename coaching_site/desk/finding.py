"""Finding people by half a name: one row an e-mail address, wherever it is known from."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Max, Min, Q
from django.db.models.functions import Lower

from booking.models import Booking
from newsletter import addresses
from newsletter.models import Subscriber

PAGE = 50
MOST_WORDS = 6

# Lower case without accents. Most names are plain ASCII, and nothing else is done to those: with
# a hundred thousand of them that is the time it takes.
PLAIN = r"""
    CASE WHEN octet_length({words}) = char_length({words}) THEN lower({words})
    ELSE lower(regexp_replace(
        normalize(replace({words}, 'ß', 'ss'), NFKD), '[\u0300-\u036f]', '', 'g'
    )) END
"""
# Where people are known from, and the row that leads to them, the most telling first. `contact` is
# when they were last heard of; an imported list is nobody's wish to talk.
SOURCES = """
    SELECT 1 AS rank, 'termin' AS kind, id, lower(email) AS address, name,
        concat_ws(' ', name, email, company) AS words,
        greatest(
            created_at, confirmed_at, moved_at, cancelled_at, CASE WHEN start <= %(now)s THEN start END
        ) AS contact
    FROM booking_booking WHERE email <> ''
    UNION ALL
    SELECT 2, 'abo', id, lower(address), name, concat_ws(' ', name, address), mail_requested_at
    FROM newsletter_subscriber
    UNION ALL
    SELECT 3, 'widerruf', id, lower(email), name, concat_ws(' ', name, email), received_at
    FROM booking_withdrawal
    UNION ALL
    SELECT 4, 'zitat', id, lower(email), person, concat_ws(' ', person, email), NULL
    FROM pages_testimonial WHERE email <> ''
    UNION ALL
    SELECT 5, 'anfrage', id, lower(address), '', address, asked_at
    FROM desk_personrequest WHERE address <> ''
    UNION ALL
    SELECT 6, 'notiz', id, address_key, '', address_key, at
    FROM desk_personnote
"""
PEOPLE = """
    SELECT address,
        (array_agg(kind ORDER BY rank, id DESC))[1],
        (array_agg(id ORDER BY rank, id DESC))[1],
        coalesce((array_agg(name ORDER BY rank, id DESC) FILTER (WHERE name <> ''))[1], '')
    FROM ({sources}) AS known
    WHERE {condition}
    GROUP BY address
    ORDER BY min(rank) > 1, max(contact) DESC NULLS LAST, address
    LIMIT %(limit)s OFFSET %(offset)s
"""
LATELY = PEOPLE.replace("min(rank) > 1, ", "")


@dataclass(frozen=True)
class Person:
    """One line of the list: who, and the row whose number their page goes by."""

    address: str
    kind: str
    pk: int
    name: str
    next_call: datetime | None
    last_call: datetime | None
    reader: Subscriber | None


def find(words: str, *, page: int, now: datetime) -> tuple[list[Person], bool]:
    """Whoever has all these words in name, company or address, guests first; is there more?

    Without words those who were heard of lately. Pages begin with 1.
    """
    asked = words.split()[:MOST_WORDS]
    conditions = [
        f"{PLAIN.format(words='words')} LIKE ANY(%(word{n})s)" for n, _ in enumerate(asked)
    ]
    sql = (PEOPLE if asked else LATELY).format(
        sources=SOURCES, condition=" AND ".join(conditions) or "contact IS NOT NULL"
    )
    values: dict[str, Any] = {"now": now, "limit": PAGE + 1, "offset": (page - 1) * PAGE}
    for number, word in enumerate(asked):
        values[f"word{number}"] = [f"%{_escaped(each)}%" for each in spellings(word)]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows = cursor.fetchall()
    return _with_their_calls(rows[:PAGE], now=now), len(rows) > PAGE


def spellings(word: str) -> list[str]:
    """„Müller“ is looked for as „muller“ and „mueller“, and „Mueller“ as „muller“ too."""
    spelled = word.lower().replace("ß", "ss")
    for letter in "äöü":
        spelled = spelled.replace(letter, f"{unicodedata.normalize('NFKD', letter)[0]}e")
    plain = _plain(word)
    squeezed = plain.replace("ae", "a").replace("oe", "o").replace("ue", "u")
    return list(dict.fromkeys((plain, _plain(spelled), squeezed)))


def _plain(word: str) -> str:
    letters = unicodedata.normalize("NFKD", word.replace("ß", "ss"))
    return "".join(each for each in letters if not unicodedata.combining(each)).lower()


def _escaped(word: str) -> str:
    for special in "\\%_":
        word = word.replace(special, f"\\{special}")
    return word


def _with_their_calls(rows: Sequence[tuple[str, str, int, str]], *, now: datetime) -> list[Person]:
    keys = {address: _key(address) for address, *_ in rows}
    calls = _calls(keys, now=now)
    readers = {
        row.address_key: row for row in Subscriber.objects.filter(address_key__in=keys.values())
    }
    return [
        Person(
            address, kind, pk, name, *calls.get(address, (None, None)), readers.get(keys[address])
        )
        for address, kind, pk, name in rows
    ]


def _calls(
    keys: Iterable[str], *, now: datetime
) -> dict[str, tuple[datetime | None, datetime | None]]:
    """The next and the last call of each address."""
    booked = Q(status=Booking.Status.CONFIRMED)
    of_them = Booking.objects.annotate(address=Lower("email")).filter(address__in=list(keys))
    return {
        address: (coming, past)
        for address, coming, past in of_them.values_list("address")
        .annotate(
            coming=Min("start", filter=booked & Q(end__gt=now)),
            past=Max("start", filter=booked & Q(end__lte=now)),
        )
        .order_by()
    }


def _key(address: str) -> str:
    """As the list of readers knows it: the domain in Punycode."""
    try:
        return addresses.parse(address).key
    except addresses.NotAnAddress:
        return address
