"""One mail: both parts, a stable Message-ID, and refusals told by their code."""

from __future__ import annotations

import email
from datetime import date
from pathlib import Path

import pytest
from procrastinate.jobs import Job

from coaching_site import jobs, mail
from tests.mail_server import html, text

pytestmark = pytest.mark.django_db

LINK = {"link": "https://praxis.example/x", "last_day": date(2027, 3, 1)}


def send(key: str = "one") -> None:
    mail.send("newsletter/mail/confirm", to="ada@firma.example", context=LINK, key=key)


def test_a_mail_has_text_and_html_and_the_imprint_in_both(mailbox):
    send()

    [message] = mailbox.messages
    assert "/impressum/" in text(message)
    assert "/impressum/" in html(message)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Reply-To"] == "coach@praxis.example"


def test_the_same_mail_keeps_its_message_id(mailbox):
    send("one")
    send("one")
    send("two")

    first, again, other = (message["Message-ID"] for message in mailbox.messages)
    assert first == again != other


@pytest.mark.parametrize("answer", ["550 5.1.1 no such user", "553 5.1.3 bad address"])
def test_a_refusal_for_good_is_hopeless_and_names_nobody(mailbox, answer):
    mailbox.refuse_with = answer

    with pytest.raises(mail.Undeliverable) as refusal:
        send()

    assert "ada" not in str(refusal.value)
    job = Job(id=1, queue="default", lock=None, queueing_lock=None, task_name="x")
    assert jobs.PATIENT.get_retry_decision(exception=refusal.value, job=job) is None


def test_a_refusal_for_now_is_tried_again(mailbox):
    mailbox.refuse_with = "451 4.3.0 later"

    with pytest.raises(mail.Deferred) as refusal:
        send()

    job = Job(id=1, queue="default", lock=None, queueing_lock=None, task_name="x")
    assert jobs.PATIENT.get_retry_decision(exception=refusal.value, job=job)


def test_the_pauses_add_up_to_two_days():
    pauses = [3 ** (attempt + 1) for attempt in range(jobs.PATIENT.max_attempts or 0)]

    assert 1.5 < sum(pauses) / 86400 < 3.5


def test_without_a_mail_server_mails_become_files(settings, tmp_path):
    settings.EMAIL_BACKEND = "coaching_site.mail.FolderBackend"
    settings.MAIL_FOLDER = tmp_path

    send()

    [file] = Path(tmp_path).glob("*.eml")
    assert email.message_from_bytes(file.read_bytes())["To"] == "ada@firma.example"
