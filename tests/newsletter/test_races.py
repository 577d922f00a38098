"""Two at once: whoever comes second sees what the first one did. With controls, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from newsletter import preferences, subscriptions, suppressions
from newsletter.errors import LinkGone
from newsletter.models import Consent, Event, Subscriber, Suppression
from tests.newsletter.conftest import ADA, DAYS, MINUTES, path_in, sign_up
from tests.newsletter.test_coming_back import come_back
from tests.newsletter.test_preferences import NEW, ask_to_move

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 6


def at_once(*deeds: Callable[[], object]) -> list[object]:
    """Do all of these at the same moment; returns what came of each, or its LinkGone."""
    start = Barrier(len(deeds))

    def run(deed: Callable[[], object]) -> object:
        try:
            start.wait(timeout=20)
            return deed()
        except LinkGone as gone:
            return gone
        finally:
            connection.close()

    with ThreadPoolExecutor(len(deeds)) as people:
        return list(people.map(run, deeds))


def state() -> list[tuple[str, bool]]:
    return [
        (row.status, row.consent is not None and row.consent.withdrawn_at is None)
        for row in Subscriber.objects.select_related("consent")
    ]


def test_confirming_and_leaving_at_once_ends_on_the_list_or_off_it_and_never_between(ask, now):
    for number in range(ROUNDS):
        moment = now + number * DAYS
        token = ask(at=moment)
        public_id = Subscriber.objects.get().public_id

        at_once(
            partial(subscriptions.confirm, token, now=moment + MINUTES),
            partial(subscriptions.unsubscribe, public_id, now=moment + MINUTES),
        )

        # Whichever was first, who said that they want to leave has left.
        assert state()[0][0] == "unsubscribed"
        assert Consent.objects.filter(confirmed_at__isnull=False, withdrawn_at=None).count() == 0


def test_confirming_and_being_erased_at_once_leaves_nobody(ask, now):
    for number in range(ROUNDS):
        moment = now + number * DAYS
        token = ask(at=moment)
        public_id = Subscriber.objects.get().public_id

        at_once(
            partial(subscriptions.confirm, token, now=moment + MINUTES),
            partial(preferences.erase, public_id, by=Event.By.READER, now=moment + MINUTES),
        )

        assert Subscriber.objects.count() == 0
        assert not Consent.objects.exclude(address="").exists()


def test_leaving_and_being_erased_at_once_leaves_nobody(reader, now):
    at_once(
        lambda: subscriptions.unsubscribe(reader.public_id, now=now + DAYS),
        lambda: preferences.erase(reader.public_id, by=Event.By.READER, now=now + DAYS),
    )

    assert Subscriber.objects.count() == 0
    assert Consent.objects.get().withdrawn_at == now + DAYS


def test_signing_up_and_being_erased_at_once_is_a_new_beginning_or_none(reader, now):
    at_once(
        lambda: sign_up(ADA, now + 2 * DAYS),
        lambda: preferences.erase(reader.public_id, by=Event.By.READER, now=now + 2 * DAYS),
    )

    rows = list(Subscriber.objects.all())
    assert [row.public_id == reader.public_id for row in rows] in ([], [False])
    assert all(row.status == "pending" for row in rows)


def test_ten_people_who_press_the_same_undo_button_make_one_consent(reader, now):
    subscriptions.unsubscribe(reader.public_id, now=now + DAYS)

    done = at_once(*[lambda: come_back(reader, now + DAYS + MINUTES)] * 10)

    assert sorted(map(bool, done)) == [False] * 9 + [True]
    assert Consent.objects.count() == 2


def test_a_change_of_address_and_a_sign_up_with_it_at_once_make_one_reader(
    client, reader, mailbox, run_jobs
):
    mailbox.clear()
    ask_to_move(client, reader)
    run_jobs()
    token = path_in(mailbox.to(NEW)[0], "adresse").split("/")[3]

    at_once(
        lambda: preferences.move(token, now=timezone.now()),
        lambda: sign_up(NEW, timezone.now()),
    )

    readers = Subscriber.objects.confirmed()
    assert [row.address for row in readers] == [NEW]
    assert Consent.objects.filter(confirmed_at__isnull=False, withdrawn_at=None).count() == 1


def test_blocking_and_confirming_at_once_ends_off_the_list(ask, now):
    token = ask()

    at_once(
        lambda: subscriptions.confirm(token, now=now + MINUTES),
        lambda: suppressions.block(ADA, now=now + MINUTES),
    )

    assert state()[0][0] == "unsubscribed"
    assert Suppression.objects.among([ADA]) == {ADA}


@pytest.mark.parametrize("first", ["confirm", "leave"])
def test_control_one_after_the_other_it_depends_on_the_order(ask, now, first):
    token = ask()
    public_id = Subscriber.objects.get().public_id
    if first == "confirm":
        subscriptions.confirm(token, now=now + MINUTES)
        subscriptions.unsubscribe(public_id, now=now + 2 * MINUTES)
    else:
        subscriptions.unsubscribe(public_id, now=now + MINUTES)
        with pytest.raises(LinkGone):
            subscriptions.confirm(token, now=now + 2 * MINUTES)

    assert state() == [("unsubscribed", False)]
    assert Consent.objects.count() == (1 if first == "confirm" else 0)
