"""How the list grew, and what the public page may say of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from newsletter import growth, preferences, subscriptions
from newsletter.growth import Month
from newsletter.models import Consent, Event, Subscriber
from newsletter.subscriptions import put_on_the_list
from pages import consent
from tests.newsletter.conftest import ADA, DAYS, sign_up
from tests.newsletter.test_coming_back import come_back
from tests.newsletter.test_views import shown

pytestmark = pytest.mark.django_db

JANUARY = datetime(2027, 1, 10, 12, tzinfo=UTC)


def join(address: str, at: datetime) -> Subscriber:
    row = sign_up(address, at)
    put_on_the_list(row, row.consents.open().get(), now=at)
    return row


def many(count: int) -> None:
    """So many confirmed readers at once."""
    text = consent.ConsentText("Ja.")
    rows = Consent.objects.bulk_create(
        Consent(
            address="x",
            text=text.text,
            text_version=text.version,
            text_sha256=text.sha256,
            page="/",
            requested_at=JANUARY,
            confirmed_at=JANUARY,
        )
        for _ in range(count)
    )
    Subscriber.objects.bulk_create(
        Subscriber(
            address=f"{number}@leser.example",
            address_key=f"{number}@leser.example",
            status="confirmed",
            consent=row,
            created_at=JANUARY,
            confirmed_at=JANUARY,
        )
        for number, row in enumerate(rows)
    )


def numbers(now: datetime) -> list[tuple[int, int, int]]:
    return [(month.joined, month.left, month.readers) for month in growth.months(now=now)]


def test_months_tell_who_came_who_left_and_who_reads_at_their_end():
    first, second = join("a@leser.example", JANUARY), join("b@leser.example", JANUARY + DAYS)
    join("c@leser.example", JANUARY + 70 * DAYS)
    subscriptions.unsubscribe(first.public_id, now=JANUARY + 70 * DAYS)
    preferences.erase(second.public_id, by=Event.By.COACH, now=JANUARY + 71 * DAYS)

    assert growth.months(now=JANUARY + 75 * DAYS) == [
        Month(date(2027, 1, 1), joined=2, left=0, readers=2),
        Month(date(2027, 2, 1), joined=0, left=0, readers=2),
        Month(date(2027, 3, 1), joined=1, left=2, readers=1),
    ]


def test_months_end_by_the_clock_in_berlin():
    join(ADA, datetime(2027, 1, 31, 23, 30, tzinfo=UTC))

    (month,) = growth.months(now=JANUARY + 40 * DAYS)
    assert (month.first_day, month.readers) == (date(2027, 2, 1), 1)


def test_taking_an_unsubscription_back_is_neither_leaving_nor_coming():
    row = join(ADA, JANUARY)
    subscriptions.unsubscribe(row.public_id, now=JANUARY + DAYS)
    assert come_back(row, JANUARY + DAYS + timedelta(minutes=1))

    assert numbers(JANUARY + 2 * DAYS) == [(1, 0, 1)]


def test_who_leaves_and_signs_up_anew_left_and_came():
    row = join(ADA, JANUARY)
    subscriptions.unsubscribe(row.public_id, now=JANUARY + DAYS)
    join(ADA, JANUARY + 40 * DAYS)

    assert numbers(JANUARY + 41 * DAYS) == [(1, 1, 0), (1, 0, 1)]


def test_an_empty_list_has_one_empty_month():
    assert numbers(JANUARY) == [(0, 0, 0)]


def test_two_years_are_shown_and_what_was_before_counts():
    join(ADA, JANUARY - 1000 * DAYS)

    months = growth.months(now=JANUARY)
    assert len(months) == growth.MONTHS_SHOWN
    assert (months[0].joined, months[0].readers) == (0, 1)


def test_key_figures_are_true():
    row = join("a@leser.example", JANUARY)
    join("b@leser.example", JANUARY)
    sign_up("c@leser.example", JANUARY)
    subscriptions.unsubscribe(row.public_id, now=JANUARY + DAYS)

    found = growth.figures(now=JANUARY + 2 * DAYS)
    assert (found.readers, found.pending, found.unsubscribed) == (1, 1, 1)
    assert (found.joined_lately, found.left_lately) == (2, 1)
    later = growth.figures(now=JANUARY + 60 * DAYS)
    assert (later.joined_lately, later.left_lately) == (0, 0)


def test_a_longer_list_takes_as_many_queries():
    asked = []
    for count in (1, 30):
        for number in range(count):
            join(f"{count}-{number}@leser.example", JANUARY + number * DAYS)
        with CaptureQueriesContext(connection) as queries:
            growth.months(now=JANUARY + 60 * DAYS)
            growth.figures(now=JANUARY + 60 * DAYS)
        asked.append(len(queries))

    assert asked[0] == asked[1]


# --- what the public page says ---


@pytest.mark.parametrize(
    ("readers", "said"), [(0, ""), (49, ""), (50, "50"), (99, "99"), (119, "110"), (1234, "1200")]
)
def test_the_page_rounds_down_and_says_nothing_of_a_small_list(client, practice, readers, said):
    practice(readers_counted=True)
    many(readers)

    for path in ("/", "/newsletter/"):
        page = shown(client.get(path))
        assert ("Werde ein Teil von" in page) is bool(said)
        assert f"Werde ein Teil von {said}" in page or not said
        assert "5000" not in page


def test_large_numbers_are_written_as_germans_do(monkeypatch):
    monkeypatch.setattr(Subscriber.objects.__class__, "reachable", lambda _: _Counted(123_456))

    assert growth.claim() == "120.000"


class _Counted:
    def __init__(self, rows: int) -> None:
        self.rows = rows

    def count(self) -> int:
        return self.rows


def test_whose_mail_comes_back_is_not_claimed_and_is_a_figure_of_its_own(now):
    many(60)
    rows = Subscriber.objects.order_by("pk")[:10]
    Subscriber.objects.filter(pk__in=rows).update(unreachable_since=now)

    found = growth.figures(now=now)
    assert growth.claim() == "50"
    assert (found.readers, found.unreachable) == (50, 10)


def test_only_confirmed_readers_count(practice, client, now):
    practice(readers_counted=True)
    many(60)
    for number in range(50):
        sign_up(f"wartet-{number}@leser.example", now)

    assert "Werde ein Teil von 60 CTOs" in shown(client.get("/newsletter/"))


def test_switched_off_the_coachs_own_number_stands_and_nothing_is_counted(client, practice):
    practice(readers_counted=False)

    with CaptureQueriesContext(connection) as queries:
        page = shown(client.get("/newsletter/"))

    assert "Werde ein Teil von 5000 CTOs" in page
    assert not any("newsletter_subscriber" in query["sql"] for query in queries.captured_queries)


def test_counting_is_one_query_and_only_where_it_is_shown(client, practice):
    practice(readers_counted=True)

    for path, times in (("/", 1), ("/newsletter/", 1), ("/impressum/", 0), ("/angebot/", 0)):
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        counted = [each for each in queries if "newsletter_subscriber" in each["sql"]]
        assert len(counted) == times, path
