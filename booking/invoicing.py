"""Invoices: when one is due, its number, and taking it back. What is in one: `invoice_drafts`.

A payment an appointment rests on gets one invoice: „Anzahlungsrechnung“ for a part of the price,
„Rechnung“ for all of it (UStG § 14 (5) 1: dated by the day the money came). After the call the
coach bills the rest, in a „Schlussrechnung“ that takes off what was billed before, net and tax
apart (§ 14 (5) 2).

An issued invoice never changes. What goes back to a guest lowers what was taxed, but makes the
invoice no less right when it was written (§ 17 (1) 1, (2) 2 and 3): so each refund, of all or of a
part, gets one „Stornorechnung“ over just that sum, once the money has gone back. An invoice that is
wrong itself is another thing (UStDV § 31 (5)): it is cancelled as a whole and written anew.

So the papers of a payment always add up to what is left of it. They are owed by its row: the mail
that brings them along writes them first, and a job whatever no mail has written. Never is one drawn
while the calendar is locked. Who writes holds the booking, and then the sequence of numbers; the
transaction that takes a number writes the invoice, so that none is lost or used twice.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import QuerySet

from booking import deposits, invoice_drafts, notices
from booking.errors import (
    InvoiceChanged,
    InvoiceIncomplete,
    NotBegun,
    NothingToCancel,
    NothingToInvoice,
    NotPayable,
    TaxChanged,
)
from booking.invoice_data import (
    InvoiceData,
    Line,
    Reference,
    Tax,
    split,
    total,
)
from booking.models import (
    Alarm,
    Booking,
    Deposit,
    Invoice,
    InvoicePayment,
    InvoiceSequence,
    Notification,
    Refund,
    owing_papers,
)
from booking.models.papers import InvoiceQuerySet
from coaching_site import german, on_demand
from pages.models import Practice

if TYPE_CHECKING:
    from booking import invoice_pdf
else:
    invoice_pdf = on_demand.Module("booking.invoice_pdf")

logger = logging.getLogger(__name__)

# What an alarm is about that keeps all invoices back.
PRACTICE = "praxis"


def issue_final(booking: Booking, *, gross_cents: int | None = None, now: datetime) -> Invoice:
    """Bill what is left of the price, to be transferred; the invoice that does so, if there is one.

    The guest gets it by mail. `gross_cents` is what the coach has read; should it have changed,
    InvoiceChanged is raised. Raises what `draft_final` raises.
    """
    with transaction.atomic():
        booking = Booking.objects.locked(booking)
        known = _transfers(booking).live().first()
        if known is not None:
            return known
        _write_and_mail(booking, now=now)
        draft = draft_final(booking, now=now)
        if gross_cents not in (None, draft.total.gross):
            raise InvoiceChanged
        invoice = _write(
            draft,
            booking,
            kind=_kind_of(draft.lines),
            series=invoice_drafts.series_of(booking),
            replaces=_transfers(booking).claims().order_by("-pk").first(),
            now=now,
        )
        mail_to_guest(invoice, now=now)
        return invoice


def draft_final(booking: Booking, *, now: datetime) -> InvoiceData:
    """What the invoice for the rest would say now. Without earlier payments it is for everything.

    Raises NotBegun, NothingToInvoice, TaxChanged or InvoiceIncomplete.
    """
    if not booking.is_confirmed or now < booking.start:
        raise NotBegun("Die Schlussrechnung gibt es, sobald ein gebuchter Termin begonnen hat.")
    if is_billed(booking):
        raise NothingToInvoice
    practice = Practice.current()
    tax = Tax(practice.vat_mode)
    before = _price_invoices(booking)
    if any(invoice.vat != tax for invoice in before):
        raise TaxChanged
    price = invoice_drafts.line(
        booking, invoice_drafts.service_of(booking), split(booking.price_cents, tax.percent), tax
    )
    lines = [price, *(invoice_drafts.deduction(invoice, tax) for invoice in before)]
    if total(line.amount for line in lines).gross <= 0:
        raise NothingToInvoice
    today = invoice_drafts.day_of(now, booking)
    draft = invoice_drafts.draft(
        booking,
        practice,
        title=_kind_of(lines).label,
        tax=tax,
        lines=lines,
        due_on=today + timedelta(days=practice.payment_days),
        now=now,
    )
    if not practice.iban:
        raise InvoiceIncomplete(["IBAN"], of_practice=True)
    return draft


def storno(invoice: Invoice, *, reason: str, now: datetime) -> list[Invoice]:
    """Cancel an invoice that is wrong. The guest gets what was written, by mail.

    As long as the money of a payment is there, it needs an invoice: a new one is written at once,
    with today's names and tax. Raises NothingToCancel or InvoiceIncomplete; then nothing happens.
    """
    with transaction.atomic():
        if has_money(invoice):
            tax = Tax(Practice.current().vat_mode)
            return _again(invoice, tax=tax, reason=reason, now=now)
        paper = _cancel(invoice, reason=reason, now=now)
        mail_to_guest(paper, now=now)
        return [paper]


def bill_as_damages(invoice: Invoice, *, now: datetime) -> list[Invoice]:
    """What was kept of a payment was no price but damages: cancel its invoice, write one without tax.

    Which it is depends on the contract (UStG § 1 (1) 1; ECJ C-277/05 against C-250/14), so the coach
    decides. The guest gets both papers by mail. Raises NothingToCancel or InvoiceIncomplete; then nothing is cancelled.
    """
    reason = "Der behaltene Betrag ist Schadensersatz."
    return _again(invoice, tax=Tax.NOT_TAXABLE, reason=reason, now=now)


def note_paid(invoice: Invoice, *, on: date, by: str, now: datetime) -> InvoicePayment:
    """Note that a transfer has come; the first note stays. Raises NotPayable."""
    with transaction.atomic():
        booking = Booking.objects.locked(invoice.booking)
        known = InvoicePayment.objects.filter(invoice=invoice).first()
        if known is not None:
            return known
        row = Invoice.objects.with_state().without_files().get(pk=invoice.pk)
        if not row.is_open or on > invoice_drafts.day_of(now, booking):
            raise NotPayable
        return InvoicePayment.objects.create(invoice=row, paid_on=on, noted_at=now, noted_by=by)


def write_owed(booking: Booking, *, now: datetime) -> list[Invoice]:
    """Write what this booking's payments and refunds owe. Twice is the same as once.

    Raises InvoiceIncomplete.
    """
    with transaction.atomic():
        booking = Booking.objects.locked(booking)
        written: list[Invoice] = []
        for deposit in owing_papers().filter(booking=booking):
            deposit.booking = booking
            if not Invoice.objects.of_payment(deposit).exists():
                written.append(_for_payment(booking, deposit, deposit.paid_cents, now=now))
            written += _for_refunds(deposit, now=now)
            _all_is_written(Alarm.objects.filter(deposit=deposit), now=now)
        return written


def write_all_owed(*, now: datetime) -> int:
    """Write whatever is owed, mail what no other mail carries, and say how many that were.

    What has holes is not written: the coach is told what is missing, and it is tried again.
    """
    if not Practice.current().missing_for_invoices():
        _all_is_written(Alarm.objects.filter(about=PRACTICE), now=now)
    written = 0
    for deposit in owing_papers().select_related("booking"):
        try:
            papers = _write_and_mail(deposit.booking, now=now)
        except InvoiceIncomplete as error:
            _tell_what_is_missing(deposit, error, now=now)
            if error.of_practice:
                break
        except Exception:
            # One that cannot be drawn must not keep all others back.
            logger.exception("An invoice of booking %s cannot be written.", deposit.booking_id)
            detail = "Ein Fehler im Programm, Näheres steht im Protokoll"
            deposits.alarm(deposit, Alarm.Kind.NO_INVOICE, about="fehler", detail=detail, now=now)
        else:
            written += len(papers)
    return written + _cancel_bills_of_withdrawn(now=now)


def mail_to_guest(invoice: Invoice, *, now: datetime) -> None:
    """Owe the guest a mail with this paper, once."""
    kind, guest = Notification.Kind.INVOICE, Booking.Side.GUEST
    notices.owe(invoice.booking, kind, guest, invoice=invoice, now=now)


def has_money(invoice: Invoice) -> bool:
    """Whether there is a payment behind it that no bank has taken back."""
    return invoice.deposit is not None and invoice.deposit.dispute_status != "lost"


def unpaid_bill(booking: Booking) -> Invoice | None:
    """What its guest was asked to transfer and has not. Asks the database."""
    return _transfers(booking).in_state(Invoice.State.OPEN).without_files().first()


def is_billed(booking: Booking) -> bool:
    """Whether an invoice for the rest stands. Asks the database."""
    return _transfers(booking).live().exists()


# --- what is owed ---------------------------------------------------------------------------------


def _write_and_mail(booking: Booking, *, now: datetime) -> list[Invoice]:
    with transaction.atomic():
        papers = write_owed(booking, now=now)
        for paper in papers:
            if not _is_carried(paper, now=now):
                mail_to_guest(paper, now=now)
        return papers


def _cancel_bills_of_withdrawn(*, now: datetime) -> int:
    """Cancel what is still to be transferred for contracts that were withdrawn from."""
    written = 0
    for invoice in Invoice.objects.of_withdrawn().select_related("booking"):
        try:
            written += _cancel_bill(invoice, now=now)
        except Exception:
            logger.exception("Invoice %s of a withdrawn contract stands.", invoice.number)
    return written


def _cancel_bill(invoice: Invoice, *, now: datetime) -> int:
    with transaction.atomic():
        Booking.objects.locked(invoice.booking)
        if not Invoice.objects.of_withdrawn().filter(pk=invoice.pk).exists():
            return 0  # somebody was faster, or noted that it was paid
        paper = _cancel(invoice, reason="Der Vertrag wurde widerrufen.", now=now)
        mail_to_guest(paper, now=now)
        return 1


def _is_carried(invoice: Invoice, *, now: datetime) -> bool:
    """Whether a mail that is still to be sent will bring it along."""
    mails = Notification.objects.unsent().unclaimed(now).with_its_booking()
    mails = mails.filter(booking=invoice.booking, audience=Booking.Side.GUEST)
    if invoice.refund is not None:
        mails = mails.filter(refund=invoice.refund)
    else:
        mails = mails.filter(kind=Notification.Kind.CONFIRMATION)
    return any(mail.is_owed_at(now) for mail in mails)


def _for_payment(
    booking: Booking,
    deposit: Deposit,
    gross_cents: int,
    *,
    tax: Tax | None = None,
    replaces: Invoice | None = None,
    now: datetime,
) -> Invoice:
    practice = Practice.current()
    tax = tax or Tax(practice.vat_mode)
    is_whole = not booking.rest_cents or tax is Tax.NOT_TAXABLE
    kind = Invoice.Kind.INVOICE if is_whole else Invoice.Kind.DEPOSIT
    draft = invoice_drafts.draft(
        booking,
        practice,
        title=kind.label,
        tax=tax,
        lines=[
            invoice_drafts.line(
                booking,
                invoice_drafts.words_for(booking, kind, tax),
                split(gross_cents, tax.percent),
                tax,
            )
        ],
        deposit=deposit,
        now=now,
    )
    return _write(
        draft,
        booking,
        kind=kind,
        series=Invoice.REAL if deposit.livemode else Invoice.TEST,
        deposit=deposit,
        replaces=replaces,
        now=now,
    )


def _for_refunds(deposit: Deposit, *, now: datetime) -> list[Invoice]:
    """A cancellation for each refund that has gone back, as far as the papers do not know of it.

    One that failed after it was told has its paper; the next that arrives in its place needs none.
    """
    written = []
    back = Refund.objects.filter(deposit=deposit, status=Refund.Status.SUCCEEDED)
    papers = Invoice.objects.of_payment(deposit)
    left = deposit.paid_cents - sum(refund.amount_cents for refund in back)
    for refund in back.filter(invoices=None).order_by("settled_at", "pk"):
        cents = min(refund.amount_cents, papers.gross() - left)
        invoice = papers.live().first()
        if cents > 0 and invoice is not None:
            when = refund.settled_at or now
            reason = (
                f"Erstattet am {german.plain_date(invoice_drafts.day_of(when, deposit.booking))}."
            )
            written.append(_cancel(invoice, cents=cents, refund=refund, reason=reason, now=now))
    return written


def _tell_what_is_missing(deposit: Deposit, error: InvoiceIncomplete, *, now: datetime) -> None:
    about = PRACTICE if error.of_practice else "gast"
    waiting = Alarm.objects.open().filter(kind=Alarm.Kind.NO_INVOICE, about=about)
    if not error.of_practice:
        waiting = waiting.filter(deposit=deposit)
    detail = error.message.rstrip(".")
    if not waiting.update(detail=detail):
        deposits.alarm(deposit, Alarm.Kind.NO_INVOICE, about=about, detail=detail, now=now)


def _all_is_written(alarms: QuerySet[Alarm], *, now: datetime) -> None:
    waiting = alarms.filter(kind=Alarm.Kind.NO_INVOICE, resolved_at=None)
    waiting.update(resolved_at=now, resolved_by="von selbst")


def _cancel(
    invoice: Invoice,
    *,
    cents: int | None = None,
    refund: Refund | None = None,
    reason: str = "",
    now: datetime,
) -> Invoice:
    """Cancel an invoice, or so much of it, with a paper of its own number (AO § 146 (4)).

    The parties are those of the invoice, whatever they are called today. Raises NothingToCancel.
    """
    with transaction.atomic():
        booking = Booking.objects.locked(invoice.booking)
        data, standing = invoice.content, invoice_drafts.standing_of(invoice)
        cents = standing.gross if cents is None else cents
        if invoice.is_storno or not 0 < cents <= standing.gross:
            raise NothingToCancel
        cancelled = Reference(data.title, data.number, data.issued_on)
        draft = InvoiceData(
            **{
                **vars(data),
                "title": Invoice.Kind.STORNO.label,
                "number": "",
                "issued_on": invoice_drafts.day_of(now, booking),
                "lines": invoice_drafts.cancelling_lines(data, standing, cents),
                "received_on": None,
                "due_on": None,
                "cancels": cancelled,
                "reason": reason,
            }
        )
        return _write(
            draft,
            booking,
            kind=Invoice.Kind.STORNO,
            series=invoice.series,
            deposit=invoice.deposit,
            refund=refund,
            cancels=invoice,
            now=now,
        )


def _again(invoice: Invoice, *, tax: Tax, reason: str, now: datetime) -> list[Invoice]:
    """Cancel what stands of a payment's invoice and write one over the same sum."""
    with transaction.atomic():
        booking = Booking.objects.locked(invoice.booking)
        if invoice.deposit is None:
            raise NothingToCancel
        standing = invoice_drafts.standing_of(invoice)
        cancelling = _cancel(invoice, reason=reason, now=now)
        anew = _for_payment(
            booking, invoice.deposit, standing.gross, tax=tax, replaces=invoice, now=now
        )
        for paper in (cancelling, anew):
            mail_to_guest(paper, now=now)
        return [cancelling, anew]


