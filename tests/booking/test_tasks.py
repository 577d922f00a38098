"""The mail ledger and its job."""

import pytest

from booking import cancellation
from booking.models import Notification
from booking.tasks import send_notification
from coaching_site.mail import Deferred
from tests.booking.conftest import ADA


@pytest.fixture
def owed(confirmed) -> Notification:
    return Notification.objects.get(kind="confirmation", audience="guest")


def test_a_mail_counts_as_sent_once_the_server_took_it(owed, mailbox):
    send_notification(owed.pk)

    owed.refresh_from_db()
    assert owed.sent_at is not None
    assert (owed.attempts, len(mailbox.to(ADA.email))) == (1, 1)


def test_the_job_bears_running_twice(owed, mailbox):
    send_notification(owed.pk)
    send_notification(owed.pk)

    assert len(mailbox.messages) == 1


def test_a_refused_mail_is_still_owed_and_says_why(owed, mailbox):
    mailbox.refuse_with = "451 4.3.0 later"

    with pytest.raises(Deferred):
        send_notification(owed.pk)

    owed.refresh_from_db()
    assert owed.sent_at is None
    assert "451" in owed.last_error

    mailbox.refuse_with = None
    send_notification(owed.pk)
    owed.refresh_from_db()
    assert (owed.attempts, owed.last_error) == (2, "")


def test_a_confirmation_that_is_no_longer_true_is_not_sent(confirmed, owed, now, mailbox):
    cancellation.cancel_by_coach(confirmed, now=now)

    send_notification(owed.pk)

    assert mailbox.messages == []


def test_a_mail_about_another_time_is_not_sent(owed, now, mailbox):
    Notification.objects.update(start=now)

    send_notification(owed.pk)

    assert mailbox.messages == []


def test_a_mail_nobody_remembers_is_no_error(db, mailbox):
    send_notification(12345)

    assert mailbox.messages == []
