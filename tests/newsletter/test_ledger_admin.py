"""What the desk shows of mails sent: the ledger, the pace, what came back."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from newsletter import ledger_admin
from newsletter.models import (
    Delivery,
    Feedback,
    Issue,
    Pace,
    Picture,
    Subscriber,
    Tag,
)
from tests.newsletter import issues
from tests.newsletter.issue_desk import DELIVERIES, page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


def mailed(issue: Issue, people: list[Subscriber], **what: object) -> list[Delivery]:
    return Delivery.objects.bulk_create(
        Delivery(issue=issue, subscriber=person, **what) for person in people
    )


def test_the_ledger_is_found_by_address_state_and_reason(admin_client, issue_sent, now):
    ada, bob = issues.readers(2)
    mailed(issue_sent, [ada], state="sent", sent_at=now)
    mailed(issue_sent, [bob], state="failed", why="no_mailbox", code="550 5.1.1")

    for query in ("?q=reader1@", "?state__exact=failed", "?why__exact=no_mailbox"):
        shown = page(admin_client.get(DELIVERIES + query))
        assert "reader1@leser.example" in shown
        assert "550 5.1.1" in shown
        assert "reader0@leser.example" not in shown


def test_the_ledger_is_only_looked_at(admin_client, issue_sent, now):
    (row,) = mailed(issue_sent, issues.readers(1), state="sent", sent_at=now)

    shown = page(admin_client.get(f"{DELIVERIES}{row.pk}/change/"))

    assert "angenommen" in shown
    assert 'name="_save"' not in shown
    assert (
        admin_client.post(f"{DELIVERIES}{row.pk}/change/", {"state": "failed"}).status_code == 403
    )
    assert admin_client.get(f"{DELIVERIES}add/").status_code == 403


def test_a_ledger_of_years_is_not_counted_through(admin_client, issue_sent, now, monkeypatch):
    monkeypatch.setattr(ledger_admin, "COUNTED", 60)
    mailed(issue_sent, issues.readers(70), state="sent", sent_at=now)

    with CaptureQueriesContext(connection) as asked:
        answer = admin_client.get(DELIVERIES)

    assert answer.context["cl"].result_count == 61
    counts = [each["sql"] for each in asked if "COUNT(" in each["sql"]]
    assert all("LIMIT 61" in sql for sql in counts)


@pytest.mark.parametrize("path", ["issue", "picture", "delivery", "feedback"])
def test_a_long_list_asks_as_often_as_a_short_one(admin_client, now, path):
    """Thirty rows of everything cost as many queries as one."""

    def rows(number: int) -> None:
        people = (
            issues.readers(1) if not Subscriber.objects.exists() else list(Subscriber.objects.all())
        )
        for each in range(number):
            stem = f"{path}-{number}-{each}"
            issue = Issue.objects.create(
                subject=stem, slug=stem, body="bild:1", status="sent", candidates=1,
                created_at=now, changed_at=now, started_at=now, finished_at=now,
            )  # fmt: skip
            issue.tags.add(Tag.objects.create(name=stem))
            (row,) = mailed(issue, people, state="sent", sent_at=now)
            Picture.objects.bulk_create(
                [Picture(file=f"{stem}.png", width=1, height=1, alt=stem, uploaded_at=now)]
            )
            Feedback.objects.create(
                source="test", event_id=stem, kind="hard", at=now, noted_at=now,
                subscriber=people[0], delivery=row,
            )  # fmt: skip

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert admin_client.get(f"/verwaltung/newsletter/{path}/").status_code == 200
        return len(asked)

    rows(1)
    queries()
    few = queries()
    rows(29)

    assert queries() == few


def test_the_pace_is_one_row_and_holds_at_once(admin_client):
    where = admin_client.get("/verwaltung/newsletter/pace/")["Location"]
    assert "Was du speicherst, gilt ab sofort" in page(admin_client.get(where))
    words = {
        "per_second": "",
        "per_minute": "60",
        "per_hour": "",
        "per_day": "",
        "connections": "2",
    }

    admin_client.post(where, words)
    answer = admin_client.post(where, {**words, "per_minute": "30"}, follow=True)

    assert "Gespeichert. Es gilt ab sofort." in page(answer)
    assert (Pace.current().per_minute, Pace.current().connections) == (30, 2)
    assert Pace.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("per_minute", "0", "größer oder gleich 1"),
        ("per_minute", "schnell", "Schreib eine ganze Zahl"),
        ("per_day", "99999999999", "kleiner oder gleich 2147483647"),
        ("per_day", "9" * 5000, "Schreib eine ganze Zahl"),
        ("connections", "", "Schreib eine Zahl von 1 bis 50"),
        ("connections", "51", "Höchstens 50."),
    ],
)
def test_a_pace_that_cannot_be_is_refused_at_its_field(admin_client, field, value, words):
    sent = {"connections": "8", "per_hour": "1234", field: value}

    answer = admin_client.post("/verwaltung/newsletter/pace/1/change/", sent)

    assert answer.status_code == 200
    assert words in page(answer)
    assert "1234" in page(answer)
    assert Pace.objects.count() == 0


def test_a_person_s_page_shows_their_mails_and_what_came_back(
    admin_client, reader, issue_sent, now
):
    (row,) = mailed(issue_sent, [reader], state="sent", sent_at=now, bounce="hard", bounced_at=now)
    Feedback.objects.create(
        source="test", event_id="1", kind="hard", code="550 5.1.1", at=now, noted_at=now,
        subscriber=reader, delivery=row,
    )  # fmt: skip

    shown = page(admin_client.get(f"/verwaltung/newsletter/subscriber/{reader.pk}/change/"))

    assert "Die erste" in shown
    assert "unzustellbar (550 5.1.1) zu „Die erste“" in shown
