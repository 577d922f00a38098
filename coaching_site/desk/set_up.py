"""Setting the practice up: nine steps, how far each is, and what is missing.

Nothing here is ticked off: each step is read from what is there, so it falls back by itself when
something is taken away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AnonymousUser, User
from django.urls import reverse
from django.utils import timezone

from booking.checks import production_takes_real_money
from booking.models import Calendar, CallType, Notification, StripeEvent, WeeklyHours
from coaching_site import german, limits
from coaching_site.desk import attention, mail, two_factor
from coaching_site.desk.backups import folder
from coaching_site.desk.models import RecoveryCodes
from coaching_site.desk.questions import Answer, Question, some
from coaching_site.mail import Deferred, Undeliverable
from newsletter.checks import the_inbox_is_whole
from newsletter.models import Issue, Subscriber
from pages.legal_models import LegalText
from pages.models import Practice

TEST_MAIL = "Testmail"
TEST_MAILS = 5  # an hour, for each user
HOUR = timedelta(hours=1)
# The server knows us, or it does not (RFC 4954, 6).
SIGN_IN_REFUSED = (530, 534, 535, 538)


class State(Enum):
    DONE = "erledigt"
    PARTLY = "angefangen"
    MISSING = "fehlt"


@dataclass(frozen=True)
class Step:
    """`lacks` are whole sentences about what is missing, `note` one about what is there."""

    key: str
    title: str
    why: str
    state: State
    address: str
    action: str
    lacks: tuple[str, ...] = ()
    note: str = ""

    @property
    def is_done(self) -> bool:
        return self.state is State.DONE


@dataclass(frozen=True)
class Facts:
    """What the steps are told from: the practice, its texts in force, and what was counted."""

    practice: Practice
    texts: Mapping[LegalText.Kind, LegalText]
    answers: Mapping[str, Answer]

    def answer(self, name: str) -> Answer:
        return self.answers[f"set_up.{name}"]

    def has(self, name: str) -> bool:
        return self.answer(name).is_there


def questions(user: User | AnonymousUser) -> dict[str, Question]:
    """What is to be counted for `steps`, by name."""
    rows = {
        "calendars": Calendar.objects.all(),
        "hours": some(WeeklyHours.objects.all()),
        "types": CallType.objects.all(),
        "offered": CallType.objects.offered(),
        "priced": CallType.objects.active().filter(price_cents__gt=0),
        "stripe_events": some(StripeEvent.objects.all()),
        "booking_mails": some(Notification.objects.filter(sent_at__isnull=False)),
        "sign_up_mails": some(Subscriber.objects.filter(mail_sent_at__isnull=False)),
        "test_mails": some(LogEntry.objects.filter(object_repr=TEST_MAIL, content_type=None)),
        "readers": some(Subscriber.objects.confirmed()),
        "issues": some(Issue.objects.all()),
        "sent_issues": some(Issue.objects.filter(started_at__isnull=False)),
        "codes": RecoveryCodes.objects.filter(user=user.pk, digests__len__gt=0),
    }
    return {f"set_up.{name}": Question(found) for name, found in rows.items()}


def steps(facts: Facts, *, user: User | AnonymousUser, now: datetime) -> list[Step]:
    """All steps in the order in which one takes them."""
    return [
        _practice(facts),
        _hours(facts),
        _call_type(facts),
        _stripe(facts),
        _mail(facts),
        _legal(facts),
        _newsletter(facts),
        _second_factor(facts, user),
        _backups(now),
    ]


# --- a mail to see whether mail works -------------------------------------------------------------


class NoMail(Exception):
    """The test mail did not leave; `message` says why."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


def send_test_mail(user: User, *, now: datetime) -> str:
    """Send the coach a mail the way all others go; returns to whom. Raises NoMail or `limits.TooMany`.

    That the server took it is noted in the admin's log, as evidence for the step.
    """
    limits.hit("desk.test_mail", str(user.pk), limit=TEST_MAILS, per=HOUR, now=now)
    try:
        mail.send_test(now=now)
    except (Undeliverable, Deferred, OSError) as error:
        raise NoMail(_why_not(error)) from error
    LogEntry.objects.create(
        user=user, action_flag=CHANGE, object_repr=TEST_MAIL, change_message="verschickt"
    )
    return str(settings.COACH_EMAIL)


