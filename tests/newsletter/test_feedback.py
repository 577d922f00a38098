"""What comes back: bounces, complaints, unsubscriptions; each counts once, and for today's address only."""

from __future__ import annotations

import pytest

from newsletter import return_paths
from newsletter.return_paths import Kind

INBOX = "post@praxis.example"


@pytest.fixture
def inbox(settings) -> str:
    settings.INBOX_ADDRESS = INBOX
    return INBOX


# --- the addresses ---


@pytest.mark.parametrize("delivery", [1, 255, 4711, 2**63 - 1])
def test_an_address_of_return_names_its_delivery_alone(inbox, delivery):
    bounce = return_paths.envelope_sender(delivery)
    leave = return_paths.unsubscribe_mailbox(delivery)
    message = return_paths.message_id(delivery)

    assert return_paths.read(bounce) == (Kind.BOUNCE, delivery)
    assert return_paths.read(leave) == (Kind.LEAVE, delivery)
    assert return_paths.read(message) == (Kind.MESSAGE, delivery)


def test_mail_systems_may_change_the_case_of_an_address_of_return(inbox):
    address = return_paths.envelope_sender(4711)

    assert return_paths.read(address.upper()) == (Kind.BOUNCE, 4711)
    assert return_paths.read(f"Post <{address}>") == (Kind.BOUNCE, 4711)


def test_an_address_of_return_fits_into_a_local_part(settings):
    settings.INBOX_ADDRESS = f"{'n' * return_paths.LONGEST_LOCAL_PART}@praxis.example"

    local = return_paths.envelope_sender(2**63 - 1).partition("@")[0]

    assert len(local) == 64


def test_nobody_can_make_an_address_of_return(inbox):
    address = return_paths.envelope_sender(4711)
    local, _, domain = address.partition("@")
    swapped = local[:-2] + ("aa" if local[-2:] != "aa" else "bb")

    assert return_paths.read(f"{swapped}@{domain}") is None
    # A bounce's address does not unsubscribe.
    assert return_paths.read(address.replace("+b-", "+a-")) is None
    assert return_paths.read("post+b-4711@praxis.example") is None
    assert return_paths.read(INBOX) is None


def test_addresses_of_return_outlive_a_change_of_the_key(inbox, settings):
    address = return_paths.envelope_sender(4711)

    settings.LINK_KEYS = ["new-key-" * 5, *settings.LINK_KEYS]

    assert return_paths.read(address) == (Kind.BOUNCE, 4711)


def test_without_an_inbox_bounces_go_to_the_sender():
    assert return_paths.envelope_sender(4711) == "post@praxis.example"
    assert return_paths.unsubscribe_mailbox(4711) == ""
