"""The whole house for strangers to knock at: a row behind every link, at a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.booking.conftest import calendar as calendar
from tests.booking.conftest import call_type as call_type
from tests.booking.conftest import clock as clock
from tests.booking.conftest import confirmed as confirmed
from tests.booking.conftest import held as held
from tests.booking.conftest import plain_static_files as plain_static_files
from tests.booking.conftest import point_to
from tests.newsletter.conftest import ask as ask
from tests.newsletter.conftest import reader as reader
from tests.security.house import House, furnish
from tests.stripe_sandbox import Sandbox


@pytest.fixture
def open_stripe(db, settings, now) -> Iterator[Sandbox]:
    """A Stripe that nobody settles accounts with: these tests undo what they did here, and not there."""
    with Sandbox(now=now.timestamp) as sandbox:
        point_to(sandbox, settings)
        yield sandbox


@pytest.fixture
def house(open_stripe, clock, settings, tmp_path, now) -> House:
    settings.MEDIA_ROOT = tmp_path
    settings.ANYMAIL = {
        **settings.ANYMAIL,
        "WEBHOOK_SECRET": "name:word",
        "MAILGUN_WEBHOOK_SIGNING_KEY": "x",
    }
    return furnish(open_stripe, media=tmp_path, now=now)
