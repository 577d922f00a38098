"""The coach's own words in mails: where they may stand, what they may name, and what stands there else.

Facts, links, legal notes and the imprint are no part of it: nobody can word them away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pages import wording

# What may stand in braces, and what it becomes.
PLACEHOLDERS = {
    "name": "der Vorname des Gasts",
    "tag": "der Tag des Gesprächs",
    "uhrzeit": "sein Beginn, in der Zeit des Gasts",
    "art": "die Gesprächsart",
    "absender": "dein Name, wie er in „Praxis“ steht",
}
# Subjects are read on other people's screens; what a call is about is nobody's business there.
NOT_IN_SUBJECTS = ("art",)

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
# Whatever looks like more than plain words: braces around anything, or a brace alone.
_BRACES = re.compile(r"\{+[^{}]*\}+|[{}]")


@dataclass(frozen=True)
class Words:
    """What a mail says around its facts. An empty part is left to the house."""

    subject: str = ""
    greeting: str = ""
    closing: str = ""


@dataclass(frozen=True)
class Open:
    """A mail whose words may be the coach's own: what they may name, and the house's words.

    The house's subject stands in the mail's own template.
    """

    placeholders: tuple[str, ...]
    house: Words

    @property
    def in_subject(self) -> tuple[str, ...]:
        return tuple(name for name in self.placeholders if name not in NOT_IN_SUBJECTS)


NAMELESS = "Hallo,"
OF_A_CALL = ("name", "tag", "uhrzeit", "art", "absender")
ASK_ME = Words(
    greeting="Hallo {name},",
    closing="Du hast eine Frage? Antworte einfach auf diese E-Mail.\n\n{absender}",
)

# By key. Not here: what the law words (withdrawals), what goes to people who perhaps asked for
# nothing (links and confirmations, in which any advertising would be unlawful), what only the
# coach gets, and issues, which have an editor of their own.
OPEN = {
    **dict.fromkeys(
        (
            "booking.confirmation_guest",
            "booking.moved_guest",
            "booking.cancellation_guest",
            "booking.request_guest",
            "booking.request_over_guest",
            "booking.reminder_guest",
            "booking.refund_guest",
            "booking.invoice_guest",
            "booking.paid_too_late_guest",
        ),
        Open(OF_A_CALL, ASK_ME),
    ),
    # It asks for an answer itself.
    "booking.follow_up_guest": Open(
        OF_A_CALL, Words(greeting="Hallo {name},", closing="{absender}")
    ),
    "newsletter.welcome": Open(("absender",), Words(greeting=NAMELESS)),
}


def key_of(template: str) -> str:
    """„booking.moved_guest“ for „booking/mail/moved_guest“."""
    return template.replace("/mail/", ".")


def filled(mail: Open, own: Words, values: Mapping[str, str]) -> Words:
    """The words as somebody reads them. Own ones that name what is missing give way to the house's.

    The subject stays empty where it is the house's.
    """
    house = mail.house
    return Words(
        subject=_fill(own.subject, values),
        greeting=_fill(own.greeting, values) or _fill(house.greeting, values) or NAMELESS,
        closing=_fill(own.closing, values) or _fill(house.closing, values),
    )


def refusal(text: str, allowed: Iterable[str]) -> str | None:
    """Why these words cannot stand in a mail, in a sentence that names what could; None if they can."""
    known = [f"{{{name}}}" for name in allowed]
    unknown = [found for found in _BRACES.findall(text) if found not in known]
    if not unknown:
        return None
    named = ", ".join(f"„{each}“" for each in dict.fromkeys(unknown))
    return f"Das lässt sich hier nicht einsetzen: {named}. Möglich ist nur: {', '.join(known)}."


def doubts(key: str, words: Words) -> list[str]:
    """One sentence for each word that should not stand in this mail (UWG §§ 5, 7)."""
    text = "\n".join((words.subject, words.greeting, words.closing))
    kinds = (*wording.ALL, wording.IN_MAILS) if key.startswith("booking.") else wording.ALL
    found = dict.fromkeys(wording.doubts(text, kinds))
    return [f"„{doubt.word}“ {doubt.claim}." for doubt in found]


def _fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its values, or nothing if one of them is missing."""
    if not all(values.get(name) for name in _PLACEHOLDER.findall(text)):
        return ""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)
