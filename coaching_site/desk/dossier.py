"""All about one person, for the page on which the coach prepares: asked in as few queries as can be.

What goes into the file for the person themselves is `people.everything_about`; here is what one
looks for on a Monday morning, each with its way to the page that can do something about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin import site as admin_site
from django.db.models import (
    CharField,
    DateTimeField,
    F,
    JSONField,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Cast, Coalesce, Lower, NullIf
from django.urls import reverse

from booking.models import (
    BillingAddress,
    Booking,
    Deposit,
    Invoice,
    Notification,
    Order,
    Refund,
    Withdrawal,
    WithdrawalMail,
)
from coaching_site.desk import audit, notes, people
from coaching_site.desk.models import Change, PersonNote, PersonRequest
from newsletter import addresses
from newsletter.addresses import Address
from newsletter.models import Consent, Delivery, Event, Issue, Subscriber, Suppression
from pages.models import Testimonial

# Of mails and changes as many as somebody reads; each thing's own page has the rest.
LATEST = 50

May = Callable[[str], bool]
# By which rows a person's page goes: an address of its own would stand in every log.
ROWS: dict[str, tuple[type[Model], str]] = {
    "termin": (Booking, "email"),
    "abo": (Subscriber, "address"),
    "widerruf": (Withdrawal, "email"),
    "zitat": (Testimonial, "email"),
    "anfrage": (PersonRequest, "address"),
    "notiz": (PersonNote, "address_key"),
}


@dataclass(frozen=True)
class Paper:
    """Something declared, asked for or noted about the person, in a line."""

    model: type[Model]
    pk: int
    what: str
    state: str
    at: datetime
    link: str


@dataclass(frozen=True)
class Mail:
    """One mail to the person, sent or still owed."""

    what: str
    state: str
    at: datetime
    link: str


@dataclass(frozen=True)
class Happened:
    """One line of the history: a change at the desk, or what the list of readers noted."""

    at: datetime
    who: str
    what: str
    thing: str
    link: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Dossier:
    address: Address
    name: str
    coming: Sequence[Booking]
    past: Sequence[Booking]
    papers: Sequence[Paper]
    reader: Subscriber | None
    consents: Sequence[Consent]
    notes: Sequence[PersonNote]
    mails: Sequence[Mail]
    history: Sequence[Happened]

    @property
    def latest(self) -> Booking | None:
        """The booking whose company and telephone number are the newest."""
        return next(iter((*reversed(self.coming), *self.past)), None)

    @property
    def follow_up(self) -> Booking | None:
        """The newest booking with the consent to be asked for feedback."""
        rows = (*reversed(self.coming), *self.past)
        return next((row for row in rows if row.followup_consent_at), None)


def address_of(kind: str, pk: int) -> Address | None:
    """Whose row this is; None if there is no such row or it names nobody (any more)."""
    model, column = ROWS.get(kind, (None, ""))
    if model is None:
        return None
    found = model._default_manager.filter(pk=pk).values_list(column, flat=True).first()
    try:
        return addresses.parse(found or "")
    except addresses.NotAnAddress:
        return None


def gather(address: Address, *, may: May, now: datetime) -> Dossier:
    """Everything somebody with these permissions may see about a person."""
    bookings = _bookings(address)
    reader, consents = _reader(address)
    written = notes.of(address) if may("desk.view_personnote") else []
    coming = [row for row in reversed(bookings) if row.end > now]
    past = [row for row in bookings if row.end <= now]
    papers = _papers(address, bookings, may=may)
    return Dossier(
        address=address,
        name=_name(bookings, reader),
        coming=coming,
        past=past,
        papers=papers,
        reader=reader,
        consents=consents,
        notes=written,
        mails=_mails(address, bookings, may=may),
        history=_history(bookings, reader, written, papers, sees_money=may("booking.view_deposit")),
    )


def _bookings(address: Address) -> list[Booking]:
    """All of them, the latest first, with what was paid back and when it was ordered."""
    back = Deposit.objects.filter(booking=OuterRef("pk")).order_by().values("booking")
    ordered = Order.objects.filter(booking=OuterRef("pk")).order_by("-ordered_at")
    rows = Booking.objects.alias(address=Lower("email")).filter(
        address__in=people.spellings_of(address)
    )
    return list(
        rows.with_its_type()
        .annotate(
            back_cents=Coalesce(
                Subquery(back.annotate(sum=Sum("refunded_cents")).values("sum")), 0
            ),
            ordered_at=Subquery(ordered.values("ordered_at")[:1]),
        )
        .order_by("-start")
    )


def _name(bookings: Iterable[Booking], reader: Subscriber | None) -> str:
    names = [*(row.name for row in bookings), reader.name if reader else ""]
    return next(filter(None, names), "")


def _reader(address: Address) -> tuple[Subscriber | None, list[Consent]]:
    """Their row on the list with all consents, the newest first: whoever consented brings the row."""
    given = Consent.objects.filter(subscriber__address_key=address.key)
    consents = list(given.select_related("subscriber").order_by("-requested_at", "-pk"))
    if consents:
        return consents[0].subscriber, consents
    return Subscriber.objects.filter(address_key=address.key).first(), []


# --- papers -----------------------------------------------------------------------------------------


def _papers(address: Address, bookings: Iterable[Booking], *, may: May) -> list[Paper]:
    """Invoices, withdrawals, requests, quotes and blocks in one question, as far as one may see them."""
    spellings = people.spellings_of(address)
    quotes = Testimonial.objects.alias(address=Lower("email")).filter(address__in=spellings)
    invoices = Invoice.objects.filter(booking__in=[row.pk for row in bookings])
    sources: list[tuple[str, QuerySet[Any]]] = [
        ("booking.view_invoice", _lines(invoices, "invoice", "number", "created_at")),
        (
            "booking.view_withdrawal",
            _lines(_withdrawals(address, bookings), "withdrawal", "status", "received_at"),
        ),
        (
            "desk.view_personrequest",
            _lines(
                PersonRequest.objects.filter(address_hash__in=people.hashes_of(address)),
                "request",
                "kind",
                "asked_at",
            ),
        ),
        ("pages.view_testimonial", _lines(quotes, "quote", "consent_means", "consented_on")),
        (
            "newsletter.view_suppression",
            _lines(Suppression.objects.of(address.key), "block", "reason", "created_at"),
        ),
    ]
    shown = [rows for permission, rows in sources if may(permission)]
    if not shown:
        return []
    found = shown[0].union(*shown[1:], all=True)
    told = [_paper(*row) for row in found]
    return sorted(told, key=lambda paper: paper.at, reverse=True)


def _withdrawals(address: Address, bookings: Iterable[Booking]) -> QuerySet[Withdrawal]:
    """What came from the address, or is about an appointment of it."""
    own = Q(address__in=people.spellings_of(address)) | Q(booking__in=[row.pk for row in bookings])
    return Withdrawal.objects.alias(address=Lower("email")).filter(own)


def _lines(rows: QuerySet[Any], what: str, state: str, at: str) -> QuerySet[Any]:
    """Of each row: what it is, its number, how it stands and since when."""
    dated = rows.filter(**{f"{at}__isnull": False}).order_by()
    return dated.values_list(
        Value(what, CharField()),
        "pk",
        Cast(state, CharField()),
        Cast(at, DateTimeField()),
    )


def _paper(what: str, pk: int, state: str, at: datetime) -> Paper:
    word, model, states = {
        "invoice": ("Rechnung", Invoice, []),
        "withdrawal": ("Widerruf", Withdrawal, Withdrawal.Status),
        "request": ("Anfrage zu Daten", PersonRequest, PersonRequest.Kind),
        "quote": ("Zitat, eingewilligt", Testimonial, Testimonial.Means),
        "block": ("Sperre im Newsletter", Suppression, Suppression.Reason),
    }[what]
    return Paper(model, pk, word, _label(state, states), at, _link(model, pk))


# --- mails ------------------------------------------------------------------------------------------


def _mails(address: Address, bookings: Iterable[Booking], *, may: May) -> list[Mail]:
    """What was sent or is owed to the person, whichever ledger holds it; the newest first."""
    to_guest = Notification.objects.filter(
        booking__in=[row.pk for row in bookings], audience=Booking.Side.GUEST
    )
    if not may("booking.view_deposit"):
        to_guest = to_guest.not_about_money()
    issues = Delivery.objects.filter(subscriber__address_key=address.key)
    # A bounce says more than that the mail server took it.
    how = Coalesce(NullIf("bounce", Value("")), "state")
    sources = [
        _ledger(to_guest, "call", what="kind", about="booking_id", how=F("last_error")),
        _ledger(
            issues,
            "issue",
            what="issue__subject",
            about="issue_id",
            how=how,
            owed="issue__started_at",
        ),
    ]
    if may("booking.view_withdrawal"):
        answers = WithdrawalMail.objects.exclude(kind__in=WithdrawalMail.TO_COACH).filter(
            withdrawal__in=_withdrawals(address, bookings).values("pk")
        )
        sources.append(
            _ledger(answers, "withdrawal", what="kind", about="withdrawal_id", how=F("last_error"))
        )
    found = sources[0].union(*sources[1:], all=True)
    return [_mail(*row) for row in found.order_by("-at")[:LATEST]]


def _ledger(
    rows: QuerySet[Any],
    of: str,
    *,
    what: str,
    about: str,
    how: Any,
    owed: str = "created_at",
) -> QuerySet[Any]:
    """Of each mail: which ledger, its occasion, the thing it is about, how it went, when."""
    told = rows.order_by().annotate(
        of=Value(of, CharField()),
        what=Cast(what, CharField()),
        about=F(about),
        how=Cast(how, CharField()),
        sent=F("sent_at"),
        at=Coalesce("sent_at", owed),
    )
    lines: QuerySet[Any] = told.values_list("of", "what", "about", "how", "sent", "at")
    return lines


def _mail(of: str, what: str, about: int, how: str, sent: datetime | None, at: datetime) -> Mail:
    if of == "issue":
        return Mail(
            f"Ausgabe „{what}“",
            _label(how, Delivery.State, Delivery.Bounce),
            at,
            _link(Issue, about),
        )
    model, kinds = (
        (Booking, Notification.Kind) if of == "call" else (Withdrawal, WithdrawalMail.Kind)
    )
    state = "verschickt" if sent else "Fehler" if how else "noch nicht verschickt"
    return Mail(_label(what, kinds), state, at, _link(model, about))


# --- history ----------------------------------------------------------------------------------------


def _history(
    bookings: Iterable[Booking],
    reader: Subscriber | None,
    written: Iterable[PersonNote],
    papers: Iterable[Paper],
    *,
    sees_money: bool,
) -> list[Happened]:
    """What the desk changed of all that is the person's, and what the list noted; the newest first."""
    pks = [row.pk for row in bookings]
    rows = _changes_of(Booking, pks)
    rows |= _changes_of(BillingAddress, BillingAddress.objects.filter(booking__in=pks).values("pk"))
    rows |= _changes_of(PersonNote, [note.pk for note in written])
    rows |= _changes_of(Subscriber, [reader.pk] if reader else [])
    for model in (Testimonial, PersonRequest):
        rows |= _changes_of(model, [paper.pk for paper in papers if paper.model is model])
    if sees_money:
        of_them = {"booking__in": pks}
        rows |= _changes_of(Deposit, Deposit.objects.filter(**of_them).values("pk"))
        rows |= _changes_of(Refund, Refund.objects.filter(deposit__booking__in=pks).values("pk"))
        rows |= _changes_of(Invoice, Invoice.objects.filter(**of_them).values("pk"))
    found = (
        Change.objects.filter(rows)
        .order_by()
        .values_list("at", "who", "what", "table", "row", "fields")
    )
    if reader is not None:
        noted = Event.objects.filter(subscriber=reader).order_by()
        found = found.union(
            noted.values_list(
                "at",
                "by",
                "kind",
                Value(Event._meta.db_table, CharField()),
                "pk",
                Cast(Value("{}"), JSONField()),
            ),
            all=True,
        )
    return [_happened(*row, sees_money=sees_money) for row in found.order_by("-at")[:LATEST]]


def _changes_of(model: type[Model], pks: Any) -> Q:
    return Q(table=model._meta.db_table, row__in=pks)


def _happened(
    at: datetime,
    who: str,
    what: str,
    table: str,
    row: int,
    fields: dict[str, object],
    *,
    sees_money: bool,
) -> Happened:
    if table == Event._meta.db_table:
        return Happened(at, _label(who, Event.By), _label(what, Event.Kind), "", "", [])
    change = Change(at=at, who=who, what=what, table=table, row=row, fields=fields)
    model = audit.model_of(table)
    thing = audit.called(model) if model else table
    link = _link(model, row) if model and what != Change.What.DELETE else ""
    lines = audit.told(change, with_money=sees_money)
    return Happened(at, who, change.get_what_display(), thing, link, lines)


def _label(value: str, *choices: Any) -> str:
    """What people read for it; the value itself where nobody has words for it."""
    words = {str(each.value): str(each.label) for kind in choices for each in kind}
    return words.get(value, value)


def _link(model: type[Model], pk: int) -> str:
    """Its page at the desk; "" if it has none."""
    if not admin_site.is_registered(model):
        return ""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])
