"""Every mail the house sends: what it is called, who gets it when, and how it looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from django.core.mail import EmailMultiAlternatives
from django.db import transaction

from booking import mail as booking_mail
from coaching_site import mail
from coaching_site.desk import mail as desk_mail
from coaching_site.desk import mail_samples as samples
from newsletter import mail as newsletter_mail
from pages import mail_wording
from pages.mail_wording import Words
from pages.models import MailWording, Practice

Sample = TypeVar("Sample")
# Sends a mail with what `mail_samples` has, as of the moment it is given.
Send = Callable[[datetime], None]


class Group(StrEnum):
    CALLS = "Gespräche"
    MONEY = "Geld"
    WITHDRAWAL = "Widerruf"
    LIST = "Newsletter und eigene Daten"
    COACH = "An dich"


# Why the coach cannot word a mail, by its group.
FIXED = {
    Group.WITHDRAWAL: (
        "Diese Mail gehört zum gesetzlichen Ablauf eines Widerrufs. Ihre Worte stehen deshalb fest."
    ),
    Group.LIST: (
        "Diese Mail bekommen auch Menschen, die vielleicht nichts angefordert haben. Werbung wäre "
        "darin verboten; ihre Worte stehen deshalb fest."
    ),
    Group.COACH: "Diese Mail geht nur an dich. Ihre Worte stehen fest.",
}


@dataclass(frozen=True)
class Mail:
    """One mail. `key` tells its template: „booking.moved_guest“ is booking/mail/moved_guest."""

    key: str
    name: str
    group: Group
    # Completes „An …“.
    to: str
    when: str
    send: Send

    @property
    def template(self) -> str:
        app, name = self.key.split(".")
        return f"{app}/mail/{name}"

    @property
    def words(self) -> mail_wording.Open | None:
        """What the coach may word, or None."""
        return mail_wording.OPEN.get(self.key)

    @property
    def fixed_because(self) -> str:
        return "" if self.words else FIXED[self.group]


def shown(wanted: Mail, *, now: datetime, own: Words | None = None) -> EmailMultiAlternatives:
    """The mail as it would leave, with sample data and these words, or the saved ones.

    Nothing of it stays: whatever is written for it is rolled back.
    """
    with Practice.asked_once(), transaction.atomic(), mail.holding_back(own) as messages:
        wanted.send(now)
        transaction.set_rollback(True)
    [message] = messages
    return message


def trial(wanted: Mail, *, to: str, now: datetime) -> EmailMultiAlternatives:
    """The mail as a copy for this address, which says of itself that it is one.

    Without calendar files, or the example would stand in somebody's calendar; without the buttons
    that mail programs show for leaving a list.
    """
    message = shown(wanted, now=now)
    message.to = [to]
    message.subject = f"[Probe] {message.subject}"
    message.alternatives = [each for each in message.alternatives if not _is_calendar(each)]
    message.attachments = [each for each in message.attachments if not _is_calendar(each)]
    message.extra_headers = {
        "Message-ID": mail.message_id(f"trial/{wanted.key}/{now.isoformat()}"),
        "Auto-Submitted": "auto-generated",
    }
    return message


def reword(wanted: Mail, own: Words) -> None:
    """Let these words stand in it from now on; with none of them the house's."""
    if own == Words():
        MailWording.objects.filter(key=wanted.key).delete()
        return
    MailWording.objects.bulk_create(
        [MailWording(key=wanted.key, **vars(own))],
        update_conflicts=True,
        unique_fields=["key"],
        update_fields=list(vars(own)),
    )


def _is_calendar(part: Any) -> bool:
    return str(part.mimetype).startswith("text/calendar")


def by_group() -> Iterator[tuple[Group, list[Mail]]]:
    """The mails in the order in which the coach reads them."""
    for group in Group:
        yield group, [each for each in REGISTER.values() if each.group == group]


# --- the mails -------------------------------------------------------------------------------------


def _with(made: Callable[[datetime], Sample], send: Callable[[Sample], None]) -> Send:
    return lambda now: send(made(now))


def _mails() -> Iterator[Mail]:
    yield from _about_calls()
    yield from _about_money()
    yield from _about_withdrawals()
    yield from _about_the_list()
    yield from _to_the_coach()


