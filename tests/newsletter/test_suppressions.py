"""Who must get nothing: one question for many, and the coach's own no."""

from __future__ import annotations

import pytest

from newsletter import models, subscriptions, suppressions
from newsletter.errors import LinkGone
from newsletter.models import Event, Suppression
from tests.newsletter.conftest import ADA, DAYS, MINUTES, sign_up

pytestmark = pytest.mark.django_db


def test_the_suppressed_among_many_are_found_with_one_query(now, django_assert_num_queries):
    for number, reason in enumerate(Suppression.Reason.values):
        Suppression.objects.add(f"{number}@leser.example", reason, now=now)

    with django_assert_num_queries(1):
        found = Suppression.objects.among(f"{number}@leser.example" for number in range(500))

    assert found == {f"{number}@leser.example" for number in range(len(Suppression.Reason))}


def test_very_many_are_asked_for_in_pieces(now, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(models, "HASHES_AT_ONCE", 10)
    Suppression.objects.add("19@leser.example", "blocked", now=now)

    with django_assert_num_queries(2):
        found = Suppression.objects.among([f"{number}@leser.example" for number in range(20)])

    assert found == {"19@leser.example"}


def test_nobody_is_asked_about_no_query_and_nobody_is_found():
    assert Suppression.objects.among([]) == set()


def test_a_new_key_still_finds_what_the_old_one_suppressed(now, settings):
    Suppression.objects.add(ADA, "complaint", now=now)
    settings.LINK_KEYS = ["a-new-key-that-nobody-knows-yet-" * 2, *settings.LINK_KEYS]

    assert Suppression.objects.among([ADA, "bob@leser.example"]) == {ADA}


def test_the_address_itself_is_not_stored(now):
    Suppression.objects.add(ADA, "blocked", now=now)

    assert "ada" not in str(list(Suppression.objects.values()))


def test_blocking_takes_off_the_list_and_answers_no_sign_up(reader, mailbox, run_jobs, now):
    mailbox.clear()

    suppressions.block(ADA, now=now + DAYS)
    sign_up(ADA, now + 2 * DAYS)
    run_jobs()

    reader.refresh_from_db()
    assert reader.consent.withdrawn_at == now + DAYS
    assert mailbox.messages == []
    happened = set(reader.events.values_list("kind", "by"))
    assert {("left", "coach"), ("blocked", "coach")} <= happened


def test_a_link_that_was_sent_before_does_not_get_around_the_block(ask, now):
    token = ask()
    suppressions.block(ADA, now=now + MINUTES)

    with pytest.raises(LinkGone):
        subscriptions.confirm(token, now=now + MINUTES)


def test_lifting_the_block_puts_nobody_on_the_list(reader, now):
    suppressions.block(ADA, now=now + DAYS)

    assert suppressions.unblock(ADA, now=now + 2 * DAYS)

    reader.refresh_from_db()
    assert reader.status == "unsubscribed"
    assert Suppression.objects.among([ADA]) == set()
    assert reader.events.filter(kind=Event.Kind.UNBLOCKED).count() == 1


def test_lifting_the_block_leaves_a_complaint_alone(now):
    Suppression.objects.add(ADA, "complaint", now=now)

    assert not suppressions.unblock(ADA, now=now)
    assert Suppression.objects.among([ADA]) == {ADA}


def test_strangers_can_be_blocked_and_blocking_twice_is_once(now):
    for _ in range(2):
        suppressions.block("spam@leser.example", now=now)

    assert Suppression.objects.count() == 1
