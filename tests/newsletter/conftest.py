"""What the list's tests share: a consent text, and people on every step of the way."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from newsletter import addresses, subscriptions
from newsletter.models import Issue, Subscriber
from pages import consent
from pages.models import Practice
from tests import mail_server
from tests.newsletter import issues

ADA = "ada@leser.example"
MINUTES = timedelta(minutes=1)
DAYS = timedelta(days=1)


def sign_up(address: str, now: datetime, page: str = "/newsletter/") -> Subscriber:
    parsed = addresses.parse(address)
    text = consent.current(Practice.current())
    subscriptions.subscribe(parsed, consent=text, page=page, now=now)
    return Subscriber.objects.get(address_key=parsed.key)


def path_in(message, name: str) -> str:
    """The path of the mail's link to that page."""
    found = re.search(rf"http://localhost:8000(/newsletter/{name}/\S+)", mail_server.text(message))
    assert found is not None
    return found[1]


def token_in(message) -> str:
    return path_in(message, "bestaetigen").split("/")[3]


@pytest.fixture
def ask(mailbox, run_jobs, now) -> Callable[..., str]:
    """Signs an address up and returns the token from the mail that asks to confirm."""

    def run(address: str = ADA, at: datetime = now) -> str:
        run_jobs()
        mailbox.clear()
        sign_up(address, at)
        run_jobs()
        (message,) = mailbox.messages
        return token_in(message)

    return run


@pytest.fixture
def pending(ask) -> Subscriber:
    ask()
    return Subscriber.objects.get()


@pytest.fixture
def reader(ask, mailbox, run_jobs, now) -> Subscriber:
    """Someone who confirmed their sign-up a minute later, and was welcomed."""
    confirmed = subscriptions.confirm(ask(), now=now + MINUTES)
    run_jobs()
    mailbox.clear()
    return confirmed


@pytest.fixture
def practice(db) -> Callable[..., Practice]:
    """Saves the practice's row with these values."""

    def save(**values: object) -> Practice:
        return Practice.objects.update_or_create(pk=1, defaults=values)[0]

    return save


@pytest.fixture
def own_files(settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def issue_sent(db, now) -> Issue:
    return Issue.objects.create(
        subject="Die erste",
        body="So war es.",
        slug="die-erste",
        status=Issue.Status.SENT,
        created_at=now,
        changed_at=now,
        started_at=now,
        finished_at=now,
        candidates=0,
    )


@pytest.fixture
def ready(admin_client) -> Issue:
    """A draft nothing speaks against, and two who would get it."""
    issues.readers(2)
    issue: Issue = issues.draft()
    return issue
