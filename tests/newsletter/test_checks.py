"""What the operator is told before the first issue is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coaching_site import environment
from newsletter import return_paths
from newsletter.checks import the_inbox_is_whole


def ids(settings, address: str, host: str) -> list[str | None]:
    settings.INBOX_ADDRESS = address
    settings.INBOX = replace(settings.INBOX, host=host)
    return [found.id for found in the_inbox_is_whole()]


@pytest.mark.parametrize(
    ("address", "host", "missing"),
    [("post@praxis.example", "", "INBOX_URL"), ("", "mail.praxis.example", "INBOX_ADDRESS")],
)
def test_half_an_inbox_is_told(settings, address, host, missing):
    assert ids(settings, address, host) == ["newsletter.W001"]
    assert missing in the_inbox_is_whole()[0].msg


@pytest.mark.parametrize(
    ("address", "host"), [("", ""), ("post@praxis.example", "mail.praxis.example")]
)
def test_a_whole_inbox_and_none_are_good(settings, address, host):
    assert ids(settings, address, host) == []


def test_the_longest_name_that_is_let_in_leaves_room_for_what_is_added():
    assert environment.LONGEST_INBOX_NAME == return_paths.LONGEST_LOCAL_PART
