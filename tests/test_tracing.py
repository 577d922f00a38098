"""A request can be followed by one word: in its lines, its jobs and the mails of those."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from coaching_site import jobs, logs, middleware, tracing

ADA = "ada@example.org"
GIVEN = "0f9b8c7d-6e5a-4b3c-9d2e-1f0a9b8c7d6e"


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What is written, as the site writes it in production, line by line."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.JsonLine())
    handler.addFilter(logs.WithoutSecrets())
    logging.getLogger().addHandler(handler)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def id_seen(settings):
    """The word a request gets, for a peer and the word it brings."""

    def see(peer: str, brought: str) -> str:
        settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
        request = RequestFactory().get("/", REMOTE_ADDR=peer, headers={tracing.HEADER: brought})
        inside: list[str] = []

        def view(_: object) -> HttpResponse:
            inside.append(tracing.request_id.get())
            return HttpResponse()

        answer = middleware.request_ids(view)(request)
        assert inside == [answer[tracing.HEADER]]
        return inside[0]

    return see


def test_a_word_is_taken_from_our_own_proxy_alone(id_seen):
    assert id_seen("10.0.0.2", GIVEN) == GIVEN
    assert id_seen("203.0.113.9", GIVEN) != GIVEN


@pytest.mark.parametrize(
    "odd", ["", "short", ADA, "203.0.113.9.203.0.113.9", "2001:db8:1:2:3::1", "x" * 65, "ä" * 20]
)
def test_a_word_that_may_say_something_is_replaced(id_seen, odd):
    word = id_seen("10.0.0.2", odd)

    assert word != odd
    assert tracing.is_well_formed(word)


def test_every_answer_names_its_request_and_no_two_the_same(client, db):
    words = [client.get(path)[tracing.HEADER] for path in ("/", "/", "/nicht-da/", "/healthz")]

    assert len({*words}) == 4
    assert tracing.request_id.get() == ""


@pytest.fixture
def worker(transactional_db) -> Iterator[Callable[[], None]]:
    """The library's own worker, until the queue is empty."""

    def clear() -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_jobs")

    def run() -> None:
        through: Any = app.connector
        with app.replace_connector(through.get_worker_connector()):
            app.run_worker(wait=False, install_signal_handlers=False)

    clear()
    yield run
    clear()


def sign_up(monkeypatch) -> str:
    """Somebody asks for the newsletter; returns the word of that request."""
    monkeypatch.setattr("coaching_site.spam.check", lambda data: None)
    visitor = Client()
    page = visitor.get("/newsletter/").content.decode()
    shown = dict(re.findall(r'<input type="hidden" name="(\w+)"[^>]*? value="([^"]*)"', page))
    answer = visitor.post("/newsletter/", {**shown, "email": ADA})
    assert answer.status_code == 303
    return answer[tracing.HEADER]


def test_a_mail_names_the_request_that_asked_for_it(worker, mailbox, monkeypatch):
    word = sign_up(monkeypatch)

    worker()

    assert [mail[tracing.HEADER] for mail in mailbox.to(ADA)] == [word]


def test_a_job_that_fails_names_its_request_and_nobody(worker, mailbox, monkeypatch, lines):
    word = sign_up(monkeypatch)
    job = ProcrastinateJob.objects.get(task_name="newsletter.answer_sign_up")
    mailbox.refuse_with = f"554 5.7.1 <{ADA}> [203.0.113.9] is not welcome"

    worker()

    told = [line for line in lines() if line.get("job") == job.pk]
    assert {(line["request"], line["task"]) for line in told} == {(word, job.task_name)}
    assert [line["level"] for line in told] == ["WARNING", "ERROR"]
    assert "Undeliverable" in told[1]["traceback"]
    assert not any(each in str(lines()) for each in (ADA, "203.0.113.9"))


@pytest.mark.django_db
def test_a_job_hands_the_word_on_and_its_task_never_sees_it(run_jobs):
    with tracing.of_request(GIVEN):
        jobs.enqueue("jobs.tidy", timestamp=1)

    assert ProcrastinateJob.objects.get().args == {"timestamp": 1, "_request": GIVEN}
    assert run_jobs() == ["jobs.tidy"]


def test_a_page_that_fails_names_its_request(db, lines, monkeypatch):
    def fail(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("coaching_site.spam.check", fail)

    answer = Client(raise_request_exception=False).post("/newsletter/", {"email": ADA})

    (line,) = lines()
    assert answer.status_code == 500
    assert line["request"] == answer[tracing.HEADER]
    assert (line["level"], line["error"]) == ("ERROR", "ZeroDivisionError")
    assert ADA not in str(line)


def test_an_answer_that_is_an_error_names_its_request_too(db, lines, monkeypatch, client):
    """Django tells of it after the last middleware."""
    answer = client.post("/stripe/webhook/", "{}", content_type="application/json")

    told = [line for line in lines() if line["logger"] == "django.request"]
    assert [line["request"] for line in told] == [answer[tracing.HEADER]]


@pytest.mark.django_db
def test_what_the_database_refuses_is_told_without_the_row(lines):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE people (email text UNIQUE, age int)")
        cursor.execute("INSERT INTO people VALUES (%s, 36)", [ADA])
        for statement, value in (
            ("INSERT INTO people VALUES (%s, 36)", ADA),
            ("INSERT INTO people (age) VALUES (%s::text::int)", "Ada Müller"),
        ):
            cursor.execute("SAVEPOINT before")
            try:
                cursor.execute(statement, [value])
            except Exception:
                logging.getLogger("booking").exception("A row cannot be written.")
            cursor.execute("ROLLBACK TO before")

    told = lines()
    assert [line["error"] for line in told] == ["IntegrityError", "DataError"]
    assert "people_email_key" not in told[1]["traceback"]
    assert "psycopg.errors.UniqueViolation" in told[0]["traceback"]
    assert not any(each in str(told) for each in (ADA, "Müller", "DETAIL"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Invalid request from ip=203.0.113.9: x", "Invalid request from ip=…: x"),
        ("peer [2001:db8::1]:443, 2001:db8::2: no", "peer […]:443, …: no"),
        ("from ::ffff:203.0.113.9", "from …:…"),
        ("at 14:44:12 of 2026-11-25", "at 14:44:12 of 2026-11-25"),
        ("to Ada <ada.b+c@example.org>.", "to Ada <…>."),
        ("to ada%40example.org", "to …"),
        ("postgres://site:pass@database/site", "postgres://…/site"),
        ("Error handling request /termin/?name=Ada&x=1", "Error handling request /termin/…"),
        ("Internal Server Error: /termin/feed/" + "k" * 43 + "/", "Internal Server Error: /termin/feed/…/"),
        ("sk_live_4f9c27 whsec_2b7a", "… …"),
        ("Backup backup-2027-03-01T022300Z.tar.age was written.", None),
        ("Job 12 (booking.send_notification) was left behind by a worker and runs again.", None),
    ],
)  # fmt: skip
def test_a_line_keeps_what_is_of_use_and_nothing_of_a_person(text, told):
    assert logs.cleaned(text) == (told or text)


def test_a_line_for_the_eyes_says_the_same(lines):
    record = logging.LogRecord("booking", logging.WARNING, "", 0, "Told %s.", (ADA,), None)

    with tracing.of_request(GIVEN):
        line = logs.ReadableLine().format(record)

    assert line.endswith(f"WARNING booking request={GIVEN}: Told ….")