def _why_not(error: Exception) -> str:
    """What went wrong, and what to look at."""
    if isinstance(error, Undeliverable):
        return (
            f"Der Mailserver nimmt keine Mail an {settings.COACH_EMAIL} an (Antwort {error.code}). "
            "Prüf die Adresse in COACH_EMAIL."
        )
    if isinstance(error, Deferred) and error.code in SIGN_IN_REFUSED:
        return (
            f"Der Mailserver lässt die Seite nicht herein (Antwort {error.code}). "
            "Prüf EMAIL_USER und EMAIL_PASSWORD."
        )
    if isinstance(error, Deferred):
        return (
            f"Der Mailserver hat die Mail nicht angenommen (Antwort {error.code}). "
            "Oft stimmt die Absenderadresse nicht; sonst versuch es in ein paar Minuten noch einmal."
        )
    if isinstance(error, TimeoutError):
        return "Der Mailserver antwortet nicht. Prüf EMAIL_HOST und EMAIL_PORT."
    return "Der Mailserver ist nicht zu erreichen. Prüf EMAIL_HOST, EMAIL_PORT und EMAIL_SECURITY."


# --- the steps ------------------------------------------------------------------------------------


def _practice(facts: Facts) -> Step:
    practice = facts.practice
    empty = [*practice.missing(), *practice.missing_for_invoices()]
    labels = list(dict.fromkeys(empty))
    return Step(
        "practice",
        "Praxis",
        "Ohne vollständiges Impressum darf die Seite nicht online sein, und ohne deine Anschrift gibt es keine Rechnung.",
        _state(not labels, begun=bool(practice.name or practice.street)),
        reverse("admin:pages_practice_changelist"),
        "Praxis ausfüllen" if labels else "Praxis ansehen",
        (f"Es fehlt: {', '.join(labels)}.",) if labels else (),
    )


def _hours(facts: Facts) -> Step:
    calendar = facts.answer("calendars")
    has_hours = facts.has("hours")
    address = reverse("admin:booking_calendar_changelist")
    if not calendar.count:
        address = reverse("admin:booking_calendar_add")
    elif calendar.count == 1:
        address = reverse("admin:booking_calendar_change", args=[calendar.first_pk])
    lacks = []
    if not calendar.count:
        lacks.append("Es gibt noch keinen Kalender.")
    elif not has_hours:
        lacks.append("Der Kalender hat noch keine Sprechzeiten.")
    return Step(
        "hours",
        "Sprechzeiten",
        "Gäste sehen nur Zeiten, die du hier öffnest.",
        _state(has_hours, begun=bool(calendar.count)),
        address,
        "Sprechzeiten ansehen" if has_hours else "Sprechzeiten eintragen",
        tuple(lacks),
    )


def _call_type(facts: Facts) -> Step:
    offered, types = facts.answer("offered"), facts.answer("types")
    lacks = []
    if not types.count:
        lacks.append("Es gibt noch keine Gesprächsart.")
    elif not offered.count:
        lacks.append("Alle Gesprächsarten sind verborgen oder ausgeschaltet.")
    return Step(
        "call_type",
        "Erste Gesprächsart",
        "Sie sagt, was man bei dir bucht: wie lange, wo und zu welchem Preis.",
        _state(bool(offered.count), begun=bool(types.count)),
        reverse(f"admin:booking_calltype_{'changelist' if types.count else 'add'}"),
        "Gesprächsarten ansehen" if types.count else "Gesprächsart anlegen",
        tuple(lacks),
        f"Im Angebot: {german.number(offered.count)}." if offered.count else "",
    )


def _stripe(facts: Facts) -> Step:
    is_needed, has_key = facts.has("priced"), bool(settings.STRIPE_SECRET_KEY)
    lacks, note = [], ""
    if not has_key and not is_needed:
        note = "Noch nicht nötig: Keine deiner Gesprächsarten kostet etwas."
    elif not has_key:
        lacks.append("STRIPE_SECRET_KEY ist leer: Gespräche mit Preis kann niemand buchen.")
    else:
        lacks = list(_stripe_lacks(facts))
        note = "Echtes Geld." if settings.STRIPE_IS_LIVE else "Testmodus: Es fließt kein Geld."
    return Step(
        "stripe",
        "Bezahlen mit Stripe",
        "Gespräche mit Preis kann man erst buchen, wenn hier jemand bezahlen kann.",
        _state(not lacks, begun=has_key),
        "https://dashboard.stripe.com/",
        "Stripe öffnen",
        tuple(lacks),
        note,
    )


def _stripe_lacks(facts: Facts) -> list[str]:
    lacks = [str(message.msg) for message in production_takes_real_money()]
    if not settings.STRIPE_WEBHOOK_SECRETS:
        lacks.append("STRIPE_WEBHOOK_SECRET ist leer: Was Stripe meldet, wird nicht geglaubt.")
    elif not facts.has("stripe_events"):
        lacks.append(
            "Stripe hat sich hier noch nie gemeldet. Prüf den Webhook oder buch ein Gespräch zur Probe."
        )
    return lacks


