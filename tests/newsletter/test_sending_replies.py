"""What an answer of the mail server means."""

from __future__ import annotations

import pytest

from newsletter.sending.replies import Stage, Verdict, read

GREETING, SENDER, RECIPIENT = Stage.GREETING, Stage.SENDER, Stage.RECIPIENT
DATA, MESSAGE = Stage.DATA, Stage.MESSAGE


@pytest.mark.parametrize(
    ("stage", "answer", "verdict"),
    [
        (MESSAGE, "250 2.0.0 queued", Verdict.ACCEPTED),
        (MESSAGE, "250 ok", Verdict.ACCEPTED),
        # About this mailbox.
        (RECIPIENT, "550 5.1.1 <ada@x.example> unknown", Verdict.NO_MAILBOX),
        (RECIPIENT, "550 5.1.2 bad domain", Verdict.NO_MAILBOX),
        (RECIPIENT, "550 5.1.10 null MX", Verdict.NO_MAILBOX),
        (MESSAGE, "550 5.1.1 unknown", Verdict.NO_MAILBOX),
        (RECIPIENT, "552 5.2.2 mailbox full", Verdict.REFUSED),
        (RECIPIENT, "550 5.2.1 disabled", Verdict.REFUSED),
        (RECIPIENT, "550 no such user", Verdict.REFUSED),
        (RECIPIENT, "553 mailbox name not allowed", Verdict.REFUSED),
        (RECIPIENT, "554 5.5.0 rejected", Verdict.REFUSED),
        # About us.
        (RECIPIENT, "550 5.7.1 blocked", Verdict.POLICY),
        (MESSAGE, "550 5.7.515 unauthenticated", Verdict.POLICY),
        (MESSAGE, "554 5.7.1 spam", Verdict.POLICY),
        (RECIPIENT, "550 5.1.8 bad sender", Verdict.POLICY),
        # About what it says.
        (MESSAGE, "552 too big", Verdict.CONTENT),
        (MESSAGE, "552 5.3.4 too big", Verdict.CONTENT),
        (MESSAGE, "554 transaction failed", Verdict.CONTENT),
        (MESSAGE, "554 5.6.0 bad message", Verdict.CONTENT),
        (SENDER, "552 5.3.4 too big", Verdict.CONTENT),
        # Later.
        (RECIPIENT, "450 4.2.1 try later", Verdict.LATER),
        (RECIPIENT, "451 4.7.1 greylisted", Verdict.LATER),
        (RECIPIENT, "452 4.2.2 mailbox full", Verdict.LATER),
        (MESSAGE, "451 4.3.0 local error", Verdict.LATER),
        (DATA, "451 try later", Verdict.LATER),
        # Nothing at all for now.
        (GREETING, "421 too many connections", Verdict.SERVER),
        (GREETING, "554 no service", Verdict.SERVER),
        (GREETING, "535 5.7.8 authentication failed", Verdict.SERVER),
        (SENDER, "530 5.7.0 authentication required", Verdict.SERVER),
        (SENDER, "550 5.7.1 sender not allowed", Verdict.SERVER),
        (SENDER, "451 4.7.1 slow down", Verdict.SERVER),
        (RECIPIENT, "421 4.7.0 closing", Verdict.SERVER),
        (RECIPIENT, "454 4.7.0 throttling", Verdict.SERVER),
        (MESSAGE, "454 Throttling failure: Maximum sending rate exceeded.", Verdict.SERVER),
        (MESSAGE, "421 4.3.2 shutting down", Verdict.SERVER),
        (DATA, "200 what", Verdict.SERVER),
    ],
)
def test_each_answer_has_one_meaning(stage, answer, verdict):
    code, _, words = answer.partition(" ")

    assert read(stage, int(code), words.encode()).verdict is verdict


def test_the_words_of_an_answer_are_not_kept():
    reply = read(RECIPIENT, 550, b"5.1.1 <ada@leser.example>: no such user")

    assert str(reply) == "550 5.1.1"
    assert "ada" not in repr(reply)


def test_a_number_within_the_words_is_no_enhanced_code():
    assert read(RECIPIENT, 550, b"host 5.1.1.9 says no").enhanced == ""
    assert read(RECIPIENT, 550, b"see 5.1.1 in the manual").enhanced == ""
