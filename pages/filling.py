"""Fills a legal text: `{{ telefon }}` from the practice's row, `[[cookies]]` from what code knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse

from coaching_site import links, markdown, vat
from pages import legal_facts, offering
from pages.models import Practice

_WORD = re.compile(r"\{\{\s*(\w*)\s*\}\}")
_BLOCK = re.compile(r"^\[\[\s*(\w*)\s*\]\]$", re.MULTILINE)
# What is left of one that is misspelt, cut off or not alone in its line.
_LEFT = re.compile(r"\{\{[^}\n]*\}{0,2}|\[\[[^\]\n]*\]{0,2}")
# The coach may leave such a hole by hand as well.
_HOLE = re.compile(r"\\?\[([^\[\]\\\n]+) fehlt noch\\?\]")


@dataclass(frozen=True)
class Filled:
    """Markdown as visitors read it; `missing` names holes, `unknown` what could not be filled."""

    text: str
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        return not self.missing and not self.unknown


def fill(source: str, practice: Practice) -> Filled:
    """The text as of now. What is missing stands in it as „[… fehlt noch]“."""
    unknown: list[str] = []

    def word(found: re.Match[str]) -> str:
        value = WORDS.get(found[1])
        if value is None:
            unknown.append(found[0])
            return markdown.literal(found[0])
        return value(practice)

    def block(found: re.Match[str]) -> str:
        written = BLOCKS.get(found[1])
        if written is None:
            unknown.append(found[0])
            return markdown.literal(found[0])
        return written(practice)

    lines = source.replace("\r\n", "\n").strip()
    # Blocks first: a name or an address is never read as a block.
    text = _WORD.sub(word, _BLOCK.sub(block, lines))
    text = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    unknown += _LEFT.findall(text)
    return Filled(text, tuple(dict.fromkeys(_HOLE.findall(text))), tuple(dict.fromkeys(unknown)))


def _or_hole(value: str, label: str) -> str:
    return markdown.literal(value or f"[{label} fehlt noch]")


def _name(practice: Practice) -> str:
    return _or_hole(practice.name, "Vor- und Nachname")


def _street(practice: Practice) -> str:
    return _or_hole(practice.street, "Straße und Hausnummer")


def _place(practice: Practice) -> str:
    return f"{_or_hole(practice.postal_code, 'PLZ')} {_or_hole(practice.city, 'Ort')}"


def _email(practice: Practice) -> str:
    return _or_hole(practice.email, "E-Mail-Adresse")


def _phone(practice: Practice) -> str:
    return _or_hole(practice.phone, "Telefonnummer")


WORDS: dict[str, Callable[[Practice], str]] = {
    "name": _name,
    "anschrift": lambda practice: f"{_street(practice)}, {_place(practice)}",
    "telefon": _phone,
    "email": _email,
    "ust_id": lambda practice: _or_hole(practice.vat_id, "USt-IdNr. oder W-IdNr."),
    "aufsichtsbehoerde": lambda practice: _or_hole(
        practice.supervisory_authority, "Aufsichtsbehörde"
    ),
    "hosting": lambda practice: _or_hole(practice.hosting_provider, "Hosting-Anbieter und Sitz"),
    "mailversand": lambda practice: _or_hole(practice.mail_provider, "E-Mail-Anbieter und Sitz"),
    "video": lambda practice: _or_hole(practice.video_provider, "Video-Anbieter und Sitz"),
    "leistung": lambda _: offering.KIND,
    "kein_kurs": lambda _: offering.NO_COURSE,
    "keine_aufzeichnung": lambda _: offering.NOT_RECORDED,
    "keine_therapie": lambda _: offering.NO_THERAPY,
    "widerruf_adresse": lambda _: f"<{links.absolute(reverse('withdraw'))}>",
}


# --- blocks: whole paragraphs and tables ------------------------------------------------------


def _operator(practice: Practice) -> str:
    lines = (
        _name(practice),
        _street(practice),
        _place(practice),
        markdown.literal(practice.country),
    )
    return "\\\n".join(lines)


def _contact(practice: Practice) -> str:
    email = (
        f"[{_email(practice)}](<mailto:{practice.email}>)" if practice.email else _email(practice)
    )
    return f"E-Mail: {email}\\\nTelefon: {_phone(practice)}"


def _vat_id(practice: Practice) -> str:
    label = "Umsatzsteuer- oder Wirtschafts-Identifikationsnummer"
    return f"{label}: {markdown.literal(practice.vat_id)}" if practice.vat_id else ""


def _insurer(practice: Practice) -> str:
    if not practice.insurer.strip():
        return ""
    insurance = "## Berufshaftpflichtversicherung\n\n" + _lines(practice.insurer)
    if practice.insurance_scope:
        scope = markdown.literal(practice.insurance_scope)
        insurance += f"\n\nRäumlicher Geltungsbereich: {scope}"
    return insurance


def _associations(practice: Practice) -> str:
    if not practice.associations.strip():
        return ""
    return "## Verbände und Verhaltensregeln\n\n" + _lines(practice.associations)


def _lines(text: str) -> str:
    return "\\\n".join(markdown.literal(line) for line in text.splitlines() if line.strip())


def _vat(practice: Practice) -> str:
    if practice.vat_mode == Practice.VatMode.SMALL_BUSINESS:
        return (
            "Die Preise sind Endpreise. Als Kleinunternehmen berechnen wir keine Umsatzsteuer und "
            "weisen keine aus."
        )
    return f"Die Preise sind Gesamtpreise und enthalten {vat.REGULAR_PERCENT} % Umsatzsteuer."


def _stripe(practice: Practice) -> str:
    return STRIPE if settings.STRIPE_SECRET_KEY else ""


def _newsletter_network(practice: Practice) -> str:
    if not practice.newsletter_keeps_network:
        return ""
    return (
        "Zum Nachweis speichern wir bei der Anmeldung auch deine gekürzte IP-Adresse; "
        "sie wird nach 90 Tagen gelöscht."
    )


def _cookies(practice: Practice) -> str:
    rows = [(each.name, each.purpose, each.lifetime) for each in legal_facts.cookies()]
    return _table(("Name", "Wozu", "Wie lange"), rows)


def _processors(practice: Practice) -> str:
    rows = (
        f"| {_or_hole(each.name, each.field)} | [{each.purpose}](#{each.anchor}) |"
        for each in legal_facts.processors(practice)
    )
    return "\n".join(["| Wer | Wozu |\n| --- | --- |", *rows])


def _periods(practice: Practice) -> str:
    rows = [(each.what, each.how_long, each.why) for each in legal_facts.periods(practice)]
    return _table(("Was", "Wie lange", "Warum"), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(map(markdown.literal, row))} |" for row in rows]
    return "\n".join([f"| {' | '.join(header)} |", "|" + " --- |" * len(header), *lines])


BLOCKS: dict[str, Callable[[Practice], str]] = {
    "anbieter": _operator,
    "kontakt": _contact,
    "ust_id": _vat_id,
    "versicherung": _insurer,
    "verbaende": _associations,
    "umsatzsteuer": _vat,
    "stripe": _stripe,
    "newsletter_ip": _newsletter_network,
    "cookies": _cookies,
    "auftragsverarbeiter": _processors,
    "aufbewahrung": _periods,
}

STRIPE = """\
## Bezahlen mit Stripe {#stripe}

Kostet ein Gespräch etwas, bezahlst du auf einer Seite von Stripe (Stripe Payments Europe, Limited, Irland). \
Dorthin kommst du erst, wenn du auf den Knopf zum Bezahlen drückst; vorher erfährt Stripe nichts von dir. \
Wir übermitteln deine E-Mail-Adresse, Titel und Zeit des Gesprächs, die Buchungsnummer und den Betrag, um \
den Vertrag zu erfüllen (Art. 6 Abs. 1 Buchst. b DSGVO). Karten- und Kontodaten gibst du nur bei Stripe ein, \
wir sehen sie nicht. Zurück bekommen wir, ob bezahlt oder erstattet wurde, und Kennungen der Zahlung.

Stripe ist zum Teil selbst verantwortlich, zum Beispiel um Betrug zu verhindern und gesetzliche Pflichten zu \
erfüllen. Daten können dabei in die USA gelangen; Grundlage sind der Angemessenheitsbeschluss zum EU-US Data \
Privacy Framework und Standardvertragsklauseln. Näheres steht in der \
[Datenschutzerklärung von Stripe](https://stripe.com/de/privacy)."""
