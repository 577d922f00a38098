"""What became of a booking's money, in the coach's words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import prefetch_related_objects

from booking.models import Alarm, Booking, Deposit, Refund
from coaching_site import german

DASHBOARD = "https://dashboard.stripe.com"

LOST = "lost"
# Stripe's words for a dispute (https://docs.stripe.com/api/disputes/object#dispute_object-status).
DISPUTES = {
    "needs_response": "Stripe wartet auf deine Belege",
    "warning_needs_response": "Stripe wartet auf deine Belege",
    "under_review": "wird von der Bank geprüft",
    "warning_under_review": "wird von der Bank geprüft",
    "warning_closed": "ohne Folgen beendet",
    "won": "gewonnen",
    LOST: "verloren",
    "prevented": "abgewendet",
}

# What to do about each kind; a dispute's advice follows its state.
ADVICE = {
    Alarm.Kind.MISMATCH: "Vergleich die Zahlung bei Stripe mit dem Termin, sprich mit dem Gast und "
    "erstatte, was nicht passt; gebucht ist damit nichts.",
    Alarm.Kind.TWICE: "Das Geld der zweiten Zahlung geht von selbst zurück; sieh nach, ob die "
    "Erstattung angekommen ist.",
    Alarm.Kind.LATE: "Das Geld geht von selbst zurück; biete dem Gast eine andere Zeit an.",
    Alarm.Kind.REFUND_FAILED: "Sieh bei Stripe nach dem Grund und erstatte beim Termin noch einmal, "
    "oder überweise dem Gast den Betrag.",
    Alarm.Kind.NO_INVOICE: "Trag nach, was fehlt: das eigene unter „Praxis“, die Anschrift des Gasts "
    "beim Termin. Danach wird die Rechnung von selbst geschrieben und verschickt.",
    Alarm.Kind.REFUSED: "Prüf mit „manage.py stripe_check“, ob der Schlüssel und seine Rechte "
    "stimmen; dieser Gast konnte nicht bezahlen.",
}


@dataclass(frozen=True)
class Line:
    """One refund, as a row of the history."""

    amount: str
    reason: str
    state: str
    who: str
    asked: str
    settled: str
    failure: str


@dataclass(frozen=True)
class Attempt:
    """One attempt to pay."""

    deposit: Deposit
    state: str
    stripe_url: str
    dispute: str
    refunds: Sequence[Line]
    can_be_refunded: bool
    why_not: str


@dataclass(frozen=True)
class Box:
    """All that the booking's page says about its money."""

    booking: Booking
    rows: Sequence[tuple[str, str]]
    attempts: Sequence[Attempt]
    alarms: Sequence[tuple[Alarm, str]]


def may_see(user: User | AnonymousUser) -> bool:
    """Whether somebody at the desk may know what was paid and what goes back."""
    return bool(user.has_perm("booking.view_deposit"))


def box(booking: Booking) -> Box | None:
    """The money of one booking; None if there is none and none is asked for."""
    deposits = list(booking.deposits.all())
    prefetch_related_objects(deposits, "refunds", "alarms")
    if not deposits and not booking.price_cents:
        return None
    zone = booking.calendar.tz
    alarms = [alarm for each in deposits for alarm in each.alarms.all() if not alarm.resolved_at]
    return Box(
        booking,
        _rows(booking, deposits),
        [_attempt(each, zone) for each in deposits],
        [(alarm, advice(alarm, zone)) for alarm in alarms],
    )


def word(booking: Booking) -> str:
    """How the money stands, short enough for a list. Asks nothing that is prefetched."""
    deposits = list(booking.deposits.all())
    paid = sum(each.paid_cents for each in deposits)
    back = sum(each.refunded_cents for each in deposits)
    for each in deposits:
        if each.is_disputed:
            return f"{german.euros(paid)} {_quarrel(each)}"
    if paid:
        text = f"{german.euros(paid)} bezahlt"
        return f"{text}, {german.euros(back)} zurück" if back else text
    if any(each.is_unfinished for each in deposits):
        return "wird bezahlt"
    if booking.deposit_waived:
        return "ohne Zahlung"
    return "nicht bezahlt" if booking.deposit_cents else "–"


def advice(alarm: Alarm, zone: ZoneInfo) -> str:
    """What to do about it, in one sentence."""
    if alarm.kind == Alarm.Kind.DISPUTE:
        return _about_dispute(alarm.deposit, zone)
    return ADVICE[Alarm.Kind(alarm.kind)]


def stripe_url(deposit: Deposit) -> str:
    """The payment in Stripe's dashboard; "" as long as there is none."""
    if not deposit.payment_intent:
        return ""
    mode = "" if deposit.livemode else "/test"
    return f"{DASHBOARD}{mode}/payments/{deposit.payment_intent}"


def state(deposit: Deposit) -> str:
    """How an attempt stands, with the quarrel about it if there is one."""
    if deposit.is_disputed:
        return f"{deposit.get_status_display()}, {_quarrel(deposit)}"
    return str(deposit.get_status_display())


def refund_state(refund: Refund) -> str:
    """Until Stripe has confirmed it nobody knows whether it arrived there; the job asks again."""
    if refund.status == Refund.Status.ASKED:
        return "beauftragt, wird geprüft"
    return str(refund.get_status_display())


