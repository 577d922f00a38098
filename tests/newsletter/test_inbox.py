"""Reading the mailbox that bounces come back to: against a real IMAP server, with its faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from coaching_site.environment import Hearing
from newsletter import inbox, inbox_sync, return_paths
from newsletter.models import Feedback, Inbox
from newsletter.tasks import tell_about_inbox
from tests import imap_server
from tests.mail_server import html, text
from tests.newsletter import bounces
from tests.newsletter.conftest import DAYS, MINUTES
from tests.newsletter.deliveries import sent

COACH = "coach@praxis.example"
HOURS = timedelta(hours=1)


@pytest.fixture
def box(db, settings) -> Iterator[imap_server.Mailbox]:
    """The mailbox behind INBOX_ADDRESS, empty; the site is pointed to it."""
    with imap_server.serve() as (box, host, port):
        settings.INBOX_ADDRESS = box.user
        settings.INBOX = Hearing(
            address=box.user,
            host=host,
            port=port,
            user=box.user,
            password=box.password,
            folder=box.folder,
            is_encrypted=False,
            webhook_secret="",
            mailgun_key="",
        )
        yield box


@pytest.fixture
def delivery(reader, now):
    return sent(reader, now + 2 * MINUTES)


def bounce(delivery, mail: str = bounces.POSTFIX, **values: str) -> bytes:
    return bounces.fill(mail, to=return_paths.envelope_sender(delivery.pk), **values)


def mark() -> tuple[int, int]:
    row = Inbox.objects.get()
    return row.uid_validity, row.last_uid


# --- reading ---


def test_a_bounce_in_the_mailbox_reaches_its_reader(box, reader, delivery, now):
    box.receive(bounce(delivery))

    assert inbox_sync.refresh(now=now + DAYS) == 1

    row = Inbox.objects.get()
    noted = Feedback.objects.get()
    assert (noted.source, noted.kind, noted.delivery) == ("inbox", "hard", delivery)
    assert (row.last_uid, row.read_at, row.trouble) == (1, now + DAYS, "")
    # The password is not told to whoever reads the row.
    assert row.name == "post@praxis.example auf 127.0.0.1, INBOX"


def test_the_mailbox_is_only_looked_at(box, delivery, now):
    box.receive(bounce(delivery))

    inbox_sync.refresh(now=now)

    assert box.seen == set()
    verbs = {line.split()[0] if "UID" not in line else line[:10] for line in box.commands}
    assert verbs <= {"CAPABILITY", "LOGIN", "EXAMINE", "UID SEARCH", "UID FETCH ", "LOGOUT"}
    assert all("BODY.PEEK" in line for line in box.asked("UID FETCH"))


def test_each_mail_is_fetched_once(box, delivery, now):
    box.receive(bounce(delivery))
    inbox_sync.refresh(now=now)
    box.receive(bounces.fill(bounces.WRITTEN, to="post@praxis.example"))

    assert inbox_sync.refresh(now=now + HOURS) == 1
    assert inbox_sync.refresh(now=now + 2 * HOURS) == 0

    fetched = [line.split()[2] for line in box.asked("UID FETCH")]
    assert fetched == ["1", "2"]
    assert Feedback.objects.count() == 1


def test_mail_from_before_the_newsletter_is_never_fetched(box, delivery, now):
    box.receive(b"Subject: private\r\n\r\n", on=(now - 90 * DAYS).date())
    box.receive(bounce(delivery), on=now.date())

    assert inbox_sync.refresh(now=now) == 1

    assert mark() == (1, 2)


def test_a_long_mail_is_read_in_part(box, delivery, now):
    box.receive(bounce(delivery) + b"x" * 5_000_000)

    inbox_sync.refresh(now=now)

    assert Feedback.objects.get().kind == "hard"
    assert box.asked("UID FETCH") == [f"UID FETCH 1 (BODY.PEEK[]<0.{inbox.MOST_BYTES}>)"]


def test_a_full_mailbox_is_read_in_batches(box, now, monkeypatch):
    monkeypatch.setattr(inbox_sync, "MAILS_A_RUN", 2)
    for number in range(5):
        box.receive(f"Subject: {number}\r\n\r\n".encode())

    read = [inbox_sync.refresh(now=now + hour * HOURS) for hour in range(4)]

    assert read == [2, 2, 1, 0]


def test_a_mail_that_was_deleted_meanwhile_is_passed_over(box, delivery, now, monkeypatch):
    box.receive(b"")
    box.receive(bounce(delivery))
    uids = inbox.OpenInbox.uids

    def delete_one(self, **values):
        found = uids(self, **values)
        box.messages.pop(1, None)
        return found

    monkeypatch.setattr(inbox.OpenInbox, "uids", delete_one)

    inbox_sync.refresh(now=now)

    assert mark() == (1, 2)
    assert Feedback.objects.get().delivery == delivery


def test_a_folder_s_name_may_hold_spaces_and_quotes(box, now, settings):
    box.folder = "Meine Mail"
    settings.INBOX = replace(settings.INBOX, folder=box.folder)

    inbox_sync.refresh(now=now)

    assert box.asked("EXAMINE") == ['EXAMINE "Meine Mail"']
    assert Inbox.objects.get().trouble == ""


def test_without_a_mailbox_nothing_happens(db, now):
    assert inbox_sync.refresh(now=now) == 0
    assert not Inbox.objects.exists()


# --- again and again ---


def test_when_the_server_counts_anew_what_was_read_counts_once(box, reader, delivery, now):
    box.receive(bounce(delivery))
    inbox_sync.refresh(now=now)
    box.renumber(first=50)
    box.receive(bounce(delivery, bounces.QMAIL))

    assert inbox_sync.refresh(now=now + HOURS) == 2

    assert mark() == (2, 51)
    assert Feedback.objects.count() == 2
    assert reader.events.filter(kind="unreachable").count() == 1


def test_when_the_server_counts_anew_old_mail_stays_unread(box, delivery, now):
    box.receive(b"Subject: old\r\n\r\n", on=(now - 90 * DAYS).date())
    box.receive(bounce(delivery), on=now.date())
    inbox_sync.refresh(now=now)
    box.renumber()

    assert inbox_sync.refresh(now=now + HOURS) == 1


def test_a_worker_that_died_before_the_mark_reads_again_and_counts_once(box, delivery, now):
    box.receive(bounce(delivery))
    inbox_sync.refresh(now=now)
    Inbox.objects.update(last_uid=0)

    inbox_sync.refresh(now=now)

    assert Feedback.objects.count() == 1
    assert mark() == (1, 1)


def test_what_a_mail_causes_and_the_mark_are_one(box, delivery, now, monkeypatch):
    box.receive(bounce(delivery))
    box.receive(bounce(delivery, bounces.QMAIL))
    take_in = inbox_sync.feedback.take_in

    def die_at_the_second(raw, **values):
        take_in(raw, **values)
        if b"qmail" in raw:
            raise KeyboardInterrupt

    monkeypatch.setattr(inbox_sync.feedback, "take_in", die_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        inbox_sync.refresh(now=now)

    assert mark() == (1, 1)
    assert Feedback.objects.count() == 1


# --- when it fails ---


def test_a_wrong_password_is_told_without_words_of_the_server(box, now):
    box.password = "other"

    assert inbox_sync.refresh(now=now) == 0

    row = Inbox.objects.get()
    assert row.trouble == inbox.REFUSED
    assert (row.failing_since, row.read_at) == (now, None)


def test_a_folder_that_is_not_there_is_named(box, now):
    box.folder = "Anderswo"

    inbox_sync.refresh(now=now)

    assert "„INBOX“" in Inbox.objects.get().trouble


@pytest.mark.parametrize("command", ["LOGIN", "EXAMINE", "UID SEARCH", "UID FETCH"])
def test_a_server_that_hangs_up_is_read_on_next_time(box, delivery, now, command):
    box.receive(bounce(delivery))
    box.drop_at = command
    inbox_sync.refresh(now=now)
    assert Inbox.objects.get().trouble == inbox.BROKE_OFF
    assert not Feedback.objects.exists()

    box.drop_at = ""
    inbox_sync.refresh(now=now + HOURS)

    assert Feedback.objects.count() == 1
    assert Inbox.objects.get().trouble == ""


def test_what_was_read_before_a_server_hung_up_is_kept(box, delivery, now):
    box.receive(bounce(delivery))
    box.receive(bounce(delivery, bounces.QMAIL))
    box.drop_at, box.drop_after = "UID FETCH", 1

    inbox_sync.refresh(now=now)

    assert mark() == (1, 1)
    assert Feedback.objects.count() == 1


def test_a_server_that_hangs_up_at_the_very_end_is_no_trouble(box, now):
    box.drop_at = "LOGOUT"

    inbox_sync.refresh(now=now)

    assert (Inbox.objects.get().trouble, Inbox.objects.get().read_at) == ("", now)


def test_a_server_that_does_not_answer_is_given_up(box, now, monkeypatch):
    monkeypatch.setattr(inbox, "SECONDS_TO_ANSWER", 0.2)
    box.seconds = 1.0

    inbox_sync.refresh(now=now)

    assert Inbox.objects.get().trouble in (inbox.BROKE_OFF, inbox.UNREACHABLE)


def test_no_server_at_all_is_told(box, now, settings):
    settings.INBOX = replace(settings.INBOX, port=1)

    inbox_sync.refresh(now=now)

    assert Inbox.objects.get().trouble == inbox.UNREACHABLE


def test_the_coach_is_told_once_an_outage_and_when_it_is_over(
    box, now, practice, mailbox, run_jobs
):
    practice()
    password, box.password = box.password, "other"
    for hours in (0, 1, 5):
        inbox_sync.refresh(now=now + hours * HOURS)
    assert run_jobs() == []

    for hours in (6, 7, 30):
        inbox_sync.refresh(now=now + hours * HOURS)
    run_jobs()
    (warning,) = mailbox.to(COACH)
    assert warning["Subject"] == "Gestört: Postfach für Rückläufer"
    assert inbox.REFUSED in text(warning)
    assert "1. März 2027" in text(warning).replace("\u00a0", " ")
    assert "INBOX_URL" in html(warning)

    mailbox.clear()
    box.password = password
    for hours in (31, 32):
        inbox_sync.refresh(now=now + hours * HOURS)
    run_jobs()
    (relief,) = mailbox.to(COACH)
    assert relief["Subject"] == "Wieder gelesen: Postfach für Rückläufer"


def test_a_warning_overtaken_by_good_news_is_not_sent(box, now, practice, mailbox):
    inbox_sync.refresh(now=now)

    tell_about_inbox(inbox=Inbox.objects.get().pk, is_well=False)

    assert mailbox.messages == []


def test_a_mailbox_that_was_replaced_leaves_no_trouble_behind(box, now, settings):
    box.password = "other"
    inbox_sync.refresh(now=now)
    box.user, box.password = "neu@praxis.example", settings.INBOX.password
    settings.INBOX = replace(settings.INBOX, user=box.user)

    inbox_sync.refresh(now=now)

    assert Inbox.objects.get().trouble == ""