def _about_calls() -> Iterator[Mail]:
    of, guest = Group.CALLS, "deinen Gast"
    yield Mail(
        "booking.confirmation_guest",
        "Bestätigung",
        of,
        guest,
        "Sobald ein Termin gebucht ist: von deinem Gast, durch deine Zusage oder von dir eingetragen.",
        _with(samples.billed, booking_mail.confirmation_to_guest),
    )
    yield Mail(
        "booking.request_guest",
        "Anfrage ist da",
        of,
        guest,
        "Sobald jemand eine Gesprächsart anfragt, der du erst zustimmen willst.",
        _with(samples.request, booking_mail.request_to_guest),
    )
    yield Mail(
        "booking.request_over_guest",
        "Anfrage beendet",
        of,
        guest,
        "Wenn du ablehnst, dein Gast zurückzieht oder die Zeit ohne Antwort verstreicht.",
        _with(samples.declined, booking_mail.request_over_to_guest),
    )
    yield Mail(
        "booking.reminder_guest",
        "Erinnerung",
        of,
        guest,
        "Vor dem Gespräch, bis zu zweimal; wie lange vorher, steht bei der Gesprächsart.",
        _with(samples.booking, booking_mail.first_reminder_to_guest),
    )
    yield Mail(
        "booking.moved_guest",
        "Verschoben",
        of,
        guest,
        "Sobald ein Termin auf einer anderen Zeit liegt.",
        _with(samples.moved, booking_mail.moved_to_guest),
    )
    yield Mail(
        "booking.cancellation_guest",
        "Abgesagt",
        of,
        guest,
        "Sobald ein Termin abgesagt ist, von deinem Gast oder von dir.",
        _with(samples.cancelled, booking_mail.cancellation_to_guest),
    )
    yield Mail(
        "booking.follow_up_guest",
        "Bitte um Rückmeldung",
        of,
        guest,
        "Nach dem Gespräch, einmal, nur an Gäste, die beim Buchen zugestimmt haben.",
        _with(samples.over, booking_mail.follow_up_to_guest),
    )


def _about_money() -> Iterator[Mail]:
    of, guest = Group.MONEY, "deinen Gast"
    yield Mail(
        "booking.invoice_guest",
        "Rechnung",
        of,
        guest,
        "Wenn du eine Rechnung oder ihr Storno schreibst und keine andere Mail sie mitbringt.",
        lambda now: booking_mail.invoice_to_guest(*samples.final_invoice(now)),
    )
    yield Mail(
        "booking.refund_guest",
        "Erstattung",
        of,
        guest,
        "Sobald Stripe meldet, dass Geld zurückgegangen ist.",
        lambda now: booking_mail.refund_to_guest(*samples.refunded(now)),
    )
    yield Mail(
        "booking.paid_too_late_guest",
        "Zu spät bezahlt",
        of,
        guest,
        "Wenn Geld ankommt, nachdem die gehaltene Zeit an jemand anderen ging.",
        _with(samples.paid_too_late, booking_mail.paid_too_late_to_guest),
    )


def _about_withdrawals() -> Iterator[Mail]:
    of, author = Group.WITHDRAWAL, "die Person, die widerruft"
    yield Mail(
        "booking.withdrawal_receipt",
        "Eingangsbestätigung",
        of,
        author,
        "Sofort, wenn jemand „Vertrag widerrufen“ abschickt.",
        _with(samples.withdrawal, booking_mail.withdrawal_receipt),
    )
    yield Mail(
        "booking.withdrawal_warning",
        "Hinweis an die Adresse der Buchung",
        of,
        "die Adresse der Buchung",
        "Wenn ein Widerruf zu einer Buchung passt, aber von einer anderen Adresse kommt.",
        _with(samples.withdrawal_of_a_stranger, booking_mail.withdrawal_warning),
    )
    yield Mail(
        "booking.withdrawal_accepted",
        "Angenommen",
        of,
        author,
        "Sobald du einen Widerruf annimmst.",
        _with(samples.accepted_withdrawal, booking_mail.withdrawal_accepted),
    )
    yield Mail(
        "booking.withdrawal_without_effect",
        "Ohne Wirkung",
        of,
        author,
        "Wenn du entscheidest, dass ein Widerruf keine Wirkung hat.",
        _with(samples.withdrawal_without_effect, booking_mail.withdrawal_without_effect),
    )


