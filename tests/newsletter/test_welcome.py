"""The welcome: one mail after each confirmed sign-up, whatever happens to the job."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from django.utils import timezone

from newsletter import addresses, preferences, subscriptions, suppressions, tasks
from newsletter.errors import LinkGone
from newsletter.models import Event, Issue, Subscriber, Suppression
from pages import consent
from pages.models import Practice
from tests import mail_server
from tests.newsletter.conftest import ADA, DAYS, MINUTES, path_in, token_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def confirmed(ask, mailbox, now) -> Subscriber:
    """Someone who has just confirmed; their welcome waits in the queue."""
    row = subscriptions.confirm(ask(), now=now + MINUTES)
    mailbox.clear()
    return row


def again(row: Subscriber, since: datetime) -> None:
    """The job as a second worker would run it."""
    tasks.welcome(subscriber=row.pk, since=since.isoformat())


def test_the_welcome_tells_what_comes_how_often_and_every_way_out(
    confirmed, mailbox, run_jobs, client, now
):
    Practice.objects.create(
        pk=1, first_name="Kim", last_name="Muster & Co", newsletter_rhythm="alle zwei Wochen"
    )
    Issue.objects.create(
        subject="Eins", slug="eins", status="sent", created_at=now, changed_at=now,
        started_at=now, finished_at=now, candidates=0,
    )  # fmt: skip
    run_jobs()

    (message,) = mailbox.messages
    words = mail_server.text(message)
    assert message["Subject"] == "Du bist beim Newsletter dabei"
    assert message["X-Envelope-To"] == ADA
    assert "Der Newsletter von Kim Muster & Co kommt ab jetzt per E-Mail zu dir, alle zwei" in words
    assert "http://localhost:8000/newsletter/archiv/" in words
    assert client.get(path_in(message, "einstellungen")).status_code == 200
    page = mail_server.html(message)
    assert set(re.findall(r"http://localhost:8000(/newsletter/[^\s\"<]*)", words)) == set(
        re.findall(r'href="http://localhost:8000(/newsletter/[^"]*)"', page)
    )
    client.post(path_in(message, "abmelden"))
    confirmed.refresh_from_db()
    assert confirmed.status == "unsubscribed"


def test_mail_programs_may_offer_their_own_button(confirmed, mailbox, run_jobs, client):
    run_jobs()

    (message,) = mailbox.messages
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = re.fullmatch(
        r"<http://localhost:8000(/newsletter/abmelden/\S+/)>", message["List-Unsubscribe"].strip()
    )
    assert link is not None
    answer = client.post(link[1], "List-Unsubscribe=One-Click", "application/x-www-form-urlencoded")
    confirmed.refresh_from_db()
    assert (answer.status_code, confirmed.status) == (200, "unsubscribed")


def test_without_an_issue_no_empty_archive_is_offered(confirmed, mailbox, run_jobs):
    run_jobs()

    (message,) = mailbox.messages
    assert "/archiv/" not in mail_server.text(message) + mail_server.html(message)


def test_it_is_written_into_the_history_and_sent_once(confirmed, mailbox, run_jobs):
    run_jobs()

    again(confirmed, confirmed.confirmed_at)

    assert len(mailbox.messages) == 1
    assert confirmed.events.filter(kind=Event.Kind.WELCOME_MAIL).count() == 1


def test_a_worker_whose_clock_is_behind_sends_it_once_all_the_same(confirmed, mailbox, run_jobs):
    assert timezone.now() < confirmed.confirmed_at

    run_jobs()
    again(confirmed, confirmed.confirmed_at)

    assert len(mailbox.messages) == 1


def test_what_a_crash_before_noting_repeats_can_be_known_as_the_same(
    confirmed, mailbox, run_jobs, monkeypatch
):
    with monkeypatch.context() as killed:
        killed.setattr(subscriptions, "note_welcome", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_jobs()

    again(confirmed, confirmed.confirmed_at)
    again(confirmed, confirmed.confirmed_at)

    first, second = mailbox.messages
    assert first["Message-ID"] == second["Message-ID"]


def test_who_confirms_twice_is_welcomed_once(ask, mailbox, run_jobs, now):
    token = ask()
    subscriptions.confirm(token, now=now)
    subscriptions.confirm(token, now=now + MINUTES)
    mailbox.clear()

    assert run_jobs().count("newsletter.welcome") == 1
    assert len(mailbox.messages) == 1


def test_who_left_and_signed_up_again_is_welcomed_again(confirmed, ask, mailbox, run_jobs, now):
    run_jobs()
    subscriptions.unsubscribe(confirmed.public_id, now=now + DAYS)
    subscriptions.confirm(ask(at=now + 2 * DAYS), now=now + 2 * DAYS)
    mailbox.clear()

    run_jobs()

    assert len(mailbox.messages) == 1


def test_who_did_so_before_the_first_was_sent_gets_one(confirmed, mailbox, run_jobs, now):
    left_at = now + 2 * MINUTES
    subscriptions.unsubscribe(confirmed.public_id, now=left_at)
    text = consent.coming_back(Practice.current())
    subscriptions.come_back(confirmed.public_id, consent=text, page="/", now=left_at + MINUTES)

    run_jobs()

    assert len(mailbox.messages) == 1


@pytest.mark.parametrize("reason", Suppression.Reason.values)
def test_who_is_suppressed_meanwhile_gets_none(confirmed, mailbox, run_jobs, now, reason):
    Suppression.objects.add(confirmed.address_key, reason, now=now)

    run_jobs()

    assert mailbox.messages == []


def test_who_left_meanwhile_gets_none(confirmed, mailbox, run_jobs, now):
    subscriptions.unsubscribe(confirmed.public_id, now=now + 2 * MINUTES)

    run_jobs()

    assert mailbox.messages == []


def test_who_was_erased_meanwhile_gets_none(confirmed, mailbox, run_jobs, now):
    preferences.erase(confirmed.public_id, by=Event.By.READER, now=now + 2 * MINUTES)

    run_jobs()

    assert mailbox.messages == []


def test_taking_an_unsubscription_back_is_no_new_sign_up(reader, mailbox, run_jobs, now):
    subscriptions.unsubscribe(reader.public_id, now=now + DAYS)
    text = consent.coming_back(Practice.current())
    subscriptions.come_back(reader.public_id, consent=text, page="/", now=now + DAYS + MINUTES)

    assert run_jobs() == []


def test_nor_is_another_address(reader, mailbox, run_jobs, now):
    preferences.ask_to_move(
        reader,
        addresses.parse("neu@leser.example"),
        consent=consent.moving(Practice.current()),
        page="/",
        may_answer=True,
        now=timezone.now(),
    )
    run_jobs()
    (message,) = mailbox.messages
    preferences.move(path_in(message, "adresse").split("/")[3], now=timezone.now())

    assert run_jobs() == []


def test_a_confirmation_that_was_refused_is_not_welcomed(ask, mailbox, run_jobs, now):
    token = ask()
    assert token == token_in(mailbox.messages[0])
    mailbox.clear()
    suppressions.block(ADA, now=now)

    with pytest.raises(LinkGone):
        subscriptions.confirm(token, now=now)

    assert run_jobs() == []
    assert mailbox.messages == []
