"""What an answer of the mail server means: for this mail, for its mailbox, or for the whole sending.

The enhanced code (RFC 3463) says it best; without one the three digits must do (RFC 5321 section 4.2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """How far a mail was when the answer came."""

    GREETING = "greeting"  # connecting, EHLO, STARTTLS, AUTH
    SENDER = "sender"  # MAIL FROM
    RECIPIENT = "recipient"  # RCPT TO
    DATA = "data"  # the command
    MESSAGE = "message"  # after the final dot


class Verdict(Enum):
    ACCEPTED = "accepted"
    NO_MAILBOX = "no_mailbox"  # for good
    REFUSED = "refused"  # this mailbox does not take it, perhaps the next time
    POLICY = "policy"  # it is about us, not about the mailbox
    CONTENT = "content"  # it is about what the mail says
    LATER = "later"  # this mail, later
    SERVER = "server"  # no mail at all, for now
    UNCERTAIN = "uncertain"  # nobody knows whether it was accepted


# The answers that mean „nothing more from you for now“, whatever they answer: closing down, too
# fast, and the three ways of not being signed in.
WHOLE_SERVER = (421, 454, 530, 534, 535, 538)
# „552 too big“ and „554 transaction failed“ after the message: about what it says.
ABOUT_CONTENT = (552, 554)

_ENHANCED = re.compile(rb"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")


@dataclass(frozen=True)
class Reply:
    """One answer: where it came, its digits and its enhanced code. The words are not kept."""

    stage: Stage
    code: int
    enhanced: str = ""

    @property
    def verdict(self) -> Verdict:
        return _verdict(self)

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced}".strip()


def read(stage: Stage, code: int, words: bytes) -> Reply:
    """Read an answer. Its words may name the address, so only the enhanced code is taken."""
    found = _ENHANCED.match(words.lstrip())
    return Reply(stage, code, found[0].decode() if found else "")


def _verdict(reply: Reply) -> Verdict:
    if reply.stage in (Stage.GREETING, Stage.SENDER):
        too_big = reply.code == 552 or reply.enhanced == "5.3.4"
        return Verdict.CONTENT if reply.stage is Stage.SENDER and too_big else Verdict.SERVER
    if 200 <= reply.code < 300 and reply.stage is Stage.MESSAGE:
        return Verdict.ACCEPTED
    if reply.code in WHOLE_SERVER or not 400 <= reply.code < 600:
        return Verdict.SERVER
    if reply.code < 500:
        return Verdict.LATER
    return _refusal(reply)


def _refusal(reply: Reply) -> Verdict:
    subject, _, detail = reply.enhanced.removeprefix("5.").partition(".")
    match subject:
        case "1":
            # 5.1.7 and 5.1.8 are about the sender's address (RFC 3463 section 3.2).
            return Verdict.POLICY if detail in ("7", "8") else Verdict.NO_MAILBOX
        case "7":
            return Verdict.POLICY
        case "6":
            return Verdict.CONTENT
        case "3" if detail == "4":
            return Verdict.CONTENT
        case "" if reply.stage is not Stage.RECIPIENT and reply.code in ABOUT_CONTENT:
            return Verdict.CONTENT
    return Verdict.REFUSED
