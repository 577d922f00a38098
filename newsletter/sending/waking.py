"""Lets the lanes work: one job each, which sends for a while and leaves the rest to the next."""

from __future__ import annotations

from datetime import datetime

from coaching_site import jobs

# Of the four jobs a worker does at once two are left for the mails people wait for.
LANES = 2


def wake() -> None:
    """Start every lane that is not at work, in the caller's transaction."""
    for lane in range(LANES):
        wake_lane(lane)


def wake_lane(lane: int, *, at: datetime | None = None) -> None:
    """Start one lane, now or not before `at`. It never works twice at once."""
    jobs.enqueue_once("newsletter.deliver", key=f"newsletter.deliver.{lane}", at=at, lane=lane)