def _about_the_list() -> Iterator[Mail]:
    of, reader = Group.LIST, "die eingetragene Adresse"
    yield Mail(
        "newsletter.confirm",
        "Anmeldung bestätigen",
        of,
        reader,
        "Wenn eine Adresse für den Newsletter eingetragen wird.",
        lambda now: newsletter_mail.send_confirmation(
            samples.subscriber(now), token=samples.LINK, expires_at=now + samples.IN_TWO_WEEKS
        ),
    )
    yield Mail(
        "newsletter.welcome",
        "Willkommen",
        of,
        reader,
        "Sobald eine Anmeldung bestätigt ist.",
        lambda now: newsletter_mail.send_welcome(samples.subscriber(now), key=samples.LINK),
    )
    yield Mail(
        "newsletter.already",
        "Schon dabei",
        of,
        reader,
        "Wenn eine Adresse noch einmal eingetragen wird, die schon dabei ist.",
        _with(samples.subscriber, newsletter_mail.send_already_subscribed),
    )
    yield Mail(
        "newsletter.move",
        "Neue Adresse bestätigen",
        of,
        "die neue Adresse",
        "Wenn jemand in den Einstellungen eine neue Adresse angibt.",
        lambda now: newsletter_mail.send_move(
            samples.wish_to_move(now), token=samples.LINK, expires_at=now + samples.IN_TWO_WEEKS
        ),
    )
    yield Mail(
        "newsletter.link",
        "Link zu den Einstellungen",
        of,
        reader,
        "Wenn jemand den Link zu den eigenen Einstellungen noch einmal verlangt.",
        lambda now: newsletter_mail.send_link(samples.subscriber(now), key=samples.LINK),
    )
    yield Mail(
        "desk.person_link",
        "Link zu den eigenen Daten",
        of,
        "die Person, die fragt",
        "Wenn jemand sehen oder löschen will, was gespeichert ist.",
        lambda now: desk_mail.send_person_link(samples.person_link(now), token=samples.LINK),
    )


