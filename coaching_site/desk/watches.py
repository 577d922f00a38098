"""What may wait for a person and is counted: who may know, which rows, and how they are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse
from django.utils import timezone

from booking.models import (
    Alarm,
    Booking,
    BusyFeed,
    Deposit,
    Invoice,
    Refund,
    Withdrawal,
    WithdrawalMail,
    unconfirmed,
)
from booking.models.withdrawals import GERMAN_TIME, PAY_BACK_WITHIN
from booking.models.withdrawals import WARN_BEFORE as REFUND_WARNING
from coaching_site import german
from coaching_site.desk import upkeep
from coaching_site.desk.matters import Matter, Urgency, Way, when
from coaching_site.desk.models import WARN_BEFORE as REQUEST_WARNING
from coaching_site.desk.models import PersonRequest
from coaching_site.desk.questions import Answer
from newsletter.models import Delivery, Inbox, Issue, Subscriber

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
# A mail that is on its way is not missing yet.
MAILS_TAKE = timedelta(minutes=15)
# A request that must be answered this soon is told before everything else.
ANSWER_SOON = DAY
# Banks take days; after so many somebody should look at Stripe.
REFUNDS_TAKE = 5 * DAY


@dataclass(frozen=True)
class Watch:
    """One kind of thing that may wait: who may know, which rows, and how they are told."""

    permission: str
    rows: Callable[[datetime], QuerySet[Any]]
    tell: Callable[[Answer, datetime], Matter]
    moment: str = ""


def _plain(
    model: type[Any],
    one: str,
    many: str,
    urgency: Urgency,
    deed: str,
    *,
    query: str = "",
    until: str = "",
) -> Callable[[Answer, datetime], Matter]:
    """Tells one row or many, with one way there; „{}“ in `until` is the earliest moment, if any."""

    def tell(answer: Answer, now: datetime) -> Matter:
        said_until = until.format(when(answer.earliest)) if answer.earliest else ""
        return Matter(
            _said(answer, one, many), urgency, (_way(model, answer, deed, query),), said_until
        )

    return tell


def _withdrawals(answer: Answer, now: datetime) -> Matter:
    """The clock runs from the receipt (BGB § 357 (1))."""
    assert answer.earliest is not None
    due = answer.earliest + PAY_BACK_WITHIN
    day = german.short_date(due.astimezone(GERMAN_TIME).date())
    left = max((due - now) // DAY, 0)
    until = f"überfällig seit {day}" if due <= now else f"Geld zurück bis {day}, noch {_days(left)}"
    return Matter(
        _said(answer, "Ein Widerruf ist offen.", "{} Widerrufe sind offen."),
        Urgency.NOW if due <= now + REFUND_WARNING else Urgency.SOON,
        (_way(Withdrawal, answer, "Entscheiden"),),
        until,
    )


def _requests(answer: Answer, now: datetime) -> Matter:
    assert answer.earliest is not None
    way = _way(Booking, answer, "Antworten", f"status__exact={Booking.Status.REQUESTED}")
    if answer.count == 1:
        way = Way(reverse("admin:booking_booking_answer", args=[answer.first_pk]), way.text)
    return Matter(
        _said(
            answer,
            "Eine Anfrage wartet auf deine Antwort.",
            "{} Anfragen warten auf deine Antwort.",
        ),
        Urgency.NOW if answer.earliest <= now + ANSWER_SOON else Urgency.SOON,
        (way,),
        f"bis {when(answer.earliest)}",
    )


def _person_requests(answer: Answer, now: datetime) -> Matter:
    """A month from the asking (DSGVO Art. 12 (3))."""
    assert answer.earliest is not None
    due, today = answer.earliest.date(), timezone.localdate(now)
    day = german.short_date(due)
    return Matter(
        _said(
            answer,
            "Eine Anfrage zu gespeicherten Daten ist offen.",
            "{} Anfragen zu gespeicherten Daten sind offen.",
        ),
        Urgency.NOW if due <= today + REQUEST_WARNING else Urgency.SOON,
        (_way(PersonRequest, answer, "Ansehen"),),
        f"überfällig seit {day}" if due < today else f"zu erledigen bis {day}",
    )


def _uncertain(answer: Answer, now: datetime) -> Matter:
    way = _way(Issue, answer, "Durchsehen")
    if answer.count == 1:
        way = Way(reverse("admin:newsletter_issue_uncertain", args=[answer.first_pk]), way.text)
    return Matter(
        _said(
            answer,
            "Bei einer Ausgabe ist von einigen Mails ungewiss, ob sie hinausgingen.",
            "Bei {} Ausgaben ist von einigen Mails ungewiss, ob sie hinausgingen.",
        ),
        Urgency.WHEN_YOU_CAN,
        (way,),
    )


def _inbox(answer: Answer, now: datetime) -> Matter:
    return Matter(
        "Das Postfach für Rückläufer lässt sich nicht lesen: Tote Adressen bleiben unbemerkt.",
        Urgency.SOON,
        (Way(f"{reverse('admin:set_up')}#mail", "Was zu tun ist"),),
        f"seit {when(answer.earliest)}" if answer.earliest else "",
    )


def _unpaid_invoices(answer: Answer, now: datetime) -> Matter:
    return Matter(
        _said(answer, "Eine Rechnung ist überfällig.", "{} Rechnungen sind überfällig."),
        Urgency.WHEN_YOU_CAN,
        (_way(Invoice, answer, "Ansehen", f"stand={Invoice.State.OPEN}"),),
        f"fällig war {german.short_date(answer.earliest.date())}" if answer.earliest else "",
    )


def _failed_jobs(answer: Answer, now: datetime) -> Matter:
    """Nothing at the desk mends them; the mail about it says what does."""
    return Matter(
        _said(
            answer,
            "Ein Auftrag im Hintergrund ist endgültig misslungen; sag es dem, der den Server betreibt.",
            "{} Aufträge im Hintergrund sind endgültig misslungen; sag es dem, der den Server betreibt.",
        ),
        Urgency.SOON,
        (),
        "in den letzten sieben Tagen",
    )


def _overdue_jobs(answer: Answer, now: datetime) -> Matter:
    return Matter(
        _said(
            answer,
            "Ein Auftrag im Hintergrund bleibt liegen; sag es dem, der den Server betreibt.",
            "{} Aufträge im Hintergrund bleiben liegen; sag es dem, der den Server betreibt.",
        ),
        Urgency.NOW,
        (),
        "seit mehr als einer Stunde",
    )


def _in_trouble(_: datetime) -> QuerySet[Issue]:
    return Issue.objects.filter(status__in=HELD_ISSUES)


def _resting(now: datetime) -> QuerySet[Issue]:
    return Issue.objects.filter(status=Issue.Status.SENDING, resume_at__gt=now)


def _with_uncertain_mails(_: datetime) -> QuerySet[Issue]:
    uncertain = Delivery.objects.uncertain().filter(issue=OuterRef("pk"))
    return Issue.objects.filter(Exists(uncertain), started_at__isnull=False)


def _with_lost_mails(_: datetime) -> QuerySet[Withdrawal]:
    return Withdrawal.objects.filter(
        pk__in=WithdrawalMail.objects.failed_of_open().values("withdrawal")
    )


def _waiting_requests(now: datetime) -> QuerySet[Booking]:
    return Booking.objects.filter(status=Booking.Status.REQUESTED, requested_until__gt=now)


def _waiting_sign_ups(now: datetime) -> QuerySet[Subscriber]:
    return Subscriber.objects.filter(
        status=Subscriber.Status.PENDING,
        mail_requested_at__lte=now - MAILS_TAKE,
        mail_sent_at=None,
    )


def _with_slow_refunds(now: datetime) -> QuerySet[Deposit]:
    slow = Refund.objects.unfinished().filter(created_at__lte=now - REFUNDS_TAKE)
    return Deposit.objects.filter(pk__in=slow.values("deposit"))


def _overdue_invoices(now: datetime) -> QuerySet[Invoice]:
    waiting = Invoice.objects.in_state(Invoice.State.OPEN)
    return waiting.filter(due_on__lt=timezone.localdate(now))


HELD_ISSUES = (Issue.Status.PAUSED, Issue.Status.LATE)

WATCHES: dict[str, Watch] = {
    "alarms": Watch(
        "booking.view_alarm",
        lambda _: Alarm.objects.open(),
        _plain(
            Alarm,
            "Zu einer Zahlung fehlt deine Entscheidung.",
            "Zu {} Zahlungen fehlt deine Entscheidung.",
            Urgency.NOW,
            "Ansehen und entscheiden",
            until="seit {}",
        ),
        "created_at",
    ),
    "withdrawals": Watch(
        "booking.view_withdrawal",
        lambda _: Withdrawal.objects.open().first_said(),
        _withdrawals,
        "received_at",
    ),
    "lost_mails": Watch(
        "booking.view_withdrawal",
        _with_lost_mails,
        _plain(
            Withdrawal,
            "Eine Mail zu einem offenen Widerruf kam nicht an.",
            "Mails zu {} offenen Widerrufen kamen nicht an.",
            Urgency.NOW,
            "Widerruf ansehen",
        ),
    ),
    "unconfirmed": Watch(
        "booking.view_booking",
        lambda now: unconfirmed(now).upcoming(now),
        _plain(
            Booking,
            "Ein Gespräch steht bevor, und seine Bestätigung kam nie an.",
            "{} Gespräche stehen bevor, und ihre Bestätigungen kamen nie an.",
            Urgency.NOW,
            "Termin ansehen",
            until="Beginn {}",
        ),
        "start",
    ),
    "requests": Watch("booking.view_booking", _waiting_requests, _requests, "requested_until"),
    "person_requests": Watch(
        "desk.view_personrequest",
        lambda _: PersonRequest.objects.open(),
        _person_requests,
        "due_on",
    ),
    "held_issues": Watch(
        "newsletter.view_issue",
        _in_trouble,
        _plain(
            Issue,
            "Eine Ausgabe des Newsletters steht still und braucht deine Entscheidung.",
            "{} Ausgaben des Newsletters stehen still und brauchen deine Entscheidung.",
            Urgency.NOW,
            "Fortsetzen oder abbrechen",
            query=f"status__in={','.join(HELD_ISSUES)}",
        ),
    ),
    "feeds": Watch(
        "booking.view_busyfeed",
        lambda now: BusyFeed.objects.not_to_be_trusted(now),
        _plain(
            BusyFeed,
            "Ein fremder Kalender lässt sich nicht lesen: Neues darin hält hier keine Zeit frei.",
            "{} fremde Kalender lassen sich nicht lesen: Neues darin hält hier keine Zeit frei.",
            Urgency.SOON,
            "Nachsehen",
            until="seit {}",
        ),
        "failing_since",
    ),
    "unclear_payments": Watch(
        "booking.view_deposit",
        lambda now: Deposit.objects.unfinished().filter(expires_at__lte=now - HOUR),
        _plain(
            Deposit,
            "Bei einer Zahlung ist noch immer unklar, ob Geld kam.",
            "Bei {} Zahlungen ist noch immer unklar, ob Geld kam.",
            Urgency.SOON,
            "Ansehen",
            query=f"status__in={','.join(Deposit.UNFINISHED)}",
            until="Frist war {}",
        ),
        "expires_at",
    ),
    "slow_refunds": Watch(
        "booking.view_deposit",
        _with_slow_refunds,
        _plain(
            Deposit,
            "Eine Erstattung ist nach Tagen noch nicht angekommen.",
            "{} Erstattungen sind nach Tagen noch nicht angekommen.",
            Urgency.SOON,
            "Ansehen",
            query="erstattung=unterwegs",
        ),
    ),
    "sign_ups": Watch(
        "newsletter.view_subscriber",
        _waiting_sign_ups,
        _plain(
            Subscriber,
            "Jemand wartet auf die Mail zur Anmeldung beim Newsletter.",
            "{} Leute warten auf die Mail zur Anmeldung beim Newsletter.",
            Urgency.SOON,
            "Ansehen",
            query=f"status__exact={Subscriber.Status.PENDING}",
            until="seit {}",
        ),
        "mail_requested_at",
    ),
    "resting_issues": Watch(
        "newsletter.view_issue",
        _resting,
        _plain(
            Issue,
            "Der Versand einer Ausgabe ruht, weil der Mailserver nichts annimmt; er geht von selbst weiter.",
            "Der Versand von {} Ausgaben ruht, weil der Mailserver nichts annimmt; er geht von selbst weiter.",
            Urgency.SOON,
            "Zusehen",
            query=f"status__exact={Issue.Status.SENDING}",
            until="nächster Versuch {}",
        ),
        "resume_at",
    ),
    "inbox": Watch(
        "pages.change_practice",
        lambda _: Inbox.objects.filter(failing_since__isnull=False),
        _inbox,
        "failing_since",
    ),
    "failed_jobs": Watch("pages.change_practice", upkeep.failed_jobs, _failed_jobs),
    "overdue_jobs": Watch("pages.change_practice", upkeep.overdue_jobs, _overdue_jobs),
    "uncertain": Watch("newsletter.view_issue", _with_uncertain_mails, _uncertain),
    "unpaid_invoices": Watch("booking.view_invoice", _overdue_invoices, _unpaid_invoices, "due_on"),
}


# --- words --------------------------------------------------------------------------------------


def _way(model: type[Any], answer: Answer, text: str, query: str = "") -> Way:
    """A single row's own page, else the list that shows all of them."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    if answer.count == 1:
        return Way(reverse(f"{name}_change", args=[answer.first_pk]), text)
    return Way(reverse(f"{name}_changelist") + (f"?{query}" if query else ""), text)


def _said(answer: Answer, one: str, many: str) -> str:
    return one if answer.count == 1 else many.format(german.number(answer.count))


def _days(count: int) -> str:
    return f"1{german.NBSP}Tag" if count == 1 else f"{count}{german.NBSP}Tage"
