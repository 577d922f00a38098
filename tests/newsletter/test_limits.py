"""Nobody fills a mailbox by our forms, and no limit tells who is on the list."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from coaching_site import spam, tracing
from newsletter import quotas, subscriptions
from newsletter.models import Consent, Subscriber, Suppression
from newsletter.views import common
from tests.newsletter.conftest import ADA, path_in, sign_up
from tests.newsletter.test_views import FORM, form_values, post, shown

pytestmark = pytest.mark.django_db

LOST = "/newsletter/link/"
VISITOR, NEIGHBOUR, STRANGER = "8.8.4.77", "8.8.4.1", "2001:4860:4860:1::5"


def ask_for_link(client, email: str, **values):
    stamp = spam.stamp(timezone.now() - timedelta(minutes=1))
    return client.post(LOST, {"email": email, "stamp": stamp, **values})


def visitor(address: str) -> Client:
    return Client(REMOTE_ADDR=address)


@pytest.fixture
def everybody(reader, now) -> list[str]:
    """A reader, somebody who has not confirmed, who left, who complained, and who moved away."""
    sign_up("pending@leser.example", now)
    left = sign_up("left@leser.example", now)
    subscriptions.unsubscribe(left.public_id, now=now)
    Suppression.objects.add("eve@leser.example", "complaint", now=now)
    Suppression.objects.add("old@leser.example", "moved", now=now)
    names = ("pending", "left", "eve", "old", "new")
    return [ADA, *(f"{name}@leser.example" for name in names)]


def shapes(queries: CaptureQueriesContext) -> list[str]:
    """What was asked, without the values."""
    found = []
    for query in queries.captured_queries:
        sql = re.sub(r"'(?:[^']|'')*'(::\w+)?", "?", query["sql"])
        sql = re.sub(r"\b(true|false|NULL|\d+)\b", "?", sql)
        # What is not there has no value whose type could be told.
        sql = re.sub(r"\?(::\w+)", "?", sql)
        found.append(re.sub(r'"s\d+_x\d+"', "savepoint", sql))
    return found


# --- no oracle ---


def test_a_sign_up_asks_the_database_the_same_whoever_it_is(everybody):
    asked = {}
    for address in everybody:
        client = Client()
        values = {**form_values(client), "email": address}
        with CaptureQueriesContext(connection) as queries:
            client.post(FORM, values)
        asked[address] = shapes(queries)

    assert len({tuple(shape) for shape in asked.values()}) == 1, asked


def test_asking_twice_asks_the_database_the_same_as_asking_once(client):
    values = {**form_values(client), "email": ADA}
    asked = []
    for _ in range(3):
        with CaptureQueriesContext(connection) as queries:
            client.post(FORM, values)
        asked.append(shapes(queries))

    assert asked[0] == asked[1] == asked[2]


def test_asking_for_a_link_asks_and_answers_the_same_whoever_it_is(everybody):
    asked, answers = set(), set()
    for address in everybody:
        client = Client()
        with CaptureQueriesContext(connection) as queries:
            answer = ask_for_link(client, address)
        # Before the next request, with which Django forgets them.
        asked.add(tuple(shapes(queries)))
        page = client.get(answer["Location"]).content
        for differs_anyhow in ("Expires", tracing.HEADER):
            del answer[differs_anyhow]
        answers.add((answer.status_code, answer.content, str(answer.headers), page))

    assert len(asked) == len(answers) == 1
    assert asked != {()}
    jobs = ProcrastinateJob.objects.filter(task_name="newsletter.send_link")
    assert jobs.count() == len(everybody)


def test_an_address_that_was_typed_too_often_gets_no_other_answer(client, mailbox, run_jobs):
    answers = {
        (answer.status_code, answer["Location"])
        for answer in (post(client, ADA) for _ in range(quotas.MAILS_AN_ADDRESS + 5))
    }
    run_jobs()

    assert answers == {(303, "/newsletter/postfach/")}
    assert len(mailbox.messages) == 1


def test_a_surplus_sign_up_leaves_no_trace_once_its_job_has_run(client, reader, run_jobs, now):
    before = list(Consent.objects.values())

    post(client, ADA)
    run_jobs()

    assert list(Consent.objects.values()) == before


# --- limits ---


@pytest.mark.parametrize("send", [post, ask_for_link])
def test_fifty_tries_from_one_network_are_too_many_and_what_was_typed_stays(send):
    answers = [
        send(visitor(VISITOR), f"leser-{number}@leser.example").status_code
        for number in range(common.TRIES_A_NETWORK)
    ]
    refused = send(visitor(NEIGHBOUR), "noch@leser.example")

    assert set(answers) == {303}
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 3600
    assert "Das waren zu viele Versuche in kurzer Zeit." in shown(refused)
    assert 'value="noch@leser.example"' in shown(refused)
    assert send(visitor(STRANGER), "noch@leser.example").status_code == 303


def test_all_networks_together_are_limited_too(client, monkeypatch):
    monkeypatch.setattr(common, "TRIES_OVERALL", 2)

    answers = [post(client, f"{number}@leser.example").status_code for number in range(3)]

    assert answers == [303, 303, 429]


def test_fifty_networks_with_one_address_send_one_mail(mailbox, run_jobs):
    for number in range(50):
        assert post(visitor(f"9.9.{number}.1"), ADA).status_code == 303
    run_jobs()

    assert len(mailbox.to(ADA)) == 1


def test_a_mailbox_gets_five_answers_a_day_at_most(mailbox, run_jobs, now, monkeypatch):
    client = Client()
    for hours in range(12):
        moment = now + timedelta(hours=hours)
        monkeypatch.setattr(timezone, "now", lambda moment=moment: moment)
        assert post(client, ADA).status_code == 303
        run_jobs()

    assert len(mailbox.to(ADA)) == quotas.MAILS_AN_ADDRESS


def test_a_robot_is_not_even_counted(client):
    for _ in range(common.TRIES_A_NETWORK + 1):
        answer = ask_for_link(visitor(VISITOR), ADA, website="https://x.example")
        assert answer["Location"] == "/newsletter/link/unterwegs/"

    assert post(visitor(VISITOR), ADA).status_code == 303


# --- a lost link ---


def test_the_link_comes_to_whoever_is_known_and_opens_their_preferences(
    client, reader, mailbox, run_jobs
):
    mailbox.clear()

    ask_for_link(client, " ADA@Leser.example ")
    run_jobs()

    (message,) = mailbox.to(ADA)
    assert ADA in shown(client.get(path_in(message, "einstellungen")))


@pytest.mark.parametrize("address", ["unknown@leser.example", "eve@leser.example"])
def test_no_link_comes_to_strangers_and_to_who_complained(
    client, reader, mailbox, run_jobs, now, address
):
    sign_up("eve@leser.example", now)
    run_jobs()
    Suppression.objects.add("eve@leser.example", "complaint", now=now)
    mailbox.clear()

    ask_for_link(client, address)
    run_jobs()

    assert mailbox.messages == []


def test_asking_again_and_again_sends_one_link_in_a_quarter_of_an_hour(
    client, reader, mailbox, run_jobs
):
    mailbox.clear()
    for _ in range(4):
        assert ask_for_link(client, ADA).status_code == 303
    run_jobs()

    assert len(mailbox.messages) == 1


@pytest.mark.parametrize("email", ["", "max@", "Max <max@example.de>"])
def test_a_wrong_address_is_explained_here_as_well(client, email):
    answer = ask_for_link(client, email)

    assert answer.status_code == 422
    assert "E-Mail-Adresse" in shown(answer)
    assert Subscriber.objects.count() == 0


# --- a shortened IP address, if the coach wants it ---


@pytest.mark.parametrize(
    ("switched_on", "address", "kept"),
    [
        (True, VISITOR, "8.8.4.0/24"),
        (True, STRANGER, "2001:4860:4860::/48"),
        (True, "10.0.0.1", ""),
        (False, VISITOR, ""),
    ],
)
def test_an_ip_address_is_kept_shortened_and_only_if_the_coach_says_so(
    practice, switched_on, address, kept
):
    practice(newsletter_keeps_network=switched_on)

    post(visitor(address), ADA)

    row = Consent.objects.get()
    assert row.network == kept
    assert (row.network_until is not None) is bool(kept)
    assert address not in str(list(Consent.objects.values()))
    says_so = "gekürzte IP-Adresse; sie wird" in shown(Client().get("/datenschutz/"))
    assert says_so is switched_on
