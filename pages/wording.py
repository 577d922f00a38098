"""Words this site must not advertise with, and why; each of them has cost somebody a warning letter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pages import offering

# True sentences that need such a word to say that it does not apply.
DENIALS = (offering.NO_COURSE, offering.NOT_RECORDED, offering.NO_THERAPY)


class Words(NamedTuple):
    """What the words would claim, and the pattern that finds them."""

    claim: str
    pattern: re.Pattern[str]


class Doubt(NamedTuple):
    word: str
    claim: str


def _any_of(*words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})", re.IGNORECASE)


# UWG § 5 and annex no. 7: what is scarce is counted, never claimed.
SCARCITY = Words(
    "klingt nach künstlicher Verknappung oder Eile",
    _any_of(
        r"nur noch (?:\d+|eine?n?|zwei|drei|wenige)\b",
        r"(?:die )?letzte[nr]? (?:Chance|Gelegenheit|Plätze|Termine)",
        r"(?:streng )?(?:limitiert|begrenzte Plätze|begrenzte Teilnehmer)",
        r"nur (?:heute|für kurze Zeit|solange)",
        r"solange der Vorrat",
        r"Countdown",
        r"beeil",
        r"(?:jetzt|schnell) (?:zuschlagen|sichern)",
        r"bevor es zu spät",
        r"fast ausgebucht",
        r"\d+ (?:freie )?(?:Plätze|Termine|Zeiten)\b",
    ),
)
# UWG § 5 (3), annex no. 2a and 4a: not without recognised proof, and this site has none.
ENVIRONMENT = Words(
    "verspricht etwas für die Umwelt, wofür es einen anerkannten Nachweis braucht",
    _any_of(
        r"\w*klima(?:neutral|positiv|freundlich|schonend|kompensiert|bewusst)",
        r"(?:CO2|CO₂|emissions|kohlenstoff)-?(?:neutral|frei|kompensiert|arm)",
        r"umwelt(?:freundlich|schonend|bewusst|gerecht)",
        r"(?:ökologisch|nachhaltig)(?:e|er|es|en)? (?:gehostet|betrieben|Hosting|Server|Website)",
        r"grün(?:e|er|es|en)? (?:gehostet|Hosting|Strom|Server|Website)",
        r"green (?:hosting|web)",
        r"Öko(?:strom|siegel|hosting)",
        r"energieeffizient",
        r"CO2-?Fußabdruck",
    ),
)
# FernUSG §§ 1, 7: a contract that sounds like a course is void without a licence.
COURSE = Words(
    "klingt nach Kurs oder Fernunterricht; solche Verträge sind ohne Zulassung nichtig",
    _any_of(
        r"(?:Online|Video|Intensiv|Gruppen)?-?kurs(?:e|en|es|inhalte?|programm|teilnehmer\w*)?\b",
        r"Modul(?:e|en|s)?\b",
        r"Lektion(?:en)?\b",
        r"Lehr(?:gang|gänge|plan|video|inhalte?|material)\w*",
        r"Lern(?:video|plattform|ziel|kontrolle|erfolg|material)\w*",
        r"Webinar\w*",
        r"(?:Online-?)?(?:Akademie|Academy|Masterclass|Bootcamp|Workbook)\b",
        r"E-?Learning",
        r"Aufzeichnung(?:en)?\b",
        r"Replays?\b",
        r"Zertifi\w+",
        r"(?:Teilnahme|Abschluss)(?:bescheinigung|prüfung|zeugnis|test)\w*",
        r"Hausaufgabe\w*",
        r"Selbststudium",
        r"Mitgliederbereich",
    ),
)
# HWG § 3, UWG § 5: coaching heals nobody and owes no success.
PROMISE = Words(
    "verspricht Heilung oder Erfolg",
    _any_of(
        r"heil(?:en|t|ung|sam)\b",
        r"(?:Erfolgs|Geld-zurück-|Zufriedenheits)garantie",
        r"garantier(?:t|en|te|ter|tes|ten)\b",
        r"100\s?%",
        r"Therapie\b",
        r"therapier\w+",
    ),
)

# UWG § 7 (2), BGH VI ZR 134/15: advertising in a mail about something else needs a consent as well.
IN_MAILS = Words(
    "klingt nach Werbung, und die gehört nicht in eine Mail zu einem Termin",
    _any_of(
        r"Newsletter\w*",
        r"abonnier\w+",
        r"Rabatt\w*",
        r"Gutschein\w*",
        r"Sonder(?:preis|angebot)\w*",
        r"(?:mein|unser)\w* (?:neu\w+ )?(?:Angebote?|Programm|Buch|Podcast)\b",
        r"(?:weiter)?empf(?:iehl|ehl)\w*",
        r"bewert(?:e|et|en|ung)\w*",
        r"folgt? mir\b",
        r"https?://\S*",
        r"www\.\S*",
    ),
)

ALL = (SCARCITY, ENVIRONMENT, COURSE, PROMISE)


def doubts(text: str, kinds: tuple[Words, ...] = ALL) -> Iterator[Doubt]:
    """What in a text should not be advertised with, word by word."""
    words = " ".join(text.replace("\u00ad", "").split())
    for sentence in DENIALS:
        words = words.replace(sentence, " ")
    for each in kinds:
        for found in each.pattern.finditer(words):
            yield Doubt(found[0], each.claim)
