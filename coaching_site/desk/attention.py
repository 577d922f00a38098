"""What waits for a person, each in one sentence, with how urgent it is and where it is solved.

What `watches` counts is one query; the rest is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from django.contrib.auth.models import AnonymousUser, User
from django.urls import reverse

from booking.models import Notification
from coaching_site import jobs
from coaching_site.desk import upkeep
from coaching_site.desk.backups import folder
from coaching_site.desk.matters import Matter, Urgency, Way, when
from coaching_site.desk.questions import Answer, Question
from coaching_site.desk.watches import WATCHES
from pages import legal
from pages.legal_models import CHECKED_BY_A_LAWYER, LegalText
from pages.models import Practice

# So many mails that could not be sent are looked at, and so many of them named.
MAILS_READ, MAILS_NAMED = 50, 3


def questions(user: User | AnonymousUser, *, now: datetime) -> dict[str, Question]:
    """What is to be counted for this user, by the name of its watch."""
    return {
        name: Question(watch.rows(now), watch.moment)
        for name, watch in WATCHES.items()
        if user.has_perm(watch.permission)
    }


def counted(answers: Mapping[str, Answer], *, now: datetime) -> list[Matter]:
    """What waits, as the answers to `questions` say."""
    return [
        watch.tell(answers[name], now)
        for name, watch in WATCHES.items()
        if name in answers and answers[name].is_there
    ]


def in_order(matters: Iterable[Matter]) -> list[Matter]:
    """The most urgent first."""
    return sorted(matters, key=lambda matter: matter.urgency)


# --- what is not counted but looked at ----------------------------------------------------------


def unsent_mails(user: User | AnonymousUser, *, now: datetime) -> Iterator[Matter]:
    """Mails of bookings that are still owed and could not be handed over."""
    if not user.has_perm("booking.view_booking"):
        return
    failed = Notification.objects.unsent().exclude(last_error="").with_its_booking()
    owed = [mail for mail in failed.order_by("-created_at")[:MAILS_READ] if mail.is_owed_at(now)]
    if not owed:
        return
    given_up = any(mail.attempts >= jobs.MOST_ATTEMPTS for mail in owed)
    told = "Eine Mail zu einem Termin ging nicht hinaus"
    if len(owed) > 1:
        told = f"{len(owed)} Mails zu Terminen gingen nicht hinaus"
    bookings = list(dict.fromkeys(mail.booking for mail in owed))[:MAILS_NAMED]
    yield Matter(
        f"{told}; {'es wird nicht mehr versucht.' if given_up else 'es wird weiter versucht.'}",
        Urgency.NOW if given_up else Urgency.SOON,
        tuple(
            Way(reverse("admin:booking_booking_change", args=[booking.pk]), booking.name)
            for booking in bookings
        ),
    )


def legal_gaps(
    user: User | AnonymousUser,
    *,
    practice: Practice,
    texts: Mapping[LegalText.Kind, LegalText],
    is_live: bool,
) -> Iterator[Matter]:
    """What imprint and legal texts still lack; without them no real money may come in."""
    at_once = Urgency.NOW if is_live else Urgency.WHEN_YOU_CAN
    if user.has_perm("pages.change_practice"):
        ways = (Way(reverse("admin:pages_practice_changelist"), "Praxis ausfüllen"),)
        in_the_imprint = practice.missing()
        on_invoices = [
            each for each in practice.missing_for_invoices() if each not in in_the_imprint
        ]
        if in_the_imprint:
            yield Matter(f"Im Impressum fehlt: {', '.join(in_the_imprint)}.", Urgency.NOW, ways)
        if on_invoices:
            yield Matter(f"Für Rechnungen fehlt: {', '.join(on_invoices)}.", at_once, ways)
    if not user.has_perm("pages.view_legaltext"):
        return
    overview = reverse("admin:pages_legaltext_changelist")
    if unfinished := unfinished_texts(texts):
        yield Matter(
            f"Noch nicht veröffentlicht oder nicht geprüft: {', '.join(unfinished)}.",
            at_once,
            (Way(overview, "Rechtstexte ansehen"),),
        )
    if outdated := outdated_texts(texts, practice):
        yield Matter(
            f"Seit der Veröffentlichung haben sich Angaben geändert: {', '.join(outdated)}.",
            Urgency.SOON,
            (Way(overview, "Neu veröffentlichen"),),
        )


def unfinished_texts(texts: Mapping[LegalText.Kind, LegalText]) -> list[str]:
    """As `pages.legal_models.unfinished`, of rows that are there."""
    return [
        str(kind.label)
        for kind in CHECKED_BY_A_LAWYER
        if kind not in texts or texts[kind].checked_at is None
    ]


def outdated_texts(texts: Mapping[LegalText.Kind, LegalText], practice: Practice) -> list[str]:
    return [str(kind.label) for kind, row in texts.items() if legal.is_outdated(row, practice)]


def late_backup(user: User | AnonymousUser, *, now: datetime) -> Iterator[Matter]:
    """That no backup was made lately, although they are set up."""
    if not user.has_perm("pages.change_practice") or not folder.is_late(now=now):
        return
    newest = folder.newest_at()
    yield Matter(
        "Seit mehr als einem Tag wurde nichts gesichert.",
        Urgency.SOON,
        (Way(f"{reverse('admin:set_up')}#backups", "Was zu tun ist"),),
        f"zuletzt {when(newest)}" if newest else "noch nie",
    )


def waiting_copies(user: User | AnonymousUser, *, now: datetime) -> Iterator[Matter]:
    """That a backup waits to be carried to the other host, although there is one."""
    if not user.has_perm("pages.change_practice") or not folder.waits_to_be_carried(now=now):
        return
    carried = folder.newest_carried()
    yield Matter(
        "Die letzte Sicherung liegt nur auf dem Server; auf den anderen Rechner kam sie nicht.",
        Urgency.SOON,
        (Way(f"{reverse('admin:set_up')}#backups", "Was zu tun ist"),),
        f"dort zuletzt die von {when(folder.taken_at(Path(carried)))}" if carried else "noch nie",
    )


def full_disks(user: User | AnonymousUser) -> Iterator[Matter]:
    """That a disk of the server is nearly full."""
    if not user.has_perm("pages.change_practice"):
        return
    for disk in upkeep.full_disks():
        yield Matter(
            f"Auf dem Server wird der Platz knapp; sag es dem, der ihn betreibt. {disk.told}.",
            Urgency.NOW,
            (),
        )