# --- writing --------------------------------------------------------------------------------------


def _price_invoices(booking: Booking) -> list[Invoice]:
    """What stands of the invoices for payments, in order; damages are no part of the price."""
    rows = Invoice.objects.filter(booking=booking, deposit__isnull=False).live()
    rows = rows.exclude(vat=Invoice.Vat.NOT_TAXABLE)
    return list(rows.order_by("year", "position"))


def _transfers(booking: Booking) -> InvoiceQuerySet:
    """What was billed after the call, to be transferred."""
    return Invoice.objects.filter(booking=booking, deposit__isnull=True)


def _kind_of(lines: Sequence[Line]) -> Invoice.Kind:
    has_deductions = any(line.deducts for line in lines)
    return Invoice.Kind.FINAL if has_deductions else Invoice.Kind.INVOICE


def _write(
    draft: InvoiceData,
    booking: Booking,
    *,
    kind: Invoice.Kind,
    series: str,
    deposit: Deposit | None = None,
    refund: Refund | None = None,
    cancels: Invoice | None = None,
    replaces: Invoice | None = None,
    now: datetime,
) -> Invoice:
    """Take a number, draw the paper and keep both; all of it is in the caller's transaction."""
    year = draft.issued_on.year
    position = InvoiceSequence.objects.take(series, year)
    data = draft.numbered(f"{series}-{year}-{position:04}")
    pdf = invoice_pdf.draw(data)
    return Invoice.objects.create(
        kind=kind,
        series=series,
        year=year,
        position=position,
        number=data.number,
        issued_on=data.issued_on,
        created_at=now,
        booking=booking,
        deposit=deposit,
        refund=refund,
        cancels=cancels,
        replaces=replaces,
        recipient=", ".join(filter(None, [data.recipient.name, data.recipient.company])),
        vat=data.tax,
        net_cents=data.total.net,
        vat_cents=data.total.vat,
        gross_cents=data.total.gross,
        due_on=data.due_on,
        data=data.as_json(),
        pdf=pdf,
        sha256=hashlib.sha256(pdf).hexdigest(),
    )
