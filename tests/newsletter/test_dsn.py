"""What a mail in the inbox is: read from bytes, whoever wrote it, and whatever is left of it."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from newsletter import dsn
from newsletter.dsn import What
from newsletter.models import Feedback
from tests.newsletter import bounces
from tests.newsletter.bounces import fill

EVERY_FORMAT = [
    bounces.POSTFIX,
    bounces.EXIM,
    bounces.EXIM_TEXT,
    bounces.SENDMAIL,
    bounces.EXCHANGE,
    bounces.EXCHANGE_HTML,
    bounces.QMAIL,
    bounces.HMAILSERVER,
]
GONE = "550 5.1.1 <ada@leser.example>: User unknown"
FULL = "452 4.2.2 The mailbox is over its quota"
SPAM = "550 5.7.1 Message rejected as spam"


@pytest.mark.parametrize("mail", EVERY_FORMAT)
@pytest.mark.parametrize(
    ("diagnostic", "status", "what", "code"),
    [
        (GONE, "5.1.1", What.HARD, "550 5.1.1"),
        (FULL, "4.2.2", What.SOFT, "452 4.2.2"),
        (SPAM, "5.7.1", What.POLICY, "550 5.7.1"),
    ],
)
def test_every_mail_server_s_bounces_are_read_alike(mail, diagnostic, status, what, code):
    read = dsn.read(fill(mail, diagnostic=diagnostic, status=status))

    assert (read.what, read.code) == (what, code)


@pytest.mark.parametrize(
    ("reply", "what"),
    [
        # RFC 3463: the address, and what is no fault of it
        ("550 5.1.0 Address rejected", What.HARD),
        ("550 5.1.2 Bad destination system", What.HARD),
        ("550 5.1.6 Mailbox has moved", What.HARD),
        ("556 5.1.10 Recipient address has null MX", What.HARD),
        ("553 5.1.8 Sender address rejected", What.POLICY),
        ("550 5.1.7 Bad sender's mailbox", What.POLICY),
        # the mailbox: it may open again
        ("550 5.2.1 The account is disabled", What.SOFT),
        ("552 5.2.2 Mailbox full", What.SOFT),
        ("552 5.2.3 Message too long for this mailbox", What.POLICY),
        # the system, and the way to it: no word about the mailbox
        ("554 5.3.4 Message too big", What.POLICY),
        ("550 5.3.0 Other mail system problem", What.SOFT),
        ("550 5.4.4 Unable to route", What.SOFT),
        ("550 5.4.1 Recipient address rejected: Access denied", What.SOFT),
        ("554 5.4.6 Routing loop detected", What.SOFT),
        ("554 5.4.7 Delivery time expired", What.SOFT),
        # protocol, content, policy: ours or theirs, never the reader's
        ("554 5.5.2 Syntax error", What.POLICY),
        ("550 5.6.0 Content rejected", What.POLICY),
        ("550 5.7.26 Unauthenticated mail", What.POLICY),
        ("421 4.7.0 Try again later, you are sending too fast", What.POLICY),
        ("450 4.1.1 Recipient address rejected: unverified", What.SOFT),
        # no telling code: only plain words are believed
        ("550 No such user here", What.HARD),
        ("554 delivery error: dd This user doesn't have a mail.example account", What.HARD),
        ("550 5.5.0 Requested action not taken: mailbox unavailable", What.SOFT),
        ("550 5.0.350 Remote server returned an error -> 550 5.1.1 gone", What.HARD),
        ("550 Blocked", What.SOFT),
        ("450 No such user here, perhaps", What.SOFT),
        ("all relevant MX records point to non-existent hosts", What.SOFT),
        ("", What.SOFT),
    ],
)
def test_an_answer_is_judged_by_what_it_says_of_the_mailbox(reply, what):
    assert dsn.classify(reply)[0] is what


def test_addresses_and_versions_are_no_codes():
    assert dsn.classify("host 5.1.1.1 says 550 no, like Sendmail 8.5.1.1")[1] == "550"
    assert dsn.classify("550-5.2.2 two lines")[1] == "550 5.2.2"


def test_the_next_server_s_words_count_where_the_status_says_nothing():
    mail = fill(bounces.EXIM, diagnostic="550 No such user here")

    assert dsn.read(mail).what is What.HARD


@pytest.mark.parametrize("action", ["delayed", "relayed", "delivered", "expanded"])
def test_a_report_of_anything_but_a_failure_is_no_bounce(action):
    mail = fill(bounces.POSTFIX, action=action, status="4.4.1")

    assert dsn.read(mail).what is What.AUTOMATIC


def test_a_delay_told_in_words_is_no_bounce():
    assert dsn.read(fill(bounces.EXIM_DELAY)).what is What.AUTOMATIC


def test_what_expired_is_a_soft_bounce_though_its_class_is_4():
    mail = fill(bounces.POSTFIX, status="4.4.1", diagnostic="connect: Connection timed out")

    assert dsn.read(mail).what is What.SOFT


def test_an_internationalised_report_is_read_too():
    mail = fill(bounces.POSTFIX).replace(
        b"message/delivery-status", b"message/global-delivery-status"
    )

    assert dsn.read(mail).what is What.HARD


@pytest.mark.parametrize(
    "headers",
    [
        "Auto-Submitted: auto-replied\n",
        "Auto-Submitted: auto-replied (vacation)\n",
        "X-Autoreply: yes\n",
        "X-Autorespond: weg\n",
        "Precedence: auto_reply\n",
    ],
)
def test_a_holiday_reply_is_nothing_to_act_on(headers):
    assert dsn.read(fill(bounces.WRITTEN, headers=headers)).what is What.AUTOMATIC


@pytest.mark.parametrize(
    "subject",
    [
        "Abwesenheitsnotiz: Ausgabe vom März",
        "Automatische Antwort: Ausgabe",
        "Automatic reply: Issue",
        "Out of Office: Issue",
        "=?utf-8?q?Abwesend_bis_M=C3=A4rz?=",
    ],
)
def test_a_holiday_reply_is_known_by_its_subject_if_by_nothing_else(subject):
    assert dsn.read(fill(bounces.WRITTEN, subject=subject)).what is What.AUTOMATIC


@pytest.mark.parametrize("subject", ["unsubscribe", "", "Re: Ausgabe", "AW: Urlaub machen"])
def test_what_a_person_writes_is_no_bounce_whatever_it_quotes(subject):
    assert dsn.read(fill(bounces.WRITTEN, subject=subject)).what is What.WRITTEN


@pytest.mark.parametrize(
    ("type_", "what"),
    [
        ("abuse", What.COMPLAINT),
        ("fraud", What.COMPLAINT),
        ("not-spam", What.AUTOMATIC),
        ("virus", What.AUTOMATIC),
    ],
)
def test_an_abuse_report_is_a_complaint(type_, what):
    assert dsn.read(fill(bounces.COMPLAINT, type=type_)).what is what


def test_every_header_that_may_name_the_recipient_is_told():
    mail = b"Delivered-To: post+b-y@praxis.example\r\n" + fill(bounces.POSTFIX)

    assert dsn.read(mail).recipients == ("post+b-y@praxis.example", "post+b-x@praxis.example")


def test_the_same_mail_has_the_same_identity_and_another_has_another():
    once, again = dsn.read(fill(bounces.POSTFIX)), dsn.read(b"X: 1\r\n" + fill(bounces.POSTFIX))
    other, nameless = dsn.read(fill(bounces.QMAIL)), dsn.read(b"From: x\r\n\r\n")

    assert once.identity == again.identity
    assert len({once.identity, other.identity, nameless.identity}) == 3
    assert "relay" not in once.identity


def test_the_time_is_told_in_utc():
    assert dsn.read(fill(bounces.POSTFIX)).written_at == datetime(2027, 3, 1, 8, 0, 5, tzinfo=UTC)
    assert dsn.read(b"Date: nonsense\r\n\r\n").written_at is None


def test_every_verdict_about_a_mail_can_be_kept():
    kept = {what.value for what in What} - {"automatic", "written"}

    assert kept <= set(Feedback.Kind.values)


def test_no_damage_to_a_mail_stops_the_reading():
    dice = random.Random(4711)
    mails = [*EVERY_FORMAT, bounces.COMPLAINT, bounces.WRITTEN]

    for _ in range(1500):
        mail = bytearray(fill(dice.choice(mails)))
        for _ in range(dice.randrange(12)):
            place = dice.randrange(len(mail) + 1)
            mail[place : place + dice.randrange(40)] = dice.randbytes(dice.randrange(6))
        cut = bytes(mail[: dice.randrange(len(mail) + 1)])
        assert isinstance(dsn.read(cut), dsn.Read)
