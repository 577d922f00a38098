"""What the law still misses on this site, as far as a program can tell: one sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import QuerySet
from django.urls import is_valid_path, reverse
from django.utils import timezone

from booking.models import CallType, Withdrawal, WithdrawalMail, unconfirmed
from booking.models.withdrawals import WARN_BEFORE as REFUND_WARNING
from coaching_site import markdown
from coaching_site.desk.models import WARN_BEFORE as REQUEST_WARNING
from coaching_site.desk.models import PersonRequest
from pages import filling, legal, legal_facts, own_words
from pages.legal_models import CHECKED_BY_A_LAWYER, LegalText
from pages.models import Practice

Kind = LegalText.Kind

# The EU's platform for online disputes was closed in 2025; a link to it misleads.
CLOSED_PLATFORM = "ec.europa.eu/consumers/odr"

# A mail that is on its way is not missing yet.
MAILS_TAKE = timedelta(minutes=10)
# What was not confirmed longer ago is history.
LOOKING_BACK = timedelta(days=14)


class Finding(NamedTuple):
    """`is_duty` is what must be mended; `is_unfinished` waits for a person, not for a repair."""

    sentence: str
    is_duty: bool = True
    is_unfinished: bool = False


def findings(*, now: datetime) -> list[Finding]:
    """Everything found, duties first, and nobody named in it.

    Reads the database, writes nothing, asks no other server.
    """
    practice = Practice.current()
    texts = {kind: legal.current(kind) for kind in Kind}
    found = [
        *_practice(practice),
        *_unfinished(texts, practice),
        *_outdated(),
        *_links(texts),
        *(Finding(sentence, is_duty=False) for sentence in own_words.doubtful(practice)),
        *_privacy(texts[Kind.PRIVACY], practice),
        *_withdrawal_model(),
        *_stripe(),
        *_deadlines(now),
    ]
    return sorted(found, key=lambda finding: not finding.is_duty)


def settings_in_words() -> list[str]:
    """What is neither right nor wrong, but worth a look before going live."""
    mode = Practice.VatMode(Practice.current().vat_mode)
    key = "kein Schlüssel"
    if settings.STRIPE_SECRET_KEY:
        key = "echtes Geld" if settings.STRIPE_IS_LIVE else "Testmodus"
    return [f"Umsatzsteuer: {mode.label}.", f"Stripe: {key}."]


def _practice(practice: Practice) -> Iterator[Finding]:
    for label in practice.missing():
        yield Finding(f"Im Impressum fehlt: {label}.")
    if practice.vat_mode == Practice.VatMode.REGULAR and not practice.vat_id:
        yield Finding(
            "Regelbesteuerung ohne USt-IdNr. oder W-IdNr.: Hast du eine, trag sie unter „Praxis“ ein.",
            is_duty=False,
        )


def _unfinished(texts: dict[Kind, legal.LegalVersion], practice: Practice) -> Iterator[Finding]:
    for kind in CHECKED_BY_A_LAWYER:
        number = texts[kind].number
        if not number:
            holes = filling.fill(legal.start_source(kind), practice).missing
            lacks = f" Darin fehlt: {', '.join(holes)}." if holes else ""
            sentence = f"{kind.label}: noch der Starttext, nichts veröffentlicht.{lacks}"
            yield Finding(sentence, is_unfinished=True)
        elif not texts[kind].is_checked:
            sentence = f"{kind.label}: Fassung {number} ist nicht als geprüft vermerkt."
            yield Finding(sentence, is_unfinished=True)


def _outdated() -> Iterator[Finding]:
    for row in legal.outdated():
        yield Finding(
            f"{row.get_kind_display()}: Seit Fassung {row.number} haben sich Angaben geändert. "
            "Text neu veröffentlichen."
        )


def _links(texts: dict[Kind, legal.LegalVersion]) -> Iterator[Finding]:
    for kind, text in texts.items():
        if CLOSED_PLATFORM in text.text:
            yield Finding(f"{kind.label}: Die Plattform {CLOSED_PLATFORM} gibt es nicht mehr.")
        for href in dict.fromkeys(markdown.links(text.text)):
            if _is_dead(href, text, texts):
                sentence = f"{kind.label}: Der Link {href} führt ins Leere."
                yield Finding(sentence, is_unfinished=text.number == 0)


def _is_dead(href: str, text: legal.LegalVersion, texts: dict[Kind, legal.LegalVersion]) -> bool:
    """Whether an address of our own is not there, or the place on a legal page it names."""
    address = urlsplit(href.removeprefix(settings.SITE_URL))
    if address.scheme or address.netloc:
        return False
    if address.path and not is_valid_path(address.path):
        return True
    pages = {reverse(name): texts[kind] for kind, name in legal.PAGES.items()}
    read = pages.get(address.path) if address.path else text
    return bool(address.fragment and read and address.fragment not in markdown.anchors(read.text))


def _privacy(text: legal.LegalVersion, practice: Practice) -> Iterator[Finding]:
    anchors = markdown.anchors(text.text)
    for processor in legal_facts.processors(practice):
        if processor.anchor not in anchors:
            name = processor.name or processor.field
            yield Finding(
                f"Datenschutzerklärung: Zu „{name}“ fehlt der Abschnitt {{#{processor.anchor}}}."
            )
    words = text.text.replace("\\", "")
    for cookie in legal_facts.cookies():
        if cookie.name not in words:
            yield Finding(f"Datenschutzerklärung: Das Cookie {cookie.name} steht nicht darin.")


def _withdrawal_model() -> Iterator[Finding]:
    row = legal.current_row(Kind.WITHDRAWAL)
    if row and row.source.split() != legal.start_source(Kind.WITHDRAWAL).split():
        yield Finding(
            "Widerrufsbelehrung: Der Wortlaut weicht vom gesetzlichen Muster ab. "
            "Nur das unveränderte Muster gilt ohne weitere Prüfung als richtig.",
            is_duty=False,
        )


def _stripe() -> Iterator[Finding]:
    is_production = settings.SITE_PROFILE == "production"
    if settings.STRIPE_IS_LIVE and not is_production:
        yield Finding("Stripe nimmt echtes Geld an, aber das hier ist nicht der Betrieb.")
    if is_production and settings.STRIPE_SECRET_KEY and not settings.STRIPE_IS_LIVE:
        yield Finding("Stripe läuft im Testmodus.", is_duty=False)
    is_priced = CallType.objects.filter(is_active=True, price_cents__gt=0).exists()
    if is_priced and not settings.STRIPE_SECRET_KEY:
        yield Finding("Es gibt Gespräche mit Preis, aber keinen Stripe-Schlüssel.", is_duty=False)


def _deadlines(now: datetime) -> Iterator[Finding]:
    """What the running site owes people: none of it keeps a deployment back."""
    today = timezone.localdate(now)
    outstanding = Withdrawal.objects.money_outstanding().first_said()
    late, late_requests = outstanding.due_until(now), PersonRequest.objects.overdue(today)
    soon = outstanding.due_until(now + REFUND_WARNING).exclude(pk__in=late.values("pk"))
    soon_requests = PersonRequest.objects.due_until(today + REQUEST_WARNING)
    soon_requests = soon_requests.exclude(pk__in=late_requests.values("pk"))
    receipts = WithdrawalMail.objects.receipts_owed(since=now - MAILS_TAKE)
    late_words = unconfirmed(now).filter(start__gt=now - LOOKING_BACK)
    counted: tuple[tuple[QuerySet[Any], str, bool], ...] = (
        (receipts, "Widerrufe, deren Eingang noch nicht bestätigt ist", True),
        (late, "Widerrufe, deren Geld schon zurück sein müsste", True),
        (soon, "Widerrufe, deren Geld in den nächsten Tagen zurück sein muss", False),
        (late_words, "Termine, deren Bestätigung nicht vor dem Gespräch ankam", True),
        (late_requests, "Anfragen zu Daten, deren Frist vorbei ist", True),
        (soon_requests, "Anfragen zu Daten, deren Frist in den nächsten Tagen endet", False),
    )
    for rows, what, is_duty in counted:
        if count := rows.count():
            yield Finding(f"{what}: {count}.", is_duty=is_duty, is_unfinished=True)