def _to_the_coach() -> Iterator[Mail]:
    of, coach = Group.COACH, "dich"
    yield Mail(
        "booking.confirmation_coach",
        "Neuer Termin",
        of,
        coach,
        "Sobald ein Gast gebucht hat.",
        _with(samples.booking, booking_mail.confirmation_to_coach),
    )
    yield Mail(
        "booking.request_coach",
        "Neue Anfrage",
        of,
        coach,
        "Sobald jemand einen Termin anfragt; mit dem Link zum Annehmen.",
        _with(samples.request, booking_mail.request_to_coach),
    )
    yield Mail(
        "booking.request_over_coach",
        "Anfrage beendet",
        of,
        coach,
        "Wenn eine Anfrage abgelehnt, zurückgezogen oder abgelaufen ist.",
        _with(samples.declined, booking_mail.request_over_to_coach),
    )
    yield Mail(
        "booking.moved_coach",
        "Termin verschoben",
        of,
        coach,
        "Sobald ein Termin auf einer anderen Zeit liegt.",
        _with(samples.moved, booking_mail.moved_to_coach),
    )
    yield Mail(
        "booking.cancellation_coach",
        "Termin abgesagt",
        of,
        coach,
        "Sobald ein Termin abgesagt ist.",
        _with(samples.cancelled, booking_mail.cancellation_to_coach),
    )
    yield Mail(
        "booking.unconfirmed_coach",
        "Bestätigung fehlt",
        of,
        coach,
        "Wenn ein Gespräch bald beginnt und dein Gast die Bestätigung noch nicht hat.",
        _with(samples.booking, booking_mail.unconfirmed_to_coach),
    )
    yield Mail(
        "booking.paid_too_late_coach",
        "Zu spät bezahlt",
        of,
        coach,
        "Wenn Geld ankommt, nachdem die gehaltene Zeit vergeben ist.",
        _with(samples.paid_too_late, booking_mail.paid_too_late_to_coach),
    )
    yield Mail(
        "booking.alarm_coach",
        "Geld braucht Aufmerksamkeit",
        of,
        coach,
        "Wenn an einer Zahlung etwas nicht stimmt, zum Beispiel eine Erstattung gescheitert ist.",
        _with(samples.alarm, booking_mail.alarm_to_coach),
    )
    yield Mail(
        "booking.withdrawal_coach",
        "Neuer Widerruf",
        of,
        coach,
        "Sobald jemand einen Vertrag widerruft.",
        _with(samples.withdrawal, booking_mail.withdrawal_to_coach),
    )
    yield Mail(
        "booking.withdrawal_due_soon",
        "Widerruf bald fällig",
        of,
        coach,
        "Einige Tage, bevor das Geld zurück sein muss.",
        _with(samples.withdrawal, booking_mail.withdrawal_due_soon),
    )
    yield Mail(
        "booking.withdrawal_lost",
        "Mail zum Widerruf kam nicht an",
        of,
        coach,
        "Wenn sich eine vorgeschriebene Mail zu einem Widerruf nicht zustellen lässt.",
        _with(samples.withdrawal_with_lost_mail, booking_mail.withdrawal_mail_lost),
    )
    yield Mail(
        "booking.feed_failing",
        "Kalender gestört",
        of,
        coach,
        "Wenn sich ein eingebundener Kalender länger nicht lesen lässt.",
        _with(samples.feed, booking_mail.feed_failing_to_coach),
    )
    yield Mail(
        "booking.feed_well",
        "Kalender wieder gelesen",
        of,
        coach,
        "Sobald er sich nach einer Störung wieder lesen lässt.",
        _with(samples.feed, booking_mail.feed_well_to_coach),
    )
    yield Mail(
        "newsletter.trouble",
        "Ausgabe wird nicht verschickt",
        of,
        coach,
        "Wenn der Versand einer Ausgabe ruht und du entscheiden musst.",
        lambda now: newsletter_mail.send_trouble(samples.issue(now), samples.TROUBLE),
    )
    yield Mail(
        "newsletter.inbox_failing",
        "Postfach für Rückläufer gestört",
        of,
        coach,
        "Wenn sich das Postfach länger nicht lesen lässt.",
        _with(samples.inbox, newsletter_mail.send_inbox_failing),
    )
    yield Mail(
        "newsletter.inbox_well",
        "Postfach wieder gelesen",
        of,
        coach,
        "Sobald es sich nach einer Störung wieder lesen lässt.",
        _with(samples.inbox, newsletter_mail.send_inbox_well),
    )
    yield Mail(
        "desk.person_request_due_soon",
        "Anfrage zu Daten bald fällig",
        of,
        coach,
        "Einige Tage, bevor eine Auskunft oder Löschung erledigt sein muss.",
        _with(samples.person_request, desk_mail.send_person_request_due_soon),
    )
    yield Mail(
        "desk.backup_failed",
        "Sicherung gescheitert",
        of,
        coach,
        "Wenn in der Nacht keine Sicherung gelungen ist.",
        lambda _: desk_mail.send_backup_failed(samples.TROUBLE, newest=""),
    )
    yield Mail(
        "desk.backup_copy_failed",
        "Sicherung nicht fortgetragen",
        of,
        coach,
        "Wenn eine Sicherung nicht auf den anderen Rechner kam.",
        lambda _: desk_mail.send_backup_copy_failed(samples.TROUBLE, newest=""),
    )
    yield Mail(
        "desk.disk_full",
        "Platte fast voll",
        of,
        coach,
        "Wenn auf einer Platte des Servers weniger als ein Zehntel oder weniger als 1 GB frei ist.",
        lambda _: desk_mail.send_disk_full(samples.FULL_DISK, holds=""),
    )
    yield Mail(
        "desk.jobs_failed",
        "Aufträge aufgegeben",
        of,
        coach,
        "Wenn etwas, das im Hintergrund geschieht, auch nach vielen Versuchen misslang.",
        lambda _: desk_mail.send_jobs_failed([samples.NONE], tasks=["booking.send_refund (1)"]),
    )
    yield Mail(
        "desk.jobs_overdue",
        "Aufträge bleiben liegen",
        of,
        coach,
        "Wenn Aufträge im Hintergrund seit einer Stunde warten.",
        lambda now: desk_mail.send_jobs_overdue(now=now),
    )
    yield Mail(
        "desk.test",
        "Testmail",
        of,
        coach,
        "Wenn du sie unter „Einrichten“ anforderst.",
        lambda now: desk_mail.send_test(now=now),
    )


REGISTER = {each.key: each for each in _mails()}