def why_no_refund(deposit: Deposit) -> str:
    """Why nothing can be sent back of this payment right now; "" if something can."""
    if not deposit.is_paid:
        return "Hier ist nichts bezahlt."
    if deposit.dispute_status == LOST:
        return "Die Bank hat dem Gast das Geld zurückgegeben."
    if deposit.is_disputed:
        return "Die Zahlung wird bestritten; solange lässt Stripe keine Erstattung zu."
    if not deposit.refundable_cents:
        return "Es ist schon alles zurück oder auf dem Weg."
    if not settings.STRIPE_SECRET_KEY:
        return "Stripe ist nicht eingerichtet; von hier aus geht nichts zurück."
    if deposit.livemode != settings.STRIPE_IS_LIVE:
        return "Diese Zahlung gehört zum anderen Modus von Stripe (Test oder echt)."
    return ""


def refundable_cents(booking: Booking) -> int:
    """What could go back of what the appointment was paid with, as soon as nobody fights over it."""
    return sum(each.refundable_cents for each in booking.deposits.that_booked())


def sendable_cents(booking: Booking) -> int:
    """What can go back right now."""
    return sum(each.refundable_cents for each in booking.deposits.all() if not each.is_disputed)


def is_disputed(booking: Booking) -> bool:
    return any(each.is_disputed for each in booking.deposits.all())


def sums(deposits: Iterable[Deposit]) -> tuple[int, int, int]:
    """Paid, gone back, kept."""
    rows = [(each.paid_cents, each.refunded_cents, each.kept_cents) for each in deposits]
    return sum(row[0] for row in rows), sum(row[1] for row in rows), sum(row[2] for row in rows)


def _about_dispute(deposit: Deposit, zone: ZoneInfo) -> str:
    if deposit.dispute_status == LOST:
        return "Die Bank hat dem Gast das Geld zurückgegeben; mehr ist nicht zu tun."
    if not deposit.is_disputed:
        return "Der Streit ist zu deinen Gunsten beendet; mehr ist nicht zu tun."
    if deposit.dispute_status in ("under_review", "warning_under_review"):
        return "Deine Belege liegen bei der Bank; warte auf ihre Entscheidung."
    until = deposit.dispute_due_by
    when = f"bis {german.short_when(until, zone)}" if until else "vor Ablauf der Frist"
    return f"Reich bei Stripe {when} deine Belege ein oder nimm den Einspruch an."


def _quarrel(deposit: Deposit) -> str:
    return "im Streit verloren" if deposit.dispute_status == LOST else "bestritten"


def _rows(booking: Booking, deposits: Sequence[Deposit]) -> list[tuple[str, str]]:
    paid, back, kept = sums(deposits)
    rows = [
        ("Preis", booking.price_cents, True),
        ("beim Buchen fällig", booking.deposit_cents, True),
        ("Rest, nach dem Buchen", booking.rest_cents, True),
        ("bezahlt", paid, not booking.deposit_waived or bool(paid)),
        ("zurück oder auf dem Weg", back, bool(paid)),
        ("behalten", kept, bool(paid)),
    ]
    return [(name, german.euros(cents)) for name, cents, shown in rows if shown]


def _attempt(deposit: Deposit, zone: ZoneInfo) -> Attempt:
    why_not = why_no_refund(deposit)
    return Attempt(
        deposit=deposit,
        state=_history(deposit, zone),
        stripe_url=stripe_url(deposit),
        dispute=dispute(deposit, zone),
        refunds=[line(refund, zone) for refund in deposit.refunds.all()],
        can_be_refunded=not why_not,
        why_not=why_not if deposit.is_paid else "",
    )


def _history(deposit: Deposit, zone: ZoneInfo) -> str:
    """„bezahlt, Mo., 01.03.2027, 09:05 Uhr“: how it stands, and since when or until when."""
    if deposit.paid_at:
        return f"bezahlt, {german.short_when(deposit.paid_at, zone)}"
    if deposit.closed_at:
        return f"ohne Zahlung beendet, {german.short_when(deposit.closed_at, zone)}"
    return f"{deposit.get_status_display()}, bezahlbar bis {german.short_when(deposit.expires_at, zone)}"


def dispute(deposit: Deposit, zone: ZoneInfo) -> str:
    """„Stripe wartet auf deine Belege, bis …“; "" if nobody fights over it."""
    if not deposit.dispute_id:
        return ""
    words = DISPUTES.get(deposit.dispute_status, deposit.dispute_status)
    due_by: datetime | None = deposit.dispute_due_by if deposit.is_disputed else None
    return f"{words}, bis {german.short_when(due_by, zone)}" if due_by else words


def line(refund: Refund, zone: ZoneInfo) -> Line:
    # What came back from the bank was settled once, but is not any more.
    settled_at = refund.settled_at if refund.is_back else None
    return Line(
        amount=german.euros(refund.amount_cents),
        reason=refund.get_reason_display(),
        state=refund_state(refund),
        who=refund.asked_by
        or ("bei Stripe" if refund.reason == Refund.Reason.DASHBOARD else "von selbst"),
        asked=german.short_when(refund.created_at, zone),
        settled=german.short_when(settled_at, zone) if settled_at else "–",
        failure=refund.failure,
    )
