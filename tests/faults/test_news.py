"""A change shows at once on every host, and whoever cannot hear of changes keeps nothing."""

from __future__ import annotations

import time

import pytest

from tests.faults.conftest import LocalSite
from tests.running_site import Visitor, wait_until

# One after the other: each of them wants the machine for itself.
pytestmark = pytest.mark.xdist_group("faults")

# Without the notification a page would stay old until the next full minute.
AT_ONCE_SECONDS = 3
LINES = "SELECT pid FROM pg_stat_activity WHERE application_name = 'news'"
RENAME = "UPDATE pages_practice SET last_name = %s"
TRIGGER = "ALTER TABLE pages_practice {} TRIGGER tell_of_change"


def test_a_change_shows_at_once_in_every_process(local_site):
    local_site.start()

    def imprint() -> str:
        return Visitor(local_site.url).get("/impressum/").text

    def rename(name: str) -> None:
        local_site.query(RENAME, name)

    def shows_at_once(name: str) -> None:
        rename(name)
        # Ten in a row, so that each of the two processes has answered.
        wait_until(lambda: all(name in imprint() for _ in range(10)), AT_ONCE_SECONDS)

    _visit_until_all_listen(local_site)
    for name in ("Ahorn", "Birke", "Esche"):
        shows_at_once(name)

    # The control: a change nobody is told of stays unseen, so the pages really are kept.
    _begin_of_a_minute()
    assert "Esche" in imprint()
    local_site.query(TRIGGER.format("DISABLE"))
    rename("Linde")
    # Both processes are asked: one of them may not have made the page since Esche.
    assert any("Linde" not in imprint() for _ in range(40))
    local_site.query(TRIGGER.format("ENABLE"))

    # With the line cut nothing is kept; once it is up again, what was missed is not served.
    local_site.query(f"SELECT pg_terminate_backend(pid) FROM ({LINES}) AS lines")
    shows_at_once("Tanne")
    _visit_until_all_listen(local_site)
    shows_at_once("Fichte")


def _visit_until_all_listen(site: LocalSite) -> None:
    def both_listen() -> bool:
        Visitor(site.url).get("/impressum/")
        return len(site.query(LINES)) == 2

    wait_until(both_listen, 20)


def _begin_of_a_minute() -> None:
    """Far enough from a full minute, with which everything is made anew."""
    if time.time() % 60 > 50:
        time.sleep(61 - time.time() % 60)
