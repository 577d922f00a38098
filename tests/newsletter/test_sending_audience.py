"""Who gets an issue: counted while it is written, frozen when it leaves."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from newsletter.models import Delivery, Subscriber, Suppression, Tag, suppression_hashes
from newsletter.sending import audience
from tests.newsletter.issues import draft, readers

pytestmark = pytest.mark.django_db


def tagged(name: str, *people: Subscriber) -> Tag:
    tag = Tag.objects.create(name=name)
    tag.subscribers.add(*people)
    return tag


def test_a_reader_with_two_of_the_tags_counts_once(now):
    ada, bob, _ = readers(3)
    berlin, cto = tagged("Berlin", ada, bob), tagged("CTO", ada)
    issue = draft()
    issue.tags.set([berlin, cto])

    frozen = audience.freeze(issue, now=now)

    assert audience.count([berlin, cto]) == 2
    assert (frozen.candidates, frozen.prepared, frozen.excluded) == (2, 2, 0)
    assert set(issue.deliveries.values_list("subscriber", flat=True)) == {ada.pk, bob.pk}


def test_only_those_who_confirmed_are_chosen(now):
    readers(1)
    for number, status in enumerate(("pending", "unsubscribed", "unproven")):
        Subscriber.objects.create(
            address=f"p{number}@leser.example",
            address_key=f"p{number}@leser.example",
            status=status,
            created_at=now,
            unsubscribed_at=now if status == "unsubscribed" else None,
        )

    assert audience.freeze(draft(), now=now).candidates == audience.count([]) == 1


@pytest.mark.parametrize("key", [0, 1])
def test_suppressed_and_unreachable_readers_are_in_the_ledger_with_the_reason(now, settings, key):
    settings.LINK_KEYS = ["a-new-key-" * 5, "an-older-key-" * 4]
    _, suppressed, unreachable = readers(3)
    Suppression.objects.create(
        address_hash=suppression_hashes(suppressed.address_key)[key],
        reason=Suppression.Reason.COMPLAINT,
        created_at=now,
    )
    Subscriber.objects.filter(pk=unreachable.pk).update(unreachable_since=now)

    frozen = audience.freeze(draft(), now=now)

    assert (frozen.candidates, frozen.prepared, frozen.excluded) == (3, 1, 2)
    assert audience.count([]) == 1
    excluded = Delivery.objects.filter(state="excluded")
    assert set(excluded.values_list("subscriber", "why")) == {
        (suppressed.pk, "suppressed"),
        (unreachable.pk, "unreachable"),
    }


def test_the_audience_is_frozen_once(now):
    readers(2)
    issue = draft()
    audience.freeze(issue, now=now)

    with pytest.raises(IntegrityError), transaction.atomic():
        audience.freeze(issue, now=now)

    assert issue.deliveries.count() == 2
