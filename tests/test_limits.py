"""Counting tries: exact, for everybody at once, and forgotten in time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connections, transaction
from procrastinate.contrib.django import app

from coaching_site import limits
from coaching_site.desk.models import Hits
from coaching_site.limits import TooMany

HOUR = timedelta(hours=1)


def hit(now, key="ada@example.org", scope="test", limit=2):
    limits.hit(scope, key, limit=limit, per=HOUR, now=now)


@pytest.mark.django_db
def test_the_limit_itself_is_still_allowed(now):
    hit(now)
    hit(now)

    with pytest.raises(TooMany) as refusal:
        hit(now + timedelta(minutes=20))

    assert refusal.value.retry_after == timedelta(minutes=40)
    assert "in 40\u00a0Minuten noch einmal" in refusal.value.message


@pytest.mark.django_db
def test_the_count_starts_anew_when_its_time_is_over(now):
    for _ in range(2):
        hit(now)

    hit(now + HOUR)

    assert Hits.objects.get().count == 1


@pytest.mark.django_db
def test_people_and_purposes_are_counted_apart(now):
    for _ in range(2):
        hit(now)

    hit(now, key="ben@example.org")
    hit(now, scope="anders")


@pytest.mark.django_db
def test_refused_tries_count_as_well(now):
    for _ in range(2):
        hit(now)
    for _ in range(3):
        with pytest.raises(TooMany):
            hit(now)

    assert Hits.objects.get().count == 5


@pytest.mark.django_db
def test_who_tried_cannot_be_read_from_the_table(now):
    hit(now)

    row = Hits.objects.get()
    assert "ada" not in row.key
    assert len(row.key) == 64


@pytest.mark.django_db
def test_who_tried_cannot_be_found_out_without_the_key(now, settings):
    hit(now)
    settings.LINK_KEYS = ["another-key-" * 4]
    hit(now)

    assert Hits.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_those_who_try_at_once_are_all_counted(now):
    def run(_: int) -> bool:
        try:
            hit(now, limit=5)
        except TooMany:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(8) as crowd:
        allowed = list(crowd.map(run, range(20)))

    assert (sum(allowed), Hits.objects.get().count) == (5, 20)


@pytest.mark.django_db(transaction=True)
def test_a_count_inside_a_transaction_that_may_be_undone_is_a_mistake(now):
    with pytest.raises(RuntimeError), transaction.atomic():
        hit(now)


@pytest.mark.django_db
def test_the_job_forgets_what_is_over(now, monkeypatch):
    hit(now)
    hit(now + HOUR, key="ben@example.org")
    monkeypatch.setattr("django.utils.timezone.now", lambda: now + HOUR)

    app.tasks["desk.forget_hits"](timestamp=0)

    assert Hits.objects.get().ends_at == now + 2 * HOUR


@pytest.mark.django_db
def test_somebody_is_counted_in_one_row(now):
    hit(now)
    twin = Hits.objects.get()
    twin.pk = None

    with pytest.raises(IntegrityError, match="hits_once"), transaction.atomic():
        twin.save()


@pytest.mark.parametrize(
    ("length", "value"),
    [(timedelta(0), "1"), (timedelta(milliseconds=1500), "2"), (HOUR, "3600")],
)
def test_the_header_is_whole_seconds_and_never_too_early(length, value):
    assert limits.seconds(length) == value
