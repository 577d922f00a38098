"""What has to be true after any fault, asked of the database, of the mailbox and of what guests were told."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC

from tests.faults.hosts.guests import Crowd
from tests.faults.hosts.site import Hosts

# What a test needs as a long past lies before 2020.
CONFIRMED = "SELECT email, start FROM booking_booking WHERE status = 'confirmed'"
OVERLAPS = """
    SELECT a.start FROM booking_booking a JOIN booking_booking b
    ON a.id < b.id AND a.calendar_id = b.calendar_id AND a.start < b."end" AND b.start < a."end"
    WHERE a.status = 'confirmed' AND b.status = 'confirmed' AND a.start > '2020-01-01' AND b.start > '2020-01-01'
"""
TO_GUESTS = """
    SELECT lower(b.email), count(*) FROM booking_notification n JOIN booking_booking b ON b.id = n.booking_id
    WHERE n.audience = 'guest' AND n.sent_at IS NOT NULL GROUP BY 1
"""
NOT_TWO_CONFIRMATIONS = """
    SELECT b.email FROM booking_booking b WHERE b.status = 'confirmed' AND b.start > '2020-01-01' AND 2 <>
    (SELECT count(*) FROM booking_notification n WHERE n.booking_id = b.id AND n.kind = 'confirmation')
"""


def problems(hosts: Hosts, crowds: Iterable[Crowd], *, repeats: int = 0) -> list[str]:
    """All that is not as it should be; mails may come again with the same Message-ID so often."""
    crowds = list(crowds)
    found = [sentence for crowd in crowds for sentence in crowd.strange]
    found += _forgotten(hosts, crowds)
    found += [f"two appointments at {start}" for (start,) in hosts.query(OVERLAPS)]
    found += [
        f"not two confirmations for {email}" for (email,) in hosts.query(NOT_TWO_CONFIRMATIONS)
    ]
    found += _mails(hosts, repeats)
    return found


def _forgotten(hosts: Hosts, crowds: list[Crowd]) -> Iterator[str]:
    confirmed = dict(hosts.query(CONFIRMED))
    for told in (told for crowd in crowds for told in crowd.booked):
        start = confirmed.get(told.address)
        if start is None:
            yield f"{told.address} was promised {told.start} and has nothing"
        elif f"{start.astimezone(UTC):%Y%m%dT%H%M%SZ}" != told.start:
            yield f"{told.address} was promised {told.start} and has {start}"


def _mails(hosts: Hosts, repeats: int) -> Iterator[str]:
    """Each mail that was owed came, and nothing else did."""
    copies: dict[str, Counter[str]] = defaultdict(Counter)
    for mail in hosts.mailbox.messages:
        copies[str(mail["X-Envelope-To"]).lower()][str(mail["Message-ID"])] += 1
    again = sum(
        count - 1
        for address, mails in copies.items()
        if address.endswith("@firma.example")
        for count in mails.values()
    )
    if again > repeats:
        yield f"{again} mails came again, {repeats} may"
    owed = dict(hosts.query(TO_GUESTS))
    for address, mails in copies.items():
        if address.startswith("gast") and owed.get(address, 0) != len(mails):
            yield f"{address} is owed {owed.get(address, 0)} mails and got {len(mails)}"
    seen_before = hosts.mails_before
    for address in owed.keys() - copies.keys() - seen_before:
        yield f"{address} is owed a mail and got none"
