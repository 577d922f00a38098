"""The sign-up's mail: sent once, whatever happens to the job."""

import re

import pytest
from django.utils import timezone
from procrastinate.contrib.django import app

from coaching_site import jobs
from coaching_site.mail import Deferred
from newsletter import mail, subscriptions, tasks
from newsletter.models import Subscriber
from pages.models import Practice
from tests import mail_server
from tests.newsletter.conftest import ADA, DAYS, MINUTES, path_in, sign_up, token_in

pytestmark = pytest.mark.django_db


def test_the_mail_says_what_it_is_for_and_advertises_nothing(mailbox, run_jobs, now):
    Practice.objects.create(
        pk=1, first_name="Kim", last_name="Muster & Co", street="Weg 1", postal_code="10115",
        city="Berlin", email="kim@praxis.example", phone="+49 30 1",
    )  # fmt: skip
    sign_up(ADA, now)
    run_jobs()

    (message,) = mailbox.messages
    words = mail_server.text(message)
    assert message["Subject"] == "Bitte bestätige deine Anmeldung zum Newsletter"
    assert "Der Link gilt bis Montag, 15.\u00a0März 2027." in words
    assert "Warst du das nicht? Dann tu einfach nichts." in words
    for imprint in ("Kim Muster & Co", "Weg 1", "10115 Berlin", "+49 30 1", "kim@praxis.example"):
        assert imprint in words
    page = mail_server.html(message)
    assert ADA not in words + page
    confirm = path_in(message, "bestaetigen")
    links = {
        link.removeprefix("http://localhost:8000") for link in re.findall(r'href="([^"]+)"', page)
    }
    assert links == {confirm, "/impressum/", "/datenschutz/", "mailto:kim@praxis.example"}


def test_the_envelope_goes_to_the_punycode_domain(mailbox, run_jobs, now):
    sign_up("Max@straße.de", now)
    run_jobs()

    assert len(mailbox.to("Max@xn--strae-oqa.de")) == 1


def test_a_job_that_runs_twice_sends_one_mail(mailbox, run_jobs, now):
    row = sign_up(ADA, now)
    run_jobs()

    tasks.answer_sign_up(subscriber=row.pk, answer=True)

    assert len(mailbox.messages) == 1


def test_a_refused_mail_is_still_owed_and_sent_later(mailbox, run_jobs, now):
    row = sign_up(ADA, now)
    mailbox.refuse_with = "451 4.3.0 later"
    with pytest.raises(Deferred):
        run_jobs()

    mailbox.refuse_with = None
    tasks.answer_sign_up(subscriber=row.pk, answer=True)

    (message,) = mailbox.messages
    assert subscriptions.confirm(token_in(message), now=now).status == "confirmed"


def test_after_a_crash_between_sending_and_noting_both_links_work(
    mailbox, run_jobs, now, monkeypatch
):
    row = sign_up(ADA, now)
    with monkeypatch.context() as killed:
        killed.setattr(subscriptions, "note_mail_sent", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_jobs()

    tasks.answer_sign_up(subscriber=row.pk, answer=True)

    first, second = mailbox.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert token_in(first) != token_in(second)
    assert subscriptions.confirm(token_in(first), now=now).status == "confirmed"


def test_whoever_confirmed_gets_no_second_mail_from_a_job_that_was_killed(
    mailbox, run_jobs, now, monkeypatch
):
    row = sign_up(ADA, now)
    with monkeypatch.context() as killed:
        killed.setattr(subscriptions, "note_mail_sent", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_jobs()
    subscriptions.confirm(token_in(mailbox.messages[0]), now=now + MINUTES)

    tasks.answer_sign_up(subscriber=row.pk, answer=True)

    assert len(mailbox.messages) == 1


def test_a_job_for_someone_who_left_sends_nothing(mailbox, run_jobs, now):
    row = sign_up(ADA, now)
    subscriptions.unsubscribe(row.public_id, now=now + MINUTES)

    run_jobs()

    assert mailbox.messages == []


def test_a_job_for_a_forgotten_row_sends_nothing(mailbox, now):
    tasks.answer_sign_up(subscriber=1, answer=True)

    assert mailbox.messages == []


def test_the_mail_to_a_reader_has_their_way_out(reader, mailbox, client):
    mail.send_already_subscribed(reader)

    client.post(path_in(mailbox.messages[-1], "abmelden"))

    reader.refresh_from_db()
    assert reader.status == "unsubscribed"


def test_mail_is_tried_for_two_days_and_forgetting_happens_every_night():
    periodic = {task.task.name: task.cron for task in app.periodic_registry.periodic_tasks.values()}

    assert app.tasks["newsletter.answer_sign_up"].retry_strategy is jobs.PATIENT
    assert periodic["desk.retention"] == "41 3 * * *"


def test_the_nightly_job_forgets_what_is_too_old():
    sign_up(ADA, timezone.now() - 15 * DAYS)

    app.tasks["desk.retention"](timestamp=1)

    assert Subscriber.objects.count() == 0
