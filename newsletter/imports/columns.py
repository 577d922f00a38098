"""What columns are called in the lists people bring, and which words in them mean what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, StrEnum

from newsletter import portable


class Column(StrEnum):
    """What a column is read as. The value stands in the stored mapping."""

    EMAIL = "email"
    NAME = "name"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    TAGS = "tags"
    STATUS = "status"
    IS_ON = "is_on"
    IS_OFF = "is_off"
    CREATED_AT = "created_at"
    REQUESTED_AT = "requested_at"
    REQUESTED_IP = "requested_ip"
    CONFIRMED_AT = "confirmed_at"
    CONFIRMED_IP = "confirmed_ip"
    LEFT_AT = "left_at"
    BARRED_AT = "barred_at"
    COMPLAINED_AT = "complained_at"
    DELETED_AT = "deleted_at"
    # Known to our own export alone.
    SUPPRESSED = "suppressed"
    MAIL_REQUESTED_AT = "mail_requested_at"
    MAIL_SENT_AT = "mail_sent_at"
    PUBLIC_ID = "public_id"
    ADDRESS_NUMBER = "address_number"
    UNREACHABLE_SINCE = "unreachable_since"
    CONSENTS = "consents"
    ADDRESS_HASH = "address_hash"
    REASON = "reason"


LABELS = {
    Column.EMAIL: "E-Mail-Adresse",
    Column.NAME: "Name",
    Column.FIRST_NAME: "Vorname",
    Column.LAST_NAME: "Nachname",
    Column.TAGS: "Schlagwörter",
    Column.STATUS: "Status",
    Column.IS_ON: "Ja heißt: bekommt den Newsletter",
    Column.IS_OFF: "Ja heißt: bekommt ihn nicht",
    Column.CREATED_AT: "angelegt am",
    Column.REQUESTED_AT: "Nachweis: eingetragen am",
    Column.REQUESTED_IP: "Nachweis: IP beim Eintragen",
    Column.CONFIRMED_AT: "Nachweis: bestätigt am",
    Column.CONFIRMED_IP: "Nachweis: IP beim Bestätigen",
    Column.LEFT_AT: "abgemeldet am",
    Column.BARRED_AT: "unzustellbar seit",
    Column.COMPLAINED_AT: "beschwert am",
    Column.DELETED_AT: "gelöscht am",
    Column.SUPPRESSED: "Sperre (eigener Export)",
    Column.MAIL_REQUESTED_AT: "E-Mail angefordert am (eigener Export)",
    Column.MAIL_SENT_AT: "E-Mail verschickt am (eigener Export)",
    Column.PUBLIC_ID: "Kennung (eigener Export)",
    Column.ADDRESS_NUMBER: "wievielte Adresse (eigener Export)",
    Column.UNREACHABLE_SINCE: "unzustellbar seit (eigener Export)",
    Column.CONSENTS: "Einwilligungen (eigener Export)",
    Column.ADDRESS_HASH: "Prüfwert der Adresse (Export der Sperren)",
    Column.REASON: "Grund der Sperre (Export der Sperren)",
}

# Headings as the tools write them, in lower case and without what is no letter or digit.
_HEADINGS: dict[Column, str] = {
    Column.EMAIL: (
        "email|emailaddress|emailadresse|mail|mailadresse|adresse|deineemailadresse|ihreemailadresse"
        "|youremail|youremailaddress|primaryemail|subscriberemail|emailprimary|adressedecourriel"
    ),
    Column.NAME: "name|fullname|vollername|vorundnachname|displayname|kontakt|contactname",
    Column.FIRST_NAME: "firstname|vorname|fname|givenname|rufname",
    Column.LAST_NAME: "lastname|nachname|lname|surname|familienname|familyname",
    Column.TAGS: "tags|tag|labels|label|schlagwort|schlagworte|schlagwörter|gruppe|gruppen|segmente",
    Column.STATUS: (
        "status|state|subscriberstate|subscriberstatus|subscribertype|emailstatus|anmeldestatus"
        "|abostatus|zustand"
    ),
    Column.IS_ON: (
        "subscribedtoemails|subscribed|activesubscriber|optin|active|aktiv|angemeldet|newsletter"
        "|bekommtdennewsletter|emailmarketing"
    ),
    Column.IS_OFF: "emaildisabled|unsubscribed|optout|abgemeldet|blocked|emailblacklisted|gesperrt",
    Column.CREATED_AT: (
        "createdat|created|creationdate|addedat|dateadded|angelegtam|erstelltam|subscribedat"
        "|subscriptiondate|eingetragenam|anmeldedatum|signupdate|datum"
    ),
    Column.REQUESTED_AT: "optintime|optindate|optinam|doiangefordertam",
    Column.REQUESTED_IP: "optinip|ipaddress|ipadresse|ip",
    Column.CONFIRMED_AT: "confirmtime|confirmedat|bestätigtam|doubleoptinat|doubleoptin|doiam",
    Column.CONFIRMED_IP: "confirmip|bestätigungsip",
    Column.LEFT_AT: (
        "unsubtime|unsubscribedat|unsubscriptiondate|unsubscribedate|abgemeldetam|austrittsdatum"
        "|cancelledat|canceledat|optoutdate|abmeldedatum"
    ),
    Column.BARRED_AT: "cleantime|bouncedat|unzustellbarseit|hardbouncedat",
    Column.COMPLAINED_AT: "complainedat|complaintat|spamreportedat|beschwertam",
    Column.DELETED_AT: "deletedat|gelöschtam",
}
_BY_HEADING = {word: column for column, words in _HEADINGS.items() for word in words.split("|")}
_OWN = {
    portable.EMAIL: Column.EMAIL,
    portable.NAME: Column.NAME,
    portable.STATUS: Column.STATUS,
    portable.TAGS: Column.TAGS,
    portable.CREATED_AT: Column.CREATED_AT,
    portable.CONFIRMED_AT: Column.CONFIRMED_AT,
    portable.LEFT_AT: Column.LEFT_AT,
    portable.SUPPRESSED: Column.SUPPRESSED,
    portable.MAIL_REQUESTED_AT: Column.MAIL_REQUESTED_AT,
    portable.MAIL_SENT_AT: Column.MAIL_SENT_AT,
    portable.PUBLIC_ID: Column.PUBLIC_ID,
    portable.ADDRESS_NUMBER: Column.ADDRESS_NUMBER,
    portable.UNREACHABLE_SINCE: Column.UNREACHABLE_SINCE,
    portable.CONSENTS: Column.CONSENTS,
    portable.ADDRESS_HASH: Column.ADDRESS_HASH,
    portable.REASON: Column.REASON,
}

# A mere yes or no; anything else in such a column is no yes.
YES = frozenset(["1", "true", "yes", "y", "ja", "j", "wahr", "x", "on", "t"])
NO = frozenset(["0", "false", "no", "n", "nein", "falsch", "off", "f"])


class Meaning(Enum):
    """What a word in a status column says."""

    YES = "yes"
    PENDING = "pending"
    LEFT = "left"
    BOUNCED = "bounced"
    BLOCKED = "blocked"
    COMPLAINED = "complained"
    UNCLEAR = "unclear"


_WORDS: dict[Meaning, str] = {
    Meaning.YES: "active|aktiv|subscribed|confirmed|angemeldet|bestätigt|regular|premium"
    "|gifted|trialed|free|paid|comped|opted-in|opt-in|opted in|abonniert|member",
    Meaning.PENDING: "pending|unconfirmed|unactivated|noch nicht bestätigt|unbestätigt|non-subscribed"
    "|nonsubscribed|not confirmed|new|unproven",
    Meaning.LEFT: "unsubscribed|abgemeldet|inactive|inaktiv|cancelled|canceled|removed|disabled"
    "|deaktiviert|opted-out|opt-out|opted out|gekündigt|deleted|gelöscht|unsub|left",
    Meaning.BOUNCED: "bounced|cleaned|unreachable|hard bounce|hardbounce|hard-bounce|undeliverable"
    "|unzustellbar|invalid|bounce",
    Meaning.BLOCKED: "blocked|blocklisted|blacklisted|gesperrt|blockiert|suppressed",
    Meaning.COMPLAINED: "complained|complaint|spam|spammed|marked as spam|beschwerde|abuse"
    "|spam complaint",
}
_BY_WORD = {word: meaning for meaning, words in _WORDS.items() for word in words.split("|")}


def meaning(word: str) -> Meaning:
    """Only a clear yes is one: „inactive“ contains „active“ and means the opposite."""
    return _BY_WORD.get(word.strip().casefold(), Meaning.UNCLEAR)


def known_headings() -> list[str]:
    """Headings whose sight tells that a delimiter was the right one."""
    spelled = ["E-Mail-Adresse", "E-Mail", "First Name", "Last Name", "Email Address", "Created At"]
    return [*_BY_HEADING, *_OWN, *spelled, "created_at", "OPTIN_TIME", "CONFIRM_TIME"]


def guess(headings: Sequence[str]) -> dict[str, str]:
    """Which of these headings mean what; one column for each meaning, the first that fits."""
    if is_own_export(headings) or {portable.ADDRESS_HASH, portable.REASON} <= set(headings):
        return {heading: _OWN[heading].value for heading in headings if heading in _OWN}
    found: dict[str, str] = {}
    for heading in headings:
        column = _BY_HEADING.get(_plain(heading))
        if column is not None and column.value not in found.values():
            found[heading] = column.value
    if Column.EMAIL.value not in found.values():
        found |= _looks_like_email(headings)
    return found


def is_own_export(headings: Sequence[str]) -> bool:
    return {portable.EMAIL, portable.PUBLIC_ID, portable.CONSENTS} <= set(headings)


def unique_headings(cells: Sequence[str]) -> list[str]:
    """A name for every column: its heading, numbered if it is empty or stands there twice."""
    names: list[str] = []
    for number, cell in enumerate(cells, start=1):
        plain = " ".join(cell.replace("\0", "").split())[:80] or f"Spalte {number}"
        name, again = plain, 2
        while name in names:
            name, again = f"{plain} ({again})", again + 1
        names.append(name)
    return names


def _looks_like_email(headings: Sequence[str]) -> dict[str, str]:
    """A translated heading such as „Adresse e-mail“ still speaks of mail."""
    speaking = [heading for heading in headings if re.search(r"e-?mail", heading, re.I)]
    plain = [heading for heading in speaking if "@" not in heading]
    return {plain[0]: Column.EMAIL.value} if plain else {}


def _plain(heading: str) -> str:
    return "".join(letter for letter in heading.casefold() if letter.isalnum())
