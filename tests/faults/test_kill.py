"""`kill -9` of any part during bookings: nothing acknowledged is lost, nothing is left half done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from tests.faults.conftest import LocalSite
from tests.running_site import Visitor, wait_until

# One after the other: each of them wants the machine for itself.
pytestmark = pytest.mark.xdist_group("faults")

GUESTS = 24
SPREAD_SECONDS = 6.0
# Of mails claimed before this moment; a claim lives three minutes.
CLAIMS_END = """
    UPDATE booking_notification SET claimed_until = now()
    WHERE sent_at IS NULL AND claimed_until < %s + interval '3 minutes'
"""


@dataclass
class Crowd:
    """Guests who book one after the other, each as often as it takes to get an answer."""

    site: LocalSite
    acknowledged: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    def run(self, fault: Callable[[], None]) -> datetime:
        """Returns when the fault was made."""
        slots = free_slots(self.site, GUESTS)
        guests = [
            threading.Thread(target=self._book, args=(number, slot))
            for number, slot in enumerate(slots)
        ]
        for number, guest in enumerate(guests):
            guest.start()
            if number == GUESTS // 2:
                fault()
                made_at = datetime.now(UTC)
            time.sleep(SPREAD_SECONDS / GUESTS)
        for guest in guests:
            guest.join()
        return made_at

    def _book(self, number: int, slot: str) -> None:
        address = f"gast{number}@firma.example"
        try:
            page = Visitor(self.site.url).book(slot, f"Gast {number}", address)
        except OSError:
            return  # no answer: nothing was promised
        if "/gebucht/" in page.url and page.status == 200:
            self.acknowledged.append(address)
        elif page.status >= 500 and "Es liegt an uns." not in page.text:
            self.strange.append(page.text)


def free_slots(site: LocalSite, wanted: int) -> list[str]:
    visitor = Visitor(site.url)
    found: list[str] = []
    days = visitor.get("/termin/kennenlernen/").links(r"^/termin/kennenlernen/2\d{3}-")
    # Not the first day: its next time may come too close while somebody is still typing.
    for day in days[1:]:
        # Every second one: the pause after a call takes the next.
        found += visitor.get(day).links("/zeit/")[::2]
    assert len(found) >= wanted
    return found[:wanted]


@pytest.mark.parametrize("part", ["web", "worker", "database"])
def test_what_was_acknowledged_survives_a_kill(local_site, part):
    local_site.start()
    crowd = Crowd(local_site)

    killed_at = crowd.run(fault=lambda: local_site.kill(part))
    local_site.wait_until_well()
    # What a killed worker had claimed waits until that claim runs out; here that is at once.
    local_site.query(CLAIMS_END, killed_at)

    assert crowd.strange == []
    assert len(crowd.acknowledged) >= GUESTS // 4, "the site did not come back"
    confirmed = {
        email
        for (email,) in local_site.query(
            "SELECT email FROM booking_booking WHERE status = 'confirmed'"
        )
    }
    assert confirmed >= set(crowd.acknowledged)
    # Every confirmed call has its two mails in the ledger, and each is sent in the end.
    owed = "SELECT count(*) FROM booking_notification WHERE sent_at IS NULL"
    wait_until(lambda: local_site.query(owed) == [(0,)], seconds=120)
    assert local_site.query(
        "SELECT count(*) FROM booking_booking b WHERE status = 'confirmed' AND 2 <>"
        " (SELECT count(*) FROM booking_notification n WHERE n.booking_id = b.id)"
    ) == [(0,)]
    mailed = {address for address in confirmed if local_site.mailbox.to(address)}
    assert mailed == confirmed
    # A hold that was not answered ends by its time; nothing else is left.
    assert local_site.query(
        "SELECT count(*) FROM booking_booking"
        " WHERE NOT (status = 'confirmed' AND confirmed_at IS NOT NULL)"
        " AND NOT (status = 'held' AND held_until IS NOT NULL)"
    ) == [(0,)]


def test_a_mail_a_killed_worker_was_sending_is_sent_by_the_next(local_site):
    local_site.start()
    local_site.mailbox.answer_after = 20
    [slot] = free_slots(local_site, 1)
    Visitor(local_site.url).book(slot, "Ada", "ada@firma.example")
    doing = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'"
    wait_until(lambda: local_site.query(doing) == [(2,)])

    local_site.kill("worker")
    local_site.mailbox.answer_after = 0

    # The killed worker's jobs are nobody's: this is what would be lost without the rescue.
    assert local_site.query(doing) == [(2,)]
    # Its claims are still good; here their three minutes pass at once.
    passed = "UPDATE booking_notification SET claimed_until = now() RETURNING id"
    assert len(local_site.query(passed)) == 2
    wait_until(lambda: bool(local_site.mailbox.to("ada@firma.example")), seconds=120)
    # The mail is there a moment before the ledger says so.
    owed = "SELECT count(*) FROM booking_notification WHERE sent_at IS NULL"
    wait_until(lambda: local_site.query(owed) == [(0,)], seconds=20)
