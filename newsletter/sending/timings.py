"""How long things may take while an issue is sent, in seconds.

`SENDING_TIMINGS` in the environment changes single ones, so that a crash or an outage can be watched
in seconds instead of minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings


@dataclass(frozen=True)
class Timings:
    # A job sends so long and then lets the next one go on: a stopping worker waits 30 seconds.
    slice: float = 20.0
    # Nobody holds a mail longer than this; whoever does, died. Longer than all answers together.
    lease: float = 300.0
    # How long the mail server may think about a mail (RFC 5321 section 4.5.3.2.6 would say ten
    # minutes); every other answer has `EMAIL_TIMEOUT`.
    verdict: float = 60.0
    # The mail server as a whole says no: when to ask again, by how often it did so in a row.
    first_pause: float = 30.0
    longest_pause: float = 900.0
    # It asks to come back later with one mail: when to, at first and at most, and for how long.
    first_deferral: float = 300.0
    longest_deferral: float = 6 * 3600.0
    patience: float = 3 * 24 * 3600.0
    # A job that would have to wait longer than this for the pace ends instead.
    longest_wait: float = 3.0
    # An issue whose time is longer over than this is not sent by itself.
    late: float = 3600.0

    def pause(self, number: int) -> timedelta:
        """How long the whole sending rests after so many refusals in a row: 30, 30, 60, 60, 120 …"""
        return timedelta(
            seconds=min(self.first_pause * 2 ** (max(number - 1, 0) // 2), self.longest_pause)
        )

    def deferral(self, attempts: int) -> timedelta:
        """How long one mail rests after so many attempts."""
        return timedelta(
            seconds=min(self.first_deferral * 2 ** max(attempts - 1, 0), self.longest_deferral)
        )

    def lease_ran_out(self, now: datetime) -> datetime:
        """What was taken before this time is held by nobody any more."""
        return now - timedelta(seconds=self.lease)


def current() -> Timings:
    return Timings(**settings.SENDING_TIMINGS)