def _mail(facts: Facts) -> Step:
    evidence = ("booking_mails", "sign_up_mails", "test_mails")
    was_sent = any(facts.has(name) for name in evidence)
    lacks = []
    if not _leaves_the_house():
        lacks.append("Mails werden hier nur in einen Ordner geschrieben, keine verlässt die Seite.")
    elif not was_sent:
        lacks.append("Es ging noch keine Mail hinaus. Schick dir eine zur Probe.")
    lacks += [f"{message.msg} {message.hint}" for message in the_inbox_is_whole()]
    return Step(
        "mail",
        "Mails",
        "Bestätigungen, Erinnerungen und der Newsletter nützen nur, wenn sie ankommen.",
        _state(not lacks, begun=True),
        "",
        "",
        tuple(lacks),
        f"Absender {settings.DEFAULT_FROM_EMAIL}, Nachrichten an dich gehen an {settings.COACH_EMAIL}.",
    )


def _leaves_the_house() -> bool:
    return bool(settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"))


def _legal(facts: Facts) -> Step:
    unfinished = attention.unfinished_texts(facts.texts)
    outdated = attention.outdated_texts(facts.texts, facts.practice)
    lacks = []
    if unfinished:
        lacks.append(f"Noch nicht veröffentlicht oder nicht geprüft: {', '.join(unfinished)}.")
    if outdated:
        lacks.append(f"Nicht mehr aktuell: {', '.join(outdated)}.")
    return Step(
        "legal",
        "Rechtstexte",
        "Was du verkaufst, braucht AGB, Widerrufsbelehrung und Datenschutzerklärung, die jemand geprüft hat.",
        _state(not lacks, begun=bool(facts.texts)),
        reverse("admin:pages_legaltext_changelist"),
        "Rechtstexte ansehen",
        tuple(lacks),
    )


def _newsletter(facts: Facts) -> Step:
    lacks = []
    if not facts.has("readers"):
        lacks.append("Noch liest niemand mit. Eine Liste, die du schon hast, kannst du einlesen.")
    if not facts.has("sent_issues"):
        lacks.append("Es ging noch keine Ausgabe hinaus.")
    import_first = not facts.has("readers")
    name = "newsletter_import_add" if import_first else "newsletter_issue_changelist"
    return Step(
        "newsletter",
        "Newsletter",
        "Wer noch nicht bucht, bleibt so in Verbindung mit dir.",
        _state(not lacks, begun=facts.has("readers") or facts.has("issues")),
        reverse(f"admin:{name}"),
        "Liste einlesen" if import_first else "Ausgabe schreiben",
        tuple(lacks),
    )


def _second_factor(facts: Facts, user: User | AnonymousUser) -> Step:
    has_device = two_factor.has_device(user)
    lacks = []
    if not has_device:
        lacks.append("Wer dein Passwort kennt, kommt herein.")
    elif not facts.has("codes"):
        lacks.append(
            "Kein Wiederherstellungscode ist übrig: Ohne dein Telefon kommst du nicht herein."
        )
    return Step(
        "second_factor",
        "Anmeldung in zwei Schritten",
        "Hier liegen Daten deiner Gäste; ein Passwort allein schützt sie nicht genug.",
        _state(not lacks, begun=has_device),
        reverse("admin:two_factor"),
        "Anmeldung ansehen" if has_device else "Einrichten",
        tuple(lacks),
    )


def _backups(now: datetime) -> Step:
    newest = folder.newest_at()
    is_on = bool(settings.BACKUP_RECIPIENTS)
    lacks = []
    if not is_on:
        lacks.append("BACKUP_RECIPIENTS ist leer: Es wird nichts gesichert.")
    elif folder.is_late(now=now):
        lacks.append("Seit mehr als einem Tag kam keine Sicherung zustande.")
    elif folder.waits_to_be_carried(now=now):
        lacks.append("Die letzte kam nicht auf den anderen Rechner.")
    zone = timezone.get_default_timezone()
    return Step(
        "backups",
        "Sicherungen",
        "Geht der Server verloren, ist ohne Sicherung alles weg.",
        _state(not lacks, begun=is_on),
        "",
        "",
        tuple(lacks),
        f"Die letzte ist von {german.short_when(newest, zone)}." if newest else "",
    )


def _state(is_whole: bool, *, begun: bool) -> State:
    if is_whole:
        return State.DONE
    return State.PARTLY if begun else State.MISSING
